"""Keypoints: variants of the recipe pose on Leeds Sports Pose, compared by PCK@0.2.

    python benchmarks/joints.py train --shared DIR --keep DIR results.json
    python benchmarks/joints.py table results.json

README.md defines what is measured.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import facts

import onebox
import runs
from onebox.metrics import known

_DEFAULT = "pose"
_EPOCHS = 14
_DRAWS = 2_000  # bootstrap samples of images
# Each variant changes one thing; few epochs, so that there can be many runs.
_VARIANTS: dict[str, Mapping[str, object]] = {
    _DEFAULT: {},
    "heat maps at stride 16": {"model.finer_maps": 0},
    "heat maps at stride 4": {"model.finer_maps": 2},
    "regression of coordinates": {
        "model.vectorizer": "gap",
        "model.finer_maps": 0,
        "model.flip_test": "false",
        "loss.keypoints": "{ l1 = 10.0, confidence = 0.2 }",
    },
    "crops of any shape": {
        "augment.square_crops": "false",
        "augment.min_scale": 0.3,
        "augment.max_scale": 1.0,
    },
    "no rotation": {"augment.rotate": 0.0},
    "rotation of 90 degrees": {"augment.rotate": 90.0},
    "decoded at 1.25 times the size": {"augment.oversize": 1.25},
    "backbone at a tenth of the rate": {"train.backbone_lr_scale": 0.1},
    "five frozen stages": {"train.frozen_stages": 5},
    "stochastic depth": {"model.backbone_options": '{ pad_type = "same", drop_path_rate = 0.2 }'},
    "weight decay of 0.3": {"train.weight_decay": 0.3},
    "SimCC": {},
}
_PROGRAMS = {"SimCC": [sys.executable, str(Path(__file__).with_name("simcc_head.py"))]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("train", "table"))
    parser.add_argument("results", type=Path, metavar="FILE.json")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="the folder of the runs")
    parser.add_argument("--variant", action="append", choices=_VARIANTS, help="repeatable")
    parser.add_argument("--epochs", type=int, default=_EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    {"train": _train, "table": _table}[options.verb](options)


def _train(options: argparse.Namespace) -> None:
    """Train what the results lack; write them after each run."""
    known = _read(options.results)
    done = {(row["variant"], row["seed"]) for row in known}
    for variant in options.variant or _VARIANTS:
        if (variant, options.seed) not in done:
            known.append(_measured(variant, options))
            options.results.write_text(json.dumps(known), "utf-8")
            print(variant, json.dumps(known[-1]["pck"]), flush=True)


def _measured(variant: str, options: argparse.Namespace) -> dict[str, Any]:
    """PCK of one variant on validation images, by way of prediction."""
    name = "".join(letter if letter.isalnum() else "-" for letter in variant)
    own = {"train.epochs": options.epochs, "train.seed": options.seed, **_VARIANTS[variant]}
    changes = [*runs.settings(own), *runs.pretrained(options.shared), "--format", "coco"]
    source = options.shared / "data" / "lsp"
    folder = options.keep / f"{name}-{options.seed}"
    program = _PROGRAMS.get(variant, runs.PROGRAM)
    done = runs.train(source, _DEFAULT, changes, folder, program)
    model = onebox.load(done.model)
    val = onebox.read(source, format="coco").part("val")
    ways = {"plain": model.with_refinement(None), "refined": model}
    found = {way: _found(localizer, val) for way, localizer in ways.items()}
    return {
        "variant": variant,
        "seed": options.seed,
        "epochs": options.epochs,
        "seconds": done.train_seconds,
        "pck": {way: _pck(images) for way, images in found.items()},
        "found": found,
        "machine": facts(),
    }


def _found(localizer: onebox.Localizer, data: onebox.Dataset) -> list[list[int]]:
    """For each image, how many keypoints are found, and how many are labelled."""
    rows = []
    for one in onebox.evaluate(localizer, data).outcomes:
        is_found = known(one.keypoints_found or ())
        rows.append([sum(is_found), len(is_found)])
    return rows


def _pck(found: Sequence[Sequence[int]]) -> float:
    counts = np.sum(found, axis=0)
    return float(counts[0] / counts[1])


def _table(options: argparse.Namespace) -> None:
    """Print each variant's PCK, and its difference from the default on the same images."""
    rows = _read(options.results)
    reference = {row["seed"]: row for row in rows if row["variant"] == _DEFAULT}
    print("| variant | seed | without refinement | refined | refined, gain | s |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        other = reference.get(row["seed"])
        gain = "" if other is None or other is row else _gain(row, other)
        plain, refined = row["pck"]["plain"], row["pck"]["refined"]
        print(
            f"| {row['variant']} | {row['seed']} | {plain:.3f} | {refined:.3f} | {gain} | "
            f"{row['seconds']:.0f} |"
        )


def _gain(row: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Difference of the refined PCK, with its 95 % interval over images."""
    mine, theirs = (np.array(each["found"]["refined"]) for each in (row, other))
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(mine), (_DRAWS, len(mine)))
    gains = [_pck(mine[images]) - _pck(theirs[images]) for images in drawn]
    low, high = np.percentile(gains, [2.5, 97.5])
    return f"{_pck(mine) - _pck(theirs):+.3f} ({low:+.3f} to {high:+.3f})"


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


if __name__ == "__main__":
    main()
