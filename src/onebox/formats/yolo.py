"""YOLO: ``data.yaml``, a text file of shares for each image, boxes and keypoints.

A row is ``class cx cy width height [x y [visibility] ...]`` in shares of the upright image. The
labels of ``.../images/a.jpg`` lie in ``.../labels/a.txt``; where that file is missing or empty the
image has no subject. Without ``data.yaml``, a folder with ``images`` and ``labels`` is read.

References:
    https://docs.ultralytics.com/datasets/detect and https://docs.ultralytics.com/datasets/pose
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from onebox.boxes import to_xyxy
from onebox.errors import DataError, shorten
from onebox.formats.keypoints import make_keypoints
from onebox.formats.rows import Labels, Problems, Row
from onebox.formats.splitting import SPLIT_NAMES
from onebox.formats.yolo_config import Config, read_folder, read_yaml
from onebox.images import find_images
from onebox.structures import Box, Keypoints, Split

_BOX_VALUES = 5
# A share a little above 1 is a box that passes the frame; one above 2 is no share.
_NO_SHARE = 2.0


def parse(path: Path) -> Labels:
    """Read a YOLO data set.

    Args:
        path: ``data.yaml``, or a folder with ``images`` and ``labels`` in it.

    Returns:
        What it says, with a sentence for each row that cannot be used.

    Raises:
        DataError: If it is no YOLO data set.
    """
    config = read_yaml(path) if path.is_file() else read_folder(path)
    problems = Problems()
    images = _images(config, problems)
    problems.sentences.extend(_unlabelled(config, [image for image, _ in images]))
    rows = [row for image, split in images for row in _rows_of(image, split, config, problems)]
    problems.sentences.extend(_orphans(config, [image for image, _ in images]))
    return Labels(
        tuple(rows),
        classes=_classes(config, rows),
        keypoints=config.keypoints,
        notes=config.notes,
        problems=tuple(problems.sentences),
    )


def _unlabelled(config: Config, images: Sequence[Path]) -> list[str]:
    """Say where not one image has a label file: then the labels are looked for in vain."""
    if not images or any(label_file_of(image).is_file() for image in images):
        return []
    return [
        f"{config.name}: none of its {len(images)} images has a label file; the first one's "
        f"place is {label_file_of(images[0])}. Put the labels there, or name the right format."
    ]


def has_labels(folder: Path) -> bool:
    """Whether a folder without ``data.yaml`` holds YOLO labels beside images."""
    pairs = [folder, *(folder / name for name in SPLIT_NAMES)]
    return any(
        (place / "images").is_dir() and any((place / "labels").rglob("*.txt")) for place in pairs
    )


def label_file_of(image: Path) -> Path:
    """Return where an image's labels lie: its last folder ``images`` becomes ``labels``.

    Examples:
        >>> label_file_of(Path("cats/images/train/a.jpg")).as_posix()
        'cats/labels/train/a.txt'
    """
    folders = list(image.parent.parts)
    if "images" in folders:
        at = len(folders) - 1 - folders[::-1].index("images")
        folders[at] = "labels"
    return Path(*folders, f"{image.stem}.txt")


def _images(config: Config, problems: Problems) -> list[tuple[Path, Split | None]]:
    found: list[tuple[Path, Split | None]] = []
    for split, place in config.parts:
        with problems.at(config.name):
            listed = _listed(place, config.root) if place.is_file() else find_images(place)
            if not listed:
                raise DataError(f"{place} holds no images. Correct the path.")
            found.extend((image, split) for image in listed)
    return found


def _listed(file: Path, root: Path) -> list[Path]:
    lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    places = (root, file.parent)

    def resolved(line: str) -> Path:
        tries = [place / line for place in places]
        return next((path for path in tries if path.is_file()), tries[0])

    return [resolved(line) for line in lines if line]


def _rows_of(image: Path, split: Split | None, config: Config, problems: Problems) -> list[Row]:
    file = label_file_of(image)
    lines = _lines(file, config, problems)
    resolved = image.parent.resolve() / image.name
    if not lines:
        return [Row(_place(image, config.root), resolved, split=split)]
    rows = []
    for number, words in lines:
        origin = f"{_place(file, config.root)}:{number}"
        with problems.at(origin):
            label, box, keypoints = _parsed(words, config)
            rows.append(Row(origin, resolved, label, box, keypoints, "share", split))
    return rows


def _lines(file: Path, config: Config, problems: Problems) -> list[tuple[int, list[str]]]:
    text = ""
    with problems.at(_place(file, config.root)):
        try:
            text = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
        except UnicodeDecodeError as error:
            raise DataError(f"is not UTF-8 text ({error.reason}). Save it so.") from error
    split = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, words) for number, words in split if words]


def _place(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _parsed(words: Sequence[str], config: Config) -> tuple[str, Box, Keypoints | None]:
    values = [_number(word) for word in words]
    most = _BOX_VALUES + config.values_per_row
    if len(values) not in {_BOX_VALUES, most}:
        also = f", or {most} with the keypoints of kpt_shape" if config.keypoints else ""
        raise DataError(
            f"has {len(values)} values; a box has {_BOX_VALUES} (class cx cy width height){also}."
            " Polygons and rotated boxes are not read: write their upright box."
        )
    label = _label(values[0], config.names)
    keypoints = _keypoints(values[_BOX_VALUES:], config)
    return label, _box(values[1:_BOX_VALUES]), keypoints


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise DataError(f"{word!r} is not a number. Correct it.") from None


def _label(value: float, names: Mapping[int, str]) -> str:
    if not value.is_integer() or value < 0:
        raise DataError(f"class {value:g} is not a whole number from 0. Correct it.")
    if names and int(value) not in names:
        known = [f"{number} ({name})" for number, name in names.items()]
        raise DataError(f"class {value:g} is not one of {shorten(known)}. Correct it.")
    return names.get(int(value), str(int(value)))


def _box(values: Sequence[float]) -> Box:
    if max(values) > _NO_SHARE:
        raise DataError(
            f"box {' '.join(f'{value:g}' for value in values)} is in pixels where shares (0 to 1) "
            "are meant. Divide cx and width by the image's width, cy and height by its height."
        )
    x_min, y_min, x_max, y_max = to_xyxy(np.array([values], dtype=np.float64), "cxcywh")[0].tolist()
    return x_min, y_min, x_max, y_max


def _keypoints(values: Sequence[float], config: Config) -> Keypoints | None:
    if not values or config.keypoints is None:
        return None
    if config.kpt_dims == 2:  # noqa: PLR2004  (x and y alone: a keypoint at the origin is none)
        pairs = zip(values[0::2], values[1::2], strict=True)
        values = list(chain.from_iterable((x, y, 2.0 if x or y else 0.0) for x, y in pairs))
    return make_keypoints(values, config.keypoints)


def _classes(config: Config, rows: Sequence[Row]) -> tuple[str, ...]:
    if config.names:
        return tuple(config.names.values())
    return tuple(sorted({row.label for row in rows if row.label is not None}, key=int))


def _orphans(config: Config, images: Sequence[Path]) -> list[str]:
    """Say which label files lie where an image's would, but have no image."""
    expected = {label_file_of(image) for image in images}
    folders = {
        label_file_of(place / "any").parent for _, place in config.parts if place.is_dir()
    } - {place for _, place in config.parts}
    files = chain.from_iterable(sorted(folder.rglob("*.txt")) for folder in sorted(folders))
    return [
        f"{_place(file, config.root)}: there is no image of that name. Add it, or remove the label."
        for file in files
        if file not in expected and file.name != "classes.txt"
    ]
