"""A model file and calibration images → the same file, calibrated."""

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox import runtime
from onebox.calibration.fitting import fit
from onebox.calibration.onnx_nodes import add_calibration, remove_calibration
from onebox.calibration.warnings import find_warnings
from onebox.classic import model_file
from onebox.classic.hog_localizer import HogLocalizer
from onebox.confidence.conformal import quantile
from onebox.confidence.guarantees import guarantees
from onebox.confidence.records import MOST_SCORES, Calibration
from onebox.errors import DataError, ModelError, format_count
from onebox.evaluation import evaluate
from onebox.files import real_path, remove_abandoned, write_atomically
from onebox.formats.splitting import LEAST_CALIBRATION
from onebox.loading import load
from onebox.localizer import Localizer
from onebox.model_card import ModelCard, load_onnx, put_card
from onebox.runtime import NetworkLocalizer
from onebox.structures import Dataset, Sample, choose_evenly

LEAST_IMAGES = LEAST_CALIBRATION
"""Fewest calibration images with a box."""

_COVERAGE = 0.9  # of the promise that the summary prints

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a calibration changed.

    Attributes:
        images: Number of calibration images with a box.
        promise: What the model now promises, in words.
        warnings: What weakens the promise, in words.
        before: Numbers of the earlier calibration; empty if there was none.
        after: The same numbers of the new one.
    """

    images: int
    promise: str
    warnings: tuple[str, ...]
    before: dict[str, int | float]
    after: dict[str, int | float]

    def as_json(self) -> dict[str, Any]:
        """What ``calibrate --json`` prints."""
        return dataclasses.asdict(self)


def calibrate_file(
    model: Path, data: Dataset, out: Path | None = None, *, progress: Progress | None = None
) -> Summary:
    """Calibrate a model on images that neither trained nor chose anything of it.

    Of a model with a refinement pass, predictions with the pass and without are calibrated, each
    on its own.

    Args:
        model: ``model.onnx``, its int8 variant, or ``model.npz``.
        data: Images with labels; those without a box are left out, and of more than 1000, so many
            are chosen evenly.
        out: The file to write, as a whole or not at all; None to replace the model.
        progress: Called with the number of images done and the total.

    Raises:
        DataError: If fewer than 9 images have a box, or labels or images do not fit the model.
        ModelError: If the file is no model, or one that cannot be calibrated.
        OneboxError: If a package is missing, or the file cannot be written.
    """
    localizer = load(model)
    remove_abandoned(real_path(out or model).parent)
    card = localizer.card
    images = _calibration_images(data)
    if isinstance(localizer, HogLocalizer):
        calibrated = _calibrate_hog(localizer, images, out or model, progress)
    elif isinstance(localizer, NetworkLocalizer):
        calibrated = _calibrate_network(localizer, images, out or model, progress)
    else:
        raise ModelError(f"{model}: is no kind of model that can be calibrated.")
    before, after = card.active_calibration, calibrated.active_calibration
    if after is None:
        raise ModelError(f"{model}: has no calibration for its refinement pass. Calibrate it anew.")
    [promise, *_] = guarantees(after, localizer.name, _COVERAGE).describe()
    warnings = find_warnings(after, before, images, card.classes)
    return Summary(after.images, promise, warnings, _numbers(before), _numbers(after))


def _calibration_images(data: Dataset) -> Dataset:
    boxed = [sample for sample in data if sample.box is not None]
    if len(boxed) < LEAST_IMAGES:
        count = format_count(len(boxed), "calibration image", "calibration images")
        raise DataError(
            f"{data.name or 'data set'}: has {count} with a box, and calibration needs at least "
            f"{LEAST_IMAGES} (50 or more give a narrow promise). Add images; they must not "
            "have trained the model."
        )
    chosen: list[Sample] = choose_evenly(boxed, MOST_SCORES)
    return dataclasses.replace(data, samples=tuple(chosen))


def _calibrate_hog(
    localizer: HogLocalizer, images: Dataset, out: Path, progress: Progress | None
) -> ModelCard:
    plain = dataclasses.replace(localizer.card, calibration=None)
    calibration = _fit(localizer.with_card(plain), images, progress)
    card = dataclasses.replace(plain, calibration=calibration)
    model_file.save(localizer.with_card(card), out)
    return card


def _calibrate_network(
    localizer: NetworkLocalizer, images: Dataset, out: Path, progress: Progress | None
) -> ModelCard:
    file, card = Path(localizer.name), localizer.card
    if file.suffix == ".xml":
        raise ModelError(
            f"{file}: is a variant for OpenVINO, which is calibrated by its model. Calibrate "
            "model.onnx, and export it again."
        )
    if not card.sigma:
        raise ModelError(
            f"{file}: was exported by an older onebox, without the spread of its edges, so it "
            "cannot be calibrated. Train it again; --weights weights.safetensors keeps what it "
            "learned."
        )
    model = load_onnx(file)
    remove_calibration(model)
    plain = dataclasses.replace(card, calibration=None, refined_calibration=None)
    put_card(model, plain)
    calibration, refined = _fit_both(model.SerializeToString(), plain, images, progress)
    add_calibration(model, calibration, refined)
    changed = dataclasses.replace(plain, calibration=calibration, refined_calibration=refined)
    put_card(model, changed)
    write_atomically(out, model.SerializeToString())
    return changed


def _fit_both(
    content: bytes, card: ModelCard, images: Dataset, progress: Progress | None
) -> tuple[Calibration, Calibration | None]:
    """Calibrate predictions without the refinement pass, and with it if the model has one."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "model.onnx"
        write_atomically(file, content)
        localizer = runtime.load(file)
        plain = _fit(localizer.with_refinement(None), images, progress)
        refined = None if card.refine_margin is None else _fit(localizer, images, progress)
    return plain, refined


def _fit(localizer: Localizer, images: Dataset, progress: Progress | None) -> Calibration:
    report = evaluate(localizer, images, progress=progress)
    return fit(report.outcomes, localizer.card.classes)


def _numbers(calibration: Calibration | None) -> dict[str, int | float]:
    """Numbers of a calibration that a person can compare with those of another."""
    if calibration is None:
        return {}
    return {
        "images": calibration.images,
        "temperature": calibration.temperature,
        "sigmas_for_90_percent": quantile(calibration.sides.outer, _COVERAGE),
        "fraction_wrong": sum(calibration.is_wrong) / calibration.images,
    }
