"""The sources of a command line → the images to predict, one after another.

A source is an image, a folder of images, a glob, a video, a camera, a URL, or ``-`` for a list of
names. Images are found when they are asked for: folders are walked, and lists and videos read, no
further than needed, so any of them may be endless.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from onebox import images
from onebox.errors import DataError, SettingError, shorten
from onebox.prediction import videos

LIST = "-"
"""The source that stands for a list of names."""

_CAMERA = re.compile(r"camera:(\d+)")
_NUL = "\0"


@dataclass(frozen=True, slots=True, eq=False)
class SourceItem:
    """An image to predict.

    Attributes:
        name: The image as the user named it; for a frame, its video or camera.
        source: The image: a path, encoded bytes or pixels.
        frame: The frame's number, from 0; None for an image.
        time_s: Seconds from the first frame to this one; None for an image.
        path: The file that the image comes from; None for a camera or a URL.
    """

    name: str
    source: images.Source
    frame: int | None = None
    time_s: float | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class UnreadableSource:
    """A source that gives no image, or no further one; the message says why."""

    message: str


Found = SourceItem | UnreadableSource
_Target = Path | str | UnreadableSource  # a file; a camera or a URL; what cannot be opened


class Sources(Iterator[Found]):
    """The images of all sources, each once, in the order of the sources; iterable once."""

    def __init__(self, sources: Sequence[str], listed: Iterable[str] = ()) -> None:
        """Expand the globs; nothing is opened yet.

        The names that ``-`` stands for may be any source except globs and ``-``.

        Raises:
            SettingError: If a source is empty, as an unset variable of a script is.
        """
        if "" in sources:
            raise SettingError("a SOURCE is empty. Name an image, a folder or a glob.")
        self._names = [(source, _expand_glob(source)) for source in sources]
        self._listed = listed
        self._found = self._read_all()

    def __next__(self) -> Found:
        """The next image or frame, or a source that has none or cannot be read to its end."""
        return next(self._found)

    def has_frames(self) -> bool:
        """Whether a source is a video or a camera; for a list, whether the first image is a frame.

        A list cannot be read ahead, so its first image decides; it stays the next image.
        """
        names = chain.from_iterable(names for source, names in self._names if source != LIST)
        if any(_camera_number(name) is not None or _is_video(Path(name)) for name in names):
            return True
        if not self._has_list():
            return False
        first = list(islice(self._found, 1))
        self._found = chain(first, self._found)
        return any(isinstance(one, SourceItem) and one.frame is not None for one in first)

    def count(self) -> int | None:
        """The number of images, none of them opened; None if a list, video or camera is named."""
        if self._has_list() or self.has_frames():
            return None
        names = chain.from_iterable(names for _, names in self._names)
        return sum(1 for name in names for _ in _targets(name))

    def _has_list(self) -> bool:
        return any(source == LIST for source, _ in self._names)

    def _read_all(self) -> Iterator[Found]:
        seen: set[int] = set()  # hashes only, to save memory
        for source, targets in self._all_targets():
            is_empty = True
            for target in targets:
                is_empty = False
                if hash(target) not in seen:
                    seen.add(hash(target))
                    yield from _read(target)
            if is_empty:
                suffixes = ", ".join(sorted(images.SUFFIXES))
                yield UnreadableSource(f"{source}: holds no image (files that end in {suffixes}).")

    def _all_targets(self) -> Iterator[tuple[str, Iterable[_Target]]]:
        for source, names in self._names:
            if source == LIST:
                yield from ((name, _targets(name)) for name in self._listed)
            else:
                yield source, chain.from_iterable(map(_targets, names))


def _expand_glob(source: str) -> list[str]:
    """The names that a glob matches; any other source as it is."""
    # With os.path: pathlib raises if a name is too long, or a folder may not be entered.
    if not glob.has_magic(source) or _is_url(source) or os.path.exists(source):  # noqa: PTH110
        return [source]
    return sorted(glob.glob(source, recursive=True))  # noqa: PTH207


def _targets(name: str) -> Iterator[_Target]:
    """The images below a folder, or the one thing that is named."""
    if _NUL in name:
        yield UnreadableSource(
            f"{shorten(name.split(_NUL))}: names are separated by NUL characters. Put each on a "
            "line of its own, as find does without -print0."
        )
    elif _is_url(name) or _camera_number(name) is not None:
        yield name
    elif os.path.isdir(name):  # noqa: PTH112
        yield from _walk(Path(name))
    else:
        yield Path(name)


def _walk(folder: Path) -> Iterator[Path | UnreadableSource]:
    """The images below a folder, sorted by name; links to folders are not followed."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        yield UnreadableSource(
            f"{folder}: cannot be listed ({error.strerror}). Change its permissions."
        )
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
        elif path.suffix.lower() in images.SUFFIXES and entry.is_file():
            yield path


def _read(target: _Target) -> Iterator[Found]:
    try:
        yield from [target] if isinstance(target, UnreadableSource) else _read_items(target)
    except DataError as error:
        yield UnreadableSource(str(error))


def _read_items(target: Path | str) -> Iterator[SourceItem]:
    if isinstance(target, Path):
        if _is_video(target):
            yield from _read_frames(target, target)
        else:
            yield SourceItem(str(target), target, path=target)
    elif (number := _camera_number(target)) is not None:
        yield from _read_frames(target, number)
    else:
        from onebox.prediction import downloads  # noqa: PLC0415 - needed for URLs alone

        yield SourceItem(target, downloads.fetch(target))


def _read_frames(target: Path | str, source: Path | int) -> Iterator[SourceItem]:
    path = target if isinstance(target, Path) else None
    for frame in videos.frames(source):
        yield SourceItem(str(target), frame.pixels, frame.number, frame.time_s, path)


def _camera_number(name: str) -> int | None:
    """The number of a camera; None for any other name, and for a file of that name."""
    match = _CAMERA.fullmatch(name)
    return int(match[1]) if match is not None and not Path(name).exists() else None


def _is_url(name: str) -> bool:
    if "://" not in name:
        return False
    from onebox.prediction import downloads  # noqa: PLC0415 - needed for URLs alone

    return downloads.is_url(name)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() not in images.SUFFIXES and videos.is_video(path)
