"""A folder of pictures → boxes of one subject a picture, found by a Haar cascade.

This is how a set of selfies becomes training data without a person drawing boxes. A cascade misses
subjects and finds some where there are none, so what it found is worth a look before training on
it; a picture without a find is listed, and never taken for one without the subject.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox import images
from onebox.classic.cascades import Boxes, Detector, open_cascade, subject_of
from onebox.errors import DataError, PictureError, SettingError, suggest
from onebox.formats.rows import counted
from onebox.structures import Dataset, Sample

FACES = "haarcascade_frontalface_default"
"""The cascade that is used where none is named."""

POLICIES = ("error", "largest", "skip")
"""What may become of a picture with several finds."""

_AT_LEAST = 600  # finds of `LEAST_SHARE` are then twice as large as the cascades' own windows


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a cascade found in a folder.

    Attributes:
        samples: The pictures with a find, each with one box, all in ``train``.
        label: What was looked for: the label of every sample.
        without: The pictures without a find.
        several: The pictures with more than one find: they kept the largest, or are left out.
        unreadable: One sentence for each picture that could not be read.
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
    """A picture, and what was found in it, the largest first."""

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
    """Look for one subject in each picture of a folder.

    Args:
        folder: Searched with the folders in it.
        cascade: A name that OpenCV's cascades have, with or without its ``haarcascade_``, or a
            cascade's file.
        on_multiple: What to do with a picture of several finds: ``error``, keep the ``largest``,
            or ``skip`` the picture.
        progress: Called after each picture with those done and all there are.

    Returns:
        The boxes, and the pictures that gave none.

    Raises:
        SettingError: If the cascade or the policy is none.
        DataError: If the folder holds no picture, if no picture is left with a box, or if
            ``on_multiple`` is ``error`` and there are pictures of several finds.
    """
    if on_multiple not in POLICIES:
        raise SettingError(
            f"on_multiple must be one of {', '.join(POLICIES)}, got {on_multiple!r}."
            f"{suggest(on_multiple, POLICIES)}"
        )
    detector, label = open_cascade(cascade), subject_of(cascade)
    pictures, unreadable = _search(_find_pictures(folder), detector, progress)
    several = [one for one in pictures if len(one.boxes) > 1]
    if several and on_multiple == "error":
        raise DataError(*unreadable, _too_many(several, label))
    most = 1 if on_multiple == "skip" else max((len(one.boxes) for one in pictures), default=0)
    samples = [_sample(one, label) for one in pictures if 1 <= len(one.boxes) <= most]
    if not samples:
        raise DataError(*unreadable, _nothing(folder, label, pictures, len(several)))
    return Annotation(
        tuple(samples),
        label,
        without=tuple(one.path for one in pictures if not len(one.boxes)),
        several=tuple(one.path for one in several),
        unreadable=unreadable,
    )


def _find_pictures(folder: Path) -> list[Path]:
    """List a folder's pictures.

    Raises:
        DataError: If it is no folder, or has none.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "there is no such folder"
        raise DataError(f"{folder}: {what}. Name a folder of pictures.")
    paths = images.find_pictures(folder)
    if not paths:
        suffixes = ", ".join(sorted(images.SUFFIXES))
        raise DataError(f"{folder}: holds no picture (files that end in {suffixes}).")
    return paths


def _search(
    paths: Sequence[Path], detector: Detector, progress: Callable[[int, int], None] | None
) -> tuple[list[_Searched], tuple[str, ...]]:
    """What is found in each picture, and a sentence for each that cannot be read."""
    searched: list[_Searched] = []
    unreadable: list[str] = []
    for done, path in enumerate(paths, start=1):
        try:
            picture = images.load(path, at_least=_AT_LEAST)
        except PictureError as error:
            unreadable += error.problems
        else:
            searched.append(_Searched(path, picture.size_wh, detector(picture)))
        if progress is not None:
            progress(done, len(paths))
    return searched, tuple(unreadable)


def _sample(searched: _Searched, label: str) -> Sample:
    x_min, y_min, x_max, y_max = searched.boxes[0].tolist()
    box = (x_min, y_min, x_max, y_max)
    return Sample(searched.path, label=label, box=box, size_wh=searched.size_wh)


def _too_many(several: Sequence[_Searched], label: str) -> str:
    count = counted(len(several), "picture", "pictures")
    first = several[0]
    return (
        f"{count} with several finds of {label!r}, for example {first.path} with "
        f"{len(first.boxes)}; a picture has one subject. Keep the largest with "
        "on_multiple='largest' (--on-multiple largest), or leave such pictures out with "
        "on_multiple='skip' (--on-multiple skip)."
    )


def _nothing(folder: Path, label: str, pictures: Sequence[_Searched], several: int) -> str:
    count = counted(len(pictures), "picture", "pictures")
    if several:
        return (
            f"{folder}: every picture with a find of {label!r} has several ({several} of "
            f"{count}), and all were skipped. Keep the largest with "
            "on_multiple='largest' (--on-multiple largest)."
        )
    return (
        f"{folder}: found no {label!r} in {count}. Name the folder of pictures that "
        "show one, or another cascade."
    )
