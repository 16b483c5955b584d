"""Throughput of `fit`, compared with a bare loop of the same network over one constant batch.

With --memory: a bare step with and without `keep_freed_memory`, in separate processes.
README.md defines what is timed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # measures the CPU; must be set before torch is loaded

import torch
from machine import arguments, publish
from torch import Tensor

from onebox import synthetic
from onebox.learning.data.dataloader import Batch
from onebox.learning.data.decoded_cache import Decoded, decode
from onebox.learning.fitting.fit import fit
from onebox.learning.fitting.memory import keep_freed_memory
from onebox.learning.fitting.param_groups import parameter_groups
from onebox.learning.losses.objective import compute_loss, total
from onebox.learning.networks.network import Network
from onebox.progress import Silent
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import Recipe

_TRAIN_PER_VAL = 8  # training images per validation image, as in the generated data sets


def main() -> None:
    options = _options()
    if options.step:
        keep_freed_memory() if options.step == "kept" else None
        print(_bare_seconds(_recipe(options), options.steps) / options.steps * 1000)
    elif options.memory:
        publish(
            "a bare step, freed memory kept or returned", list(_memory_rows(options)), options.json
        )
    else:
        publish("fit compared with a bare loop", list(_throughput_rows(options)), options.json)


def _options() -> argparse.Namespace:
    parser = arguments(__doc__ or "")
    parser.add_argument("--backbone", default="mobilenetv4_conv_small")
    parser.add_argument(
        "--size", type=int, default=224, help="width and height of the images, in pixels"
    )
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--images", type=int, default=512, help="training images per epoch")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each fit")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of both measurements")
    parser.add_argument("--memory", action="store_true", help="measure freed memory instead")
    parser.add_argument("--steps", type=int, default=10, help="timed steps per process (--memory)")
    parser.add_argument("--step", choices=["kept", "freed"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _recipe(options: argparse.Namespace) -> Recipe:
    settings = {
        "model.backbone": f'"{options.backbone}"',
        "model.pretrained": "false",
        "model.size": options.size,
        "train.batch_size": options.batch_size,
        "train.epochs": options.epochs,
        # The bare loop uses full-size images and trains all stages, so fit must do the same.
        "train.initial_scale": 1,
        "train.frozen_stages": 0,
    }
    return read_recipe("default", [f"{name}={value}" for name, value in settings.items()])


def _throughput_rows(options: argparse.Namespace) -> Iterator[Mapping[str, str | float]]:
    recipe = _recipe(options)
    counts = {"train": options.images, "val": options.images // _TRAIN_PER_VAL}
    data = synthetic.dataset("synth:blobs", size=options.size, counts=counts)
    images = options.images * options.epochs
    steps = -(-options.images // options.batch_size) * options.epochs
    bare_images = steps * options.batch_size
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ONEBOX_CACHE"] = folder
        decoded = {"train": decode(data.part("train"), recipe.model.size)}
        decoded["val"] = decode(data.part("val"), recipe.model.size)
        _fit_seconds(recipe, decoded, Path(folder, "warm-up"))
        for repeat in range(options.repeats):
            fitted = images / _fit_seconds(recipe, decoded, Path(folder, str(repeat)))
            bare = bare_images / _bare_seconds(recipe, steps)
            ratios.append(fitted / bare)
            yield {"run": repeat, "fit 1/s": fitted, "bare 1/s": bare, "ratio": ratios[-1]}
    yield {"run": "median", "fit 1/s": "", "bare 1/s": "", "ratio": median(ratios)}


def _fit_seconds(recipe: Recipe, decoded: Mapping[str, Decoded], folder: Path) -> float:
    network = Network(recipe, classes=1)
    start = time.perf_counter()
    fit(network, recipe, decoded, folder, Silent())
    return time.perf_counter() - start


def _bare_seconds(recipe: Recipe, steps: int) -> float:
    """Forward, loss, backward and AdamW on one constant batch, after three steps of warm-up."""
    torch.manual_seed(0)
    network = Network(recipe, classes=1).to(memory_format=torch.channels_last).train()
    groups = parameter_groups(network, network.backbone, recipe.train)
    optimizer = torch.optim.AdamW(groups, fused=True)
    images, batch = _constant_batch(recipe)

    def step() -> None:
        optimizer.zero_grad()
        parts = compute_loss(network(images), batch, recipe.loss, recipe.model.layout)
        total(parts).backward()
        optimizer.step()

    for _ in range(3):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - start


def _constant_batch(recipe: Recipe) -> tuple[Tensor, Batch]:
    count, size = recipe.train.batch_size, recipe.model.size
    images = torch.rand(count, 3, size, size).contiguous(memory_format=torch.channels_last)
    boxes = torch.tensor([0.2, 0.3, 0.7, 0.8]).repeat(count, 1)
    has_box = torch.ones(count, dtype=torch.bool)
    labels = torch.zeros(count, dtype=torch.int64)
    no_keypoints = torch.zeros(count, 0, 3)
    return images, Batch(images, boxes, has_box, labels, no_keypoints, torch.arange(count))


def _memory_rows(options: argparse.Namespace) -> Iterator[Mapping[str, str | float]]:
    """Both kinds of process in turn, so that neither gets the quieter machine."""
    found: dict[str, list[float]] = {"freed": [], "kept": []}
    for _ in range(options.repeats):
        for kind, measured in found.items():
            measured.append(_step_ms(kind, options))
    for kind, measured in found.items():
        yield {"memory": kind, "ms per step": median(measured), "min": min(measured)}


def _step_ms(kind: str, options: argparse.Namespace) -> float:
    values = {
        "--step": kind,
        "--backbone": options.backbone,
        "--size": options.size,
        "--batch-size": options.batch_size,
        "--steps": options.steps,
    }
    words = [str(word) for pair in values.items() for word in pair]
    command = [sys.executable, __file__, *words]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


if __name__ == "__main__":
    main()
