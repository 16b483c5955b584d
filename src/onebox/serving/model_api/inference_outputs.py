"""Predictions as output tensors of the Open Inference Protocol, one row for each image.

Names, units and order are those of the model file. Values come from predictions, so that EXIF
orientation, the refinement pass and calibration are as in ``onebox predict``. ``label`` is added,
and so are the outputs of a coverage or a risk that a request asks for.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onebox.errors import DataError, suggest
from onebox.model_card import ModelCard
from onebox.structures import Prediction

_NO_BOX = (float("nan"),) * 4


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output of the protocol.

    Attributes:
        name: Its name.
        field: The field of `Prediction` that holds its values.
        datatype: ``FP32``, ``BOOL`` or ``BYTES``.
        row: The shape for one image.
        is_in: Whether predictions of a model with this card have it; None if all have.
        parameter: The request parameter that it needs; None if it needs none.
    """

    name: str
    field: str
    datatype: str = "FP32"
    row: Callable[[ModelCard], tuple[int, ...]] = lambda _: ()
    is_in: Callable[[ModelCard], bool] | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class EncodedTensor:
    """An output in a response.

    Attributes:
        about: The JSON object of the output.
        binary: The bytes that follow the JSON; None if the object holds the data.
    """

    about: dict[str, Any]
    binary: bytes | None = None


def _is_calibrated(card: ModelCard) -> bool:
    return card.sigma and card.active_calibration is not None


def _has_novelty(card: ModelCard) -> bool:
    calibration = card.active_calibration
    return _is_calibrated(card) and card.distance and bool(calibration and calibration.novelty)


def _of_box(_: ModelCard) -> tuple[int, ...]:
    return (4,)


OUTPUT_TENSORS = (
    OutputTensor("box", "box", row=_of_box),
    OutputTensor("probability", "probabilities", row=lambda card: (len(card.classes),)),
    OutputTensor("score", "score"),
    OutputTensor(
        "keypoints",
        "keypoints",
        row=lambda card: (len(card.keypoints.names) if card.keypoints else 0, 3),
        is_in=lambda card: card.keypoints is not None,
    ),
    OutputTensor("presence", "present", is_in=lambda card: card.presence),
    OutputTensor("sigma", "sigma", row=_of_box, is_in=lambda card: card.sigma),
    OutputTensor("distance", "distance", is_in=lambda card: card.distance),
    OutputTensor("expected_iou", "expected_iou", is_in=_is_calibrated),
    OutputTensor("p_iou50", "p_iou50", is_in=_is_calibrated),
    OutputTensor("p_iou75", "p_iou75", is_in=_is_calibrated),
    OutputTensor("novelty", "novelty", is_in=_has_novelty),
    OutputTensor("familiar", "familiar", is_in=_has_novelty),
    OutputTensor("label", "label", "BYTES"),
    OutputTensor("outer_box", "outer_box", row=_of_box, parameter="coverage"),
    OutputTensor("inner_box", "inner_box", row=_of_box, parameter="coverage"),
    OutputTensor("accepted", "accepted", "BOOL", parameter="max_risk"),
)
"""Every output, in the order of a response."""

_BY_NAME = {tensor.name: tensor for tensor in OUTPUT_TENSORS}


def output_metadata(card: ModelCard) -> list[dict[str, Any]]:
    """The outputs that every request to this model can have, as the protocol describes tensors."""
    return [
        {"name": each.name, "datatype": each.datatype, "shape": [-1, *each.row(card)]}
        for each in OUTPUT_TENSORS
        if each.parameter is None and (each.is_in is None or each.is_in(card))
    ]


def check_outputs(names: Sequence[str], card: ModelCard, parameters: Sequence[str]) -> None:
    """Check the outputs that a request names, before anything is predicted.

    Args:
        names: The names; none for all outputs.
        card: The model's card.
        parameters: Those of ``coverage`` and ``max_risk`` that the request sets.

    Raises:
        DataError: If the model has no such output, or a parameter that it needs is not set.
    """
    known = [each["name"] for each in output_metadata(card)]
    for name in names:
        tensor = _BY_NAME.get(name)
        needed = tensor.parameter if tensor else None
        if needed is not None and needed not in parameters:
            raise DataError(
                f"output '{name}' needs the parameter '{needed}' of the request, such as "
                f'"parameters": {{"{needed}": 0.9}}. Add it.'
            )
        if needed is None and name not in known:
            raise DataError(
                f"the model has no output {name[:80]!r}, only {', '.join(known)}."
                f"{suggest(name[:80], known)}"
            )


def tensors_of(
    predictions: Sequence[Prediction], names: Sequence[str], parameters: Sequence[str]
) -> list[OutputTensor]:
    """The outputs of a response: those named, else all that the predictions have.

    Args:
        predictions: At least one, all of one model.
        names: What the request names; none for all.
        parameters: Those of ``coverage`` and ``max_risk`` that the request sets.

    Raises:
        DataError: If the predictions lack an output, as after the model file was replaced.
    """
    first = predictions[0]
    found = {
        each.name: each
        for each in OUTPUT_TENSORS
        if each.parameter in parameters
        or (each.parameter is None and getattr(first, each.field) is not None)
    }
    if missing := [name for name in names if name not in found]:
        raise DataError(f"the model has no output '{missing[0]}' any more: its file was replaced.")
    return [found[name] for name in names] if names else list(found.values())


def encode(
    tensor: OutputTensor, predictions: Sequence[Prediction], *, is_binary: bool
) -> EncodedTensor:
    """One output of all predictions, as JSON or as binary data behind the JSON.

    A missing ``inner_box`` is NaN in binary data and null in JSON.
    """
    values = [getattr(prediction, tensor.field) for prediction in predictions]
    rows = [_NO_BOX if value is None else value for value in values]
    numbers = None if tensor.datatype == "BYTES" else np.array(rows)
    shape = [len(rows)] if numbers is None else list(numbers.shape)
    about = {"name": tensor.name, "datatype": tensor.datatype, "shape": shape}
    if is_binary:
        binary = _as_bytes(rows) if numbers is None else _as_binary(numbers, tensor.datatype)
        return EncodedTensor(about | {"parameters": {"binary_data_size": len(binary)}}, binary)
    return EncodedTensor(about | {"data": rows if numbers is None else _as_data(numbers)})


def _as_bytes(texts: Sequence[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(each)) + each for each in encoded)


def _as_binary(numbers: np.ndarray, datatype: str) -> bytes:
    return numbers.astype("?" if datatype == "BOOL" else "<f4").tobytes()


def _as_data(numbers: np.ndarray) -> list[Any]:
    """All elements in row-major order; JSON has no NaN."""
    flat = numbers.ravel().tolist()
    return [None if number != number else number for number in flat]  # noqa: PLR0124 - NaN
