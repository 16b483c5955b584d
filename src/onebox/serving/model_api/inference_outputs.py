"""Predictions as output tensors of the Open Inference Protocol, one row for each image.

Names, units and order are those of the model file. Values come from predictions, so that EXIF
orientation, the refinement pass and calibration are as in ``onebox predict``. ``label`` is added,
and so are the outputs of a coverage or a risk that a request asks for.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from onebox.errors import DataError, suggest
from onebox.model_card import ModelCard
from onebox.serving.model_api.models import NOTHING, Promised
from onebox.structures import Prediction

_SHOWN = 80  # characters of a wrong name in a message
_TYPES: Mapping[str, type] = {"FP32": float, "BOOL": bool, "BYTES": object}
_STORED = {"f": "<f4"}  # how binary data hold numbers; JSON has all their digits
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


def output_metadata(card: ModelCard, promised: Promised = NOTHING) -> list[dict[str, Any]]:
    """The outputs that a request gets, as the protocol describes tensors.

    Args:
        card: The model's card.
        promised: What its predictions promise.
    """
    return [
        {"name": each.name, "datatype": each.datatype, "shape": [-1, *each.row(card)]}
        for each in OUTPUT_TENSORS
        if _is_given(each, card, promised)
    ]


def choose_outputs(names: Sequence[str], card: ModelCard, promised: Promised) -> list[OutputTensor]:
    """The outputs that a request names; all if it names none.

    Args:
        names: The names.
        card: The model's card.
        promised: What its predictions promise.

    Raises:
        DataError: If the model has no such output, or the request lacks a parameter that it needs.
    """
    known = {each.name: each for each in OUTPUT_TENSORS if _is_given(each, card, promised)}
    for name in names:
        if name not in known:
            raise DataError(_missing(name, list(known)))
    return [known[name] for name in names] if names else list(known.values())


def _is_given(tensor: OutputTensor, card: ModelCard, promised: Promised) -> bool:
    if tensor.parameter is not None:
        return getattr(promised, tensor.parameter) is not None
    return tensor.is_in is None or tensor.is_in(card)


def _missing(name: str, known: Sequence[str]) -> str:
    for tensor in OUTPUT_TENSORS:
        if tensor.name == name and tensor.parameter is not None:
            return (
                f"output '{name}' needs the parameter '{tensor.parameter}' of the request, such as "
                f'"parameters": {{"{tensor.parameter}": 0.9}}. Add it.'
            )
    shown = name[:_SHOWN]
    return f"the model has no output {shown!r}, only {', '.join(known)}.{suggest(shown, known)}"


def encode(
    tensor: OutputTensor, predictions: Sequence[Prediction], *, is_binary: bool
) -> EncodedTensor:
    """One output of all predictions, as JSON or as binary data behind the JSON.

    A missing ``inner_box`` is NaN in binary data and null in JSON.
    """
    rows = [getattr(prediction, tensor.field) for prediction in predictions]
    rows = [_NO_BOX if row is None else row for row in rows]
    values: ndarray = np.array(rows, _TYPES[tensor.datatype])
    about = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(values.shape)}
    if is_binary:
        binary = _as_binary(values)
        return EncodedTensor(about | {"parameters": {"binary_data_size": len(binary)}}, binary)
    # JSON has no NaN.
    data = [None if value != value else value for value in values.ravel().tolist()]  # noqa: PLR0124
    return EncodedTensor(about | {"data": data})


def _as_binary(values: ndarray) -> bytes:
    if values.dtype == object:
        encoded = [text.encode() for text in values]
        return b"".join(struct.pack("<I", len(each)) + each for each in encoded)
    return values.astype(_STORED.get(values.dtype.kind, values.dtype)).tobytes()
