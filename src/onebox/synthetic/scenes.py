"""Cut-outs of random size and place, on black or on a random piece of an image.

The box is the extent of the pixels in which the cut-out covers more than half of the ground
(alpha above 127 of 255). Size, place and mirroring are drawn before the ground, so that a seed
puts the same cut-outs in the same places on every ground. An image without its cut-out shows the
ground that would lie behind it.
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
    Cutout,
    Ground,
    find_backgrounds,
    find_cutouts,
    load_background,
)
from onebox.synthetic.streams import Stream

LONGER_SIDES = (0.2, 0.8)
"""Smallest and largest longer side of a cut-out, as shares of the image's side."""

PIECES = (0.5, 1.0)
"""Smallest and largest side of the square piece of a background, as shares of its shorter side."""

_HALF = 127
_MORE_THAN_HALF = [0] * (_HALF + 1) + [255] * (255 - _HALF)


@dataclass(frozen=True, slots=True)
class Placement:
    """A cut-out, and where it goes: its top-left corner and size in pixels of the frame."""

    cutout: Cutout
    corner_xy: tuple[int, int]
    size_wh: tuple[int, int]
    is_mirrored: bool

    def alpha(self) -> Image.Image:
        """How much of the ground each pixel covers: by more than half somewhere.

        Raises:
            DataError: If the cut-out is so thin that nothing of it is left at this size.
        """
        alpha = self._fitted(self.cutout.rgba().getchannel("A"))
        strongest = int(np.asarray(alpha).max())
        if strongest == 0:
            raise DataError(
                f"{self.cutout.path}: is too thin to be seen at {self.size_wh[0]} x "
                f"{self.size_wh[1]} pixels. Draw larger images or remove it."
            )
        # A hairline shrunk to a breath is strengthened, or there would be nothing to find.
        return alpha if strongest > _HALF else alpha.point(_strengthen(strongest))

    def colours(self) -> Image.Image:
        """RGB of the cut-out; meaningful where alpha is not 0."""
        return self._fitted(self.cutout.rgba()).convert("RGB")

    def box(self) -> Box:
        """The ``xyxy`` extent of the pixels that are covered by more than half."""
        left, top, right, bottom = self.alpha().point(_MORE_THAN_HALF).getbbox() or (0, 0, 0, 0)
        x, y = self.corner_xy
        return float(x + left), float(y + top), float(x + right), float(y + bottom)

    def _fitted(self, image: Image.Image) -> Image.Image:
        small = image.resize(self.size_wh, Image.Resampling.BILINEAR)
        return ImageOps.mirror(small) if self.is_mirrored else small


@dataclass(frozen=True, slots=True)
class Scene:
    """An image of a cut-out on a ground, or of the ground alone, drawn when it is asked for.

    Attributes:
        stream: Where its random numbers come from.
        index: Its number in the stream.
        ground: ``black``, ``natural`` (the bundled images) or a folder of images.
        cutouts: A folder of RGBA PNGs; None for the bundled cat.
    """

    stream: Stream
    index: int
    ground: Ground
    cutouts: Path | None

    def __str__(self) -> str:
        """Its name, as ``synth:cutouts/7/train#123``."""
        return self.stream.name(self.index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:  # noqa: ANN401, FBT001
        """Draw it: uint8 of shape (size, size, 3)."""
        random = self.stream.generator(self.index)
        placement = self._place(random)
        image = _draw_ground(random, find_backgrounds(self.ground), self.stream.size)
        if self.stream.has_subject(self.index):
            image.paste(placement.colours(), placement.corner_xy, placement.alpha())
        return np.array(np.asarray(image), dtype=dtype, copy=copy)

    def placement(self) -> Placement:
        """What is where in it, where it is not left out."""
        return self._place(self.stream.generator(self.index))

    def _place(self, random: np.random.Generator) -> Placement:
        choices = find_cutouts(self.cutouts)
        cutout = choices[random.integers(len(choices))]
        longer_side = self.stream.size * random.uniform(*LONGER_SIDES)
        width, height = cutout.rgba().size
        scale = longer_side / max(width, height)
        fitted_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        x, y = (int(random.integers(self.stream.size - side + 1)) for side in fitted_wh)
        return Placement(cutout, (x, y), fitted_wh, is_mirrored=random.random() < 1 / 2)


def cutouts(
    *,
    size: int = 224,
    seed: int = 0,
    split: Split = "train",
    absent: float = 0.0,
    backgrounds: Ground = "natural",
    cutouts: Path | None = None,
) -> Iterator[Sample]:
    """Draw cut-outs of random size and place, without end.

    Args:
        size: Pixels of each side of the images.
        seed: Another seed gives other images.
        split: What the samples are for; each split has images of its own.
        absent: Share of the images without a cut-out; the others are the same for each share.
        backgrounds: ``black``, ``natural`` (photographs bundled with scikit-image and
            scikit-learn) or a folder of images.
        cutouts: A folder of RGBA PNGs, labelled as `material.find_cutouts` says; None for a cat.

    Returns:
        Samples labelled with what is cut out, whose boxes are the extent of the pixels that it
        covers by more than half; without a cut-out they have neither label nor box.

    Raises:
        SettingError: If the size is too small, the seed negative, or the share none.
        DataError: If a folder does not hold what it should; the message names each bad file.
        OneboxError: If bundled images are used and their packages are not installed.
    """
    kind = "cutouts-black" if backgrounds == "black" else "cutouts"
    stream = Stream(kind, size, seed, split, absent)
    ground = backgrounds.resolve() if isinstance(backgrounds, Path) else backgrounds
    metrics = cutouts.resolve() if cutouts else None
    find_cutouts(metrics)
    find_backgrounds(ground)
    return (_sample(Scene(stream, index, ground, metrics)) for index in itertools.count())


def _strengthen(strongest: int) -> list[int]:
    return [min(255, value * 255 // strongest) for value in range(256)]


def _sample(scene: Scene) -> Sample:
    split, size_wh = scene.stream.split, (scene.stream.size, scene.stream.size)
    if not scene.stream.has_subject(scene.index):
        return Sample(scene, split=split, size_wh=size_wh)
    placement = scene.placement()
    return Sample(scene, placement.cutout.label, placement.box(), split, size_wh=size_wh)


def _draw_ground(
    random: np.random.Generator, backgrounds: tuple[Path, ...], size: int
) -> Image.Image:
    if not backgrounds:
        return Image.new("RGB", (size, size))
    image, scale_xy = load_background(backgrounds[random.integers(len(backgrounds))], size)
    # Measured in pixels of the whole image, whose shrunk copy may be squeezed along one side.
    whole_wh = np.array(image.size) * scale_xy
    side = whole_wh.min() * random.uniform(*PIECES)
    corner_xy = (whole_wh - side) * random.random(2)
    ends = np.concatenate([corner_xy, corner_xy + side]) / [*scale_xy, *scale_xy]
    left, top, right, bottom = np.minimum(ends, [*image.size, *image.size]).tolist()
    piece = image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    return ImageOps.mirror(piece) if random.random() < 1 / 2 else piece
