"""Ablations: variants of the default recipe, compared with it on the same images.

    python benchmarks/ablation.py train --shared DIR --keep DIR results.json
    python benchmarks/ablation.py table results.json

README.md defines what is measured.
"""

import argparse
import csv
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import facts
from numpy import ndarray

import onebox
import runs
from onebox import images
from onebox.runtime import NetworkLocalizer

_DATA = ("raccoon", "pets", "caltech3")
_FEW = "raccoon-30"  # 30 of its training images, drawn by the seed; none for validation
_SEEDS = (0, 1, 2)
_DRAWS = 10_000  # bootstrap samples
_DEFAULT = "default"
_LARGER = "128 px"  # the smallest size at which the default's initial size is smaller
_TWICE, _FROZEN_LONGER = "twice the epochs", "4 frozen stages, a quarter more epochs"
_MEAN = "mean box of three seeds"
_FULL, _SAME_TIME = "128 px, full size from the start", "128 px, full size, same time"
_DIRECT = {
    "model.box_head": "direct",
    "model.hidden": "[512]",
    "loss.box": "{ l1 = 5.0, giou = 2.0 }",
    "train.initial_scale": 1.0,
}
# Small images and few steps, so that there can be many runs. Refinement is measured separately,
# on the models of the default.
_ALL = {"model.size": 96, "model.refinement": "never"}
_EPOCHS = {"raccoon": 40, "pets": 29, "caltech3": 4, _FEW: 200}  # about 200 steps each
_EPOCH_FACTORS = {_TWICE: 2.0, _FROZEN_LONGER: 1.25}
_SELF_TRAINING_EPOCHS = 67  # of 79 images: about 200 steps, too
_FEWER_EPOCHS = {"raccoon": 28, "pets": 19, "caltech3": 3, _FEW: 140}  # at full size
# Each variant changes one thing.
_VARIANTS: dict[str, Mapping[str, object]] = {
    _DEFAULT: {},
    "no frozen stages": {"train.frozen_stages": 0},
    "4 frozen stages": {"train.frozen_stages": 4},
    "backbone rate 0": {"train.backbone_lr_scale": 0.0},
    "backbone rate 1": {"train.backbone_lr_scale": 1.0},
    "backbone rate 0.2": {"train.backbone_lr_scale": 0.2},
    "no freezing": {"train.freeze_backbone_fraction": 0.0},
    "freeze 0.3": {"train.freeze_backbone_fraction": 0.3, "train.feature_cache_views": 0},
    "freeze 0.3, 20 views": {"train.freeze_backbone_fraction": 0.3},
    "freeze 0.5, 20 views": {"train.freeze_backbone_fraction": 0.5},
    "layer decay 0.8": {"train.layer_decay": 0.8},
    "head: gap, direct": {**_DIRECT, "model.vectorizer": "gap"},
    "head: flatten, direct": {**_DIRECT, "model.vectorizer": "flatten"},
    "head: anchors": {"model.box_head": "anchors", "loss.box": "{ anchors = 1.0 }"},
    "head: vote": {"model.box_head": "vote", "loss.box": "{ l1 = 5.0, giou = 2.0 }"},
    "head: vote, votes loss": {
        "model.box_head": "vote",
        "loss.box": "{ l1 = 5.0, giou = 2.0, votes = 5.0 }",
    },
    "head: heat map": {"model.box_head": "heatmap"},
    "loss: with laplace": {"loss.box.laplace": 0.1},
    "loss: no distribution": {"loss.box.distribution": 0.0},
    "loss: distribution alone": {"loss.box": "{ distribution = 1.0 }"},
    "loss: no giou": {"loss.box.giou": 0.0},
    "loss: ciou for giou": {"loss.box": "{ l1 = 5.0, ciou = 2.0, distribution = 0.5 }"},
    "loss: no IoU head": {"loss.iou": 0.0},
    _TWICE: {},
    _FROZEN_LONGER: {"train.frozen_stages": 4},
    "batches of 16": {"train.batch_size": 16},
    "moving average 0.995": {"train.ema_decay": 0.995},
    "learning rate 4e-3": {"train.learning_rate": 4e-3},
    "square crops": {"augment.square_crops": "true"},
    "no moving average": {"train.ema_decay": 0.0},
    "best epoch": {"train.checkpoint": "best", "train.validate_every": 1},
    "initial size 64 px": {"train.initial_scale": 0.5},
    _LARGER: {"model.size": 128},
    _FULL: {"model.size": 128, "train.initial_scale": 1.0},
    _SAME_TIME: {"model.size": 128, "train.initial_scale": 1.0},
    "no crops and zooms": {"augment.geometric_probability": 0.0},
    "no mirroring": {"augment.flip": 0.0},
    "no colour changes": {
        f"augment.{name}": 0.0 for name in ("brightness", "contrast", "saturation", "grayscale")
    },
}


class Mirrored:
    """A localizer that also predicts the mirrored image, and averages both boxes."""

    def __init__(self, localizer: onebox.Localizer) -> None:
        self._localizer = localizer
        self.name, self.card = f"{localizer.name}, mirrored", localizer.card

    def predict(self, source: Path | ndarray) -> onebox.Prediction:
        """The prediction for the image, with the mean of both boxes."""
        image = images.load(source, at_least=self._localizer.card.size)
        first = self._localizer.predict(source)
        again = self._localizer.predict(np.ascontiguousarray(image.pixels[:, ::-1]))
        (across, down), width = image.scale_xy, image.size_wh[0]
        left, top, right, bottom = again.box
        back = (width - right * across, top * down, width - left * across, bottom * down)
        x_min, y_min, x_max, y_max = np.mean([first.box, back], axis=0).tolist()
        return dataclasses.replace(first, box=(x_min, y_min, x_max, y_max))


# What a variant is compared with, if not with the default.
_REFERENCES = {_FULL: _LARGER, _SAME_TIME: _LARGER}

# Other ways of prediction with the models of the default.
_PREDICTORS: dict[str, Callable[[NetworkLocalizer], onebox.Localizer]] = {
    "refinement, 1.4": lambda localizer: localizer.with_refinement(1.4),
    "refinement, 1.7": lambda localizer: localizer.with_refinement(1.7),
    "mirrored image too": Mirrored,
}


class Together:
    """Several localizers as one: the mean of their boxes."""

    def __init__(self, localizers: Sequence[onebox.Localizer]) -> None:
        self._localizers = localizers
        self.name, self.card = "together", localizers[0].card

    def predict(self, source: Path | ndarray) -> onebox.Prediction:
        """The prediction of the first, with the mean of all boxes."""
        found = [localizer.predict(source) for localizer in self._localizers]
        x_min, y_min, x_max, y_max = np.mean([each.box for each in found], axis=0).tolist()
        return dataclasses.replace(found[0], box=(x_min, y_min, x_max, y_max))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=tuple(_VERBS))
    parser.add_argument("results", type=Path, nargs="+", metavar="FILE.json")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="the folder of the runs")
    parser.add_argument("--variant", action="append", choices=_VARIANTS, help="repeatable")
    parser.add_argument("--data", action="append", choices=_EPOCHS, help="repeatable")
    options = parser.parse_args()
    _VERBS[options.verb](options)


def _train(options: argparse.Namespace) -> None:
    """Train what the results lack; write them after each run."""
    (results,) = options.results
    known = _read(options.results)
    done = {(row["variant"], row["data"], row["seed"]) for row in known}
    for variant, data, seed in _runs(options):
        if (variant, data, seed) not in done:
            known += _measured(variant, data, seed, options)
            results.write_text(json.dumps(known), "utf-8")
            for row in known[-1 - len(_PREDICTORS) if variant == _DEFAULT else -1 :]:
                keys = ("variant", "data", "seed", "mean_iou", "seconds")
                print(json.dumps({key: row[key] for key in keys}), flush=True)


def _together(options: argparse.Namespace) -> None:
    """Measure the mean box of the default's three seeds; write a row for each seed."""
    (results,) = options.results
    known = _read(options.results)
    for data in options.data or _DATA:
        files = [runs.model_of(options.keep / f"{_DEFAULT}-{data}-{seed}") for seed in _SEEDS]
        predictor = Together([onebox.load(file) for file in files])
        ious = _ious_of(predictor, runs.source_of(data, options.shared))
        row = {"variant": _MEAN, "data": data, "ious": ious, "train_seconds": float("nan")}
        known += [{**row, "seed": seed} for seed in _SEEDS]
    results.write_text(json.dumps(known), "utf-8")


def _self_training(options: argparse.Namespace) -> None:
    """Train on 30 labelled images and on the predictions for the others; write a row a seed.

    The predictions are those of the default's model of the 30 images, the surer half of them.
    """
    (results,) = options.results
    known = _read(options.results)
    for seed in _SEEDS:
        source = _pseudo_labelled(seed, options)
        own = {**_ALL, "train.epochs": _SELF_TRAINING_EPOCHS, "train.seed": seed}
        changes = [*runs.settings(own), *runs.pretrained(options.shared)]
        done = runs.train(source, _DEFAULT, changes, options.keep / f"self-training-{seed}")
        ious = _ious_of(onebox.load(done.model), source)
        row = {"variant": "self-training", "data": _FEW, "seed": seed, "ious": ious}
        known.append({**row, "train_seconds": done.train_seconds})
        results.write_text(json.dumps(known), "utf-8")


def _pseudo_labelled(seed: int, options: argparse.Namespace) -> Path:
    """A label file of the 30 images and of the surer half of the predictions for the others."""
    few = onebox.read(options.keep / f"{_FEW}-{seed}.csv")
    model = onebox.load(runs.model_of(options.keep / f"{_DEFAULT}-{_FEW}-{seed}"))
    everything = onebox.read(runs.source_of("raccoon", options.shared))
    labelled = {sample.image.resolve() for sample in few.part("train")}
    others = [one for one in everything.part("train") if one.image.resolve() not in labelled]
    found = [(model.predict(one.image), one) for one in others]
    found.sort(key=lambda pair: -pair[0].score)
    guessed = [dataclasses.replace(one, box=each.box) for each, one in found[: len(found) // 2]]
    file = options.keep / f"self-training-{seed}.csv"
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["image", "label", "x_min", "y_min", "x_max", "y_max", "split"])
        for one in (*few, *guessed):
            writer.writerow([one.image.resolve(), one.label, *one.box, one.split])
    return file


def _runs(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    for variant in options.variant or _VARIANTS:
        for seed in _SEEDS:
            for data in options.data or _DATA:
                yield variant, data, seed


def _measured(
    variant: str, data: str, seed: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """One row per variant; for the default, also one per other way of prediction."""
    name = "".join(letter if letter.isalnum() else "-" for letter in variant)
    epochs = (_FEWER_EPOCHS if variant == _SAME_TIME else _EPOCHS)[data]
    epochs = round(epochs * _EPOCH_FACTORS.get(variant, 1))
    own = {**_ALL, "train.epochs": epochs, "train.seed": seed, **_VARIANTS[variant]}
    source = _source(data, seed, options)
    changes = [*runs.settings(own), *runs.pretrained(options.shared)]
    done = runs.train(source, _DEFAULT, changes, options.keep / f"{name}-{data}-{seed}")
    localizer = onebox.load(done.model)
    ways = {variant: localizer}
    if variant == _DEFAULT:
        ways |= {name: wrap(localizer) for name, wrap in _PREDICTORS.items()}
    ious_of = {way: _ious_of(predictor, source) for way, predictor in ways.items()}
    return [
        {
            "variant": way,
            "data": data,
            "seed": seed,
            "seconds": done.seconds,
            "train_seconds": done.train_seconds,
            "mean_iou": {split: float(np.mean(ious)) for split, ious in each.items()},
            "ious": each,
            "machine": facts(),
        }
        for way, each in ious_of.items()
    ]


def _source(data: str, seed: int, options: argparse.Namespace) -> str | Path:
    if data != _FEW:
        return runs.source_of(data, options.shared)
    labels = runs.source_of("raccoon", options.shared)
    return runs.fewer(Path(labels), 30, seed, options.keep / f"{_FEW}-{seed}.csv")


def _ious_of(predictor: onebox.Localizer, source: str | Path) -> dict[str, list[float]]:
    """The IoU of each image with a box, by split, in the order of the label file."""
    data = onebox.read(source, on_bad="skip")
    parts = {split: data.part(split) for split in ("val", "test")}
    outcomes = {
        split: onebox.evaluate(predictor, part).outcomes for split, part in parts.items() if part
    }
    return {
        split: [one.iou for one in each if one.iou is not None] for split, each in outcomes.items()
    }


def _table(options: argparse.Namespace) -> None:
    """Print each variant's difference from the default, with its 95 % interval."""
    known = _read(options.results)
    for data in dict.fromkeys(row["data"] for row in known):
        print(f"\n### {data}\n")
        print("| variant | seeds | val, gain | test mean IoU | ≥ 0.9 | test, gain | s |")
        print("|---|---|---|---|---|---|---|")
        rows = [row for row in known if row["data"] == data]
        for variant in dict.fromkeys(row["variant"] for row in rows):
            print(_line(variant, rows))


def _line(variant: str, rows: list[dict[str, Any]]) -> str:
    other = _REFERENCES.get(variant, _DEFAULT)
    mine = {row["seed"]: row for row in rows if row["variant"] == variant}
    theirs = {row["seed"]: row for row in rows if row["variant"] == other}
    shared = sorted(mine.keys() & theirs.keys())
    seeds = shared or sorted(mine)
    test = np.array([mine[seed]["ious"]["test"] for seed in seeds])
    is_compared = shared and variant not in (_DEFAULT, *_REFERENCES.values())
    val, against = _gains(mine, theirs, shared) if is_compared else ("", "")
    seconds = np.median([mine[seed]["train_seconds"] for seed in seeds])
    metrics = f"{test.mean():.3f} | {(test >= 0.9).mean():.3f} | {against} | {seconds:.0f}"
    return f"| {variant} | {len(seeds)} | {val} | {metrics} |"


def _gains(
    mine: Mapping[int, dict[str, Any]], theirs: Mapping[int, dict[str, Any]], seeds: Sequence[int]
) -> list[str]:
    """For each split, the mean gain over the same images with its interval; else empty."""
    cells = []
    for split in ("val", "test"):
        if split not in mine[seeds[0]]["ious"]:
            cells.append("")
            continue
        pairs = [(mine[seed]["ious"][split], theirs[seed]["ious"][split]) for seed in seeds]
        gain = np.mean([np.subtract(*pair) for pair in pairs], axis=0)
        low, high = _interval(gain)
        cells.append(f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})")
    return cells


def _interval(gain: ndarray) -> tuple[float, float]:
    """95 % interval of the mean, by drawing images with replacement."""
    random = np.random.default_rng(0)
    draws = gain[random.integers(0, len(gain), (_DRAWS, len(gain)))].mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5]).tolist()
    return low, high


def _read(files: Iterable[Path]) -> list[dict[str, Any]]:
    return [row for file in files if file.is_file() for row in json.loads(file.read_text("utf-8"))]


_VERBS = {
    "train": _train,
    "together": _together,
    "self-training": _self_training,
    "table": _table,
}

if __name__ == "__main__":
    main()
