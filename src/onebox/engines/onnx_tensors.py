"""The tensors in an ONNX file: their values are in the file, as many as their shape says."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from onebox.engines.onnx_wire import Value, varints

_SIGN = 1 << 63
_EXTERNAL = 1
_INT32, _INT64, _FLOAT = 6, 7, 1

# Bits of a value by the number of its type in onnx.proto. Texts and complex numbers are missing:
# no network of onebox has any.
_BITS = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13), 64),
    **dict.fromkeys((21, 22, 23), 4),
}
_TYPED = frozenset({4, 5, 7, 10, 11})  # fields with one number after another
_MOST_DIMS = 32
_MOST_PER_BYTE = 2  # values of 4 bits

DIMS, TYPE, SEGMENT, STRINGS, INT64S, NAME, RAW, EXTERNAL, LOCATION = 1, 2, 3, 6, 7, 8, 9, 13, 14


@dataclass(slots=True)
class Tensor:
    """A tensor as it is read, field by field.

    Attributes:
        name: Its name; empty for one without.
        dims: Its shape.
        kind: The number of its type.
        raw: Its values as bytes; None if they are numbers.
        integers: The parts of its values that are lists of 64-bit integers.
        typed_bytes: Number of bytes of its values as numbers.
    """

    name: str = ""
    dims: list[int] = field(default_factory=list)
    kind: int = 0
    raw: memoryview | None = None
    integers: list[Value] = field(default_factory=list)
    typed_bytes: int = 0


def read_tensor(fields: Iterator[tuple[int, Value]]) -> Tensor:
    """Read a tensor and check that its values are there.

    Raises:
        ValueError: If it lies in another file, or has another number of values than its shape.
    """
    tensor = Tensor()
    for number, value in fields:
        if number in {EXTERNAL, SEGMENT} or (number == LOCATION and value == _EXTERNAL):
            raise ValueError("keeps the values of a tensor in another place than itself")
        _take(tensor, number, value)
    _check(tensor)
    return tensor


def _take(tensor: Tensor, number: int, value: Value) -> None:
    if number == DIMS:
        tensor.dims += list(numbers(value))
    elif number == TYPE and isinstance(value, int):
        tensor.kind = value
    elif number == NAME and isinstance(value, memoryview):
        tensor.name = text(value)
    elif number == RAW and isinstance(value, memoryview):
        tensor.raw = value
    elif number in _TYPED:
        tensor.typed_bytes += 1 if isinstance(value, int) else len(value)
        if number == INT64S:
            tensor.integers.append(value)


def _check(tensor: Tensor) -> None:
    bits = _BITS.get(tensor.kind)
    name = shown(tensor.name)
    if bits is None:
        raise ValueError(f"has the tensor {name} of type {tensor.kind}, which holds no numbers")
    if any(each < 0 for each in tensor.dims) or len(tensor.dims) > _MOST_DIMS:
        raise ValueError(f"has the tensor {name} of a shape that no tensor has")
    count = math.prod(tensor.dims)
    if tensor.raw is None:
        is_there = count <= _MOST_PER_BYTE * tensor.typed_bytes
    else:
        is_there = not tensor.typed_bytes and len(tensor.raw) == (count * bits + 7) // 8
    if not is_there:
        held = tensor.typed_bytes if tensor.raw is None else len(tensor.raw)
        raise ValueError(
            f"has the tensor {name} with {count} values by its shape, and {held} bytes of them"
        )


def small_values(tensor: Tensor, most: int) -> list[float] | None:
    """The values of a small tensor of sizes or scales; None for another."""
    if math.prod(tensor.dims) > most:
        return None
    if tensor.kind == _INT64 and tensor.raw is None:
        return [float(one) for part in tensor.integers for one in numbers(part)]
    kinds = {_INT64: "<i8", _INT32: "<i4", _FLOAT: "<f4"}
    if tensor.raw is None or tensor.kind not in kinds:
        return None
    return [float(one) for one in np.frombuffer(tensor.raw, kinds[tensor.kind])]


def numbers(value: Value) -> Iterator[int]:
    """The signed numbers of a list: packed, or one of them.

    Raises:
        ValueError: If the last one is cut off.
    """
    for each in [value] if isinstance(value, int) else varints(value):
        yield each - 2 * _SIGN if each >= _SIGN else each


def text(value: memoryview) -> str:
    """A name, whatever bytes it has."""
    return bytes(value).decode("utf-8", "replace")


def shown(name: str) -> str:
    """A name for a message: short, and without control characters."""
    most = 60
    return repr(name if len(name) <= most else f"{name[:most]}...")
