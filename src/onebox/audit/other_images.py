"""Boxes that belong to another image: two rows exchanged, a box copied, a column shifted by a row.

A box is taken for another image's only where it is far from its own image's predicted box and near
to that of the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.audit.readings import FAR_IOU, NEAR_IOU
from onebox.boxes import paired_iou

_SAME_PX = 0.5  # two labels of one box may be rounded differently

Boxes = Float[ndarray, "n 4"]


@dataclass(frozen=True, slots=True)
class Owner:
    """The image that a box seems to belong to.

    Attributes:
        row: Of that image.
        is_exchange: Whether that image has this one's box in turn.
        iou: Of the box with the predicted box of that image.
    """

    row: int
    is_exchange: bool
    iou: float


def find_owners(given: Boxes, predicted: Boxes, rows: Sequence[int]) -> Mapping[int, Owner]:
    """The boxes that belong to other images, by row.

    Args:
        given: The labelled boxes, in pixels.
        predicted: The predicted boxes, in pixels of the same images.
        rows: Row of each in the data set, ascending; neighbours have numbers next to each other.
    """
    far = np.flatnonzero(paired_iou(given, predicted) < FAR_IOU)
    owners = {}
    for here in far.tolist():
        candidates = list(_candidates(here, given, predicted, far, rows))
        best = max(candidates, key=lambda each: (each.is_exchange, each.iou), default=None)
        if best is not None:
            owners[rows[here]] = best
    return owners


def _candidates(
    here: int,
    given: Boxes,
    predicted: Boxes,
    far: ndarray,
    rows: Sequence[int],
) -> Iterator[Owner]:
    box = np.broadcast_to(given[here], given.shape)
    fits = paired_iou(box, predicted)
    fits[here] = 0
    near = np.flatnonzero(fits >= NEAR_IOU)
    returned = paired_iou(given, np.broadcast_to(predicted[here], given.shape)) >= NEAR_IOU
    is_same = (np.abs(given - given[here]) <= _SAME_PX).all(axis=1)
    for other in near.tolist():
        is_exchange = bool(other in far and returned[other])
        is_neighbour = abs(rows[other] - rows[here]) == 1
        if is_exchange or is_same[other] or is_neighbour:
            yield Owner(rows[other], is_exchange, float(fits[other]))
