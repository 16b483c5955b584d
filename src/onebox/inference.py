"""Pixels → outputs of the network: one pass, and a refinement pass if the model has one.

Images of one size go through the network together. The refinement pass runs on a crop around the
first box; its outputs are converted to pixels of the whole image.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy import ndarray

from onebox.engines.engine import Engine
from onebox.outputs import PRESENCE_OUTPUT, Arrays, Output
from onebox.refinement import Crop, crop_around
from onebox.structures import PRESENT


class Inference:
    """How a network is run on images."""

    def __init__(self, outputs: Sequence[Output], margin: float | None) -> None:
        """Keep what every run needs.

        Args:
            outputs: The outputs of the model.
            margin: The refinement margin, see `ModelCard.refine_margin`; None for one pass.
        """
        self._outputs = outputs
        self._names = tuple(output.name for output in outputs)
        self._margin = margin

    def run(self, engine: Engine, images: Sequence[ndarray]) -> Sequence[Arrays]:
        """The outputs for each image, in pixels of that image."""
        found = self.run_once(engine, images)
        if self._margin is None:
            return found
        crops = self._crops(images, found, self._margin)
        if not crops:
            return found
        refined = self.run_once(engine, [_cut(images[at], crop) for at, crop in crops.items()])
        merged = list(found)
        for (index, crop), arrays in zip(crops.items(), refined, strict=True):
            merged[index] = {
                output.name: output.from_crop(arrays, found[index], crop)
                for output in self._outputs
            }
        return merged

    def run_once(self, engine: Engine, images: Sequence[ndarray]) -> Sequence[Arrays]:
        """The outputs for each image, without the refinement pass."""
        if len(images) == 1:  # most calls: grouping by shape would cost more than all else here
            rows = [array[0] for array in engine.run(images[0][None], self._names)]
            return [dict(zip(self._names, rows, strict=True))]
        found: list[Arrays] = [{}] * len(images)
        for indices in _group_by_shape(images):
            arrays = engine.run(np.stack([images[index] for index in indices]), self._names)
            for row, index in enumerate(indices):
                rows = [array[row] for array in arrays]
                found[index] = dict(zip(self._names, rows, strict=True))
        return found

    @staticmethod
    def _crops(
        images: Sequence[ndarray], found: Sequence[Arrays], margin: float
    ) -> Mapping[int, Crop]:
        """The crops to refine, by the indices of their images."""
        crops = {}
        for index, (pixels, arrays) in enumerate(zip(images, found, strict=True)):
            if arrays.get(PRESENCE_OUTPUT, 1.0) < PRESENT:
                continue
            size_wh = pixels.shape[1], pixels.shape[0]
            crop = crop_around(tuple(arrays["box"].tolist()), size_wh, margin)
            if crop is not None:
                crops[index] = crop
        return crops


def _group_by_shape(images: Sequence[ndarray]) -> Iterable[list[int]]:
    """Indices of the images that can be stacked."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, pixels in enumerate(images):
        groups.setdefault(pixels.shape, []).append(index)
    return groups.values()


def _cut(pixels: ndarray, crop: Crop) -> ndarray:
    left, top, right, bottom = crop
    return np.ascontiguousarray(pixels[top:bottom, left:right])
