"""Finds the one label file of a session, or the place of a new one."""

from pathlib import Path

from onebox.errors import SettingError, check_choice, shorten, suggest
from onebox.files import is_empty
from onebox.formats import FORMATS
from onebox.formats.discovery import LabelSource, find_sources, sources_in
from onebox.formats.editing import EDITORS
from onebox.formats.shard_formats import SHARD_FORMATS

_NEW = {".csv": "csv", ".json": "coco"}


def find_source(path: Path, format: str | None) -> LabelSource:  # noqa: A002
    """Find the labels at a path.

    Args:
        path: A label file or a folder of them, or a ``.csv`` or ``.json`` file to make.
        format: A key of `EDITORS`; None to find it.

    Raises:
        DataError: If there are no labels in a folder or file that exists.
        SettingError: If the labels are in several files or of a format that cannot be edited, or
            such a file cannot be made.
    """
    if format is not None:
        _check_editable(path, check_choice("format", format, FORMATS))
    if is_empty(path) or not path.exists():
        return LabelSource(path, _new_format(path, format))
    sources = find_sources(path, format)
    _check_editable(path, sources[0].format)
    if len(sources) > 1:
        names = shorten([str(source.path) for source in sources])
        raise SettingError(f"{path}: holds several label files ({names}). Name one of them.")
    (source,) = sources
    if source.format == "voc" and source.path.is_file():
        raise SettingError(f"{source.path}: is the label of one image. Name its folder.")
    return source


def labels_in(folder: Path, format: str | None) -> Path:  # noqa: A002
    """The labels of a folder of images: those that it holds, else the place of a new file.

    Raises:
        DataError: If it is not clear which of several formats to take.
        SettingError: If it holds several label files.
    """
    new = folder / "labels.csv"
    if new.exists() or not folder.is_dir():
        return new
    sources = sources_in(folder, format)
    return find_source(folder, format).path if sources else new


def _check_editable(path: Path, format: str) -> None:  # noqa: A002
    if format not in EDITORS:
        extract = " --images DIR" if format in SHARD_FORMATS else ""
        raise SettingError(
            f"{path}: {format} labels cannot be edited in place. Convert them first, and name the "
            f"new file: onebox convert {path} labels.json --to coco{extract}"
        )


def _new_format(path: Path, wanted: str | None) -> str:
    name = _NEW.get(path.suffix.lower())
    if name is None or wanted not in {None, name}:
        near = suggest(path.name, [one.name for one in path.parent.glob("*")])
        raise SettingError(
            f"{path}: there are no labels, and new {wanted or 'label'} files are not made here. "
            f"Name a .csv file, or a .json file for COCO.{near}"
        )
    return name
