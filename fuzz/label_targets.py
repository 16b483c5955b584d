"""Label files of every format: read, and what could be read is written and read again."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from math import isclose
from pathlib import Path

from mutation import Input
from PIL import Image
from target import Opening, Target, check

from onebox import formats, images
from onebox.errors import OneboxError
from onebox.structures import Dataset, KeypointSet, Sample

SHARDS = frozenset({"parquet", "webdataset"})
KEPT = frozenset({"voc", "fiftyone", "imagefolder", "yolo"})
"""Formats that are folders."""

_SUFFIXES = {".json", ".jsonl", ".csv", ".xml", ".txt", ".yaml", ".tar", ".parquet", ".names"}
_WORDS = {
    "csv": (b"x_min", b"label", b"0.png", b"train", b"image,label,x_min,y_min,x_max,y_max\n"),
    "voc": (b"<object>", b"</object>", b"<bndbox>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;"),
    "yolo": (b"names:", b"kpt_shape: [2, 3]", b"0 0.5 0.5 0.5 0.5\n", b"train: ", b"&a [*a]"),
}


@contextmanager
def _open(name: str, folder: Path) -> Iterator[Target]:
    data = _data(folder / "images", with_keypoints=formats.FORMATS[name].keeps_keypoints)
    place = folder / "labels"
    place = place if name in KEPT | SHARDS else place / f"labels{_suffix(name)}"
    place.parent.mkdir(exist_ok=True)
    formats.write(data, place, name)
    root = place if place.is_dir() else place.parent
    files = [
        path for path in sorted(root.rglob("*")) if path.suffix in _SUFFIXES and path.is_file()
    ]
    seeds = {str(path.relative_to(root)): path.read_bytes() for path in files}
    attempt = partial(_attempt, name, place, root, seeds)
    inputs = [Input(key, content) for key, content in seeds.items()]
    yield Target(inputs, attempt, _WORDS.get(name, ()))


def _attempt(name: str, place: Path, root: Path, seeds: Mapping[str, bytes], given: Input) -> None:
    (root / given.name).write_bytes(given.content)
    try:
        data = formats.read(place, name, on_multiple="largest")
        if name in SHARDS:
            _open_images(data)
        _check_round_trip(data, name, root.with_name("again"))
    except OneboxError:  # then without the rows that are wrong
        with suppress(OneboxError):
            formats.read(place, name, on_multiple="skip", on_bad="skip")
        raise
    finally:
        (root / given.name).write_bytes(seeds[given.name])


def _open_images(data: Dataset) -> None:
    for sample in data:
        with suppress(OneboxError):
            images.load(sample.image, at_least=16)


def _check_round_trip(data: Dataset, name: str, again: Path) -> None:
    if not len(data):
        return
    place = again if name in KEPT | SHARDS else again / f"labels{_suffix(name)}"
    again.mkdir(exist_ok=True)
    try:
        formats.write(data, place, name)
        found = formats.read(place, name)
    finally:
        shutil.rmtree(again, ignore_errors=True)
    check(holds=len(found) == len(data), promise="as many samples are read as were written")
    known = sorted(map(_facts, data), key=repr)
    for one, other in zip(sorted(map(_facts, found), key=repr), known, strict=True):
        check(
            holds=_is_same(one, other), promise=f"{other} is read as it was written, not as {one}"
        )


def _facts(sample: Sample) -> tuple[str, str | None, tuple[float, ...] | None]:
    return Path(sample.file_name).name, sample.label, sample.box


def _is_same(one: tuple, other: tuple) -> bool:
    boxes = one[2] or (), other[2] or ()
    near = len(boxes[0]) == len(boxes[1]) and all(
        isclose(a, b, rel_tol=1e-6, abs_tol=1e-3) for a, b in zip(*boxes, strict=True)
    )
    return one[1] == other[1] and near


def _data(folder: Path, *, with_keypoints: bool) -> Dataset:
    folder.mkdir(exist_ok=True)
    samples = []
    for number, split in enumerate(("train", "train", "val", "test")):
        path = folder / f"{number}.{'jpg' if number == 1 else 'png'}"
        Image.new("RGB", (40, 30), (60 * number, 0, 0)).save(path)
        points = ((3.0, 4.0, 2), (0.0, 0.0, 0)) if with_keypoints else None
        box = (1.0, 2.0, 11.5 + number, 22.25)
        samples.append(Sample(path, "cat" if number % 2 else "dog", box, split, points, (40, 30)))
    keypoints = KeypointSet(("nose", "tail"), ((0, 1),)) if with_keypoints else None
    return Dataset(tuple(samples), ("cat", "dog"), keypoints)


def _suffix(name: str) -> str:
    return ".csv" if name == "csv" else ".json"


LABEL_TARGETS: dict[str, Opening] = {name: partial(_open, name) for name in formats.FORMATS}
