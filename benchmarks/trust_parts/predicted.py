"""Predictions of an uncalibrated model for every image that did not train it, as JSON."""

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx

from onebox import images, reading, runtime
from onebox.calibration.onnx_nodes import remove_calibration
from onebox.metrics import Outcome, compare
from onebox.model_card import put_card
from onebox.runtime import NetworkLocalizer
from onebox.structures import Prediction, Sample, as_box

SETS = ("raccoon", "pets", "caltech3")


@dataclasses.dataclass(frozen=True, slots=True)
class Predicted:
    """What one model says about images that did not train it.

    Attributes:
        data: The data set that trained it.
        seed: Of its training.
        classes: Its class names.
        own: Outcomes of the validation, calibration and test images of that data set.
        foreign: Predictions for the same splits of each other data set.
    """

    data: str
    seed: int
    classes: tuple[str, ...]
    own: tuple[Outcome, ...]
    foreign: Mapping[str, tuple[Prediction, ...]]


def uncalibrated(model: Path) -> NetworkLocalizer:
    """The model without its calibration, with its refinement pass if it has one."""
    content = onnx.load(model)
    remove_calibration(content)
    card = runtime.load(model).card
    plain = dataclasses.replace(card, calibration=None, refined_calibration=None)
    put_card(content, plain)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        onnx.save(content, file)
        return runtime.load(file)


def predict(model: Path, shared: Path) -> dict[str, Any]:
    """Predictions for the images of all data sets but the training images, as plain values."""
    localizer = uncalibrated(model)
    rows = {name: list(_rows(localizer, shared / "data" / name / "labels.csv")) for name in SETS}
    return {"classes": localizer.card.classes, "rows": rows}


def read(file: Path, data: str, seed: int) -> Predicted:
    """Read what `predict` gave."""
    stored = json.loads(file.read_text("utf-8"))
    own = tuple(_outcome(row) for row in stored["rows"][data])
    foreign = {
        name: tuple(_prediction(row) for row in rows)
        for name, rows in stored["rows"].items()
        if name != data
    }
    return Predicted(data, seed, tuple(stored["classes"]), own, foreign)


def _rows(localizer: NetworkLocalizer, labels: Path) -> Iterator[dict[str, Any]]:
    for sample in reading.read(labels, on_bad="skip"):
        if sample.split != "train":
            prediction = localizer.predict(sample.image)
            yield {
                "image": sample.name,
                "split": sample.split,
                "label": sample.label,
                "box": sample.box,
                "size_wh": images.load(sample.image).size_wh,
                "prediction": dataclasses.asdict(prediction),
            }


def _outcome(row: Mapping[str, Any]) -> Outcome:
    sample = Sample(Path(row["image"]), row["label"], as_box(row["box"]), row["split"])
    width, height = row["size_wh"]
    return compare(sample, _prediction(row), size_wh=(width, height), mean_box=None)


def _prediction(row: Mapping[str, Any]) -> Prediction:
    values = dict(row["prediction"])
    for name in ("box", "sigma", "probabilities"):
        values[name] = tuple(values[name])
    return Prediction(**values)
