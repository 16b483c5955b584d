"""Finds the label files of a path, each with its format and split.

The suffix of a file, or else its content, tells its format. A folder is searched for every format;
files of one format named ``train``, ``val``, ``cal`` and ``test`` (also ``valid``,
``instances_val2017``) are one data set with those splits, and so are folders of those names. The
shards of a folder are one data set; `onebox.formats.shards` finds them.
"""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from onebox.errors import DataError, shorten, suggest
from onebox.files import names_in
from onebox.formats import (
    coco,
    createml,
    csv,
    fiftyone,
    imagefolder,
    label_studio,
    parquet,
    voc,
    webdataset,
    yolo,
)
from onebox.formats.image_lookup import LABEL_FOLDERS
from onebox.formats.shards import folders_of_shards
from onebox.formats.splitting import SPLIT_NAMES, split_of_stem
from onebox.structures import SPLITS, Split

_SNIFFED_BYTES = 4096  # one block of most disks; not tuned


@dataclass(frozen=True, slots=True)
class LabelSource:
    """A label file, or a folder that is read as one."""

    path: Path
    format: str  # a key of ``FORMATS``
    split: Split | None = None  # None if the name tells none
    prefix: str = ""  # before the file's name in messages, as ``train/``
    note: str = ""  # tells the user which files are not read


def find_sources(path: Path, wanted: str | None = None) -> tuple[LabelSource, ...]:
    """Find the label files to read: one source, or one for each split.

    Args:
        path: The file or folder that the user named.
        wanted: The format that the user named; None to find it.

    Raises:
        DataError: If there are no label files, or it is not clear which to read.
    """
    if path.is_file():
        return (_named(path, wanted or _format_of(path)),)
    if not path.is_dir():
        near = suggest(path.name, names_in(path.parent))
        raise DataError(f"{path}: there is no such file or folder.{near} Correct the path.")
    found = sources_in(path, wanted) or _in_folder(path, wanted, by_suffix=True)
    if found:
        return found
    if wanted in _READ_AS_FOLDERS:
        return (LabelSource(path, wanted),)
    raise DataError(
        f"{path}: holds no label files ({wanted or ', '.join(_FINDERS)}). Name the file that holds "
        "the labels."
    )


def sources_in(folder: Path, wanted: str | None = None) -> tuple[LabelSource, ...]:
    """Find the label files in a folder by their content; none if it holds none.

    Raises:
        DataError: If it is not clear which to read.
    """
    return _in_folder(folder, wanted) or _in_split_folders(folder, wanted)


def _format_of(file: Path) -> str:
    if file.suffix.lower() == ".json":
        return _json_format_of(file)
    if file.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[file.suffix.lower()]
    with file.open("rb") as content:
        start = content.read(_SNIFFED_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    for mark, name in _STARTS.items():
        if start.startswith(mark):
            return name
    if start.startswith(b"["):
        return _json_format_of(file)
    if csv.is_labels(file):
        return "csv"
    raise DataError(
        f"{file}: is not a label file ({', '.join(_FINDERS)}). Name its format if it is one."
    )


def _json_format_of(file: Path) -> str:
    """The format of a JSON file; COCO if none fits, so that its reader says what is missing."""
    return next((name for name, is_labels in _JSON.items() if is_labels(file)), "coco")


def _named(file: Path, name: str) -> LabelSource:
    return LabelSource(file, name, None if name in _READ_AS_FOLDERS else split_of_stem(file.stem))


def _in_folder(
    folder: Path, wanted: str | None, *, by_suffix: bool = False
) -> tuple[LabelSource, ...]:
    names = [wanted] if wanted else _BY_SUFFIX if by_suffix else _FINDERS
    found = {name: files for name in names if (files := _FINDERS[name](folder, by_suffix))}
    if len(found) > 1:
        listed = [f"{name} ({_names_of(files, 3)})" for name, files in found.items()]
        raise DataError(
            f"{folder}: holds labels in several formats: {', '.join(listed)}. Name one of the "
            f"files, or the format: format={next(iter(found))!r}."
        )
    return next((_assign_splits(folder, name, files) for name, files in found.items()), ())


def _assign_splits(folder: Path, name: str, files: Sequence[Path]) -> tuple[LabelSource, ...]:
    # Of files with equal splits, those with plain names (train, val, cal, test) are taken.
    plain = [file for file in files if _is_split_name(file.stem)]
    for chosen in (files, plain):
        sources = [_named(file, name) for file in chosen]
        splits = {source.split for source in sources}
        if len(chosen) == 1 or (chosen and None not in splits and len(splits) == len(chosen)):
            unread = [file for file in files if file not in chosen]
            return _with_note(_in_order(sources), unread)
    raise DataError(
        f"{folder}: holds several {name} files: {_names_of(files)}. Name one of them, or call "
        "them train, val, cal and test."
    )


def _names_of(files: Sequence[Path], most: int = 8) -> str:
    return shorten([file.name for file in files], most)


def _with_note(sources: tuple[LabelSource, ...], unread: Sequence[Path]) -> tuple[LabelSource, ...]:
    if not unread:
        return sources
    note = f"{_names_of(unread)} not read beside {_names_of([source.path for source in sources])}."
    return (replace(sources[0], note=note), *sources[1:])


def _in_order(sources: Sequence[LabelSource]) -> tuple[LabelSource, ...]:
    return tuple(sorted(sources, key=lambda source: SPLITS.index(source.split or "train")))


def _in_split_folders(folder: Path, wanted: str | None) -> tuple[LabelSource, ...]:
    found: list[LabelSource] = []
    for inner in sorted(folder.glob("*/")):
        split = SPLIT_NAMES.get(inner.name.casefold())
        if split is None:
            continue
        sources = _in_folder(inner, wanted) or _in_folder(inner, wanted, by_suffix=True)
        found.extend(replace(source, split=split, prefix=f"{inner.name}/") for source in sources)
    if len({source.format for source in found}) > 1:
        raise DataError(f"{folder}: its folders hold different formats. Name the format.")
    return _in_order(found)


def _files_in(
    pattern: str,
    is_labels: Callable[[Path], bool],
    folder: Path,
    by_suffix: bool,  # noqa: FBT001  (all finders have one signature)
) -> list[Path]:
    """The label files of a folder, or else of a folder for labels in it."""
    inner = [one for one in sorted(folder.glob("*/")) if one.name.casefold() in LABEL_FOLDERS]
    listed = (sorted(one.glob(pattern)) for one in (folder, *inner))
    files = next((files for files in listed if files), [])
    if by_suffix:
        return files
    known = {file for file in files if is_labels(file)}
    # A test.csv that is not understood must be reported, not ignored, if there is a good train.csv.
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


def _coco_in(folder: Path, by_suffix: bool) -> list[Path]:  # noqa: FBT001
    found = _files_in("*.json", coco.is_labels, folder, by_suffix)
    own = () if by_suffix else fiftyone.files_in(folder)
    return [file for file in found if file not in own]


_JSON = {
    "labelstudio": label_studio.is_labels,
    "createml": createml.is_labels,
    "coco": coco.is_labels,
}
_FINDERS: dict[str, Callable[[Path, bool], list[Path]]] = {
    "csv": partial(_files_in, "*.csv", csv.is_labels),
    "voc": _voc_in,
    "coco": _coco_in,
    "yolo": _yolo_in,
    "labelstudio": partial(_files_in, "*.json", label_studio.is_labels),
    "createml": partial(_files_in, "*.json", createml.is_labels),
    "fiftyone": lambda folder, is_asked: fiftyone.files_in(folder, is_asked=is_asked),
    "imagefolder": lambda folder, is_asked: imagefolder.files_in(folder, is_asked=is_asked),
    "parquet": partial(folders_of_shards, suffix=".parquet", is_labels=parquet.is_labels),
    "webdataset": partial(folders_of_shards, suffix=".tar", is_labels=webdataset.is_labels),
}
_BY_SUFFIX = (
    "csv",
    "voc",
    "coco",
    "yolo",
    "parquet",
    "webdataset",
)  # files of these suffixes are labels if all else fails
_READ_AS_FOLDERS = ("voc", "yolo", "parquet", "webdataset")
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".xml": "voc",
    ".jsonl": "imagefolder",
    ".yaml": "yolo",
    ".yml": "yolo",
    ".parquet": "parquet",
    ".tar": "webdataset",
}
_STARTS = {b"{": "coco", b"<": "voc"}
