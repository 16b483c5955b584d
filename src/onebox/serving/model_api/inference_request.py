"""The body of an inference request → images to predict, and what the answer has to contain.

A body is JSON, or JSON followed by binary data if the header ``Inference-Header-Content-Length``
says where the JSON ends. In JSON, pixels are numbers and image files are base64 text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy import ndarray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onebox.errors import DataError
from onebox.serving.model_api.inference_inputs import INPUT_TENSORS, MOST_IMAGES, InputTensor
from onebox.serving.model_api.models import Promised

_SHOWN = 60  # characters of a wrong value in a message


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _InputParameters(_Checked):
    binary_data_size: int | None = Field(default=None, ge=0)
    shared_memory_region: Any = None


class _OutputParameters(_Checked):
    binary_data: bool | None = None
    shared_memory_region: Any = None
    classification: Any = None


class _RequestParameters(_Checked):
    binary_data_output: bool = False
    coverage: float | None = Field(default=None, gt=0, lt=1)
    max_risk: float | None = Field(default=None, gt=0, lt=1)


class _Input(_Checked):
    name: str
    datatype: str
    shape: list[int] = Field(max_length=8)
    parameters: _InputParameters = _InputParameters()
    data: list[Any] | None = None


class _Output(_Checked):
    name: str
    parameters: _OutputParameters = _OutputParameters()


class _Request(_Checked):
    inputs: list[_Input]
    id: str | None = None
    parameters: _RequestParameters = _RequestParameters()
    outputs: list[_Output] = Field(default=[], max_length=100)


@dataclass(frozen=True, slots=True, eq=False)
class InferenceRequest:
    """A request whose form is right.

    Attributes:
        sources: The images: encoded files, or uint8 of shape (height, width, 3).
        outputs: Names of the outputs that it asks for; empty for all.
        binary_choices: Whether an output comes as binary data, by name where the request says so.
        is_binary_by_default: Whether the other outputs do.
        id: What the response repeats; None if the request has none.
        asked: What the predictions have to promise.
    """

    sources: Sequence[bytes | ndarray]
    outputs: tuple[str, ...]
    binary_choices: Mapping[str, bool]
    is_binary_by_default: bool
    id: str | None
    asked: Promised

    def is_binary(self, output: str) -> bool:
        """Whether an output comes as binary data."""
        return self.binary_choices.get(output, self.is_binary_by_default)


def parse(body: bytes, header_length: str | None) -> InferenceRequest:
    """Read the body of a request.

    Args:
        body: The body.
        header_length: The header ``Inference-Header-Content-Length``; None if there is none.

    Raises:
        DataError: If the body does not follow the protocol, or has no image; the message names
            the place, the rule and the value.
    """
    text, binary = _divide(body, header_length)
    request = _read(text)
    _check_outputs(request.outputs)
    choices = {each.name: each.parameters.binary_data for each in request.outputs}
    return InferenceRequest(
        _sources(request.inputs, binary),
        tuple(choices),
        {name: choice for name, choice in choices.items() if choice is not None},
        request.parameters.binary_data_output,
        request.id,
        Promised(request.parameters.coverage, request.parameters.max_risk),
    )


def _divide(body: bytes, header_length: str | None) -> tuple[bytes, memoryview]:
    """The JSON of a body and the binary data behind it.

    Raises:
        DataError: If the header is not a length within the body.
    """
    if header_length is None:
        return body, memoryview(b"")
    is_number = header_length.isascii() and header_length.isdecimal() and len(header_length) < 12  # noqa: PLR2004
    if not is_number or int(header_length) > len(body):
        raise DataError(
            "Inference-Header-Content-Length must be the length of the JSON in bytes, at most "
            f"that of the body ({len(body)}), got {header_length[:_SHOWN]!r}."
        )
    length = int(header_length)
    return body[:length], memoryview(body)[length:]


def _read(text: bytes) -> _Request:
    try:
        return _Request.model_validate_json(text)
    except ValidationError as error:
        raise DataError(_describe(error)) from error


def _describe(error: ValidationError) -> str:
    """The first problem of a request."""
    problem = error.errors(include_url=False)[0]
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "missing":
        return f"the request lacks '{place}'. Add it."
    value = repr(problem["input"])[:_SHOWN]
    if not place:
        return f"the body must be the JSON object of a request ({problem['msg']}), got {value}."
    return f"the request's '{place}' is wrong ({problem['msg']}), got {value}. Correct it."


def _check_outputs(outputs: Sequence[_Output]) -> None:
    names = [output.name for output in outputs]
    if len(set(names)) < len(names):
        raise DataError("the request names an output twice. Name each output once.")
    for output in outputs:
        if output.parameters.classification is not None:
            raise DataError(
                f"output {output.name[:_SHOWN]!r}: this server has no classification extension. "
                "Ask for 'label' and 'probability'."
            )
        if output.parameters.shared_memory_region is not None:
            raise DataError(_no_shared_memory("output", output.name))


def _sources(inputs: Sequence[_Input], binary: memoryview) -> Sequence[bytes | ndarray]:
    names = [tensor.name for tensor in inputs]
    if len(inputs) != 1 or names[0] not in INPUT_TENSORS:
        raise DataError(
            f"a request must have one input, {' or '.join(map(repr, INPUT_TENSORS))}, got "
            f"{', '.join(repr(name[:_SHOWN]) for name in names[:8]) or 'none'}."
        )
    [given] = inputs
    tensor = INPUT_TENSORS[given.name]
    _check_input(given, tensor)
    if given.parameters.binary_data_size is None:
        if given.data is None:
            raise DataError(
                f"input '{given.name}' has neither 'data' nor 'binary_data_size'. Add one."
            )
        if binary:
            raise DataError(
                f"{len(binary)} bytes follow the JSON, and input '{given.name}' has no "
                "'binary_data_size'. Add it, or remove the bytes."
            )
        return tensor.from_json(given.data, given.shape)
    _check_binary(given, binary)
    return tensor.from_binary(binary, given.shape)


def _check_input(given: _Input, tensor: InputTensor) -> None:
    if given.parameters.shared_memory_region is not None:
        raise DataError(_no_shared_memory("input", given.name))
    if given.datatype != tensor.datatype:
        raise DataError(
            f"input '{given.name}' must have the datatype {tensor.datatype}, got "
            f"{given.datatype[:_SHOWN]!r}."
        )
    fits = len(given.shape) == len(tensor.shape) and all(
        fixed in {-1, side} and side > 0
        for side, fixed in zip(given.shape, tensor.shape, strict=False)
    )
    if not fits:
        raise DataError(
            f"input '{given.name}' must have the shape {list(tensor.shape)} with at least 1 for "
            f"each -1, got {str(given.shape)[:_SHOWN]}."
        )
    if given.shape[0] > MOST_IMAGES:
        raise DataError(
            f"a request may have at most {MOST_IMAGES} images, got "
            f"{str(given.shape[0])[:_SHOWN]}. Send them in several requests."
        )


def _check_binary(given: _Input, binary: memoryview) -> None:
    size = given.parameters.binary_data_size
    if given.data is not None:
        raise DataError(f"input '{given.name}' has 'data' and 'binary_data_size'. Remove one.")
    if size != len(binary):
        raise DataError(
            f"input '{given.name}' says that {size} bytes follow the JSON, and {len(binary)} do. "
            "Set the header Inference-Header-Content-Length to the length of the JSON."
        )


def _no_shared_memory(kind: str, name: str) -> str:
    return (
        f"{kind} {name[:_SHOWN]!r}: this server has no shared-memory extension. Send the data in "
        "the body."
    )
