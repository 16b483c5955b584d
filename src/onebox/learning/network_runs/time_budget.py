"""How much of a time budget export and evaluation need: measured on a rehearsal before training."""

import copy
import dataclasses
import math
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from onebox.calibration.training_features import MOST_EXAMPLES
from onebox.confidence.records import MOST_SCORES
from onebox.evaluation import evaluate
from onebox.learning.exporting.onnx_export import export
from onebox.learning.exporting.refinement_choice import MOST_IMAGES
from onebox.learning.network_runs.finish import PreparedRun, make_card
from onebox.parity import PARITY_IMAGES
from onebox.refinement import MARGIN
from onebox.report import write_report, write_samples
from onebox.runtime import NetworkLocalizer, load
from onebox.structures import SPLITS, Dataset

_REHEARSED_IMAGES = 8
_PROCESS_S = 4.0  # start and exit of the process, which nothing inside it can time: 2.5 s measured
_SAFETY = 1.15  # of the rehearsal's time: what comes later may be slower, nothing is measured twice


def measure_reserve_s(prepared: PreparedRun, data: Dataset) -> float:
    """Seconds that export, the choice of refinement, evaluation and report will take.

    A copy of the untrained network is exported, and the exported file evaluated on a few validation
    and test images, as will be done with the trained one on all of them. A network that cannot be
    exported is thus found before training.

    Raises:
        DataError: If an image cannot be read.
    """
    begin = time.monotonic()
    images = [sample for split in ("val", "test") for sample in data.part(split)]
    few = dataclasses.replace(data, samples=tuple(images[:_REHEARSED_IMAGES]))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        _export(prepared, data, model)
        localizer = load(model)
        report = evaluate(localizer, few)
        write_report(report, Path(folder) / "report.html")
        write_samples(report, Path(folder) / "samples.png")
        rehearsal_s = time.monotonic() - begin
        predict_s = _predict_s(localizer.with_refinement(MARGIN), few)
    return _PROCESS_S + _SAFETY * (rehearsal_s + predict_s * _count_predictions(data))


def _export(prepared: PreparedRun, data: Dataset, model: Path) -> None:
    noise = np.random.default_rng(0)
    side = prepared.recipe.model.size
    images = [noise.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(PARITY_IMAGES)]
    network = copy.deepcopy(prepared.network)
    # No limit: random weights may fail the parity check that trained ones pass.
    export(network, make_card(prepared, data, network), model, images, limit_px=math.inf)


def _predict_s(localizer: NetworkLocalizer, few: Dataset) -> float:
    """Median seconds of a prediction with a refinement pass, from the file."""
    times = []
    for sample in few:
        source = np.asarray(sample.image) if sample.encoded is None else sample.encoded
        begin = time.monotonic()
        localizer.predict(source)
        times.append(time.monotonic() - begin)
    return median(times)


def _count_predictions(data: Dataset) -> int:
    """Predictions after training, of images of each split.

    Three of an image to choose the refinement, two to calibrate, one to evaluate. The features of a
    decoded training image take a quarter of a prediction: one pass instead of two, and no decoding.
    """
    train, val, cal, test = (len(data.part(split)) for split in SPLITS)
    chosen = 3 * min(val, MOST_IMAGES) + 2 * min(cal, MOST_SCORES)
    return chosen + val + test + min(train, MOST_EXAMPLES) // 4
