"""What all writers share: files that appear whole or not at all, and exact numbers."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from onebox import files
from onebox.errors import SettingError
from onebox.structures import Sample


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; it takes its name when the body has succeeded.

    The body may make a file or a folder there. What it made is removed if it fails.

    Args:
        path: Where the result appears: nothing yet, an empty file or an empty folder.

    Yields:
        Where to write.

    Raises:
        SettingError: If something is there already.
        OneboxError: If the disk refuses; the message says why.
    """
    _check_free(path)
    with files.replacing(path) as unfinished:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        if unfinished.is_dir() and path.is_dir():
            path.rmdir()  # it is empty, and not every system lets a folder take its place


def number_text(value: float | int) -> str:
    """Write a number so that reading gives the same one, whole numbers without a point.

    Examples:
        >>> number_text(12.0), number_text(0.1)
        ('12', '0.1')
    """
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def path_text(image: Path, folder: Path) -> str:
    """Name an image relative to a folder; absolute where no relative path leads there."""
    # Links are followed first: `..` after a link does not lead back to where the link stands.
    target = image.parent.resolve() / image.name
    try:
        return Path(os.path.relpath(target, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return target.as_posix()


def image_of(sample: Sample) -> Path:
    """Return the sample's image file.

    Raises:
        SettingError: If the image is drawn when asked for, and so has no file to name.
    """
    if isinstance(sample.image, Path):
        return sample.image
    raise SettingError(
        "label files name image files, but these images are generated. Save them first "
        "(onebox synth)."
    )


def _check_free(path: Path) -> None:
    if path.is_dir():
        is_free = not any(path.iterdir())
    else:
        is_free = not path.exists() or path.stat().st_size == 0
    if not is_free:
        raise SettingError(f"{path}: exists already. Remove it, or choose another place.")


def unique_stems(paths: Sequence[Path]) -> list[str]:
    """Return the paths' stems, with a number behind those that were taken.

    Examples:
        >>> unique_stems([Path("a/1.jpg"), Path("b/1.png"), Path("2.jpg")])
        ['1', '1_2', '2']
    """
    # Compared without case: on some disks `A.xml` and `a.xml` are one file.
    taken: set[str] = set()
    stems = []
    for path in paths:
        tries = (path.stem if n == 1 else f"{path.stem}_{n}" for n in count(1))
        stem = next(stem for stem in tries if stem.casefold() not in taken)
        taken.add(stem.casefold())
        stems.append(stem)
    return stems
