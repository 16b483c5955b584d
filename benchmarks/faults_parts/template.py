"""The folder that every operation starts from: images, labels, models, earlier results."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import tomli_w
from faults_parts.operations import command
from PIL import Image

from onebox import formats, images, loading, synthetic
from onebox.model_card import write_card
from onebox.structures import Dataset

_COUNTS = {"train": 10, "val": 2, "cal": 9, "test": 1}
_SIDE = 40
MANY = "many"
"""The folder of so many images that a kill leaves some of them predicted."""

_COUNT_OF_MANY = 200
_FEW = 4  # images that are predicted and labelled
_NETWORK = {
    "model": {
        "backbone": "test_byobnet",
        "pretrained": False,
        "size": 32,
        "width": 32,
        "bins_per_cell": 4,
        "refinement": "never",
    },
    "train": {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 8e-3,
        "ema_decay": 0.9,
        "freeze_backbone_fraction": 0.0,
        "backbone_lr_scale": 1.0,
        "validate_every": 1,
        "checkpoint": "last",
    },
}
_LONGER = "train.epochs=60"  # a network of 2 epochs finds no box: variants of it hardly agree
_HOG = {"hog": {"window": 4, "scales": 1, "images": 12, "negatives": 5, "hard_negatives": 2}}


def make(folder: Path, model: Path | None = None) -> None:
    """Fill a folder; each model is trained by a command, in this process.

    With a network's model, nothing is trained, and there are no HOG windows and no variants.
    """
    folder.mkdir(parents=True)
    data = _save_images(folder)
    formats.write(data, folder / "labels.csv", "csv")
    if model is not None:
        shutil.copyfile(model, folder / "model.onnx")
        _write_earlier_results(folder, ())
        return
    for name, recipe in (("network", _NETWORK), ("hog", _HOG)):
        (folder / f"{name}.toml").write_text(tomli_w.dumps(recipe), "utf-8")
        words = ("train", "@labels.csv", "--recipe", f"@{name}.toml", "--out", "@run")
        _quietly(*words, *([] if "hog" in recipe else ["--set", _LONGER]), at=folder)
        for made in (folder / "run").glob("model.*"):
            made.rename(folder / made.name)
        shutil.rmtree(folder / "run")
    _write_earlier_results(folder, (("int8", "onnx"), ("openvino", "xml")))


def _save_images(folder: Path) -> Dataset:
    data = synthetic.dataset("synth:blobs", size=_SIDE, counts=_COUNTS)
    samples = []
    for name in ("photos", "images", MANY):
        (folder / name).mkdir()
    for number, sample in enumerate(data):
        suffix = ".jpg" if number % 2 else ".png"
        path = folder / "photos" / f"{number:02d}{suffix}"
        Image.fromarray(images.load(sample.image).pixels).save(path)
        samples.append(dataclasses.replace(sample, image=path))
        if number < _FEW:
            shutil.copyfile(path, folder / "images" / path.name)
    for number in range(_COUNT_OF_MANY):
        shutil.copyfile(folder / "photos" / "00.png", folder / MANY / f"{number:03d}.png")
    return dataclasses.replace(data, samples=tuple(samples))


def _write_earlier_results(folder: Path, variants: Sequence[tuple[str, str]]) -> None:
    """Predictions of two images, a newer model, variants, and a label file with two labels."""
    first_two = [f"@images/{path.name}" for path in sorted((folder / "images").iterdir())[:2]]
    for kind in ("jsonl", "csv", "coco", "parquet"):
        _quietly("predict", "@model.onnx", *first_two, f"--{kind}", f"@out/p.{kind}", at=folder)
    for name, suffix in variants:
        data = ("--data", "@labels.csv", "--out", f"@out/m.{suffix}")
        _quietly("export", "@model.onnx", "--to", name, *data, at=folder)
    shutil.copyfile(folder / "model.onnx", folder / "new.onnx")
    card = loading.load(folder / "model.onnx").card
    write_card(folder / "new.onnx", dataclasses.replace(card, provenance={"data": "newer"}))
    (folder / "labelled").mkdir()
    rows = [f"../images/0{n}{'.jpg' if n % 2 else '.png'},disc,1,2,{9 + n},9" for n in range(2)]
    text = "\n".join(["image,label,x_min,y_min,x_max,y_max", *rows, ""])
    (folder / "labelled" / "labels.csv").write_text(text, "utf-8")


def _quietly(*words: str, at: Path) -> None:
    try:
        command(*words)(at)
    except SystemExit as ending:
        if ending.code:
            raise
