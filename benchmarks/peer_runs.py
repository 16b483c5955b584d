"""The other tools, and how one of them is run."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import clean_variables, program_of

import onebox
import runs
from onebox import images
from onebox.structures import Box, Sample

OURS = "onebox"
_WORKERS = Path(__file__).with_name("peers")
_PATIENCE = 4  # times the budget, plus ten minutes: then a worker counts as stuck


@dataclass(frozen=True, slots=True)
class Recipe:
    """One of onebox's own recipes, run by its command line.

    Attributes:
        name: The recipe's name.
        changes: Changed settings.
        start: The initial weights.
    """

    name: str
    changes: Mapping[str, object] = field(default_factory=dict)
    start: str = "ImageNet"


@dataclass(frozen=True, slots=True)
class Worker:
    """A script for another package, in that package's environment.

    Attributes:
        environment: The environment's name.
        script: A file name in ``peers/``.
        options: The script's options.
        start: The initial weights.
    """

    environment: str
    script: str
    options: Mapping[str, object] = field(default_factory=dict)
    start: str = "ImageNet"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The boxes that a tool predicts for the test images, and its seconds of training."""

    boxes: Sequence[Box | None]
    seconds: float
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all tools.

    Attributes:
        data: The label file.
        samples: The images with their boxes.
        minutes: Time budget of training.
        seed: Seed of everything random.
        shared: The folder of data sets and weights.
        environments: The folder of environments.
    """

    data: Path
    samples: Sequence[Sample]
    minutes: float
    seed: int
    shared: Path
    environments: Path


# The time budget replaces the tutorials' own number of epochs.
_WHOLE_BUDGET = {"train.epochs": 100_000, "train.save_every_epoch": "false"}
_DETECTORS, _YOLO = "torchvision_detectors.py", "ultralytics_yolo.py"
_FCOS_RATE = 0.01  # the reference's own; scaled to the smaller batch it would be a quarter
PEERS: dict[str, Recipe | Worker] = {
    OURS: Recipe("default"),
    "tutorial: resnet50-gap-mse": Recipe("resnet50-gap-mse", _WHOLE_BUDGET),
    "tutorial: vgg16-sigmoid-bce": Recipe("vgg16-sigmoid-bce", _WHOLE_BUDGET),
    "torchvision FCOS, 224": Worker("torchvision", _DETECTORS, {"detector": "fcos", "size": 224}),
    "torchvision FCOS, 320": Worker("torchvision", _DETECTORS, {"detector": "fcos", "size": 320}),
    "torchvision FCOS, 224, learning rate 0.01": Worker(
        "torchvision", _DETECTORS, {"detector": "fcos", "size": 224, "rate": _FCOS_RATE}
    ),
    "torchvision SSDlite, 320": Worker(
        "torchvision", _DETECTORS, {"detector": "ssdlite", "size": 320}
    ),
    "fastai, 224": Worker("fastai", "fastai_regression.py"),
    **{
        f"Ultralytics YOLO26n, {size}": Worker("ultralytics", _YOLO, {"size": size}, start="random")
        for size in (224, 320, 640)
    },
}


def run_peer(peer: str, folder: Path, settings: Settings) -> Outcome:
    """Train a tool in a fresh folder, and let it predict the test images.

    Raises:
        RuntimeError: If it fails; the message has the end of its output.
    """
    tool = PEERS[peer]
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(tool, Recipe):
        return _by_recipe(tool, folder, settings)
    return _by_worker(tool, folder, settings)


def _by_recipe(recipe: Recipe, folder: Path, settings: Settings) -> Outcome:
    """Train by the command line; the seconds are those of the whole command."""
    changes = runs.settings({**recipe.changes, "train.seed": settings.seed})
    changes += ["--minutes", str(settings.minutes), *runs.pretrained(settings.shared)]
    done = runs.train(settings.data, recipe.name, changes, folder)
    localizer = onebox.load(done.model)
    test = [sample for sample in settings.samples if sample.split == "test"]
    boxes = [localizer.predict(sample.image).box for sample in test]
    return Outcome(boxes, done.seconds, {"train_seconds": done.train_seconds})


def _by_worker(worker: Worker, folder: Path, settings: Settings) -> Outcome:
    """Run a script in its own environment, and read its answer.

    Raises:
        RuntimeError: If it fails; the message has the end of its output.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True)
    job, answer = folder / "job.json", folder / "answer.json"
    job.write_text(json.dumps(_job(worker, settings)), "utf-8")
    python = program_of(settings.environments / worker.environment, "python")
    command = [str(python), str(_WORKERS / worker.script), str(job), str(answer)]
    with (folder / "output.txt").open("w", encoding="utf-8") as output:
        done = subprocess.run(
            command,
            check=False,
            stdout=output,
            stderr=output,
            env=clean_variables(),
            cwd=folder,
            timeout=600 + _PATIENCE * 60 * settings.minutes,
        )
    if done.returncode or not answer.is_file():
        output_text = (folder / "output.txt").read_text("utf-8")
        raise RuntimeError(f"{' '.join(command)}\n{output_text[-2000:]}")
    content = json.loads(answer.read_text("utf-8"))
    boxes = [None if box is None else tuple(box) for box in content["boxes"]]
    return Outcome(boxes, content["seconds"], content["about"])


def _job(worker: Worker, settings: Settings) -> dict[str, Any]:
    return {
        "samples": [_described(sample) for sample in settings.samples],
        "minutes": settings.minutes,
        "seed": settings.seed,
        "weights": str((settings.shared / runs.WEIGHTS).absolute()),
        "options": dict(worker.options),
    }


def _described(sample: Sample) -> dict[str, Any]:
    width, height = sample.size_wh or images.load(sample.image).size_wh
    return {
        "image": str(Path(str(sample.image)).absolute()),
        "label": sample.label,
        "box": sample.box,
        "split": sample.split,
        "width": width,
        "height": height,
    }
