"""What the words of a command line mean → the images to predict, one after another.

A word is an image, a folder of them, a glob, a video, a camera, a URL, or ``-`` for a list of
names. Images are found as they are asked for: folders are walked, lists and videos read no
further than needed, so that any of them may be without end.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from onebox import images
from onebox.errors import DataError, SettingError, shorten
from onebox.prediction import videos

LIST = "-"
"""The word that stands for a list of names."""

_CAMERA = re.compile(r"camera:(\d+)")
_NUL = "\0"


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """An image to predict.

    Attributes:
        name: As the user named it; a frame has the name of its video or camera.
        source: What is read.
        frame: The number of the frame, from 0; None for an image.
        time_s: When the frame is shown, in seconds from the start.
        path: The file that it comes from; None for a camera or a URL.
    """

    name: str
    source: images.Source
    frame: int | None = None
    time_s: float | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A source that gives no image, or no more.

    Attributes:
        sentence: What is wrong with it, and what to do.
    """

    sentence: str


Found = Item | Problem
_Place = Path | str | Problem  # a file, the name of a camera or a URL, what cannot be opened


def find(words: Sequence[str], listed: Iterable[str] = ()) -> Iterator[Found]:
    """Find the images that words name, each once, in the order of the words.

    Args:
        words: Images, folders, globs, videos, ``camera:0``, URLs, or ``-``.
        listed: The names that ``-`` stands for: what a word may be, but for globs and ``-``.

    Yields:
        Images and frames; a `Problem` where a word has none, or cannot be read to its end.
    """
    # In a set, their hashes alone: little memory for many images.
    seen: set[int] = set()
    for word, places in _by_word(words, listed):
        is_empty = True
        for place in places:
            is_empty = False
            if hash(place) not in seen:
                seen.add(hash(place))
                yield from _opened(place)
        if is_empty:
            suffixes = ", ".join(sorted(images.SUFFIXES))
            yield Problem(f"{word}: holds no image (files that end in {suffixes}).")


def check(words: Iterable[str]) -> None:
    """See that no word is empty, as an unset variable of a script is.

    Raises:
        SettingError: If one is.
    """
    if "" in words:
        raise SettingError("a SOURCE is empty. Name an image, a folder or a glob.")


def has_frames(words: Iterable[str]) -> bool:
    """Whether a word names a video or a camera; what a list names cannot be told."""
    return any(
        _camera(name) is not None or _is_video(Path(name))
        for word in words
        if word != LIST
        for name in _matches(word)
    )


def count(words: Sequence[str]) -> int | None:
    """How many images the words name, with none opened; None where that cannot be told."""
    if LIST in words or has_frames(words):
        return None
    return sum(1 for word in words for name in _matches(word) for _ in _places(name))


def _by_word(words: Iterable[str], listed: Iterable[str]) -> Iterator[tuple[str, Iterable[_Place]]]:
    for word in words:
        if word == LIST:
            yield from ((name, _places(name)) for name in listed)
        else:
            yield word, chain.from_iterable(map(_places, _matches(word)))


def _matches(word: str) -> list[str]:
    """The names that a glob stands for; any other word for itself."""
    # By os.path: pathlib raises where a name is too long, or a folder may not be entered.
    if not glob.has_magic(word) or _is_url(word) or os.path.exists(word):  # noqa: PTH110
        return [word]
    return sorted(glob.glob(word, recursive=True))  # noqa: PTH207


def _places(name: str) -> Iterator[_Place]:
    """What is to be opened: the images below a folder, or the one thing that is named."""
    if _NUL in name:
        yield Problem(
            f"{shorten(name.split(_NUL))}: names are parted by NUL characters. Put each on a line "
            "of its own, as find does without -print0."
        )
    elif _is_url(name) or _camera(name) is not None:
        yield name
    elif os.path.isdir(name):  # noqa: PTH112
        yield from _below(Path(name))
    else:
        yield Path(name)


def _below(folder: Path) -> Iterator[Path | Problem]:
    """The images below a folder, in the order of their names; links to folders are left out."""
    try:
        with os.scandir(folder) as opened:
            entries = sorted(opened, key=lambda entry: entry.name)
    except OSError as error:
        yield Problem(f"{folder}: cannot be listed ({error.strerror}). Change its permissions.")
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _below(path)
        elif path.suffix.lower() in images.SUFFIXES and entry.is_file():
            yield path


def _opened(place: _Place) -> Iterator[Found]:
    if isinstance(place, Problem):
        yield place
        return
    try:
        yield from _items(place)
    except DataError as error:
        yield Problem(str(error))


def _items(place: Path | str) -> Iterator[Item]:
    if isinstance(place, Path):
        yield from (
            _frames(place, place) if _is_video(place) else [Item(str(place), place, path=place)]
        )
    elif (number := _camera(place)) is not None:
        yield from _frames(place, number)
    else:
        from onebox.prediction import downloads

        yield Item(place, downloads.fetch(place))


def _frames(place: Path | str, source: Path | int) -> Iterator[Item]:
    path = place if isinstance(place, Path) else None
    for frame in videos.frames(source):
        yield Item(str(place), frame.pixels, frame.number, frame.time_s, path)


def _camera(name: str) -> int | None:
    """The number of a camera; None where the name is of something else, or of a file."""
    match = _CAMERA.fullmatch(name)
    return int(match[1]) if match is not None and not Path(name).exists() else None


def _is_url(name: str) -> bool:
    if "://" not in name:
        return False
    from onebox.prediction import downloads

    return downloads.is_url(name)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() not in images.SUFFIXES and videos.is_video(path)
