"""Reads the configuration of a YOLO data set from ``data.yaml``, or from its folders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from onebox.errors import DataError
from onebox.files import names_in, real_path
from onebox.formats.keypoints import VALUES_PER_KEYPOINT, make_keypoint_set
from onebox.formats.splitting import SPLIT_NAMES
from onebox.structures import SPLITS, KeypointSet, Split

Parts = tuple[tuple[Split | None, Path], ...]


@dataclass(frozen=True, slots=True)
class YoloConfig:
    """Paths of the images of a YOLO data set, its class names and its keypoints."""

    name: str  # of the file or folder, for messages
    root: Path  # to which paths in messages are relative
    parts: Parts  # splits with their folders or lists of images; a split may have several
    names: Mapping[int, str]  # by number; empty if the data set names none
    keypoints: KeypointSet | None = None
    kpt_dims: int = 3  # values for each keypoint: 2 (x, y) or 3 (and visibility)
    notes: tuple[str, ...] = ()  # what is missing or not used

    @property
    def keypoint_values(self) -> int:
        """Number of values of a row that belong to keypoints."""
        return len(self.keypoints.names) * self.kpt_dims if self.keypoints else 0


class _Yaml(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    path: str = ""
    train: str | list[str] | None = None
    val: str | list[str] | None = Field(None, validation_alias=AliasChoices("val", "validation"))
    cal: str | list[str] | None = None
    test: str | list[str] | None = None
    names: list[str] | dict[int, str]
    kpt_shape: tuple[int, int] | None = None
    flip_idx: list[int] | None = None
    kpt_names: list[str] | dict[int, list[str]] | None = None
    skeleton: list[list[int]] = []


def read_yaml(path: Path) -> YoloConfig:
    """Read ``data.yaml``.

    ``cal``, ``kpt_names`` and ``skeleton`` (pairs of keypoint indices, from 0) are our own keys,
    which other tools ignore.

    Raises:
        DataError: If it does not describe a YOLO data set, or names images that do not exist.
    """
    content = _load_yaml(path)
    root = path.parent / content.path
    root = root if root.is_dir() else path.parent
    stated = [(split, text) for split in SPLITS for text in _as_list(getattr(content, split))]
    resolved = [(split, _resolve(text, root, path)) for split, text in stated]
    parts, notes = _without_repeats(resolved, path.name)
    if not parts:
        raise DataError(f"{path.name}: names no images. Add train: with their folder.")
    names = content.names
    numbered = dict(sorted(names.items())) if isinstance(names, dict) else dict(enumerate(names))
    dims = content.kpt_shape[1] if content.kpt_shape else VALUES_PER_KEYPOINT
    keypoints = _keypoints(content, path.name)
    return YoloConfig(path.name, path.parent, parts, numbered, keypoints, dims, notes)


def read_folder(folder: Path) -> YoloConfig:
    """Read a folder with ``images`` and ``labels`` in it, or those two in ``train``, ``val`` ...

    Raises:
        DataError: If the folder has no ``images``.
    """
    inner = _of_splits(folder / "images")
    outer = [(split, one / "images") for split, one in _of_splits(folder)]
    parts: Parts = tuple((split, path) for split, path in [*inner, *outer] if path.is_dir())
    if not parts and (folder / "images").is_dir():
        parts = ((None, folder / "images"),)
    if not parts:
        raise DataError(
            f"{folder}: holds neither data.yaml nor images/ and labels/. Add data.yaml."
        )
    names = _read_class_list(folder)
    note = f"{folder.name}: has no data.yaml and no classes.txt; classes are called by number."
    return YoloConfig(folder.name, folder, parts, names, notes=() if names else (note,))


def _of_splits(folder: Path) -> list[tuple[Split, Path]]:
    """The folders in a folder that are named after a split, in whatever case."""
    order = list(SPLIT_NAMES)
    found = [name for name in names_in(folder) if name.casefold() in SPLIT_NAMES]
    found.sort(key=lambda name: order.index(name.casefold()))
    return [(SPLIT_NAMES[name.casefold()], folder / name) for name in found]


def class_list_of(folder: Path) -> Path | None:
    """The file with the class names of a folder without ``data.yaml``; None if there is none."""
    candidates = [folder / "classes.txt", folder / "labels" / "classes.txt"]
    return next((file for file in candidates if file.is_file()), None)


def _read_class_list(folder: Path) -> dict[int, str]:
    found = class_list_of(folder)
    lines = read_lines(found) if found else []
    named = enumerate(line.strip() for line in lines)  # the number of a class is that of its line
    return {number: name for number, name in named if name}


def read_lines(file: Path) -> list[str]:
    """Read the lines of a list.

    Raises:
        DataError: If it is not UTF-8 text.
    """
    try:
        return read_text(file).splitlines()
    except DataError as error:
        raise DataError(f"{file.name}: {error}") from error


def read_text(file: Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises:
        DataError: If it is not UTF-8 text; the message does not name the file.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            text = opened.read().replace("\r\r\n", "\n")  # some tools of Windows end lines so
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    if "\0" in text:
        raise DataError("is not text: it has null bytes. Save it as UTF-8.")
    return text


def _load_yaml(path: Path) -> _Yaml:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date that is none
        raise DataError(
            f"{path.name}: is not YAML ({' '.join(str(error).split())}). Correct it."
        ) from error
    try:
        return _Yaml.model_validate(content if isinstance(content, dict) else {})
    except ValidationError as error:
        wrong = [f"{one['loc'][0]}: {one['msg'].lower()}" for one in error.errors()]
        raise DataError(*[f"{path.name}: {one}. Correct it." for one in wrong]) from error


def _as_list(value: str | list[str] | None) -> Sequence[str]:
    return [value] if isinstance(value, str) else value or []


def _resolve(text: str, root: Path, file: Path) -> Path:
    # Roboflow writes `../train/images` for `train/images`.
    candidates = [
        base / one for base in (root, file.parent) for one in (text, text.removeprefix("../"))
    ]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise DataError(f"{file.name}: {text} does not exist; tried {candidates[0]}. Correct the path.")


def _without_repeats(
    parts: Iterable[tuple[Split | None, Path]], name: str
) -> tuple[Parts, tuple[str, ...]]:
    """Drop a folder that a second split names: small examples use their training set as val."""
    kept: dict[Path, tuple[Split | None, Path]] = {}
    notes = []
    for split, path in parts:
        key = real_path(path)
        if key in kept:
            notes.append(f"{name}: {split} names the same images as {kept[key][0]}; not used.")
        kept.setdefault(key, (split, path))
    return tuple(kept.values()), tuple(notes)


def _keypoints(content: _Yaml, name: str) -> KeypointSet | None:
    if content.kpt_shape is None:
        return None
    count, dims = content.kpt_shape
    if dims not in {2, VALUES_PER_KEYPOINT}:
        raise DataError(f"{name}: kpt_shape ends in {dims}; it must be 2 or 3. Correct it.")
    stated = content.kpt_names
    names = next(iter(stated.values()), []) if isinstance(stated, dict) else stated
    names = names or [f"keypoint_{number}" for number in range(count)]
    if len(names) != count:
        raise DataError(
            f"{name}: kpt_shape states {count} keypoints, kpt_names {len(names)}. Correct it."
        )
    return make_keypoint_set(names, content.skeleton, _pairs(content.flip_idx, count, name))


def _pairs(
    flip_idx: Sequence[int] | None, count: int, name: str
) -> tuple[tuple[int, int], ...] | None:
    if flip_idx is None:
        return None
    swaps_pairs = len(flip_idx) == count and all(
        other in range(count) and flip_idx[other] == index for index, other in enumerate(flip_idx)
    )
    if not swaps_pairs:
        raise DataError(
            f"{name}: flip_idx must swap keypoints in pairs among {count}, got {list(flip_idx)}. "
            "Write at each keypoint's position the number of its mirror image."
        )
    return tuple((index, other) for index, other in enumerate(flip_idx) if index < other)
