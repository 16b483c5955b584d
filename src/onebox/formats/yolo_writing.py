"""Writes what `onebox.formats.yolo` reads: ``data.yaml``, images and text files of rows."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from onebox.boxes import from_xyxy
from onebox.errors import SettingError
from onebox.formats.writing import creating, format_number, image_file, unique_stems
from onebox.image_sizes import size_of
from onebox.images import SUFFIXES
from onebox.structures import SPLITS, Dataset, Keypoints, KeypointSet, Sample


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
    if image.suffix.lower() not in SUFFIXES:
        raise SettingError(
            f"{image}: YOLO finds images by their suffix. Change it to one of "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    _link_or_copy(image, folder / "images" / sample.split / f"{stem}{image.suffix}")
    row = _row(sample, dataset)
    (folder / "labels" / sample.split / f"{stem}.txt").write_text(row, encoding="utf-8")


def _link_or_copy(image: Path, target: Path) -> None:
    try:
        target.hardlink_to(image.resolve())
    except OSError:  # another disk, or one without links
        shutil.copyfile(image, target)


def _row(sample: Sample, dataset: Dataset) -> str:
    if sample.box is None or sample.label is None:
        return ""
    size_wh = size_of(sample)
    box = from_xyxy(np.array([sample.box], dtype=np.float64), "cxcywh")[0] / (size_wh * 2)
    values = [dataset.classes.index(sample.label), *box.tolist()]
    if dataset.keypoints is not None:
        values.extend(_normalize(sample.keypoints, dataset.keypoints, size_wh))
    return " ".join(map(format_number, values)) + "\n"


def _normalize(
    keypoints: Keypoints | None, keypoint_set: KeypointSet, size_wh: tuple[int, int]
) -> list[float]:
    width, height = size_wh
    unlabelled = ((0.0, 0.0, 0),) * len(keypoint_set.names)
    return [
        value
        for x, y, visibility in keypoints or unlabelled
        for value in (x / width, y / height, float(visibility))
    ]


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
