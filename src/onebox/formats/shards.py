"""Finds the shards of a data set, in a folder or an object store, each with its split.

The name of a shard tells its split, as ``train-00000-of-00002.parquet`` and ``val-000.tar`` do, or
else the nearest folder of such a name.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from onebox import stores
from onebox.errors import DataError, suggest
from onebox.files import names_in, real_path
from onebox.formats.rows import ParsedLabels, merge_labels
from onebox.formats.splitting import SPLIT_NAMES
from onebox.structures import Split

_FOLDERS = ("data", "shards")
"""Besides those named like splits, folders in which shards are looked for unasked."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a data set in shards.

    Attributes:
        name: Its path or URI.
        title: What messages call it: its path relative to the folder that the user named.
        split: The split that its name tells; None if it tells none.
    """

    name: str
    title: str
    split: Split | None


def find_shards(place: str, suffix: str) -> list[Shard]:
    """The shards at a path or URI: the file itself, or the files below a folder, by name.

    Raises:
        DataError: If there are none, or the place cannot be read.
    """
    if not stores.is_folder(place):
        if not stores.exists(place):
            raise DataError(f"{place}: there is no such file or folder.{_near(place)}")
        title = stores.last_part(place)
        return [Shard(_absolute(place), title, split_of_shard(title))]
    root = _absolute(place)
    names = [file.name for file in stores.find(root, {suffix})]
    if not names:
        raise DataError(f"{place}: holds no {suffix} file. Name a folder of shards.")
    titles = [stores.relative(name, root) for name in names]
    return [
        Shard(name, title, split_of_shard(title)) for name, title in zip(names, titles, strict=True)
    ]


def split_of_shard(title: str) -> Split | None:
    """The split that the path of a shard tells, by its file name or else by its folders.

    Examples:
        >>> split_of_shard("data/validation-00000-of-00002.parquet"), split_of_shard("test/0.tar")
        ('val', 'test')
    """
    for part in reversed(title.split("/")):
        words = [word.rstrip("0123456789") for word in re.split(r"[_\-. ]", part.casefold())]
        found = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
        if len(found) == 1:
            return found.pop()
    return None


def parse_shards(
    place: str | Path, suffix: str, parse: Callable[[Shard], ParsedLabels]
) -> ParsedLabels:
    """Parse all shards at a place; one that cannot be read is a problem, so all are read.

    Raises:
        DataError: If there are none.
    """
    return merge_labels([_parse_one(shard, parse) for shard in find_shards(str(place), suffix)])


def folders_of_shards(
    folder: Path,
    by_suffix: bool,  # noqa: FBT001  (all finders have one signature)
    *,
    suffix: str,
    is_labels: Callable[[Path], bool],
) -> list[Path]:
    """The folder, if it or a folder of a usual name in it has shards with labels."""
    places = [folder, *(one for one in sorted(folder.glob("*/")) if _is_usual(one.name))]
    files: Iterator[Path] = (file for place in places for file in sorted(place.glob(f"*{suffix}")))
    return [folder] if any(by_suffix or is_labels(file) for file in files) else []


def _is_usual(name: str) -> bool:
    return name.casefold() in _FOLDERS or name.casefold() in SPLIT_NAMES


def _parse_one(shard: Shard, parse: Callable[[Shard], ParsedLabels]) -> ParsedLabels:
    try:
        labels = parse(shard)
    except DataError as error:
        return ParsedLabels((), faults=error.problems)
    if not labels.rows and not labels.problems:
        return ParsedLabels((), problems=(f"{shard.title}: holds no image. Remove the shard.",))
    rows = tuple(replace(row, split=row.split or shard.split) for row in labels.rows)
    return replace(labels, rows=rows)


def _absolute(place: str) -> str:
    """A path that is equal for two names of one file; a URI as it is."""
    return place if stores.is_uri(place) else str(real_path(Path(place)))


def _near(place: str) -> str:
    if stores.is_uri(place):
        return " Correct the name."
    path = Path(place)
    return f"{suggest(path.name, names_in(path.parent))} Correct the path."
