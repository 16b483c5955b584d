"""Every recipe on every data set: IoU, classes, training time, latency; see README.md.

python benchmarks/recipes.py train --shared DIR --keep DIR results.json
python benchmarks/recipes.py latency --keep DIR results.json
python benchmarks/recipes.py table results.json
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import facts, percentiles

import onebox
import runs
from onebox.recipes.loading import read_recipe, recipe_names
from onebox.recipes.recipe import Recipe

_SIZES = {True: 96, False: 128}  # of generated and of real images, in pixels
_TRAINING_IMAGES = 6000  # training images, repeats counted
_SYNTHETIC = ("synth:blobs", "synth:cutouts-black", "synth:cutouts")
_REAL = ("raccoon", "caltech3", "pets")
_TRAINED_ON = {"raccoon": 129, "caltech3": 1423, "pets": 207}
_EXCLUDED = frozenset({"demo"})  # the default, at another size
_TIMED = "pets"  # the data set whose models are timed
_ARRAY_SIZE = 128  # width and height of the timed array, in pixels
_WARM_UP, _CALLS = 20, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("train", "latency", "table"))
    parser.add_argument("results", type=Path, metavar="FILE.json")
    parser.add_argument("--shared", type=Path, help="the folder of data sets and weights")
    parser.add_argument("--keep", type=Path, help="the folder of the runs")
    parser.add_argument("--recipe", action="append", help="only this one; repeatable")
    parser.add_argument("--data", action="append", help="only this one; repeatable")
    options = parser.parse_args()
    {"train": _train, "latency": _latency, "table": _table}[options.verb](options)


def _train(options: argparse.Namespace) -> None:
    """Train what the results lack; write them after each run."""
    known = _read(options.results)
    done = {(row["recipe"], row["data"]) for row in known}
    for data in options.data or [*_SYNTHETIC, *_REAL]:
        for name in options.recipe or _names():
            if (name, data) not in done:
                known.append(_measured(name, data, options))
                options.results.write_text(json.dumps(known, indent=1), "utf-8")
                print(json.dumps(known[-1]), flush=True)


def _names() -> list[str]:
    return [
        name
        for name in recipe_names()
        if name not in _EXCLUDED and not read_recipe(name).model.keypoints
    ]


def _measured(name: str, data: str, options: argparse.Namespace) -> dict[str, Any]:
    folder = options.keep / f"{name}-{data.replace(':', '-')}"
    changes = _changes(read_recipe(name), data, options.shared)
    done = runs.train(runs.source_of(data, options.shared), name, changes, folder)
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))["test"]
    chosen = ("mean_iou", "iou_at", "class_accuracy", "mean_box_iou", "is_collapsed", "images")
    return {
        "recipe": name,
        "data": data,
        "train_seconds": done.train_seconds,
        **{key: metrics[key] for key in chosen},
        "machine": facts(),
    }


def _changes(recipe: Recipe, data: str, shared: Path) -> list[str]:
    """The same size, backbone and number of images for all; the rest is the recipe's own."""
    if recipe.hog is not None:
        return []
    images = _TRAINED_ON.get(data, 2000)
    steps = images // recipe.train.batch_size or 1
    changes = {
        "model.size": _SIZES[data in _SYNTHETIC],
        "train.epochs": round(_TRAINING_IMAGES / (steps * recipe.train.batch_size)),
        "train.save_every_epoch": "false",
    }
    return [*runs.settings(changes), *runs.pretrained(shared)]


def _latency(options: argparse.Namespace) -> None:
    """Time `predict` of all models on one array; they take turns."""
    known = _read(options.results)
    names = dict.fromkeys(row["recipe"] for row in known)
    folders = {name: options.keep / f"{name}-{_TIMED}" for name in names}
    localizers = {name: onebox.load(runs.model_of(folder)) for name, folder in folders.items()}
    array = np.random.default_rng(0).integers(0, 256, (_ARRAY_SIZE, _ARRAY_SIZE, 3), dtype=np.uint8)
    times: dict[str, list[float]] = {name: [] for name in localizers}
    for turn in range(-_WARM_UP, _CALLS):
        for name, localizer in localizers.items():
            start = time.perf_counter()
            localizer.predict(array)
            if turn >= 0:
                times[name].append((time.perf_counter() - start) * 1000)
    for row in known:
        row["latency_ms"] = percentiles(times[row["recipe"]])[0]
    options.results.write_text(json.dumps(known, indent=1), "utf-8")
    print({name: percentiles(spent) for name, spent in times.items()})


def _table(options: argparse.Namespace) -> None:
    """Print the results as Markdown, one table per data set."""
    known = _read(options.results)
    for data in dict.fromkeys(row["data"] for row in known):
        print(f"\n### {data}\n")
        print(_line(["recipe", "mean IoU", "≥ 0.5", "≥ 0.75", "≥ 0.9", "class", "s", "ms"]))
        print("|---" * 8 + "|")
        rows = [row for row in known if row["data"] == data]
        for row in sorted(rows, key=lambda row: -row["mean_iou"]):
            print(_line(_cells(row)))
        print(f"\nMean training box: {rows[0]['mean_box_iou']:.3f}. {rows[0]['images']} images.")


def _cells(row: Mapping[str, Any]) -> list[str]:
    fractions = [f"{row['iou_at'][at]:.2f}" for at in ("0.5", "0.75", "0.9")]
    accuracy = row["class_accuracy"]
    return [
        f"`{row['recipe']}`" + (" (one box)" if row["is_collapsed"] else ""),
        f"{row['mean_iou']:.3f}",
        *fractions,
        "" if accuracy is None else f"{accuracy:.3f}",
        f"{row['train_seconds']:.0f}",
        f"{row['latency_ms']:.1f}" if "latency_ms" in row else "",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


if __name__ == "__main__":
    main()
