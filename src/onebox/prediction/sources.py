"""The sources of a command line → the images to predict, one after another.

A source is an image, a folder of images, a glob, a video, a camera, a URL, a shard, the URI of an
object store, or ``-`` for a list of names. Images are found when they are asked for: folders are
walked, and lists, shards and videos read, no further than needed, so any of them may be endless.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from onebox import images
from onebox.errors import DataError, SettingError
from onebox.prediction import videos
from onebox.prediction.items import Found, SourceItem, UnreadableSource
from onebox.prediction.targets import (
    Shard,
    StoredImage,
    Target,
    camera_number,
    expand_glob,
    find_targets,
    is_stored,
    name_nothing_found,
)

LIST = "-"
"""The source that stands for a list of names."""


class Sources(Iterator[Found]):
    """The images of all sources, each once, in the order of the sources; iterable once."""

    def __init__(
        self,
        sources: Sequence[str],
        listed: Iterable[str] = (),
        *,
        left_out: Path | None = None,
    ) -> None:
        """Expand the globs; nothing is opened yet.

        The names that ``-`` stands for may be any source except globs and ``-``. Images in the
        folder ``left_out`` are not found below another: drawings are written there meanwhile.

        Raises:
            SettingError: If a source is empty, as an unset variable of a script is.
        """
        if "" in sources:
            raise SettingError("a SOURCE is empty. Name an image, a folder or a glob.")
        self._names = [(source, expand_glob(source)) for source in sources]
        self._listed = listed
        self._left_out = None if left_out is None else left_out.absolute()
        self._found: Iterator[Found] = (
            found for target in self.targets() for found in _read(target)
        )

    def __next__(self) -> Found:
        """The next image or frame, or a source that has none or cannot be read to its end."""
        return next(self._found)

    def targets(self) -> Iterator[Target]:
        """What the sources stand for, unread, each once; in place of the images of this object."""
        seen: set[int] = set()  # hashes only, to save memory
        for source, targets in self._all_targets():
            is_empty = True
            for target in targets:
                is_empty = False
                if hash(target) not in seen:
                    seen.add(hash(target))
                    yield target
            if is_empty:
                yield name_nothing_found(source)

    def has_frames(self) -> bool:
        """Whether a source is a video or a camera; for a list, whether the first image is a frame.

        A list cannot be read ahead, so its first image decides; it stays the next image.
        """
        names = chain.from_iterable(names for source, names in self._names if source != LIST)
        if any(camera_number(name) is not None or _is_named_video(name) for name in names):
            return True
        if not self._has_list():
            return False
        first = list(islice(self._found, 1))
        self._found = chain(first, self._found)
        return any(isinstance(one, SourceItem) and one.frame is not None for one in first)

    def count(self) -> int | None:
        """The number of images, none of them opened; None if a source does not say it unread.

        Those are lists, videos, cameras, shards and object stores.
        """
        names = [name for _, names in self._names for name in names]
        if self._has_list() or self.has_frames() or any(map(is_stored, names)):
            return None
        targets = chain.from_iterable(map(self._find, names))
        is_shard = [isinstance(target, Shard) for target in targets]
        return None if any(is_shard) else len(is_shard)

    def _has_list(self) -> bool:
        return any(source == LIST for source, _ in self._names)

    def _all_targets(self) -> Iterator[tuple[str, Iterable[Target]]]:
        for source, names in self._names:
            if source == LIST:
                yield from ((name, self._find(name)) for name in self._listed)
            else:
                yield source, chain.from_iterable(map(self._find, names))

    def _find(self, name: str) -> Iterator[Target]:
        """What a name stands for, without the folder that is left out below a folder."""
        folder, targets = self._left_out, find_targets(name)
        if folder is None or Path(name).absolute() not in folder.parents:
            return targets
        return (
            target
            for target in targets
            if not (isinstance(target, Path) and folder in target.absolute().parents)
        )


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its name."""
    return path.suffix.lower() not in images.SUFFIXES and videos.is_video(path)


def _is_named_video(name: str) -> bool:
    return not is_stored(name) and is_video(Path(name))


def _read(target: Target) -> Iterator[Found]:
    try:
        yield from [target] if isinstance(target, UnreadableSource) else _read_items(target)
    except DataError as error:
        yield UnreadableSource(str(error))


def _read_items(target: Path | str | Shard | StoredImage) -> Iterator[SourceItem]:
    if isinstance(target, Path):
        if is_video(target):
            yield from _read_frames(target, target)
        else:
            yield SourceItem(str(target), target, path=target)
    elif isinstance(target, Shard | StoredImage):
        from onebox.prediction import shards  # noqa: PLC0415 - needed for shards and stores alone

        yield from shards.read_items(target)
    elif (number := camera_number(target)) is not None:
        yield from _read_frames(target, number)
    else:
        from onebox.prediction import downloads  # noqa: PLC0415 - needed for URLs alone

        yield SourceItem(target, downloads.fetch(target))


def _read_frames(target: Path | str, source: Path | int) -> Iterator[SourceItem]:
    path = target if isinstance(target, Path) else None
    for frame in videos.frames(source):
        yield SourceItem(str(target), frame.pixels, frame.number, frame.time_s, path)
