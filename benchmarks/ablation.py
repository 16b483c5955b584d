"""What each part of the default recipe is worth: variants against it on paired pictures.

    python benchmarks/ablation.py train --shared DIR --keep DIR results.json
    python benchmarks/ablation.py table results.json

README.md says how.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import runs
from machine import facts
from numpy import ndarray

import onebox

_DATA = ("raccoon", "pets", "caltech3")
_SEEDS = (0, 1, 2)
_DRAWS = 10_000  # of the bootstrap
_DEFAULT = "default"
_DIRECT = {
    "model.box_head": "direct",
    "model.hidden": "[512]",
    "loss.box": "{ l1 = 5.0, giou = 2.0 }",
    "train.first_size": 1.0,
}
# One thing changed at a time.
_VARIANTS: dict[str, Mapping[str, object]] = {
    _DEFAULT: {},
    "head: gap, direct": {**_DIRECT, "model.vectorizer": "gap"},
    "head: flatten, direct": {**_DIRECT, "model.vectorizer": "flatten"},
    "head: anchors": {"model.box_head": "anchors", "loss.box": "{ anchors = 1.0 }"},
    "head: vote": {"model.box_head": "vote", "loss.box": "{ l1 = 5.0, giou = 2.0 }"},
    "head: vote, votes loss": {
        "model.box_head": "vote",
        "loss.box": "{ l1 = 5.0, giou = 2.0, votes = 5.0 }",
    },
    "head: heat map": {"model.box_head": "heatmap"},
    "loss: no distribution": {"loss.box.distribution": 0.0},
    "loss: distribution alone": {"loss.box": "{ distribution = 1.0 }"},
    "loss: no giou": {"loss.box.giou": 0.0},
    "loss: ciou for giou": {"loss.box": "{ l1 = 5.0, ciou = 2.0, distribution = 0.5 }"},
    "loss: with laplace": {"loss.box.laplace": 0.1},
    "loss: no overlap estimate": {"loss.overlap": 0.0},
    "no moving average": {"train.ema_decay": 0.0},
    "whole size from the start": {"train.first_size": 1.0},
    "half size at first": {"train.first_size": 0.5},
    "backbone at full rate": {"train.backbone_rate": 1.0},
    "backbone at a tenth": {"train.backbone_rate": 0.1},
    "backbone frozen": {"train.backbone_rate": 0.0},
    "head first": {"train.head_first": 0.3},
    "layer decay 0.8": {"train.layer_decay": 0.8},
    "no crops and zooms": {"augment.geometry": 0.0},
    "no mirroring": {"augment.flip": 0.0},
    "no colours": {
        f"augment.{name}": 0.0 for name in ("brightness", "contrast", "saturation", "grey")
    },
    "one look": {"model.second_look": "never"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("train", "table"))
    parser.add_argument("results", type=Path, metavar="FILE.json")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="where the runs lie")
    parser.add_argument("--variant", action="append", choices=_VARIANTS, help="repeatable")
    parser.add_argument("--data", action="append", choices=_DATA, help="repeatable")
    parser.add_argument("--minutes", type=float, help="the same budget for all")
    options = parser.parse_args()
    {"train": _train, "table": _table}[options.verb](options)


def _train(options: argparse.Namespace) -> None:
    """Train what the results do not hold yet; they are written after each run."""
    known = _read(options.results)
    done = {(row["variant"], row["data"], row["seed"]) for row in known}
    for variant, data, seed in _runs(options):
        if (variant, data, seed) not in done:
            known.append(_measured(variant, data, seed, options))
            options.results.write_text(json.dumps(known), "utf-8")
            shown = {key: known[-1][key] for key in ("variant", "data", "seed", "mean_iou")}
            print(json.dumps(shown), flush=True)


def _runs(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    for seed in _SEEDS:
        for data in options.data or _DATA:
            for variant in options.variant or _VARIANTS:
                yield variant, data, seed


def _measured(variant: str, data: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    name = "".join(letter if letter.isalnum() else "-" for letter in variant)
    changes = runs.settings({**_VARIANTS[variant], "train.seed": seed})
    if options.minutes is not None:
        changes += ["--minutes", str(options.minutes)]
    source = runs.source_of(data, options.shared)
    done = runs.train(
        source,
        _DEFAULT,
        [*changes, *runs.pretrained(options.shared)],
        options.keep / f"{name}-{data}-{seed}",
    )
    ious = _overlaps(done.model, source)
    return {
        "variant": variant,
        "data": data,
        "seed": seed,
        "seconds": done.seconds,
        "train_seconds": done.train_seconds,
        "mean_iou": float(np.mean(ious)),
        "ious": ious,
        "machine": facts(),
    }


def _overlaps(model: Path, source: str | Path) -> list[float]:
    """One for each test picture, in the order of the label file."""
    test = onebox.read(source, on_bad="skip").part("test")
    outcomes = onebox.evaluate(onebox.load(model), test).outcomes
    return [one.iou for one in outcomes if one.iou is not None]


def _table(options: argparse.Namespace) -> None:
    """Print each variant's difference from the default, with its 95 % interval."""
    known = _read(options.results)
    for data in dict.fromkeys(row["data"] for row in known):
        print(f"\n### {data}\n")
        print("| variant | seeds | mean IoU | ≥ 0.9 | against default, 95 % | s |")
        print("|---|---|---|---|---|---|")
        rows = [row for row in known if row["data"] == data]
        for variant in dict.fromkeys(row["variant"] for row in rows):
            print(_line(variant, rows))


def _line(variant: str, rows: list[dict[str, Any]]) -> str:
    mine = {row["seed"]: row for row in rows if row["variant"] == variant}
    theirs = {row["seed"]: row for row in rows if row["variant"] == _DEFAULT}
    seeds = sorted(mine.keys() & theirs.keys())
    ious = np.array([mine[seed]["ious"] for seed in seeds])
    gain = (ious - np.array([theirs[seed]["ious"] for seed in seeds])).mean(axis=0)
    low, high = _interval(gain)
    seconds = np.median([mine[seed]["seconds"] for seed in seeds])
    against = "" if variant == _DEFAULT else f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"
    figures = f"{ious.mean():.3f} | {(ious >= 0.9).mean():.3f} | {against} | {seconds:.0f}"
    return f"| {variant} | {len(seeds)} | {figures} |"


def _interval(gain: ndarray) -> tuple[float, float]:
    """Of the mean, by drawing pictures with replacement; the mean over seeds is one value each."""
    random = np.random.default_rng(0)
    draws = gain[random.integers(0, len(gain), (_DRAWS, len(gain)))].mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5]).tolist()
    return low, high


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


if __name__ == "__main__":
    main()
