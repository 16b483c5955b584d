"""A whole labelling session by script: from a folder of unlabelled pictures to a model."""

import csv
import dataclasses
import random
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelling_parts.person import Box, Done, Person, browser_page
from labelling_parts.servers import Server

import onebox
import runs
from onebox.structures import as_box

_POLL_S = 0.5
_LONGEST_ROUND_S = 1200


@dataclass(frozen=True, slots=True)
class Plan:
    """One session.

    Attributes:
        shared: The folder of data sets and weights.
        order: ``mixed`` or ``random``.
        seed: Seed of the pictures, the order and the accuracy sample.
        images: Number of pictures in the folder.
        labels: Number of labels after which the session ends.
        every: Labels between two rounds of training.
        minutes: Of one round; None for the default of the product.
        pace_s: Seconds from one label to the next while models train meanwhile; None to wait for
            each model instead.
    """

    shared: Path
    order: str
    seed: int
    images: int
    labels: int
    every: int
    minutes: float | None
    pace_s: float | None = None


def run_session(plan: Plan, folder: Path) -> dict[str, Any]:
    """Label pictures in the browser while models train; judge every model on other pictures.

    The person waits for the model after every round's labels: a real one needs as long to draw
    the boxes as the model needs to train.
    """
    truth = _fill(folder, plan)
    models = folder.with_name(f"{folder.name}-models")
    models.mkdir()
    training = {
        "recipe": "default",
        "changes": [f"model.backbone={runs.BACKBONE}"],
        "weights": str(plan.shared / runs.WEIGHTS),
        "minutes": plan.minutes,
        "first_at": plan.every,
        "every": plan.every,
    }
    started_s = time.perf_counter()
    server = Server(folder, order=plan.order, seed=plan.seed, training=training)
    try:
        done, times, waits = _label(server, truth, plan, models)
        status = server.get("api/status")
    finally:
        server.stop()
    seconds = time.perf_counter() - started_s
    return {
        "order": plan.order,
        "seed": plan.seed,
        "seconds": seconds,
        "seconds_waiting": sum(waits),
        "labels": [dataclasses.asdict(one) for one in done],
        "rounds": _judge(models, plan.shared),
        "answers": _summary_of(times),
        "accuracy": status["accuracy"],
        "advice": status["advice"],
        "file_rows": len(onebox.read(folder / "labels.csv")),
    }


def _fill(folder: Path, plan: Plan) -> dict[str, Box]:
    """Copy training pictures into an empty folder; return the true boxes by file name."""
    labels = plan.shared / "data" / "raccoon" / "labels.csv"
    with labels.open(newline="", encoding="utf-8") as opened:
        rows = [row for row in csv.DictReader(opened) if row["split"] == "train"]
    chosen = random.Random(plan.seed).sample(rows, plan.images)
    folder.mkdir(parents=True)
    truth = {}
    for row in chosen:
        image = labels.parent / row["image"]
        shutil.copyfile(image, folder / image.name)
        truth[image.name] = as_box(
            float(row[edge]) for edge in ("x_min", "y_min", "x_max", "y_max")
        )
    return truth


def _label(
    server: Server, truth: dict[str, Box], plan: Plan, models: Path
) -> tuple[list[Done], list[dict[str, Any]], list[float]]:
    done: list[Done] = []
    waits: list[float] = []
    with browser_page(server.address) as page:
        person = Person(page, truth)
        while len(done) < plan.labels:
            done.append(person.label_next(server.get))
            if plan.pace_s is not None:
                time.sleep(plan.pace_s)
            elif len(done) % plan.every == 0:
                waits.append(_wait_for_round(server, len(done) // plan.every))
                _keep(server, models, len(done))
        return done, person.times_ms(), waits


def _wait_for_round(server: Server, number: int) -> float:
    started_s = time.perf_counter()
    while time.perf_counter() - started_s < _LONGEST_ROUND_S:
        training = server.get("api/status")["training"]
        if training["state"] == "failed":
            raise RuntimeError(training["message"])
        if training["round"] >= number and training["state"] == "waiting":
            return time.perf_counter() - started_s
        time.sleep(_POLL_S)
    raise RuntimeError(f"round {number} took longer than {_LONGEST_ROUND_S} s")


def _keep(server: Server, models: Path, labels: int) -> None:
    folder = models.parent / models.name.removesuffix("-models")
    shutil.copyfile(folder / "labels.onebox" / "model.onnx", models / f"{labels}.onnx")
    print(f"{labels} labels: {server.get('api/status')['accuracy']}", flush=True)


def _judge(models: Path, shared: Path) -> list[dict[str, Any]]:
    """Mean IoU of each round's model on the pictures that no session sees."""
    data = onebox.read(shared / "data" / "raccoon" / "labels.csv").part("test")
    judged = []
    for file in sorted(models.glob("*.onnx"), key=lambda one: int(one.stem)):
        overall = onebox.evaluate(onebox.load(file), data).overall
        judged.append({"labels": int(file.stem), "mean_iou": overall.mean_iou})
    return judged


def _summary_of(times: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median and 95th percentile of what the page waited, by the kind of its request."""
    kinds: dict[str, list[float]] = {}
    for one in times:
        kind = one["path"].split("/")[2]
        kind = "preview" if one["path"].endswith("/preview") else kind
        kinds.setdefault(kind, []).append(one["ms"])
    return {
        kind: {
            "count": len(values),
            "median_ms": statistics.median(values),
            "p95_ms": sorted(values)[int(0.95 * (len(values) - 1))],
        }
        for kind, values in kinds.items()
    }
