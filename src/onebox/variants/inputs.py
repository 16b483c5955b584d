"""What the runtime shows a network: the pixels that variants are calibrated and compared on."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from onebox import images, synthetic
from onebox.refinement import FINER, part_around
from onebox.runtime import Localizer
from onebox.structures import Sample

Shown = UInt8[ndarray, "_ _ 3"]
"""RGB pixels as the network sees them: decoded, and shrunk by whole blocks."""


def shown(localizer: Localizer, samples: Iterable[Sample]) -> Iterator[Shown]:
    """The pixels that the network sees of each image: the whole, then the second look's part.

    Raises:
        ImageError: If an image cannot be read.
    """
    facts = localizer.card
    once = localizer.with_refinement(None)
    for sample in samples:
        source = sample.image if isinstance(sample.image, Path) else np.asarray(sample.image)
        looks = 1 if facts.refinement is None else FINER
        pixels = images.load(source, at_least=looks * facts.size).pixels
        yield pixels
        if facts.refinement is not None:
            yield from _part(once, pixels, facts.refinement)


def spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many samples, evenly over all: label files are often in the order of classes."""
    places = np.linspace(0, len(samples) - 1, min(most, len(samples)))
    return [samples[round(place)] for place in places.tolist()]


def of_many_shapes(images: Sequence[Shown], count: int) -> list[Shown]:
    """So many images, each without some rows and columns: sides of all kinds."""
    return [_cut(images[number % len(images)], number) for number in range(count)]


def generated(size: int, count: int) -> list[Shown]:
    """Images to compare two forms on where there are no others: white discs on black."""
    discs = synthetic.dataset("synth:blobs", size=size, counts={"val": count})
    return [np.asarray(sample.image) for sample in discs]


def _part(once: Localizer, pixels: Shown, margin: float) -> Iterator[Shown]:
    height, width = pixels.shape[:2]
    part = part_around(once.predict(pixels).box, (width, height), margin)
    if part is not None:
        left, top, right, bottom = part
        yield np.ascontiguousarray(pixels[top:bottom, left:right])


def _cut(image: Shown, number: int) -> Shown:
    height, width = image.shape[:2]
    rows, columns = number % 7 * height // 20, number % 5 * width // 20
    return np.ascontiguousarray(image[: height - rows, : width - columns])
