"""A folder of images → one box per image, from a Haar cascade.

A set of selfies becomes training data without anyone drawing boxes. A cascade misses subjects and
detects some that are not there, so check its boxes before training on them. An image without a
detection is listed, and is never labelled as an image without the subject.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox import images
from onebox.classic.cascades import Boxes, Detector, open_cascade, subject_of
from onebox.errors import DataError, ImageError, SettingError, format_count, suggest
from onebox.structures import Dataset, Sample

FACES = "haarcascade_frontalface_default"
"""The default cascade."""

POLICIES = ("error", "largest", "skip")
"""What to do with an image with several detections."""

# Minimum size of a decoded image, in pixels: a detection of `MIN_FRACTION` is then 50 pixels, twice
# the cascades' own windows. Not tuned.
_AT_LEAST = 600
_KEEP_LARGEST = "on_multiple='largest' (--on-multiple largest)"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a cascade detected in a folder.

    Attributes:
        samples: The images with a detection, each with one box, all in ``train``.
        label: The label of every sample.
        without: The images without a detection.
        several: The images with several detections: the largest was kept, or the image skipped.
        unreadable: One sentence for each image that could not be read.
    """

    samples: tuple[Sample, ...]
    label: str
    without: tuple[Path, ...] = ()
    several: tuple[Path, ...] = ()
    unreadable: tuple[str, ...] = ()

    def dataset(self, name: str = "") -> Dataset:
        """The samples as a data set."""
        return Dataset(self.samples, (self.label,), name=name)


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    """An image and the boxes that were detected in it, the largest first."""

    path: Path
    size_wh: tuple[int, int]
    boxes: Boxes


def annotate(
    folder: Path,
    *,
    cascade: str | Path = FACES,
    on_multiple: str = "error",
    progress: Callable[[int, int], None] | None = None,
) -> Annotation:
    """Detect one subject in each image of a folder.

    Args:
        folder: A folder; its subfolders are searched too.
        cascade: The name of one of OpenCV's cascades, with or without its ``haarcascade_``, or a
            cascade file.
        on_multiple: What to do with an image with several detections: raise an ``error``, keep the
            ``largest``, or ``skip`` the image.
        progress: Called after each image with the number done and the total.

    Raises:
        SettingError: If the cascade or the policy does not exist.
        DataError: If the folder has no image, if no image is left with a box, or if
            ``on_multiple`` is ``error`` and an image has several detections.
    """
    if on_multiple not in POLICIES:
        raise SettingError(
            f"on_multiple must be one of {', '.join(POLICIES)}, got {on_multiple!r}."
            f"{suggest(on_multiple, POLICIES)}"
        )
    detector, label = open_cascade(cascade), subject_of(cascade)
    searched, unreadable = _search(_find_images(folder), detector, progress)
    several = [each for each in searched if len(each.boxes) > 1]
    if several and on_multiple == "error":
        raise DataError(*unreadable, _too_many(several, label))
    most = 1 if on_multiple == "skip" else math.inf
    samples = [_sample(each, label) for each in searched if 1 <= len(each.boxes) <= most]
    if not samples:
        raise DataError(*unreadable, _nothing(folder, label, len(searched), len(several)))
    return Annotation(
        tuple(samples),
        label,
        without=tuple(each.path for each in searched if not len(each.boxes)),
        several=tuple(each.path for each in several),
        unreadable=unreadable,
    )


def _find_images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "there is no such folder"
        raise DataError(f"{folder}: {what}. Name a folder of images.")
    paths = images.find_images(folder)
    if not paths:
        suffixes = ", ".join(sorted(images.SUFFIXES))
        raise DataError(f"{folder}: holds no image (files that end in {suffixes}).")
    return paths


def _search(
    paths: Sequence[Path], detector: Detector, progress: Callable[[int, int], None] | None
) -> tuple[list[_Searched], tuple[str, ...]]:
    """Detect in each image; add a sentence for each image that cannot be read."""
    searched: list[_Searched] = []
    unreadable: list[str] = []
    for done, path in enumerate(paths, start=1):
        try:
            image = images.load(path, at_least=_AT_LEAST, keeps_shape=True)
        except ImageError as error:
            unreadable += error.problems
        else:
            searched.append(_Searched(path, image.size_wh, detector(image)))
        if progress is not None:
            progress(done, len(paths))
    return searched, tuple(unreadable)


def _sample(searched: _Searched, label: str) -> Sample:
    x_min, y_min, x_max, y_max = searched.boxes[0].tolist()
    box = (x_min, y_min, x_max, y_max)
    return Sample(searched.path, label=label, box=box, size_wh=searched.size_wh)


def _too_many(several: Sequence[_Searched], label: str) -> str:
    count, first = format_count(len(several), "image", "images"), several[0]
    return (
        f"{count} with several detections of {label!r}, for example {first.path} with "
        f"{len(first.boxes)}; an image has one subject. Keep the largest with {_KEEP_LARGEST}, or "
        "leave such images out with on_multiple='skip' (--on-multiple skip)."
    )


def _nothing(folder: Path, label: str, searched: int, several: int) -> str:
    count = format_count(searched, "image", "images")
    if several:
        return (
            f"{folder}: every image with a detection of {label!r} has several ({several} of "
            f"{count}), and all were skipped. Keep the largest with {_KEEP_LARGEST}."
        )
    return (
        f"{folder}: found no {label!r} in {count}. Name a folder of images that show one, or "
        "another cascade."
    )
