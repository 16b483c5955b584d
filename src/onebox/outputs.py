"""The outputs of a model file: one table that says what each is and how it is converted.

A new output is one more row of `OUTPUT_TABLE`: inference, predictions, export and the parity check
read the table.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from onebox.images import LoadedImage
from onebox.model_card import ModelCard
from onebox.refinement import Crop
from onebox.structures import Box

INPUT = "image"
KEYPOINTS_OUTPUT = "keypoints"
PRESENCE_OUTPUT = "presence"
SIGMA_OUTPUT = "sigma"
DISTANCE_OUTPUT = "distance"
FEATURES_OUTPUT = "features"
"""Pooled features, which ``distance`` is computed from; no prediction has them."""

RAW_OUTPUTS = {
    "probability": "raw_probability",
    "score": "raw_score",
    KEYPOINTS_OUTPUT: "raw_keypoints",
}
"""Names of outputs before calibration, in a file that is calibrated for them."""

Arrays = Mapping[str, Any]
"""The outputs for one image, by name."""

_MIN_PRESENCE = 1e-6  # divides a score


def _counted_as_is(difference: ndarray, _: tuple[int, int]) -> ndarray:
    return difference


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a model file.

    Attributes:
        name: Its name in the file.
        field: The field of `Prediction` that takes it.
        from_crop: Converts the refinement pass's value to the whole image. Takes the outputs of
            that pass, those of the first pass, and the crop.
        shape: The shape of its array for one image, from the model's card.
        to_field: Converts an array in pixels as decoded to a value in pixels of the whole image.
        is_in: Whether a model with this card has the output; None if every model has it.
        normalize: What the parity check counts of a difference between two arrays, given width
            and height of the image: pixels become normalized coordinates.
    """

    name: str
    field: str
    from_crop: Callable[[Arrays, Arrays, Crop], Any]
    to_field: Callable[[Any, LoadedImage], Any]
    shape: Callable[[ModelCard], tuple[int, ...]]
    is_in: Callable[[ModelCard], bool] | None = None
    normalize: Callable[[ndarray, tuple[int, int]], ndarray] = _counted_as_is


def _box_from_crop(refined: Arrays, _: Arrays, crop: Crop) -> ndarray:
    left, top = crop[:2]
    # A square crop may begin outside the image.
    return np.maximum(refined["box"] + np.array([left, top, left, top], np.float32), 0)


def _keypoints_from_crop(refined: Arrays, _: Arrays, crop: Crop) -> ndarray:
    return np.maximum(refined[KEYPOINTS_OUTPUT] + np.array([*crop[:2], 0], np.float32), 0)


def _sigma_to_field(array: ndarray, image: LoadedImage) -> Box:
    scale_x, scale_y = image.scale_xy
    left, top, right, bottom = array.tolist()
    return left * scale_x, top * scale_y, right * scale_x, bottom * scale_y


def _normalize_edges(difference: ndarray, size_wh: tuple[int, int]) -> ndarray:
    return difference.reshape(-1, 2) / size_wh


def _score_from_crop(refined: Arrays, first: Arrays, _: Crop) -> Any:  # noqa: ANN401 - a number
    if PRESENCE_OUTPUT not in refined:
        return refined["score"]
    in_crop = max(float(refined[PRESENCE_OUTPUT]), _MIN_PRESENCE)
    return refined["score"] / in_crop * first[PRESENCE_OUTPUT]


def _box_to_field(array: ndarray, image: LoadedImage) -> Box:
    # Plain numbers: for so few, NumPy costs more than the arithmetic, right after a network's run.
    (scale_x, scale_y), (width, height) = image.scale_xy, map(float, image.size_wh)
    x_min, y_min, x_max, y_max = array.tolist()
    return (
        min(x_min * scale_x, width),
        min(y_min * scale_y, height),
        min(x_max * scale_x, width),
        min(y_max * scale_y, height),
    )


def _keypoints_to_field(
    array: ndarray, image: LoadedImage
) -> tuple[tuple[float, float, float], ...]:
    scaled = array * np.array([*image.scale_xy, 1.0])
    limits = np.array([*image.size_wh, 1.0])
    return tuple((x, y, confidence) for x, y, confidence in np.minimum(scaled, limits).tolist())


def _keypoints_shape(card: ModelCard) -> tuple[int, ...]:
    return (0 if card.keypoints is None else len(card.keypoints.names), 3)


OUTPUT_TABLE = (
    Output(
        "box",
        field="box",
        from_crop=_box_from_crop,
        to_field=_box_to_field,
        shape=lambda _: (4,),
        normalize=_normalize_edges,
    ),
    Output(
        "probability",
        field="probabilities",
        from_crop=lambda refined, _, __: refined["probability"],
        to_field=lambda array, _: tuple(array.tolist()),
        shape=lambda card: (len(card.classes),),
    ),
    Output(
        "score",
        field="score",
        from_crop=_score_from_crop,
        to_field=lambda number, _: float(number),
        shape=lambda _: (),
    ),
    Output(
        KEYPOINTS_OUTPUT,
        field="keypoints",
        from_crop=_keypoints_from_crop,
        to_field=_keypoints_to_field,
        shape=_keypoints_shape,
        is_in=lambda card: card.keypoints is not None,
        # Confidences do not count: no box, label or score depends on them.
        normalize=lambda difference, size_wh: difference[..., :2] / size_wh,
    ),
    Output(
        PRESENCE_OUTPUT,
        field="present",
        # Only the whole image shows whether there is a subject at all.
        from_crop=lambda _, first, __: first[PRESENCE_OUTPUT],
        to_field=lambda number, _: float(number),
        shape=lambda _: (),
        is_in=lambda card: card.presence,
    ),
    Output(
        SIGMA_OUTPUT,
        field="sigma",
        from_crop=lambda refined, _, __: refined[SIGMA_OUTPUT],
        to_field=_sigma_to_field,
        shape=lambda _: (4,),
        is_in=lambda card: card.sigma,
        normalize=_normalize_edges,
    ),
    Output(
        DISTANCE_OUTPUT,
        field="distance",
        # The crop shows no surroundings: only the whole image can be compared with others.
        from_crop=lambda _, first, __: first[DISTANCE_OUTPUT],
        to_field=lambda number, _: float(number),
        shape=lambda _: (),
        is_in=lambda card: card.distance,
    ),
)
"""Every output, in the order of the file."""


def output_names(optional: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the outputs of a model file, in order, with those that not every model has."""
    return tuple(each.name for each in OUTPUT_TABLE if each.is_in is None or each.name in optional)


OUTPUTS = output_names()
"""Names of the outputs that every model has."""


def outputs_in(card: ModelCard) -> tuple[Output, ...]:
    """The outputs of the model with this card, in order."""
    return tuple(each for each in OUTPUT_TABLE if each.is_in is None or each.is_in(card))


def array_problem(array: ndarray, shape: tuple[int, ...]) -> str:
    """What is wrong with an output for several images; empty if nothing is."""
    if array.shape != shape:
        return f"has the shape {array.shape} where {shape} is expected"
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        return "has values that are no finite numbers"
    return ""
