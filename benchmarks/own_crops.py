"""Refinement by a second network that is trained on crops around predictions.

    python benchmarks/own_crops.py --shared DIR --keep DIR [--data NAME] results.json

`--keep` must hold the models of `ablation.py train --variant default`. Training images are cropped
around predictions of models that did not see them: three folds. Each image is cut out once around
the prediction, and twice around boxes whose edges are moved by a normal error of 5 % of the box.
The rows stand beside the first network alone and beside its own second pass, on the same images.
"""

import argparse
import csv
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import onebox
import runs
from onebox import images, refinement
from onebox.audit.readings import iou
from onebox.structures import Box, Sample

_FOLDS = 3
_SEEDS = (0, 1, 2)
_MARGIN = 1.4
_ERROR = 0.05  # of the moved edges, over width or height of the box
_MOVED = 2  # crops of each training image around moved boxes
_ALL = {"model.size": 96, "model.refinement": "never"}  # as in ablation.py
_EPOCHS = {"raccoon": 40, "caltech3": 4}  # about 200 steps
_FIELDS = ("image", "label", "x_min", "y_min", "x_max", "y_max", "split")
_NARROW = {
    "augment.min_scale": 0.75,
    "augment.max_scale": 1.2,
    "augment.max_aspect_change": 1.1,
    "augment.max_truncation": 0.02,
}
_VARIANTS: Mapping[str, Mapping[str, object]] = {"second network": {}, "narrow": _NARROW}


@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """A crop of an image as a file, with the image's label in its pixels."""

    sample: Sample
    crop: refinement.Crop
    file: Path

    def row(self) -> list[object]:
        """The row of the label file."""
        return [self.file, self.sample.label, *_moved(self.sample.box, self.crop, -1), _split(self)]

    @property
    def is_shown(self) -> bool:
        """Whether at least half of the subject's width and height is inside."""
        if self.sample.box is None:
            return False
        x_min, y_min, x_max, y_max = _moved(self.sample.box, self.crop, -1)
        wide, high = (
            self.sample.box[2] - self.sample.box[0],
            self.sample.box[3] - self.sample.box[1],
        )
        return x_max - x_min > wide / 2 and y_max - y_min > high / 2

    def to_image(self, box: Box) -> Box:
        """A box in the crop, in pixels of the image."""
        return _moved(box, self.crop, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, metavar="FILE.json")
    parser.add_argument("--shared", type=Path, required=True, help="data sets and weights")
    parser.add_argument("--keep", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--data", choices=_EPOCHS, default="raccoon")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in _SEEDS:
        rows += _measure(seed, options)
        options.results.write_text(json.dumps(rows), "utf-8")
    for way in dict.fromkeys(row["way"] for row in rows):
        for split in ("val", "test"):
            found = [row[split] for row in rows if row["way"] == way]
            means = ", ".join(f"{np.mean(each):.3f}" for each in found)
            tight = np.mean(np.concatenate(found) >= 0.9)
            print(f"{way}, {split}: {np.mean(np.concatenate(found)):.3f} ({means}), {tight:.3f}")


def _measure(seed: int, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The IoU of each image by each way of prediction."""
    data = onebox.read(runs.source_of(options.data, options.shared), on_bad="skip")
    first = onebox.load(runs.model_of(options.keep / f"default-{options.data}-{seed}"))
    folder = options.keep / f"own-crops-{options.data}-{seed}"
    labels = folder / "crops.csv"
    held_out = {each: _cuts(data.part(each).samples, first, folder) for each in ("val", "test")}
    _write(labels, [*_training_cuts(data, folder, seed, options), *held_out["val"]])
    for way, predictor in {"first": first, "second pass": first.with_refinement(_MARGIN)}.items():
        yield {"way": way, "seed": seed} | {
            split: [iou(predictor.predict(one.sample.image).box, one.sample.box) for one in cuts]
            for split, cuts in held_out.items()
        }
    for way, changes in _VARIANTS.items():
        model = _train(labels, {**changes, "train.seed": seed}, folder / way, options)
        yield {"way": way, "seed": seed} | {
            split: [iou(one.to_image(model.predict(one.file).box), one.sample.box) for one in cuts]
            for split, cuts in held_out.items()
        }


def _training_cuts(
    data: onebox.Dataset, folder: Path, seed: int, options: argparse.Namespace
) -> Iterator[Cut]:
    samples = data.part("train").samples
    random = np.random.default_rng(seed)
    order = random.permutation(len(samples))
    for fold in range(_FOLDS):
        left_out = [samples[row] for row in order[fold::_FOLDS]]
        names = {one.image for one in left_out}
        file = folder / f"fold-{fold}.csv"
        _write_samples(file, [one for one in samples if one.image not in names])
        model = _train(file, {"train.seed": seed}, folder / f"fold-{fold}", options)
        yield from _cuts(left_out, model, folder)
        for turn in range(_MOVED):
            for one in left_out:
                if one.box is not None:
                    box = np.array(one.box)
                    sides = np.tile(box[2:] - box[:2], 2)
                    moved = tuple((box + random.normal(0, _ERROR, 4) * sides).tolist())
                    yield _cut(one, moved, folder / f"moved-{turn}")


def _cuts(samples: Sequence[Sample], model: onebox.Localizer, folder: Path) -> list[Cut]:
    labelled = [one for one in samples if one.box is not None]
    return [_cut(one, model.predict(one.image).box, folder / "predicted") for one in labelled]


def _cut(sample: Sample, box: Box, folder: Path) -> Cut:
    image = images.load(sample.image)
    crop = refinement.crop_around(box, image.size_wh, _MARGIN) or (0, 0, *image.size_wh)
    file = folder / Path(sample.image).parent.name / f"{Path(sample.image).stem}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(refinement.cut(image.pixels, crop)).save(file)
    return Cut(sample, crop, file)


def _train(
    labels: Path, changes: Mapping[str, object], folder: Path, options: argparse.Namespace
) -> onebox.Localizer:
    own = {**_ALL, "train.epochs": _epochs(labels, options.data), **changes}
    words = [*runs.settings(own), *runs.pretrained(options.shared)]
    return onebox.load(runs.train(labels, "default", words, folder).model)


def _epochs(labels: Path, data: str) -> int:
    """So many that there are as many steps as the default takes on the whole training split."""
    count = sum(line.endswith("train\n") for line in labels.open(encoding="utf-8"))
    return max(1, round(_EPOCHS[data] * {"raccoon": 129, "caltech3": 1423}[data] / count))


def _write(file: Path, cuts: Sequence[Cut]) -> None:
    # A label whose subject is mostly outside of the crop would teach nothing.
    _write_rows(file, [one.row() for one in cuts if one.is_shown])


def _write_samples(file: Path, samples: Sequence[Sample]) -> None:
    _write_rows(file, [[one.image, one.label, *(one.box or [""] * 4), "train"] for one in samples])


def _write_rows(file: Path, rows: Sequence[Sequence[object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(_FIELDS)
        writer.writerows(rows)


def _split(cut: Cut) -> str:
    return str(cut.sample.split)


def _moved(box: Box | None, crop: refinement.Crop, sign: int) -> Box:
    """A box between the pixels of the image and those of a crop; cut off at the crop.

    Raises:
        ValueError: If there is no box.
    """
    if box is None:
        raise ValueError("an image without a box has no crop.")
    left, top, right, bottom = crop
    x_min, y_min, x_max, y_max = np.array(box) + sign * np.array([left, top, left, top])
    if sign > 0:
        return float(x_min), float(y_min), float(x_max), float(y_max)
    wide, high = right - left, bottom - top
    return max(x_min, 0.0), max(y_min, 0.0), min(x_max, wide), min(y_max, high)


if __name__ == "__main__":
    main()
