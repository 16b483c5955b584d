"""YOLO: ``data.yaml``, and a text file of normalized boxes and keypoints for each image.

A row is ``class cx cy width height [x y [visibility] ...]``, normalized by the width and height of
the upright image. The labels of ``.../images/a.jpg`` are in ``.../labels/a.txt``; if that file is
missing or empty, the image has no subject. Without ``data.yaml``, a folder with ``images`` and
``labels`` is read.

References:
    https://docs.ultralytics.com/datasets/detect and https://docs.ultralytics.com/datasets/pose
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from onebox.boxes import to_xyxy
from onebox.errors import DataError, shorten
from onebox.files import real_path
from onebox.formats.keypoints import make_keypoints
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.splitting import SPLIT_NAMES
from onebox.formats.yolo_config import YoloConfig, read_folder, read_lines, read_text, read_yaml
from onebox.images import find_images
from onebox.structures import Box, Keypoints, Split, as_box

_TXT, _ANY_TXT = ".txt", "*.[tT][xX][tT]"
_BOX_VALUES = 5
# A normalized value a little above 1 is a box that passes the frame; above this it must be pixels.
# Not tuned.
_MAX_NORMALIZED = 2.0


def parse(path: Path) -> ParsedLabels:
    """Read ``data.yaml``, or a folder with ``images`` and ``labels`` in it.

    There is a problem for each row that cannot be used.

    Raises:
        DataError: If it is not a YOLO data set.
    """
    config = read_config(path)
    faults = Problems()
    splits = _images(config, faults)
    images = [image for image, _ in splits]
    labels = _parse(config, splits)
    return replace(
        labels,
        problems=(*labels.problems, *_imageless(config, images)),
        faults=(*faults.sentences, *_unlabelled(config, images)),
    )


def parse_labelled(path: Path) -> ParsedLabels:
    """Read as `parse` does, but leave images out that have no label file, and files without image.

    Raises:
        DataError: If it is not a YOLO data set.
    """
    config = read_config(path)
    faults = Problems()
    splits = _images(config, faults)
    labelled = [(image, split) for image, split in splits if label_file_of(image).is_file()]
    return replace(_parse(config, labelled), faults=tuple(faults.sentences))


def read_config(path: Path) -> YoloConfig:
    """Read ``data.yaml``, or what the folders tell without it.

    Raises:
        DataError: If it is not a YOLO data set.
    """
    return read_yaml(path) if path.is_file() else read_folder(path)


def _parse(config: YoloConfig, images: Sequence[tuple[Path, Split | None]]) -> ParsedLabels:
    problems = Problems()
    rows = [row for image, split in images for row in _rows_of(image, split, config, problems)]
    return ParsedLabels(
        tuple(rows),
        classes=_classes(config, rows),
        keypoints=config.keypoints,
        notes=config.notes,
        problems=tuple(problems.sentences),
    )


def _unlabelled(config: YoloConfig, images: Sequence[Path]) -> list[str]:
    """Return a problem if no image at all has a label file: the labels must be elsewhere."""
    if not images or any(label_file_of(image).is_file() for image in images):
        return []
    return [
        f"{config.name}: none of its {len(images)} images has a label file; the first one is "
        f"expected at {label_file_of(images[0])}. Put the labels there, or name the right format."
    ]


def has_labels(folder: Path) -> bool:
    """Whether a folder without ``data.yaml`` holds YOLO labels beside images."""
    folders = [folder, *(folder / name for name in SPLIT_NAMES)]
    return any(
        (one / "images").is_dir() and any((one / "labels").rglob("*.txt")) for one in folders
    )


def label_file_of(image: Path) -> Path:
    """Return the path of an image's labels: its last folder ``images`` becomes ``labels``.

    Examples:
        >>> label_file_of(Path("cats/images/train/a.jpg")).as_posix()
        'cats/labels/train/a.txt'
    """
    folders = list(image.parent.parts)
    if "images" in folders:
        last = len(folders) - 1 - folders[::-1].index("images")
        folders[last] = "labels"
    return Path(*folders, f"{image.stem}{_TXT}")


def _images(config: YoloConfig, faults: Problems) -> list[tuple[Path, Split | None]]:
    images: list[tuple[Path, Split | None]] = []
    for split, path in config.parts:
        with faults.at(config.name):
            found = read_list(path, config.root) if path.is_file() else find_images(path)
            if not found:
                raise DataError(f"{path} holds no images. Correct the path.")
            images.extend((image, split) for image in found)
    return images


def read_list(file: Path, root: Path) -> list[Path]:
    """The images that a text file lists, relative to the root or to the file's folder.

    Raises:
        DataError: If it is not UTF-8 text.
    """
    lines = [line.strip() for line in read_lines(file)]

    def resolve(line: str) -> Path:
        candidates = [root / line, file.parent / line]
        return next((path for path in candidates if path.is_file()), candidates[0])

    return [resolve(line) for line in lines if line]


def _rows_of(image: Path, split: Split | None, config: YoloConfig, problems: Problems) -> list[Row]:
    file = label_file_of(image)
    lines = None
    with problems.at(_relative(file, config.root)):
        lines = _lines(file)
    if lines is None:  # not one without a subject
        return []
    resolved = real_path(image.parent) / image.name
    if not lines:
        return [Row(_relative(image, config.root), resolved, split=split)]
    rows = []
    for number, words in lines:
        origin = f"{_relative(file, config.root)}:{number}"
        with problems.at(origin):
            label, box, keypoints = _parse_row(words, config)
            rows.append(Row(origin, resolved, label, box, keypoints, "normalized", split))
    return rows


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    text = read_text(file) if file.is_file() else ""
    split = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, words) for number, words in split if words]


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _parse_row(words: Sequence[str], config: YoloConfig) -> tuple[str, Box, Keypoints | None]:
    values = [_number(word) for word in words]
    with_keypoints = _BOX_VALUES + config.keypoint_values
    if len(values) not in {_BOX_VALUES, with_keypoints}:
        also = f", or {with_keypoints} with the keypoints of kpt_shape" if config.keypoints else ""
        raise DataError(
            f"has {len(values)} values; a box has {_BOX_VALUES} (class cx cy width height){also}."
            " Polygons and rotated boxes are not read: write their upright box."
        )
    box, keypoints = _box(values[1:_BOX_VALUES]), _keypoints(values[_BOX_VALUES:], config)
    return _label(values[0], config.names), box, keypoints


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
        gap = " A blank line among the names counts as a class." if max(names) >= len(names) else ""
        raise DataError(f"class {value:g} is not one of {shorten(known)}. Correct it.{gap}")
    return names.get(int(value), str(int(value)))


def _box(values: Sequence[float]) -> Box:
    if max(values) > _MAX_NORMALIZED:
        raise DataError(
            f"box {' '.join(f'{value:g}' for value in values)} is in pixels, but normalized values "
            "(0 to 1) are expected. Divide cx and width by the image's width, cy and height by "
            "its height."
        )
    return as_box(to_xyxy(np.array([values], dtype=np.float64), "cxcywh")[0].tolist())


def _keypoints(values: Sequence[float], config: YoloConfig) -> Keypoints | None:
    if not values or config.keypoints is None:
        return None
    if config.kpt_dims == 2:  # noqa: PLR2004  (x and y)
        pairs = zip(values[0::2], values[1::2], strict=True)
        values = list(chain.from_iterable(_with_visibility(x, y) for x, y in pairs))
    return make_keypoints(values, config.keypoints)


def _with_visibility(x: float, y: float) -> tuple[float, float, float]:
    """A keypoint that has none: at 0, 0 or with a negative coordinate, it is not labelled."""
    is_labelled = (x or y) and min(x, y) >= 0
    return (x, y, 2.0) if is_labelled else (0.0, 0.0, 0.0)


def _classes(config: YoloConfig, rows: Sequence[Row]) -> tuple[str, ...]:
    if config.names:
        return tuple(config.names.values())
    return tuple(sorted({row.label for row in rows if row.label is not None}, key=int))


def label_folders(config: YoloConfig) -> set[Path]:
    """The folders that hold, or may hold, the labels of the data set's folders of images."""
    return {label_file_of(path / "any").parent for _, path in config.parts if path.is_dir()}


def _imageless(config: YoloConfig, images: Sequence[Path]) -> list[str]:
    """List the label files that have no image, one sentence each."""
    expected = {label_file_of(image) for image in images}
    paths = {path for _, path in config.parts}
    folders = label_folders(config) - paths
    files = chain.from_iterable(sorted(folder.rglob(_ANY_TXT)) for folder in sorted(folders))
    return [
        f"{_relative(file, config.root)}: {_why_unused(file)}"
        for file in files
        if file not in expected
        and file.name != "classes.txt"
        # A file such as README.TXT is nobody's label.
        and (file.suffix == _TXT or file.with_suffix(_TXT) in expected)
    ]


def _why_unused(file: Path) -> str:
    if file.suffix != _TXT:
        return f"ends in {file.suffix}, and labels end in {_TXT}. Rename it."
    return "there is no image of that name. Add it, or remove the label."
