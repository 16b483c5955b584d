"""Reads the headers of many images at a time."""

import functools
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard, TypeVar

from PIL import Image

from onebox.errors import ImageError, suggest
from onebox.files import names_in, real_path
from onebox.images import Header, read_header
from onebox.structures import PackedImage

THREADS = 16
"""Files read at a time: more than there are cores, since reading waits for the disk. Not tuned."""

_MAX_SUGGESTIONS = 20  # each compares a name with a whole folder; not tuned


@dataclass(frozen=True, slots=True)
class HeaderResult:
    """The header of one image, or the problem: a sentence that says why it cannot be read."""

    file: Path | PackedImage  # with all links followed: equal for two names of one image
    header: Header | None = None
    problem: str = ""


Encoded = TypeVar("Encoded", Path, Path | PackedImage)


def read_headers(images: Iterable[Encoded]) -> dict[Encoded, HeaderResult]:
    """Read the header of each image once, without decoding the image.

    Of an image in a shard that states its upright size, nothing is read.
    """
    distinct = list(dict.fromkeys(images))
    # All threads share the warning filters, so this thread alone sets and restores them.
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        results = dict(zip(distinct, pool.map(_read, distinct), strict=True))
    return results | _with_suggestions([image for image in distinct if _is_missing(image)])


def _is_missing(image: Path | PackedImage) -> TypeGuard[Path]:
    return isinstance(image, Path) and not image.exists()


def _read(image: Path | PackedImage) -> HeaderResult:
    file = real_path(image) if isinstance(image, Path) else image
    if isinstance(image, PackedImage) and image.upright_wh is not None:
        return HeaderResult(file, header=Header(image.upright_wh, 1))
    try:
        return HeaderResult(file, header=read_header(image))
    except ImageError as error:
        return HeaderResult(file, problem=str(error))


def _with_suggestions(missing: list[Path]) -> dict[Path, HeaderResult]:
    """Suggest a file of a similar name for each of the first missing images."""
    names_of = functools.cache(names_in)
    results = {}
    for number, path in enumerate(missing):
        names = names_of(path.parent) if number < _MAX_SUGGESTIONS else ()
        suggestion = suggest(path.name, names)
        problem = f"image {path} does not exist.{suggestion} Correct the path or remove the label."
        results[path] = HeaderResult(path, problem=problem)
    return results
