"""Writes what `onebox.formats.label_studio` reads: tasks that Label Studio imports.

Images are not copied: each task has a URL of Label Studio's local files, with the path relative to
the JSON file. Label Studio shows them if the folder of the file is the root of its local files.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onebox.formats.label_studio_images import local_url
from onebox.formats.label_studio_regions import HIDDEN, KEYPOINT
from onebox.formats.writing import creating, format_path, image_file
from onebox.image_sizes import size_of
from onebox.structures import Box, Dataset, KeypointSet, Sample

_BOX = "rectanglelabels"
_HIDDEN_VISIBILITY = 1
_POINT_WIDTH = 0.5  # percent of the image; how large Label Studio draws a keypoint


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as one JSON file of tasks with one annotation each.

    The format does not hold the order of the classes (reading sorts them), nor the place of a
    keypoint that is not labelled.
    """
    tasks = [
        _task(number, sample, dataset.keypoints, path.parent)
        for number, sample in enumerate(dataset, start=1)
    ]
    text = json.dumps(tasks, ensure_ascii=False, allow_nan=False)
    with creating(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _task(
    number: int, sample: Sample, keypoints: KeypointSet | None, folder: Path
) -> dict[str, Any]:
    image = local_url(format_path(image_file(sample), folder))
    task: dict[str, Any] = {
        "id": number,
        "data": {"image": image, "split": sample.split},
        "annotations": [{"result": list(_regions(sample, keypoints, f"{number}"))}],
    }
    return task if keypoints is None else task | {"meta": {"keypoints": _declared(keypoints)}}


def _declared(keypoints: KeypointSet) -> dict[str, Any]:
    return {
        "names": list(keypoints.names),
        "skeleton": [list(pair) for pair in keypoints.skeleton],
        "flip_pairs": [list(pair) for pair in keypoints.flip_pairs],
    }


def _regions(sample: Sample, keypoints: KeypointSet | None, name: str) -> Iterator[dict[str, Any]]:
    if sample.box is None:
        return
    size_wh = size_of(sample)
    place = {
        "to_name": "image",
        "original_width": size_wh[0],
        "original_height": size_wh[1],
        "image_rotation": 0,
    }
    box = f"{name}-box"
    value = {**_rectangle(sample.box, size_wh), _BOX: [sample.label]}
    yield {"id": box, "type": _BOX, "from_name": "label", **place, "value": value}
    names = () if keypoints is None else keypoints.names
    for number, (point, label) in enumerate(zip(sample.keypoints or (), names, strict=False)):
        if point[2]:
            own = {"id": f"{name}-keypoint-{number}", "parentID": box, **place}
            yield own | _keypoint(point, label, size_wh)


def _rectangle(box: Box, size_wh: tuple[int, int]) -> dict[str, float | int]:
    x_min, y_min, x_max, y_max = box
    return {
        **_percents(x_min, y_min, size_wh),
        "width": (x_max - x_min) / size_wh[0] * 100,
        "height": (y_max - y_min) / size_wh[1] * 100,
        "rotation": 0,
    }


def _keypoint(
    point: tuple[float, float, int], label: str, size_wh: tuple[int, int]
) -> dict[str, Any]:
    x, y, visibility = point
    value = {**_percents(x, y, size_wh), "width": _POINT_WIDTH, KEYPOINT: [label]}
    note = {"meta": {"text": [HIDDEN]}} if visibility == _HIDDEN_VISIBILITY else {}
    return {"type": KEYPOINT, "from_name": "keypoint", "value": value, **note}


def _percents(x: float, y: float, size_wh: tuple[int, int]) -> dict[str, float | int]:
    return {"x": x / size_wh[0] * 100, "y": y / size_wh[1] * 100}
