"""A model, and the name of a variant → the variant's file, if it holds.

The file is written beside its place, measured there against the model that it was made from, and
moved into place only where it passes its gate.
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from onebox import runtime
from onebox.errors import DataError, ModelError, SettingError, suggest
from onebox.evaluation import evaluate
from onebox.files import temporary_beside
from onebox.loading import load
from onebox.metrics import Metrics
from onebox.model_card import ModelCard
from onebox.runtime import Localizer
from onebox.structures import Dataset, Sample
from onebox.variants import int8, openvino_ir
from onebox.variants.comparison import Candidate, Comparison, compare
from onebox.variants.gates import check_loss, check_parity
from onebox.variants.inputs import Shown, generated, of_many_shapes, shown, spread
from onebox.variants.packages import imported
from onebox.variants.source import Source

CALIBRATION_IMAGES = 200
"""Images that the ranges of activations are read from, evenly over all validation images."""

PARITY_IMAGES = 32

Stage = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Called with what begins; gives what to call with those done and their total."""


def _copy(source: Source, file: Path) -> None:
    shutil.copyfile(source.model, file)


@dataclass(frozen=True, slots=True)
class Variant:
    """How a variant is made, and what it must hold.

    Attributes:
        suffix: Of its file.
        write: Writes it.
        load: Makes what answers from it.
        check: Raises where it does not hold.
        package: What makes it, for its provenance; empty for nothing.
        needs: A module that may not be installed, asked for before the work; empty for none.
        sign: Writes facts into it once its own metrics are known; None where the metrics of the
            model hold for it too, and no images are needed to make it.
    """

    suffix: str
    write: Callable[[Source, Path], None]
    load: Callable[[Path], Localizer]
    check: Callable[[Comparison], None]
    package: str = ""
    needs: str = ""
    sign: Callable[[Path, ModelCard], None] | None = None


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "fp32": Variant(".onnx", _copy, runtime.load, check_parity),
        "int8": Variant(
            ".onnx",
            int8.write,
            runtime.load,
            check_loss,
            package="onnxruntime",
            needs="onnx",
            sign=int8.sign,
        ),
        "openvino": Variant(
            ".xml",
            openvino_ir.write,
            openvino_ir.load,
            check_parity,
            package="openvino",
            needs="openvino",
        ),
    }
)
"""Every variant by its name."""


def place_of(model: Path, name: str) -> Path:
    """Where a variant goes if no place is named: ``model.int8.onnx`` beside ``model.onnx``.

    Raises:
        SettingError: If there is no such variant.
    """
    return model.with_suffix(f".{name}{_variant(name).suffix}")


@contextmanager
def _unseen(_: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda _done, _total: None


def make(
    model: Path, name: str, out: Path, data: Dataset | None = None, *, stage: Stage = _unseen
) -> Comparison:
    """Make a variant of a model, measure both, and keep it if it holds.

    Args:
        model: A ``model.onnx`` of onebox.
        name: One of `VARIANTS`.
        out: Its place, with the variant's suffix, in a folder that is there; an earlier file is
            replaced.
        data: Its validation images are calibrated and measured on. ``int8`` needs some.
        stage: Told what begins.

    Returns:
        The two, side by side.

    Raises:
        DataError: If there are no validation images where some are needed, or if the labels
            or images do not go with the model.
        ModelError: If the model is no network of onebox, or the variant does not hold.
        OneboxError: If a package is missing, or the file cannot be written.
        SettingError: If there is no such variant, or ``out`` is no place for it.
    """
    variant = _variant(name)
    localizer = _network(model)
    _check_place(out, model, variant)
    if variant.needs:
        imported(variant.needs)
    samples = _validation(data, name, is_needed=variant.sign is not None)
    given = Candidate(localizer, (model,), _metrics(localizer, samples, stage, "the model"))
    return _written(_Job(name, variant, given, samples, out, stage))


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be made, of what, and where."""

    name: str
    variant: Variant
    given: Candidate
    samples: Dataset | None
    out: Path
    stage: Stage

    def chosen(self, most: int) -> list[Sample]:
        """Some of the validation images."""
        return [] if self.samples is None else spread(self.samples.samples, most)


def _written(job: _Job) -> Comparison:
    """Write the variant, and keep it if it holds.

    Raises:
        ModelError: If it does not hold.
    """
    localizer, variant = job.given.localizer, job.variant
    chosen = job.chosen(CALIBRATION_IMAGES)
    facts = _facts(job, len(chosen))
    with _beside(job.out) as file:
        with job.stage(f"Making {job.name}"):
            images = partial(shown, localizer, chosen)
            variant.write(Source(job.given.files[0], facts, images), file)
        made = _candidate(job, file)
        if variant.sign is not None and made.metrics is not None:
            metrics = {"val": made.metrics.as_json()}
            variant.sign(file, dataclasses.replace(facts, metrics=metrics))
        comparison = compare(job.given, made, _images(job), variant=job.name, file=job.out)
        variant.check(comparison)
    return comparison


def _variant(name: str) -> Variant:
    if name not in VARIANTS:
        names = ", ".join(VARIANTS)
        raise SettingError(f"variant '{name}' is not one of {names}.{suggest(name, VARIANTS)}")
    return VARIANTS[name]


def _check_place(out: Path, model: Path, variant: Variant) -> None:
    """See that nothing is lost but an earlier variant.

    Raises:
        SettingError: If something else would be.
    """
    if out.suffix != variant.suffix:
        raise SettingError(f"{out}: does not end in {variant.suffix}. Name such a file.")
    if out.resolve() == model.resolve():
        raise SettingError(f"{out}: is the model itself. Choose another place.")
    weights = out.with_suffix(".bin")
    is_taken = out.suffix == ".xml" and weights.exists() and not out.exists()
    if is_taken or (out.exists() and not _is_earlier(out, model, variant)):
        raise SettingError(
            f"{weights if is_taken else out}: exists already and is no earlier variant. Remove it, "
            "or choose another place."
        )


def _is_earlier(out: Path, model: Path, variant: Variant) -> bool:
    if not out.is_file():
        return False
    if out.read_bytes() == model.read_bytes():
        return True
    try:
        return "variant" in variant.load(out).card.provenance
    except ModelError:
        return False


def _network(model: Path) -> Localizer:
    localizer = load(model)
    if not isinstance(localizer, Localizer):
        raise ModelError(f"{model}: holds HOG windows, which have one form only. Name a network.")
    return localizer


def _validation(data: Dataset | None, name: str, *, is_needed: bool) -> Dataset | None:
    """The validation images; None where no data is given and none needed.

    Raises:
        DataError: If there are none.
    """
    if data is None:
        if is_needed:
            raise DataError(
                f"'{name}' is calibrated and measured on validation images, and no data set is "
                "given. Name one by --data."
            )
        return None
    samples = data.part("val")
    if not len(samples):
        raise DataError(
            f"{data.name or 'data set'}: has no validation images, on which '{name}' is "
            "measured. Put some into the split val."
        )
    return samples


def _candidate(job: _Job, file: Path) -> Candidate:
    localizer = job.variant.load(file)
    metrics = _metrics(localizer, job.samples, job.stage, "the variant")
    return Candidate(localizer, tuple(file.parent.iterdir()), metrics)


def _metrics(
    localizer: Localizer, samples: Dataset | None, stage: Stage, what: str
) -> Metrics | None:
    if samples is None:
        return None
    with stage(f"Measuring {what}") as progress:
        return evaluate(localizer, samples, progress=progress).overall


def _facts(job: _Job, images: int) -> ModelCard:
    """What the variant says of itself: what it is, and no metrics that are another's."""
    facts, package = job.given.localizer.card, job.variant.package
    if not package:
        return facts
    version = imported(package).__version__.partition("-")[0]  # without the build
    made: dict[str, Any] = {"name": job.name, package: version}
    if job.variant.sign is not None:
        made["calibration_images"] = images
    metrics = facts.metrics if job.variant.sign is None else {}
    provenance = {**facts.provenance, "variant": made}
    return dataclasses.replace(facts, provenance=provenance, metrics=metrics)


def _images(job: _Job) -> list[Shown]:
    """Those that two forms are held against each other on."""
    localizer = job.given.localizer
    few = list(shown(localizer, job.chosen(PARITY_IMAGES)))
    few = few or generated(localizer.card.size, PARITY_IMAGES)
    return of_many_shapes(few, max(len(few), PARITY_IMAGES))


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A file of the same name in a folder of its own; all that is in it is moved at the end.

    Raises:
        OneboxError: If the folder of ``out`` cannot be written to.
    """
    with temporary_beside(out) as folder:
        folder.mkdir()
        yield folder / out.name
        for file in sorted(folder.iterdir()):  # the weights of an .xml before itself
            file.replace(out.parent / file.name)
