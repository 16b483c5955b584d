"""A folder of images → boxes of one subject an image, found by a Haar cascade.

This is how a set of selfies becomes training data without a person drawing boxes. A cascade misses
subjects and finds some where there are none, so what it found is worth a look before training on
it; an image without a find is listed, and never taken for one without the subject.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox import images
from onebox.classic.cascades import Boxes, Detector, open_cascade, subject_of
from onebox.errors import DataError, ImageError, SettingError, format_count, suggest
from onebox.structures import Dataset, Sample

FACES = "haarcascade_frontalface_default"
"""The cascade that is used where none is named."""

POLICIES = ("error", "largest", "skip")
"""What may become of an image with several finds."""

_AT_LEAST = 600  # finds of `LEAST_SHARE` are then twice as large as the cascades' own windows


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a cascade found in a folder.

    Attributes:
        samples: The images with a find, each with one box, all in ``train``.
        label: What was looked for: the label of every sample.
        without: The images without a find.
        several: The images with more than one find: they kept the largest, or are left out.
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
    """An image, and what was found in it, the largest first."""

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
    """Look for one subject in each image of a folder.

    Args:
        folder: Searched with the folders in it.
        cascade: A name that OpenCV's cascades have, with or without its ``haarcascade_``, or a
            cascade's file.
        on_multiple: What to do with an image of several finds: ``error``, keep the ``largest``,
            or ``skip`` the image.
        progress: Called after each image with those done and all there are.

    Returns:
        The boxes, and the images that gave none.

    Raises:
        SettingError: If the cascade or the policy is none.
        DataError: If the folder holds no image, if no image is left with a box, or if
            ``on_multiple`` is ``error`` and there are images of several finds.
    """
    if on_multiple not in POLICIES:
        raise SettingError(
            f"on_multiple must be one of {', '.join(POLICIES)}, got {on_multiple!r}."
            f"{suggest(on_multiple, POLICIES)}"
        )
    detector, label = open_cascade(cascade), subject_of(cascade)
    images, unreadable = _search(_find_images(folder), detector, progress)
    several = [one for one in images if len(one.boxes) > 1]
    if several and on_multiple == "error":
        raise DataError(*unreadable, _too_many(several, label))
    most = 1 if on_multiple == "skip" else max((len(one.boxes) for one in images), default=0)
    samples = [_sample(one, label) for one in images if 1 <= len(one.boxes) <= most]
    if not samples:
        raise DataError(*unreadable, _nothing(folder, label, images, len(several)))
    return Annotation(
        tuple(samples),
        label,
        without=tuple(one.path for one in images if not len(one.boxes)),
        several=tuple(one.path for one in several),
        unreadable=unreadable,
    )


def _find_images(folder: Path) -> list[Path]:
    """List a folder's images.

    Raises:
        DataError: If it is no folder, or has none.
    """
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
    """What is found in each image, and a sentence for each that cannot be read."""
    searched: list[_Searched] = []
    unreadable: list[str] = []
    for done, path in enumerate(paths, start=1):
        try:
            image = images.load(path, at_least=_AT_LEAST)
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
    count = format_count(len(several), "image", "images")
    first = several[0]
    return (
        f"{count} with several finds of {label!r}, for example {first.path} with "
        f"{len(first.boxes)}; an image has one subject. Keep the largest with "
        "on_multiple='largest' (--on-multiple largest), or leave such images out with "
        "on_multiple='skip' (--on-multiple skip)."
    )


def _nothing(folder: Path, label: str, images: Sequence[_Searched], several: int) -> str:
    count = format_count(len(images), "image", "images")
    if several:
        return (
            f"{folder}: every image with a find of {label!r} has several ({several} of "
            f"{count}), and all were skipped. Keep the largest with "
            "on_multiple='largest' (--on-multiple largest)."
        )
    return (
        f"{folder}: found no {label!r} in {count}. Name the folder of images that "
        "show one, or another cascade."
    )
