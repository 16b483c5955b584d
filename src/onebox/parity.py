"""Whether two forms of one network give the same outputs: the gate of export and of variants."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy import ndarray

from onebox.errors import ModelError
from onebox.outputs import OUTPUT_TABLE, Arrays

PARITY_PX = 0.1
"""Largest difference that passes, in pixels of the training size: too small to change a metric,
and larger than rounding errors of float32. Not tuned."""

PARITY_IMAGES = 32
"""Images that two forms are compared on."""

Forward = Callable[[ndarray], Arrays]
"""The pixels of one image → the outputs of the network."""


def largest_difference_px(
    one: Forward, other: Forward, images: Iterable[ndarray], *, size: int
) -> float:
    """The largest difference between the outputs of two forms of a network, on the same pixels.

    Returns:
        Pixels of the training ``size``, for a box edge or a keypoint. A probability, a score or a
        presence counts as normalized coordinates do: a difference of 1 is the whole size. NaN if
        an output of either is NaN.
    """
    largest = [0.0]
    for pixels in images:
        arrays, others = one(pixels), other(pixels)
        size_wh = pixels.shape[1], pixels.shape[0]
        differences = {name: np.asarray(arrays[name] - others[name]) for name in arrays}
        largest += [
            float(np.abs(row.normalize(differences[row.name], size_wh)).max())
            for row in OUTPUT_TABLE
            if row.name in differences
        ]
    return float(np.max(largest)) * size


def check_parity(
    difference_px: float,
    limit_px: float = PARITY_PX,
    *,
    subject: str = "the exported model's outputs differ from the network's",
    repair: str = "Keep the checkpoint and report the recipe.",
) -> None:
    """Check what `largest_difference_px` found; ``subject`` and ``repair`` frame the message.

    Raises:
        ModelError: If the difference is larger, or NaN; the message has both numbers.
    """
    if not difference_px <= limit_px:
        raise ModelError(
            f"{subject} by {difference_px:.3f} px, more than the {limit_px:.3f} px allowed; "
            f"nothing was written. {repair}"
        )
