"""What a YOLO data set is made of: ``data.yaml``, or folders that speak for themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from onebox.errors import DataError
from onebox.formats.keypoints import VISIBILITIES, make_keypoint_set
from onebox.formats.splitting import SPLIT_NAMES
from onebox.structures import SPLITS, KeypointSet, Split

Parts = tuple[tuple[Split | None, Path], ...]


@dataclass(frozen=True, slots=True)
class Config:
    """Where the images of a YOLO data set are, and what its numbers mean.

    Attributes:
        name: The file's or folder's, for messages.
        root: The folder that messages name places relative to.
        parts: For each split its folders or lists of images.
        names: Class names by number; empty where there are none.
        keypoints: None for a data set of boxes.
        kpt_dims: Values for each keypoint: 2 (x, y) or 3 (and visibility).
        notes: What the reader is told.
    """

    name: str
    root: Path
    parts: Parts
    names: Mapping[int, str]
    keypoints: KeypointSet | None = None
    kpt_dims: int = 3
    notes: tuple[str, ...] = ()

    @property
    def values_per_row(self) -> int:
        """How many values of a row belong to keypoints."""
        return len(self.keypoints.names) * self.kpt_dims if self.keypoints else 0


class _Yaml(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    path: str = ""
    train: str | list[str] | None = None
    val: str | list[str] | None = None
    test: str | list[str] | None = None
    names: list[str] | dict[int, str]
    kpt_shape: tuple[int, int] | None = None
    flip_idx: list[int] | None = None
    kpt_names: list[str] | dict[int, list[str]] | None = None
    skeleton: list[list[int]] = []


def read_yaml(path: Path) -> Config:
    """Read ``data.yaml``.

    Keys of our own, which other tools pass over: ``kpt_names`` and ``skeleton`` (pairs of keypoints,
    from 0).

    Raises:
        DataError: If it is not that of a YOLO data set, or names images that are not there.
    """
    content = _loaded(path)
    root = path.parent / content.path
    root = root if root.is_dir() else path.parent
    parts, notes = _without_repeats(
        [
            (split, _found(text, root, path))
            for split in SPLITS
            for text in _as_list(getattr(content, split))
        ],
        path.name,
    )
    if not parts:
        raise DataError(f"{path.name}: names no images. Add train: with their folder.")
    names = content.names
    return Config(
        path.name,
        path.parent,
        parts,
        dict(sorted(names.items())) if isinstance(names, dict) else dict(enumerate(names)),
        _keypoints(content, path.name),
        content.kpt_shape[1] if content.kpt_shape else len(VISIBILITIES),
        notes,
    )


def read_folder(folder: Path) -> Config:
    """Read a folder with ``images`` and ``labels`` in it, or those two in ``train``, ``val`` ...

    Raises:
        DataError: If it is no such folder.
    """
    inner = [(SPLIT_NAMES[name], folder / "images" / name) for name in SPLIT_NAMES]
    outer = [(SPLIT_NAMES[name], folder / name / "images") for name in SPLIT_NAMES]
    parts: Parts = tuple((split, place) for split, place in [*inner, *outer] if place.is_dir())
    if not parts and (folder / "images").is_dir():
        parts = ((None, folder / "images"),)
    if not parts:
        raise DataError(
            f"{folder}: holds neither data.yaml nor images/ and labels/. Add data.yaml."
        )
    names = _listed_names(folder)
    note = f"{folder.name}: there is no data.yaml and no classes.txt; classes are called by number."
    return Config(folder.name, folder, parts, names, notes=() if names else (note,))


def _listed_names(folder: Path) -> dict[int, str]:
    places = [folder / "classes.txt", folder / "labels" / "classes.txt"]
    found = next((place for place in places if place.is_file()), None)
    lines = found.read_text(encoding="utf-8-sig").splitlines() if found else []
    return dict(enumerate(line.strip() for line in lines if line.strip()))


def _loaded(path: Path) -> _Yaml:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name}: is not YAML ({' '.join(str(error).split())}). Correct it."
        ) from error
    try:
        return _Yaml.model_validate(content if isinstance(content, dict) else {})
    except ValidationError as error:
        raise DataError(
            *[
                f"{path.name}: {'.'.join(map(str, one['loc'][:1]))}: {one['msg'].lower()}. "
                "Correct it."
                for one in error.errors()
            ]
        ) from error


def _as_list(value: str | list[str] | None) -> Sequence[str]:
    return [value] if isinstance(value, str) else value or []


def _found(text: str, root: Path, file: Path) -> Path:
    """Resolve a path of ``data.yaml`` against the data set's root, then the file's folder.

    Raises:
        DataError: If nothing is there.
    """
    # Roboflow writes `../train/images` where it means `train/images`.
    tries = [base / one for base in (root, file.parent) for one in (text, text.removeprefix("../"))]
    for place in tries:
        if place.exists():
            return place
    raise DataError(f"{file.name}: {text} is not there; tried {tries[0]}. Correct the path.")


def _without_repeats(
    parts: Iterable[tuple[Split | None, Path]], name: str
) -> tuple[Parts, tuple[str, ...]]:
    """Drop a folder that a second split names: small examples use their training set as val."""
    kept: dict[Path, tuple[Split | None, Path]] = {}
    notes = []
    for split, place in parts:
        key = place.resolve()
        if key in kept:
            notes.append(f"{name}: {split} names the same images as {kept[key][0]}; not used.")
        kept.setdefault(key, (split, place))
    return tuple(kept.values()), tuple(notes)


def _keypoints(content: _Yaml, name: str) -> KeypointSet | None:
    if content.kpt_shape is None:
        return None
    count, dims = content.kpt_shape
    if dims not in {2, 3}:
        raise DataError(f"{name}: kpt_shape ends in {dims}; it must be 2 or 3. Correct it.")
    named = content.kpt_names
    names = next(iter(named.values()), []) if isinstance(named, dict) else named
    names = names or [f"keypoint_{number}" for number in range(count)]
    if len(names) != count:
        raise DataError(
            f"{name}: kpt_shape says {count} keypoints, kpt_names {len(names)}. Correct it."
        )
    return make_keypoint_set(names, content.skeleton, _pairs(content.flip_idx, count, name))


def _pairs(
    flip_idx: Sequence[int] | None, count: int, name: str
) -> tuple[tuple[int, int], ...] | None:
    if flip_idx is None:
        return None
    places = range(count)
    swaps = len(flip_idx) == count and all(
        other in places and flip_idx[other] == at for at, other in enumerate(flip_idx)
    )
    if not swaps:
        raise DataError(
            f"{name}: flip_idx must swap keypoints in pairs among {count}, got {list(flip_idx)}. "
            "Write each keypoint's number at the place of its mirror image."
        )
    return tuple((at, other) for at, other in enumerate(flip_idx) if at < other)
