"""The inputs of the Open Inference Protocol: tensors in JSON or in binary data → images."""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from onebox.errors import DataError

MOST_IMAGES = 64
"""Most images of one request; not tuned."""

_LENGTH = struct.Struct("<I")  # before each element of BYTES
_WHITE = 255


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input of the protocol.

    Attributes:
        datatype: ``UINT8`` or ``BYTES``.
        shape: Its shape; -1 for a size that is free.
        from_json: Reads ``data`` of the given shape.
        from_binary: Reads binary data of the given shape.
    """

    datatype: str
    shape: tuple[int, ...]
    from_json: Callable[[list[Any], Sequence[int]], Sequence[bytes | ndarray]]
    from_binary: Callable[[memoryview, Sequence[int]], Sequence[bytes | ndarray]]


def _pixels_of_json(data: list[Any], shape: Sequence[int]) -> list[ndarray]:
    try:
        numbers = np.array(data)
    except ValueError as error:
        raise DataError(
            "input 'image': the rows of 'data' differ in length. Send one flat list, or lists "
            f"nested as the shape {list(shape)}."
        ) from error
    if numbers.dtype.kind not in "iu" or (numbers.size and not _is_uint8(numbers)):
        raise DataError(
            "input 'image': 'data' must be whole numbers from 0 to 255. Scale and round them."
        )
    if numbers.shape not in {(prod(shape),), tuple(shape)}:
        raise DataError(
            f"input 'image': 'data' has {numbers.size} numbers of shape {list(numbers.shape)}, and "
            f"the shape {list(shape)} takes {prod(shape)}."
        )
    return list(numbers.astype(np.uint8).reshape(shape))


def _is_uint8(numbers: ndarray) -> bool:
    return bool(numbers.min() >= 0 and numbers.max() <= _WHITE)


def _pixels_of_binary(binary: memoryview, shape: Sequence[int]) -> list[ndarray]:
    if len(binary) != prod(shape):
        raise DataError(
            f"input 'image': its binary data has {len(binary)} bytes, and the shape {list(shape)} "
            f"takes {prod(shape)}."
        )
    return list(np.frombuffer(binary, np.uint8).reshape(shape))


def _files_of_json(data: list[Any], shape: Sequence[int]) -> list[bytes]:
    _check_count(len(data), shape)
    return [_from_base64(text, number) for number, text in enumerate(data, start=1)]


def _from_base64(text: object, number: int) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"input 'encoded_image': element {number}: {_NO_BASE64}") from error
    raise DataError(f"input 'encoded_image': element {number}: {_NO_BASE64}")


_NO_BASE64 = (
    "in JSON, an image file is base64 text, and this is not. Encode it, or send it as binary data."
)


def _files_of_binary(binary: memoryview, shape: Sequence[int]) -> list[bytes]:
    files: list[bytes] = []
    position = 0
    while position < len(binary):
        start = position + _LENGTH.size
        length = _LENGTH.unpack(binary[position:start])[0] if start <= len(binary) else None
        if length is None or start + length > len(binary):
            raise DataError(
                f"input 'encoded_image': element {len(files) + 1} of the binary data is cut off. "
                "Write the length of each file as 4 bytes, lowest first, before its bytes."
            )
        files.append(bytes(binary[start : start + length]))
        position = start + length
    _check_count(len(files), shape)
    return files


def _check_count(count: int, shape: Sequence[int]) -> None:
    if count != shape[0]:
        raise DataError(
            f"input 'encoded_image': it has {count} elements, and its shape says {shape[0]}."
        )


INPUT_TENSORS: Mapping[str, InputTensor] = {
    "image": InputTensor("UINT8", (-1, -1, -1, 3), _pixels_of_json, _pixels_of_binary),
    "encoded_image": InputTensor("BYTES", (-1,), _files_of_json, _files_of_binary),
}
"""Upright RGB pixels, or image files; a request has one of them."""


def input_metadata() -> list[dict[str, Any]]:
    """The inputs, as the protocol describes tensors."""
    return [
        {"name": name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        for name, tensor in INPUT_TENSORS.items()
    ]
