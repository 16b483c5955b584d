"""The checks of an audit: rules with one definite explanation each.

Each check returns findings; `find.py` gives them their ranks.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.audit.corrections import EXCHANGED
from onebox.audit.keypoint_swaps import swap_gain
from onebox.audit.lists import Labelled, rounded
from onebox.audit.other_images import find_owners
from onebox.audit.readings import better_reading, iou
from onebox.audit.records import Finding
from onebox.errors import format_box
from onebox.folds.copies import Pair
from onebox.structures import Box, Dataset, Sample, as_box

MOST_WHOLE = 0.01
"""A box whose edges are all at most so far from the frame, as shares of its sides, is all of it."""

SURE = 0.95
"""Probability of the subject from which an image labelled as without it is suspicious."""

_LEAST_AGREEMENT = 0.8  # IoU of the boxes of two copies, normalized. Not tuned.


def check_readings(labelled: Labelled) -> Iterator[Finding]:
    """Boxes that fit well if their numbers are read in another way."""
    for index, row in enumerate(labelled.rows):
        given, predicted = as_box(labelled.given[index]), as_box(labelled.predicted[index])
        width, height = (int(side) for side in labelled.sizes[index][:2])
        found = better_reading(given, predicted, (width, height))
        if found is not None:
            why = (
                f"Read as {found.name}, the box has an IoU of {found.iou:.2f} with the predicted "
                f"one, instead of {iou(given, predicted):.2f}."
            )
            yield finding(row, "reading", format_box(given), why, box=rounded(found.box))


def check_owners(labelled: Labelled, data: Dataset) -> Iterator[Finding]:
    """Boxes that belong to other images."""
    owners = find_owners(labelled.given, labelled.predicted, labelled.rows)
    place = {row: index for index, row in enumerate(labelled.rows)}
    for row, owner in owners.items():
        index = place[row]
        name = data.samples[owner.row].name
        # In an exchange, the other image has the box that somebody drew on this one.
        source = (
            labelled.given[place[owner.row]] if owner.is_exchange else labelled.predicted[index]
        )
        sides = labelled.sizes[index]
        has = " and has this image's box" if owner.is_exchange else ""
        yield finding(
            row,
            "other image",
            format_box(labelled.given[index]),
            f"The box fits {name} (IoU {owner.iou:.2f} with the box predicted there){has}.",
            box=rounded(source.clip(0, sides)),
        )


def check_whole(labelled: Labelled, is_listed: Mapping[int, bool]) -> Iterator[Finding]:
    """Boxes that are the whole image, where the prediction is not."""
    frame = np.array([0.0, 0.0, 1.0, 1.0])
    for index, row in enumerate(labelled.rows):
        given = labelled.given[index] / labelled.sizes[index]
        if is_listed[row] and (np.abs(given - frame) <= MOST_WHOLE).all():
            why = "The box is the whole image, and the predicted one is not."
            box = rounded(labelled.predicted[index])
            yield finding(row, "whole image", format_box(labelled.given[index]), why, box=box)


def check_copies(
    data: Dataset, pairs: Sequence[Pair], boxes: Mapping[int, Box]
) -> Iterator[Finding]:
    """Copies of one image with different labels, or in different splits.

    Args:
        data: The data set.
        pairs: See `copies.find_copies`.
        boxes: The labelled boxes by row, normalized.
    """
    for pair in pairs:
        first, second = data.samples[pair.first], data.samples[pair.second]
        difference = _difference(first, second, boxes.get(pair.first), boxes.get(pair.second))
        if not difference and first.split == second.split:
            continue
        alike = "has the same bytes as" if pair.correlation >= 1 else "looks the same as"
        kind = f"copy, {difference}" if difference else "copy across splits"
        places = f"one is in {first.split} and the other in {second.split}"
        reason = f"their labels differ ({difference})" if difference else places
        why = f"The image {alike} {first.name}, and {reason}. Remove one of them."
        yield finding(pair.second, kind, second.split, why)


def check_keypoints(
    data: Dataset, predicted: Float[ndarray, "n keypoints 2"], sizes: Float[ndarray, "n 2"]
) -> Iterator[Finding]:
    """Keypoints whose left and right are exchanged.

    Args:
        data: The data set; it has keypoints.
        predicted: The predicted keypoints, normalized.
        sizes: Width and height of each image.
    """
    pairs = () if data.keypoints is None else data.keypoints.flip_pairs
    for row, sample in enumerate(data):
        if sample.keypoints is None or sample.box is None:
            continue
        x_min, y_min, x_max, y_max = sample.box
        diagonal = float(np.hypot(x_max - x_min, y_max - y_min))
        points = np.array(sample.keypoints, np.float64)
        gain = swap_gain(points, predicted[row] * sizes[row], pairs, diagonal)
        if gain is not None:
            why = f"With left and right exchanged, the keypoints are {gain:.1f} times as near."
            yield finding(row, "left and right", "keypoints", why, swaps_keypoints=True)


def check_absent(data: Dataset, present: Float[ndarray, " n"]) -> Iterator[Finding]:
    """Images labelled as without the subject, in which the networks are sure to see it."""
    for row, sample in enumerate(data):
        if not sample.has_subject and present[row] >= SURE:
            why = f"The networks see the subject with a probability of {present[row]:.1%}."
            yield finding(row, "subject", "no subject", why)


def finding(
    row: int,
    kind: str,
    given: str,
    why: str,
    *,
    box: Box | None = None,
    swaps_keypoints: bool = False,
) -> Finding:
    """What a check says of a label; its rank comes later."""
    exchanged = EXCHANGED if swaps_keypoints else ""
    return Finding(
        row=row,
        list="checks",
        rank=0,
        score=0.0,
        p_value=None,
        q_value=None,
        is_listed=True,
        kind=kind,
        side="",
        given=given,
        suggested=exchanged if box is None else format_box(box),
        why=why,
        box=box,
        swaps_keypoints=swaps_keypoints,
    )


def _difference(first: Sample, second: Sample, box: Box | None, other: Box | None) -> str:
    """How the labels of two copies differ; empty if they do not."""
    if first.has_subject != second.has_subject:
        return "subject"
    if first.label != second.label:
        return "class"
    if box is not None and other is not None and iou(box, other) < _LEAST_AGREEMENT:
        return "box"
    return ""
