"""The other half of `onebox.formats.yolo`: a data set → ``data.yaml``, images and rows."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from onebox.boxes import from_xyxy
from onebox.errors import SettingError
from onebox.formats.image_headers import upright_size
from onebox.formats.writing import image_of, number_text, replacing, unique_stems
from onebox.images import SUFFIXES
from onebox.structures import SPLITS, Dataset, Keypoints, KeypointSet, Sample


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as a YOLO folder.

    The format finds labels by the image's place, so the images come along, as hard links where
    the disk allows it, else as copies: ``images/train/a.jpg`` and ``labels/train/a.txt``. Reading
    therefore gives the same samples with other paths. Two images of one name get a number.

    Args:
        dataset: With or without keypoints.
        path: The folder to make.
    """
    stems = unique_stems([image_of(sample) for sample in dataset])
    with replacing(path) as unfinished:
        for split in {sample.split for sample in dataset}:
            (unfinished / "images" / split).mkdir(parents=True)
            (unfinished / "labels" / split).mkdir(parents=True)
        for sample, stem in zip(dataset, stems, strict=True):
            _write_sample(sample, stem, dataset, unfinished)
        text = yaml.safe_dump(_config(dataset), sort_keys=False, allow_unicode=True)
        (unfinished / "data.yaml").write_text(text, encoding="utf-8")


def _write_sample(sample: Sample, stem: str, dataset: Dataset, folder: Path) -> None:
    image = image_of(sample)
    if image.suffix.lower() not in SUFFIXES:
        raise SettingError(
            f"{image}: YOLO finds images by their suffix. Call it one of "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    _bring(image, folder / "images" / sample.split / f"{stem}{image.suffix}")
    row = _row(sample, dataset)
    (folder / "labels" / sample.split / f"{stem}.txt").write_text(row, encoding="utf-8")


def _bring(image: Path, place: Path) -> None:
    try:
        place.hardlink_to(image.resolve())
    except OSError:  # another disk, or one without links
        shutil.copyfile(image, place)


def _row(sample: Sample, dataset: Dataset) -> str:
    if sample.box is None or sample.label is None:
        return ""
    size = np.array(sample.size_wh or upright_size(image_of(sample)), dtype=np.float64)
    box = from_xyxy(np.array([sample.box], dtype=np.float64), "cxcywh")[0] / np.tile(size, 2)
    values = [dataset.classes.index(sample.label), *box.tolist()]
    if dataset.keypoints is not None:
        values.extend(_shares(sample.keypoints, dataset.keypoints, size.tolist()))
    return " ".join(map(number_text, values)) + "\n"


def _shares(
    keypoints: Keypoints | None, keypoint_set: KeypointSet, size_wh: list[float]
) -> list[float]:
    width, height = size_wh
    marked = keypoints or ((0.0, 0.0, 0),) * len(keypoint_set.names)
    return [value for x, y, seen in marked for value in (x / width, y / height, float(seen))]


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
        "flip_idx": [mirror.get(at, at) for at in range(count)],
        "kpt_names": {0: list(keypoints.names)},
        "skeleton": [list(pair) for pair in keypoints.skeleton],
    }
