"""Pixels → what a network's file answers for them: one look, or two, at one image or several.

Images of one size go through the network together. An answer for the part of an image that is
looked at again is given in pixels of the whole image, as the first answer was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy import ndarray

from onebox.outputs import INPUT, KEYPOINTS_OUTPUT, PRESENCE_OUTPUT
from onebox.refinement import Part, part_around
from onebox.structures import PRESENT

_SMALLEST = 1e-6

Found = Mapping[str, Any]
"""Arrays of one image by the names of their outputs, in the pixels that were shown."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How a network is asked.

    Attributes:
        outputs: The names of its outputs.
        margin: Sides of the part that is looked at again over sides of the first box; None for
            one look.
    """

    outputs: tuple[str, ...]
    margin: float | None = None

    def find(
        self, session: onnxruntime.InferenceSession, shown: Sequence[ndarray]
    ) -> Sequence[Found]:
        """What the network finds in each image, in that image's pixels."""
        found = self._look(session, shown)
        if self.margin is None:
            return found
        parts = [self._part(*pair) for pair in zip(shown, found, strict=True)]
        finer = {place: part for place, part in enumerate(parts) if part is not None}
        if not finer:
            return found
        crops = [_crop(shown[place], part) for place, part in finer.items()]
        seen = zip(finer.items(), self._look(session, crops), strict=True)
        again = {place: _on_image(new, found[place], part) for (place, part), new in seen}
        return [again.get(place, first) for place, first in enumerate(found)]

    def _look(
        self, session: onnxruntime.InferenceSession, shown: Sequence[ndarray]
    ) -> Sequence[Found]:
        if len(shown) == 1:  # most calls: sorting by shape would take longer than all else here
            answers = session.run(self.outputs, {INPUT: shown[0][None]})
            rows = [answer[0] for answer in answers]
            return [dict(zip(self.outputs, rows, strict=True))]
        found: list[Found] = [{}] * len(shown)
        for places in _of_one_shape(shown):
            answers = session.run(self.outputs, {INPUT: np.stack([shown[at] for at in places])})
            for row, place in enumerate(places):
                rows = [answer[row] for answer in answers]
                found[place] = dict(zip(self.outputs, rows, strict=True))
        return found

    def _part(self, pixels: ndarray, found: Found) -> Part | None:
        """Where to look again, if anywhere."""
        if self.margin is None or found.get(PRESENCE_OUTPUT, 1.0) < PRESENT:
            return None
        height, width = pixels.shape[:2]
        return part_around(tuple(found["box"].tolist()), (width, height), self.margin)


def _of_one_shape(shown: Sequence[ndarray]) -> Iterable[list[int]]:
    """The places of the images that can be stacked."""
    places: dict[tuple[int, ...], list[int]] = {}
    for place, pixels in enumerate(shown):
        places.setdefault(pixels.shape, []).append(place)
    return places.values()


def _crop(pixels: ndarray, part: Part) -> ndarray:
    left, top, right, bottom = part
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _on_image(again: Found, first: Found, part: Part) -> Found:
    """A second answer, in pixels of the image that the part was taken from."""
    left, top = part[:2]
    moved = {**again, "box": again["box"] + np.array([left, top, left, top], dtype=np.float32)}
    if KEYPOINTS_OUTPUT in again:
        moved[KEYPOINTS_OUTPUT] = again[KEYPOINTS_OUTPUT] + np.array([left, top, 0], np.float32)
    if PRESENCE_OUTPUT in again:  # whether there is a subject at all, the whole image tells
        seen = max(float(again[PRESENCE_OUTPUT]), _SMALLEST)
        moved["score"] = again["score"] / seen * first[PRESENCE_OUTPUT]
        moved[PRESENCE_OUTPUT] = first[PRESENCE_OUTPUT]
    return moved
