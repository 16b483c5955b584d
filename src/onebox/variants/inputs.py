"""The pixels that a network sees: variants are calibrated and compared on them."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from onebox import images, synthetic
from onebox.refinement import cut, decoded_size, find_crop
from onebox.runtime import NetworkLocalizer
from onebox.structures import Sample

Pixels = UInt8[ndarray, "_ _ 3"]
"""RGB pixels as the network sees them: decoded, and shrunk by whole blocks."""


def network_inputs(localizer: NetworkLocalizer, samples: Iterable[Sample]) -> Iterator[Pixels]:
    """The pixels that the network sees of each image: the whole, then the refinement crop if any.

    Raises:
        ImageError: If an image cannot be read.
    """
    size, margin = localizer.card.size, localizer.card.refine_margin
    for sample in samples:
        image = images.load(sample.image, at_least=decoded_size(size, margin))
        yield image.pixels
        if margin is not None:
            box = localizer.with_refinement(None).predict(image.pixels).box
            if crop := find_crop(box, image, margin, is_square=localizer.card.refine_square):
                yield cut(image.pixels, crop)


def of_many_shapes(images: Sequence[Pixels], count: int) -> list[Pixels]:
    """That many images, each without some rows and columns: of many widths and heights."""
    return [_trim(images[index % len(images)], index) for index in range(count)]


def generated(size: int, count: int) -> list[Pixels]:
    """Images to compare on if the user gives none: white discs on black."""
    discs = synthetic.dataset("synth:blobs", size=size, counts={"val": count})
    return [np.asarray(sample.image) for sample in discs]


def _trim(image: Pixels, index: int) -> Pixels:
    height, width = image.shape[:2]
    rows, columns = index % 7 * height // 20, index % 5 * width // 20
    return np.ascontiguousarray(image[: height - rows, : width - columns])
