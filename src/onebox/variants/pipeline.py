"""A model and the name of a variant → the variant's file, if it passes its gate.

The file is written to a folder beside its path, compared there with the model, and moved to its
path only if it passes.
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from onebox.calibration import LEAST_IMAGES, calibrate_file
from onebox.errors import DataError, ModelError, OneboxError, SettingError, suggest
from onebox.evaluation import evaluate
from onebox.files import flush_to_disk, real_path, remove_abandoned, temporary_beside
from onebox.formats.splitting import hold_out_calibration
from onebox.loading import load
from onebox.metrics import Metrics
from onebox.model_card import ModelCard, write_card
from onebox.optional import require
from onebox.parity import PARITY_IMAGES
from onebox.runtime import NetworkLocalizer
from onebox.structures import Dataset, Sample, choose_evenly
from onebox.variants import int8, openvino_ir
from onebox.variants.comparison import Candidate, Comparison, compare
from onebox.variants.gates import check_loss, check_parity
from onebox.variants.inputs import Pixels, generated, network_inputs, of_many_shapes

CALIBRATION_IMAGES = 200
"""Most validation images that the ranges of activations are measured on. Not tuned."""

Stage = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Called with the name of a stage; gives a function that takes the images done and their total."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How a variant is made, and what it must satisfy.

    Attributes:
        suffix: Suffix of its file.
        write: Writes it, from the model, the card for it, inputs to calibrate on, and its path.
        check: Its gate: raises if it does not pass.
        package: The package that makes it, for its provenance; empty for none.
        needs: A module that may not be installed; empty for none.
        is_calibrated: Whether it needs images, and has metrics of its own.
    """

    suffix: str
    write: Callable[[Path, ModelCard, Iterable[Pixels], Path], object]
    check: Callable[[Comparison], None]
    package: str = ""
    needs: str = ""
    is_calibrated: bool = False


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "fp32": Variant(
            ".onnx", lambda model, _, __, file: shutil.copyfile(model, file), check_parity
        ),
        "int8": Variant(
            ".onnx", int8.write, check_loss, "onnxruntime", needs="onnx", is_calibrated=True
        ),
        "openvino": Variant(".xml", openvino_ir.write, check_parity, "openvino", needs="openvino"),
    }
)
"""Every variant by its name, which is also the extra of onebox that it needs."""


def default_path(model: Path, name: str) -> Path:
    """The path of a variant if the user gives none: ``model.int8.onnx`` beside ``model.onnx``.

    Raises:
        SettingError: If there is no such variant.
    """
    return model.with_suffix(f".{name}{_variant(name).suffix}")


@contextmanager
def _silent(_: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda _done, _total: None


def make(
    model: Path, name: str, out: Path, data: Dataset | None = None, *, stage: Stage = _silent
) -> Comparison:
    """Make a variant of a model, compare both, and keep the variant if it passes its gate.

    Args:
        model: A ``model.onnx`` of onebox.
        name: One of `VARIANTS`.
        out: Path of the variant, with the variant's suffix, in an existing folder; an earlier
            variant there is replaced.
        data: Its validation images measure the variant, and give the ranges of activations of
            ``int8``, which needs some. Its calibration images calibrate how sure ``int8`` is.
        stage: Called with the name of each stage.

    Returns:
        The comparison.

    Raises:
        DataError: If there are no validation images but the variant needs some, or if the labels
            or images do not match the model.
        ModelError: If the model is no network of onebox, or the variant does not pass.
        OneboxError: If a package is missing, or the file cannot be written.
        SettingError: If there is no such variant, ``out`` is no path for it, or the variant needs
            ``data``.
    """
    variant = _variant(name)
    localizer = _load_network(model)
    _check_path(out, model, variant)
    remove_abandoned(out.parent)
    if variant.needs:
        require(variant.needs, extra=name)
    # Images that training would take for calibration choose no variant.
    data = None if data is None else hold_out_calibration(data)
    samples = _validation_part(data, name, is_needed=variant.is_calibrated)
    metrics = _measure(localizer, samples, stage, "the model")
    given = Candidate(localizer, (model,), metrics)
    cal = None if data is None else data.part("cal")
    return _make(_Job(name, variant, given, samples, out, stage, cal))


@dataclass(frozen=True, slots=True)
class _Job:
    """A variant to make: of what, and where."""

    name: str
    variant: Variant
    given: Candidate
    samples: Dataset | None
    out: Path
    stage: Stage
    cal: Dataset | None = None

    def choose(self, most: int) -> list[Sample]:
        """At most that many validation images."""
        return [] if self.samples is None else choose_evenly(self.samples.samples, most)


def _make(job: _Job) -> Comparison:
    localizer, [model] = job.given.localizer, job.given.files
    chosen = job.choose(CALIBRATION_IMAGES)
    card = _card(job, len(chosen))
    with _moved_to(job.out) as file:
        with job.stage(f"Making {job.name}"):
            job.variant.write(model, card, network_inputs(localizer, chosen), file)
        card = _calibrate_anew(job, file, card)
        loaded = _load_network(file)
        metrics = _measure(loaded, job.samples, job.stage, "the variant")
        made = Candidate(loaded, tuple(_files_in(file.parent)), metrics)
        if job.variant.is_calibrated and metrics is not None:
            write_card(file, dataclasses.replace(card, metrics={"val": metrics.as_json()}))
        comparison = compare(job.given, made, _images(job), variant=job.name, file=job.out)
        job.variant.check(comparison)
    return comparison


def _calibrate_anew(job: _Job, file: Path, card: ModelCard) -> ModelCard:
    """A variant with outputs of its own has a calibration of its own, if there are images for it.

    Otherwise it keeps the model's.
    """
    is_changed = job.variant.is_calibrated and card.calibration is not None
    if not is_changed or job.cal is None or len(job.cal.boxes()) < LEAST_IMAGES:
        return card
    with job.stage("Calibrating the variant") as progress:
        calibrate_file(file, job.cal, progress=progress)
    return load(file).card


def _variant(name: str) -> Variant:
    if name not in VARIANTS:
        names = ", ".join(VARIANTS)
        raise SettingError(f"variant '{name}' is not one of {names}.{suggest(name, VARIANTS)}")
    return VARIANTS[name]


def _check_path(out: Path, model: Path, variant: Variant) -> None:
    # The variant may replace an earlier variant and nothing else.
    if out.suffix != variant.suffix:
        raise SettingError(f"{out}: does not end in {variant.suffix}. Choose another name.")
    if real_path(out) == real_path(model):
        raise SettingError(f"{out}: is the model itself. Choose another path.")
    weights = out.with_suffix(".bin")
    is_taken = out.suffix == ".xml" and weights.exists() and not out.exists()
    if is_taken or (out.exists() and not _is_earlier(out, model)):
        raise SettingError(
            f"{weights if is_taken else out}: exists already and is no earlier variant. Remove it, "
            "or choose another path."
        )


def _is_earlier(out: Path, model: Path) -> bool:
    if not out.is_file():
        return False
    if _content(out) == _content(model):
        return True
    try:
        return "variant" in load(out).card.provenance
    except ModelError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
            raise  # it may be one, and cannot be read
        return False


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OneboxError(
            f"{file}: cannot be read ({error.strerror or error}). Check its permissions and its "
            "disk."
        ) from error


def _load_network(model: Path) -> NetworkLocalizer:
    localizer = load(model)
    if not isinstance(localizer, NetworkLocalizer):
        raise ModelError(f"{model}: holds HOG windows, which have no variants. Name a network.")
    return localizer


def _validation_part(data: Dataset | None, name: str, *, is_needed: bool) -> Dataset | None:
    """The validation images; None if no data is given and none is needed.

    Raises:
        SettingError: If the variant needs data, and none is given.
        DataError: If the data has none.
    """
    if data is None:
        if is_needed:
            raise SettingError(
                f"'{name}' is calibrated and measured on validation images, and no data set is "
                "given. Name one by --data."
            )
        return None
    samples = data.part("val")
    if not len(samples):
        raise DataError(
            f"{data.name or 'data set'}: has no validation images, and '{name}' is measured on "
            "them. Put some into the split val."
        )
    return samples


def _measure(
    localizer: NetworkLocalizer, samples: Dataset | None, stage: Stage, what: str
) -> Metrics | None:
    if samples is None:
        return None
    with stage(f"Measuring {what}") as progress:
        return evaluate(localizer, samples, progress=progress).overall


def _card(job: _Job, calibration_images: int) -> ModelCard:
    """The model's card with the variant's provenance, and without metrics that would be wrong."""
    card, variant = job.given.localizer.card, job.variant
    if not variant.package:
        return card
    version = require(variant.package, extra=job.name).__version__
    made: dict[str, Any] = {"name": job.name, variant.package: version.partition("-")[0]}
    if variant.is_calibrated:
        made["calibration_images"] = calibration_images
    metrics = {} if variant.is_calibrated else card.metrics
    return dataclasses.replace(
        card, provenance={**card.provenance, "variant": made}, metrics=metrics
    )


def _images(job: _Job) -> list[Pixels]:
    """The images that outputs and latencies are compared on."""
    localizer = job.given.localizer
    few = list(network_inputs(localizer, job.choose(PARITY_IMAGES)))
    few = few or generated(localizer.card.size, PARITY_IMAGES)
    return of_many_shapes(few, max(len(few), PARITY_IMAGES))


@contextmanager
def _moved_to(out: Path) -> Iterator[Path]:
    """A file of the same name in a temporary folder; all files there are moved at the end."""
    with temporary_beside(out) as folder:
        folder.mkdir()
        yield folder / out.name
        made = _files_in(folder)
        for file in made:
            flush_to_disk(file)
        _move_all(made, out.parent)


def _files_in(folder: Path) -> list[Path]:
    """The files of a folder, the weights of an ``.xml`` before itself.

    A folder of temporary files may be in it, if it could not be removed.
    """
    return sorted(path for path in folder.iterdir() if path.is_file())


def _move_all(made: Sequence[Path], folder: Path) -> None:
    """Move files to a folder, all or none: earlier weights fit to the earlier ``.xml`` alone.

    Raises:
        OSError: If one cannot be moved.
    """
    earlier = {folder / file.name: file.with_name(f"earlier-{file.name}") for file in made}
    if len(made) > 1:
        for target, copy in earlier.items():
            if target.exists():
                shutil.copy2(target, copy)
    moved: list[Path] = []
    try:
        for file in made:
            target = file.replace(folder / file.name)
            moved.append(target)
    except OSError:
        for target in moved:
            _restore(target, earlier[target])
        raise


def _restore(target: Path, earlier: Path) -> None:
    if earlier.exists():
        earlier.replace(target)
    else:
        target.unlink()
