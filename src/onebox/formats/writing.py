"""Shared by all writers: files written whole or not at all, exact numbers, relative paths."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from unicodedata import category

from onebox import files
from onebox.errors import DataError, SettingError
from onebox.files import real_path
from onebox.images import SUFFIXES
from onebox.structures import Dataset, Sample

_NO_TEXT = frozenset({"Cc", "Zl", "Zp"})
"""Unicode categories of control characters and of what ends lines."""


@contextmanager
def creating(path: Path) -> Iterator[Path]:
    """Yield a path for a file or a folder, and rename it to ``path`` if the body succeeds.

    Raises:
        SettingError: If ``path`` exists and is not empty, or is a device or a pipe.
        OneboxError: If the disk refuses; the message says why.
    """
    is_taken = any(path.iterdir()) if path.is_dir() else path.exists() and path.stat().st_size > 0
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SettingError(f"{path}: is a device or a pipe. Name a file or a folder.")
    if is_taken:
        raise SettingError(f"{path}: exists already. Remove it, or choose another place.")
    files.remove_abandoned(path.parent)
    with files.replacing(path) as unfinished:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        if unfinished.is_dir() and path.is_dir():
            path.rmdir()  # empty; not every system lets a folder replace another


def format_number(value: float | int) -> str:
    """Write a number that reads back equal; whole numbers have no decimal point.

    Examples:
        >>> format_number(12.0), format_number(0.1)
        ('12', '0.1')
    """
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def format_path(image: Path, folder: Path) -> str:
    """Write an image's path relative to a folder; absolute if they are on different drives."""
    # Links are followed first: `..` after a link does not lead to the folder that holds the link.
    target = real_path(image.parent) / image.name
    try:
        return Path(os.path.relpath(target, real_path(folder))).as_posix()
    except ValueError:  # another drive
        return target.as_posix()


def image_file(sample: Sample) -> Path:
    """Return the path of a sample's image file.

    Raises:
        SettingError: If the image is generated or lies in a shard, and has no file.
    """
    if isinstance(sample.image, Path):
        return sample.image
    if sample.encoded is not None:
        raise SettingError(
            f"{sample.name}: lies in a shard, and label files name image files. Write the images "
            "to a folder first: onebox convert DATA OUT --to csv --images DIR"
        )
    raise SettingError(
        "label files name image files, but these images are generated. Save them first "
        "(onebox synth)."
    )


def is_kept(text: str) -> bool:
    """Whether readers keep a text: they strip spaces at its ends, and some end a line in it.

    Examples:
        >>> is_kept("black cat"), is_kept("cat ")
        (True, False)
    """
    if text.isascii() and text.isprintable():
        return text == text.strip()
    inside = text.replace("\t", " ")
    return text == text.strip() and not any(category(one) in _NO_TEXT for one in inside)


def check_names(dataset: Dataset, texts: Mapping[Path, Sequence[str]]) -> None:
    """Refuse names that would come back changed: two of them might come back as one.

    Args:
        dataset: The data set to write.
        texts: What the label files hold of the name of each image.

    Raises:
        DataError: If there are such names; one sentence each.
    """
    classes = dict.fromkeys(sample.label for sample in dataset if sample.label is not None)
    names = [
        *(f"class {name!r}" for name in classes if not is_kept(name)),
        *(f"image {str(image)!r}" for image, one in texts.items() if not all(map(is_kept, one))),
    ]
    if names:
        raise DataError(
            *(
                f"{name} has spaces at its ends or control characters, which the format does not "
                "keep. Rename it."
                for name in names
            )
        )


def link_or_copy(image: Path, target: Path, *, format: str) -> None:  # noqa: A002
    """Make a hard link of an image, or a copy where the disk does not allow links.

    Args:
        image: The image file.
        target: The path to make, in a folder that exists.
        format: Name of the label format, for messages.

    Raises:
        SettingError: If readers of the format would not find the image, by its suffix.
    """
    if image.suffix.lower() not in SUFFIXES:
        raise SettingError(
            f"{image}: {format} finds images by their suffix. Change it to one of "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    try:
        target.hardlink_to(real_path(image))
    except OSError:  # another disk, or one without links
        shutil.copyfile(image, target)


def unique_stems(paths: Sequence[Path]) -> list[str]:
    """Return the stem of each path, numbered from the second path of the same stem.

    Examples:
        >>> unique_stems([Path("a/1.jpg"), Path("b/1.png"), Path("2.jpg")])
        ['1', '1_2', '2']
    """
    # Compared without case: some disks take `A.xml` and `a.xml` for one file.
    taken: set[str] = set()
    stems = []
    for path in paths:
        tries = (path.stem if n == 1 else f"{path.stem}_{n}" for n in count(1))
        stem = next(stem for stem in tries if stem.casefold() not in taken)
        taken.add(stem.casefold())
        stems.append(stem)
    return stems
