"""Cut-outs of random size and position, on black or on a random crop of a photograph.

The box is the extent of the pixels that the cut-out covers by more than half (alpha above 127 of
255). Size, position and mirroring are drawn before the background, so a seed gives the same
cut-outs at the same positions on every background. An image without its cut-out shows the
background alone.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from PIL import Image, ImageOps

from onebox.errors import DataError
from onebox.structures import Box, Sample, Split
from onebox.synthetic.material import (
    Background,
    Cutout,
    find_backgrounds,
    find_cutouts,
    load_background,
)
from onebox.synthetic.streams import Stream

CUTOUT_LENGTHS = (0.2, 0.8)
"""Range of a cut-out's width or height, whichever is longer, as fractions of the image width. Not
tuned."""

CROPS = (0.5, 1.0)
"""Range of the width of the square crop of a background, as fractions of the background's width or
height, whichever is shorter. Not tuned."""

_HALF = 127
_MORE_THAN_HALF = [0] * (_HALF + 1) + [255] * (255 - _HALF)


@dataclass(frozen=True, slots=True)
class Placement:
    """A cut-out with its top-left corner and size in the image, in pixels."""

    cutout: Cutout
    corner_xy: tuple[int, int]
    size_wh: tuple[int, int]
    is_mirrored: bool

    def alpha(self) -> Image.Image:
        """The cut-out's alpha at this size; somewhere above a half.

        Raises:
            DataError: If the cut-out is so thin that nothing of it remains at this size.
        """
        alpha = self._fitted(self.cutout.rgba().getchannel("A"))
        strongest = int(np.asarray(alpha).max())
        if strongest == 0:
            raise DataError(
                f"{self.cutout.path}: is too thin to be seen at {self.size_wh[0]} x "
                f"{self.size_wh[1]} pixels. Draw larger images or remove it."
            )
        # A thin line that shrinking made faint is strengthened, or there would be no subject.
        return alpha if strongest > _HALF else alpha.point(_strengthen(strongest))

    def colours(self) -> Image.Image:
        """The cut-out's RGB; meaningful where alpha is not 0."""
        return self._fitted(self.cutout.rgba()).convert("RGB")

    def box(self) -> Box:
        """The ``xyxy`` extent of the pixels that the cut-out covers by more than half."""
        left, top, right, bottom = self.alpha().point(_MORE_THAN_HALF).getbbox() or (0, 0, 0, 0)
        x, y = self.corner_xy
        return float(x + left), float(y + top), float(x + right), float(y + bottom)

    def _fitted(self, image: Image.Image) -> Image.Image:
        small = image.resize(self.size_wh, Image.Resampling.BILINEAR)
        return ImageOps.mirror(small) if self.is_mirrored else small


@dataclass(frozen=True, slots=True)
class Scene:
    """An image of a cut-out on a background, or of the background alone, drawn on request."""

    stream: Stream
    index: int
    background: Background
    cutouts: Path | None  # a folder of RGBA PNGs; None for the bundled cat

    def __str__(self) -> str:
        return self.stream.name(self.index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:  # noqa: ANN401, FBT001
        """Draw the image: uint8 of shape (size, size, 3)."""
        random = self.stream.generator(self.index)
        placement = self._place(random)
        image = _draw_background(random, find_backgrounds(self.background), self.stream.size)
        if self.stream.has_subject(self.index):
            image.paste(placement.colours(), placement.corner_xy, placement.alpha())
        return np.array(np.asarray(image), dtype=dtype, copy=copy)

    def placement(self) -> Placement:
        """The cut-out and its position; also for an image that leaves it out."""
        return self._place(self.stream.generator(self.index))

    def _place(self, random: np.random.Generator) -> Placement:
        choices = find_cutouts(self.cutouts)
        cutout = choices[random.integers(len(choices))]
        length = self.stream.size * random.uniform(*CUTOUT_LENGTHS)
        width, height = cutout.rgba().size
        scale = length / max(width, height)
        fitted_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        x, y = (int(random.integers(self.stream.size - each + 1)) for each in fitted_wh)
        return Placement(cutout, (x, y), fitted_wh, is_mirrored=random.random() < 1 / 2)


def cutouts(
    *,
    size: int = 224,
    seed: int = 0,
    split: Split = "train",
    absent: float = 0.0,
    backgrounds: Background = "natural",
    cutouts: Path | None = None,
) -> Iterator[Sample]:
    """Draw cut-outs of random size and position, without end.

    Args:
        size: Width and height of the images, in pixels.
        seed: Another seed gives other images.
        split: Split of the samples; each split has its own images.
        absent: Fraction of the images without a cut-out; it does not change the other images.
        backgrounds: ``black``, ``natural`` (photographs bundled with scikit-image and
            scikit-learn) or a folder of images.
        cutouts: A folder of RGBA PNGs, labelled by `material.find_cutouts`; None for a cat.

    Returns:
        Samples with the cut-out's label and box; those without a cut-out have neither.

    Raises:
        SettingError: If a number is out of range.
        DataError: If a folder has no images, or bad ones; the message names each bad file.
        OneboxError: If the packages of the bundled photographs are needed and not installed.
    """
    kind = "cutouts-black" if backgrounds == "black" else "cutouts"
    stream = Stream(kind, size, seed, split, absent)
    background = backgrounds.resolve() if isinstance(backgrounds, Path) else backgrounds
    folder = cutouts.resolve() if cutouts else None
    find_cutouts(folder)
    find_backgrounds(background)
    return (_sample(Scene(stream, index, background, folder)) for index in itertools.count())


def _strengthen(strongest: int) -> list[int]:
    return [min(255, value * 255 // strongest) for value in range(256)]


def _sample(scene: Scene) -> Sample:
    split, size_wh = scene.stream.split, (scene.stream.size, scene.stream.size)
    if not scene.stream.has_subject(scene.index):
        return Sample(scene, split=split, size_wh=size_wh)
    placement = scene.placement()
    return Sample(scene, placement.cutout.label, placement.box(), split, size_wh=size_wh)


def _draw_background(
    random: np.random.Generator, backgrounds: tuple[Path, ...], size: int
) -> Image.Image:
    if not backgrounds:
        return Image.new("RGB", (size, size))
    image, scale_xy = load_background(backgrounds[random.integers(len(backgrounds))], size)
    # The crop is a square of the file's pixels: the factors of x and y may differ.
    whole_wh = np.array(image.size) * scale_xy
    length = whole_wh.min() * random.uniform(*CROPS)
    corner_xy = (whole_wh - length) * random.random(2)
    ends = np.concatenate([corner_xy, corner_xy + length]) / [*scale_xy, *scale_xy]
    left, top, right, bottom = np.minimum(ends, [*image.size, *image.size]).tolist()
    crop = image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    return ImageOps.mirror(crop) if random.random() < 1 / 2 else crop
