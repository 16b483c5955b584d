"""Writes what `onebox.formats.yolo` reads: ``data.yaml``, images and text files of rows."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from onebox.boxes import from_xyxy
from onebox.formats.keypoints import VALUES_PER_KEYPOINT
from onebox.formats.writing import (
    creating,
    format_number,
    image_file,
    link_or_copy,
    unique_stems,
)
from onebox.image_sizes import size_of
from onebox.structures import SPLITS, Dataset, KeypointSet, Sample


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as a YOLO folder.

    The format finds labels by the image's path, so the images are written too, as hard links if
    the disk allows it, else as copies: ``images/train/a.jpg`` and ``labels/train/a.txt``. Reading
    gives the same samples with other paths. The second image of the same name gets a number.
    """
    stems = unique_stems([image_file(sample) for sample in dataset])
    with creating(path) as unfinished:
        for split in {sample.split for sample in dataset}:
            (unfinished / "images" / split).mkdir(parents=True)
            (unfinished / "labels" / split).mkdir(parents=True)
        for sample, stem in zip(dataset, stems, strict=True):
            _write_sample(sample, stem, dataset, unfinished)
        text = yaml.safe_dump(_config(dataset), sort_keys=False, allow_unicode=True)
        (unfinished / "data.yaml").write_text(text, encoding="utf-8")


def _write_sample(sample: Sample, stem: str, dataset: Dataset, folder: Path) -> None:
    image = image_file(sample)
    link_or_copy(image, folder / "images" / sample.split / f"{stem}{image.suffix}", format="YOLO")
    number = 0 if sample.label is None else dataset.classes.index(sample.label)
    row = format_row(sample, number, dataset.keypoints)
    (folder / "labels" / sample.split / f"{stem}.txt").write_text(row, encoding="utf-8")


def format_row(
    sample: Sample,
    number: int,
    keypoints: KeypointSet | None = None,
    dims: int = VALUES_PER_KEYPOINT,
) -> str:
    """The line of a sample's label file; empty if it has no subject.

    Args:
        sample: The sample.
        number: Number of its class.
        keypoints: Keypoints of the data set; None without keypoints.
        dims: Values for each keypoint: 2 (x, y) or 3 (and visibility).

    Raises:
        ImageError: If the image's size is not known and cannot be read.
    """
    if sample.box is None or sample.label is None:
        return ""
    size_wh = size_of(sample)
    box = from_xyxy(np.array([sample.box], dtype=np.float64), "cxcywh")[0] / (size_wh * 2)
    values = [number, *box.tolist()]
    if keypoints is not None:
        unlabelled = ((0.0, 0.0, 0),) * len(keypoints.names)
        for point in sample.keypoints or unlabelled:
            values.extend(_normalize(point, size_wh, dims))
    return " ".join(map(format_number, values)) + "\n"


def _normalize(
    keypoint: tuple[float, float, int], size_wh: tuple[int, int], dims: int
) -> list[float]:
    (x, y, visibility), (width, height) = keypoint, size_wh
    if dims == VALUES_PER_KEYPOINT:
        return [x / width, y / height, float(visibility)]
    return [x / width, y / height] if visibility else [0.0, 0.0]


def _config(dataset: Dataset) -> dict[str, Any]:
    used = {sample.split for sample in dataset}
    config: dict[str, Any] = {split: f"images/{split}" for split in SPLITS if split in used}
    config["names"] = dict(enumerate(dataset.classes))
    return config if dataset.keypoints is None else config | _keypoint_config(dataset.keypoints)


def _keypoint_config(keypoints: KeypointSet) -> dict[str, Any]:
    mirror = dict(keypoints.flip_pairs) | {second: first for first, second in keypoints.flip_pairs}
    count = len(keypoints.names)
    return {
        "kpt_shape": [count, 3],
        "flip_idx": [mirror.get(index, index) for index in range(count)],
        "kpt_names": {0: list(keypoints.names)},
        "skeleton": [list(pair) for pair in keypoints.skeleton],
    }
