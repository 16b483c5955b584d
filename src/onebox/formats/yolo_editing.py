"""Edits YOLO labels: the text file of each edited image, and the list of class names.

A text file is rewritten, for it holds nothing but the label. A new class is appended to ``names``
in ``data.yaml``, or to ``classes.txt``; the rest of these files stays as it is. Taking a label away
removes the text file, for an empty one says that the image has no subject. The format has the split
of an image in its folder or list, so editing does not change it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

from onebox.errors import DataError
from onebox.files import names_in, real_path
from onebox.formats import yolo
from onebox.formats.edits import Edited, Edits, Replacement, read_or_none
from onebox.formats.rows import ParsedLabels
from onebox.formats.yolo_config import YoloConfig, class_list_of
from onebox.formats.yolo_names import append_names
from onebox.formats.yolo_writing import format_row
from onebox.images import SUFFIXES
from onebox.structures import Sample


def files(path: Path) -> list[Path]:
    """The files that hold the labels, and the class names.

    Raises:
        DataError: If it is not a YOLO data set.
    """
    config = yolo.read_config(path)
    lists = [part for _, part in config.parts if part.is_file()]
    listed = chain.from_iterable(yolo.read_list(file, config.root) for file in lists)
    labels = chain(
        chain.from_iterable(folder.rglob("*.txt") for folder in yolo.label_folders(config)),
        map(yolo.label_file_of, listed),
    )
    names = _names_file(path)
    return sorted({*lists, *labels, *([names] if names else [])})


def parse(path: Path) -> ParsedLabels:
    """Read the labels that there are; see `onebox.formats.yolo.parse_labelled`.

    Raises:
        DataError: If it is not a YOLO data set.
    """
    return yolo.parse_labelled(path)


def edit(path: Path, edits: Edits) -> Edited:
    """Change labels of a YOLO data set.

    Returns:
        The text files of the edited images, each with one row or none, and before them the file
        with the class names if there are new ones.

    Raises:
        DataError: If it is not a YOLO data set.
    """
    config = yolo.read_config(path)
    numbers = {name: number for number, name in config.names.items()}
    renamed, problem = _with_classes(path, config, edits)
    if renamed is not None:
        missing = _missing(numbers, edits)
        numbers |= {name: n for n, name in enumerate(missing, max(config.names, default=-1) + 1)}
    places = _Places(config)
    made = []
    refused = {}
    for image, sample in edits.samples.items():
        try:
            file = places.label_file(image)
            old = read_or_none(file)
            new = _changed(old, sample, numbers, config, problem)
            made.append(Replacement(file, old, new, frozenset({image})))
        except DataError as error:
            refused[image] = f"{image}: {error}"
    return Edited((*([renamed] if renamed else []), *made), refused)


def _changed(
    old: bytes | None,
    sample: Sample | None,
    numbers: Mapping[str, int],
    config: YoloConfig,
    problem: str,
) -> bytes | None:
    """A text file with another label; None if it is to be removed.

    Raises:
        DataError: If the class has no number and gets none.
    """
    if sample is None:
        return None
    if sample.label is None:
        return b""
    number = numbers.get(sample.label)
    if number is None and not config.names and sample.label.isdecimal():
        number = int(sample.label)
    if number is None:
        raise DataError(problem)
    row = format_row(sample, number, config.keypoints, config.kpt_dims)
    line_end = "\r\n" if b"\r\n" in (old or b"") else "\n"
    return row.replace("\n", line_end).encode()


def _missing(known: Iterable[str], edits: Edits) -> list[str]:
    """The class names that the data set does not have, if a sample needs one of them."""
    used = {one.label for one in edits.samples.values() if one and one.label is not None}
    missing = [name for name in edits.classes if name not in known]
    return missing if used.intersection(missing) else []


def _with_classes(path: Path, config: YoloConfig, edits: Edits) -> tuple[Replacement | None, str]:
    """The file with new class names; or None, and why the names cannot be written."""
    missing = _missing(config.names.values(), edits)
    file = _names_file(path)
    if not missing or not config.names or file is None:
        return None, (
            f"{config.name}: has no names for classes, so they are called by number. Name them in "
            "data.yaml."
        )
    old = file.read_bytes()
    mark = "\ufeff" if old.startswith(b"\xef\xbb\xbf") else ""
    text = old.decode("utf-8-sig")
    try:
        new = _appended(file, text, missing)
    except DataError as error:
        return None, str(error)
    needing = (image for image, one in edits.samples.items() if one and one.label in missing)
    return Replacement(file, old, (mark + new).encode(), frozenset(needing)), ""


def _appended(file: Path, text: str, names: Sequence[str]) -> str:
    if file.suffix.lower() != ".txt":
        return append_names(text, names, file.name)
    line_end = "\r\n" if "\r\n" in text else "\n"
    ended = text.rstrip() + line_end  # a class has the number of its line
    return ended + "".join(f"{name}{line_end}" for name in names)


def _names_file(path: Path) -> Path | None:
    return path if path.is_file() else class_list_of(path)


class _Places:
    """The label files of the images of a data set."""

    def __init__(self, config: YoloConfig) -> None:
        self._folders = {real_path(part): part for _, part in config.parts if part.is_dir()}
        lists = [part for _, part in config.parts if part.is_file()]
        listed = chain.from_iterable(yolo.read_list(file, config.root) for file in lists)
        self._listed = {real_path(one.parent) / one.name: one for one in listed}
        self._name = config.name
        self._stems = cache(_stems_in)

    def label_file(self, image: Path) -> Path:
        """The label file of an image.

        Raises:
            DataError: If the data set does not have the image, or another one has the same file.
        """
        if self._stems(image.parent)[image.stem] > 1:
            raise DataError(
                "another image has the same name but for the suffix, so both have one label file. "
                "Rename one of them."
            )
        if image in self._listed:
            return yolo.label_file_of(self._listed[image])
        for resolved, folder in self._folders.items():
            if image.is_relative_to(resolved) and image.suffix.lower() in SUFFIXES:
                return yolo.label_file_of(folder / image.relative_to(resolved))
        raise DataError(
            f"is not among the images of {self._name}. Add its folder there, or move the image."
        )


def _stems_in(folder: Path) -> Counter[str]:
    names = map(Path, names_in(folder))
    return Counter(name.stem for name in names if name.suffix.lower() in SUFFIXES)
