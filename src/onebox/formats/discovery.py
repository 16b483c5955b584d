"""A path → the label files that lie there, each with its format and split.

Files are told apart by suffix and content. A folder is searched for every format; files of one
format called ``train``, ``val`` and ``test`` (also ``valid``, ``instances_val2017`` ...) are one
data set with those splits, and so are folders of those names.
"""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onebox.errors import DataError, shorten, suggest
from onebox.formats import coco, csv, voc, yolo
from onebox.formats.image_lookup import LABEL_FOLDERS
from onebox.formats.splitting import SPLIT_NAMES, split_of_stem
from onebox.structures import SPLITS, Split

_SNIFFED = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """A label file, or a folder that is read as one.

    Attributes:
        path: The file or folder.
        format: A key of ``FORMATS``.
        split: Where its name tells.
        place: What stands before the file's name in messages, as ``train/``.
        note: What the user is told about the choice.
    """

    path: Path
    format: str
    split: Split | None = None
    place: str = ""
    note: str = ""


def find_sources(path: Path, wanted: str | None = None) -> tuple[Source, ...]:
    """Find what is to be read.

    Args:
        path: What the user named.
        wanted: The format, where the user named that too.

    Returns:
        One source, or one for each split.

    Raises:
        DataError: If there is nothing, or more than one thing that could be meant.
    """
    if path.is_file():
        return (_named(path, wanted or _format_of(path)),)
    if not path.is_dir():
        near = suggest(path.name, _names_beside(path))
        raise DataError(f"{path}: there is no such file or folder.{near} Correct the path.")
    found = _in_folder(path, wanted) or _in_split_folders(path, wanted)
    found = found or _in_folder(path, wanted, by_suffix=True)
    if found:
        return found
    if wanted in _READ_AS_FOLDERS:
        return (Source(path, wanted),)
    raise DataError(
        f"{path}: holds no label files ({wanted or ', '.join(_FINDERS)}). Name the file that holds "
        "the labels."
    )


def _names_beside(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []


def _format_of(file: Path) -> str:
    if file.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[file.suffix.lower()]
    with file.open("rb") as content:
        start = content.read(_SNIFFED).removeprefix(codecs.BOM_UTF8).lstrip()
    for mark, name in _STARTS.items():
        if start.startswith(mark):
            return name
    if csv.is_labels(file):
        return "csv"
    raise DataError(
        f"{file}: is not a label file ({', '.join(_FINDERS)}). Name its format if it is one."
    )


def _named(file: Path, name: str) -> Source:
    return Source(file, name, None if name in _READ_AS_FOLDERS else split_of_stem(file.stem))


def _in_folder(folder: Path, wanted: str | None, *, by_suffix: bool = False) -> tuple[Source, ...]:
    names = _FINDERS if wanted is None else [wanted]
    hits = {name: found for name in names if (found := _FINDERS[name](folder, by_suffix))}
    if len(hits) > 1:
        shown = [f"{name} ({shorten([one.name for one in hits[name]], 3)})" for name in hits]
        raise DataError(
            f"{folder}: holds labels in several formats: {', '.join(shown)}. Name one of the "
            f"files, or the format: format={next(iter(hits))!r}."
        )
    return next((_told_apart(folder, name, found) for name, found in hits.items()), ())


def _told_apart(folder: Path, name: str, files: Sequence[Path]) -> tuple[Source, ...]:
    """Give the files of one format their splits.

    Raises:
        DataError: If their names do not tell them apart.
    """
    plainly = [file for file in files if _is_split_name(file.stem)]
    for chosen in (files, plainly):
        sources = [_named(file, name) for file in chosen]
        splits = {source.split for source in sources}
        if len(chosen) == 1 or (chosen and None not in splits and len(splits) == len(chosen)):
            return _noted(_in_order(sources), [file for file in files if file not in chosen])
    raise DataError(
        f"{folder}: holds several {name} files: {shorten([file.name for file in files])}. Name one "
        "of them, or call them train, val and test."
    )


def _noted(sources: tuple[Source, ...], others: Sequence[Path]) -> tuple[Source, ...]:
    if not others:
        return sources
    names = shorten([file.name for file in others])
    note = f"{names} not read beside {shorten([one.path.name for one in sources])}."
    return (replace(sources[0], note=note), *sources[1:])


def _in_order(sources: Sequence[Source]) -> tuple[Source, ...]:
    return tuple(sorted(sources, key=lambda one: SPLITS.index(one.split or "train")))


def _in_split_folders(folder: Path, wanted: str | None) -> tuple[Source, ...]:
    found: list[Source] = []
    for inner in sorted(folder.glob("*/")):
        split = SPLIT_NAMES.get(inner.name.casefold())
        if split is None:
            continue
        sources = _in_folder(inner, wanted) or _in_folder(inner, wanted, by_suffix=True)
        found.extend(replace(source, split=split, place=f"{inner.name}/") for source in sources)
    if len({source.format for source in found}) > 1:
        raise DataError(f"{folder}: its folders hold different formats. Name the format.")
    return _in_order(found)


def _files(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder, or of the folder for labels in it."""
    inner = [one for one in sorted(folder.glob("*/")) if one.name.casefold() in LABEL_FOLDERS]
    listed = (sorted(place.glob(pattern)) for place in (folder, *inner))
    return next((files for files in listed if files), [])


def _csv_in(folder: Path, by_suffix: bool) -> list[Path]:  # noqa: FBT001  (finders are alike)
    files = _files(folder, "*.csv")
    return files if by_suffix else _that_are(csv.is_labels, files)


def _coco_in(folder: Path, by_suffix: bool) -> list[Path]:  # noqa: FBT001
    files = _files(folder, "*.json")
    return files if by_suffix else _that_are(coco.is_labels, files)


def _that_are(is_labels: Callable[[Path], bool], files: Sequence[Path]) -> list[Path]:
    known = {file for file in files if is_labels(file)}
    # Beside a good train.csv, a test.csv that is not understood must be told, not passed over.
    return [file for file in files if file in known or (known and _is_split_name(file.stem))]


def _is_split_name(word: str) -> bool:
    return word.casefold() in SPLIT_NAMES


def _voc_in(folder: Path, _: bool) -> list[Path]:  # noqa: FBT001
    return voc.folders_of_xml(folder)


def _yolo_in(folder: Path, by_suffix: bool) -> list[Path]:  # noqa: FBT001
    files = sorted(folder.glob("*.y*ml"))
    named = [file for file in files if by_suffix or b"names" in file.read_bytes()]
    plain = [file for file in named if file.stem == "data"]
    return plain[:1] or named or ([folder] if yolo.has_labels(folder) else [])


_FINDERS: dict[str, Callable[[Path, bool], list[Path]]] = {
    "csv": _csv_in,
    "voc": _voc_in,
    "coco": _coco_in,
    "yolo": _yolo_in,
}
_READ_AS_FOLDERS = ("voc", "yolo")
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".xml": "voc",
    ".json": "coco",
    ".yaml": "yolo",
    ".yml": "yolo",
}
_STARTS = {b"{": "coco", b"<": "voc"}
