"""Protobuf's wire format, in which ONNX files are written: a message → its fields.

The light runtime has no package that reads ONNX. This reader copies nothing: the content of a
field is a view of the bytes of the file. It is stricter than protobuf: groups, which ONNX does not
have, are refused.

References:
    protobuf.dev, "Encoding".
"""

from collections.abc import Iterator

MOST_FIELDS = 500_000
"""Fields of the largest file, which bounds the time that reading takes. Such a file would have more
nodes and tensors than any network."""

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_FIXED_LENGTHS = {_FIXED_64: 8, _FIXED_32: 4}
_MOST_BITS = 63  # of a varint: its tenth byte adds one more bit
_LEAST_TAG, _MOST_TAG = 1 << 3, 1 << 32
_MORE = 0x80  # the bit of a byte that says that more bytes follow

Value = int | memoryview
"""The value of a field: a number, or the bytes of a text, a message or a list."""


class WireError(ValueError):
    """Bytes that are no message; the text says why, as "it ..."."""


class Reader:
    """Reads the messages of one file, and counts their fields."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def fields(self, message: memoryview) -> Iterator[tuple[int, Value]]:
        """The number and the value of each field of a message.

        A fixed-length number is given as its bytes.

        Raises:
            WireError: If the bytes are no message.
        """
        at, end = 0, len(message)
        while at < end:
            self._left -= 1
            tag, at = message[at], at + 1
            if tag & _MORE:
                tag, at = _varint(message, at - 1)
            kind = tag & 7
            if kind == _VARINT:
                value: Value
                value, at = _varint(message, at)
            else:
                if kind != _BYTES:
                    length = _fixed_length(kind)
                elif at < end and not message[at] & _MORE:  # most lengths are one byte
                    length, at = message[at], at + 1
                else:
                    length, at = _varint(message, at)
                value = message[at : at + length]
                at += length
            if at > end or not _LEAST_TAG <= tag < _MOST_TAG:
                raise WireError("is cut off or damaged")
            if self._left < 0:
                raise WireError(f"has more than {MOST_FIELDS} fields")
            yield tag >> 3, value


def varints(packed: memoryview) -> Iterator[int]:
    """The numbers of a packed list.

    Raises:
        WireError: If the last one is cut off.
    """
    at = 0
    while at < len(packed):
        number, at = _varint(packed, at)
        yield number


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at a byte, and where the next byte is.

    Raises:
        WireError: If it is cut off, or is too long.
    """
    number = shift = 0
    while shift <= _MOST_BITS:
        if at >= len(message):
            raise WireError("is cut off or damaged")
        byte = message[at]
        at += 1
        number |= (byte & ~_MORE) << shift
        if not byte & _MORE:
            return number, at
        shift += 7
    raise WireError("has a number of more than 64 bits")


def _fixed_length(kind: int) -> int:
    if kind not in _FIXED_LENGTHS:
        raise WireError("is damaged, or no ONNX file")
    return _FIXED_LENGTHS[kind]
