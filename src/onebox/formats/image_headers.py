"""Paths of images → what their headers say, many at a time."""

import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from onebox.errors import DataError, ImageError, suggest
from onebox.images import Header, read_header
from onebox.structures import Box

THREADS = 16
_MOST_SUGGESTIONS = 20


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one image.

    Attributes:
        file: The path with all links followed: equal for two names of one image.
        header: None where the image cannot be read.
        problem: Then the sentence that says why.
    """

    file: Path
    header: Header | None = None
    problem: str = ""


def look_at(paths: Iterable[Path]) -> dict[Path, Look]:
    """Read the headers of images, each once, without decoding them."""
    distinct = list(dict.fromkeys(paths))
    # Filters of warnings are shared by all threads; set here, they are put back once, by one.
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        looks = dict(zip(distinct, pool.map(_look, distinct), strict=True))
    missing = [path for path in distinct if not looks[path].file.exists()]
    return looks | _missing(missing)


def box_text(box: Box) -> str:
    """A box as a user writes it, for messages and repairs.

    Examples:
        >>> box_text((0.0, 2.5, 10.0, 20.0))
        '0, 2.5, 10, 20'
    """
    return ", ".join(f"{value:.10g}" for value in box)


def _look(path: Path) -> Look:
    file = path.resolve()
    try:
        return Look(file, header=read_header(path))
    except ImageError as error:
        return Look(file, problem=str(error))


def _missing(paths: list[Path]) -> dict[Path, Look]:
    """Name a close file for each missing image; a long list is not worth the search."""
    names: dict[Path, list[str]] = {}
    looks = {}
    for number, path in enumerate(paths):
        near = ""
        if number < _MOST_SUGGESTIONS:
            if path.parent not in names:
                names[path.parent] = _names_in(path.parent)
            near = suggest(path.name, names[path.parent])
        problem = f"image {path} does not exist.{near} Correct the path or remove the label."
        looks[path] = Look(path, problem=problem)
    return looks


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright image.

    Raises:
        DataError: If the image cannot be read.
    """
    look = look_at([path])[path]
    if look.header is None:
        raise DataError(look.problem)
    return look.header.size_wh
