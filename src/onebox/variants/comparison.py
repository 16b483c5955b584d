"""Two forms of one model compared: file size, latency, outputs, metrics."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from onebox.localizer import Localizer
from onebox.metrics import Metrics
from onebox.parity import largest_difference_px
from onebox.runtime import NetworkLocalizer
from onebox.variants.inputs import Pixels

# Turns are short, so that both forms meet the same load of the machine. Numbers not tuned.
_TURNS = 10
_WARM_UP = 2  # calls of a turn that do not count: the other form's threads still spin
_CALLS = 8
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Form:
    """Size, latency and metrics of one form of a model.

    Attributes:
        size_mb: Size of its files, in millions of bytes.
        latency_ms: Median time of `Localizer.predict` on a decoded image.
        mean_iou: Mean IoU on the validation images; None if there are none, or none has a box.
        class_accuracy: Class accuracy on them; None if there are none, or none has a label.
    """

    size_mb: float
    latency_ms: float
    mean_iou: float | None = None
    class_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant compared with the model that it was made from.

    Attributes:
        variant: Name of the variant.
        file: Path of the variant.
        images: Number of validation images that both were measured on.
        parity_px: Largest difference between their outputs; see `parity.largest_difference_px`.
        fp32: The model.
        made: The variant.
    """

    variant: str
    file: Path
    images: int
    parity_px: float
    fp32: Form
    made: Form

    @property
    def mean_iou_loss(self) -> float | None:
        """The mean IoU that the variant loses; negative if it gains; None if unknown."""
        if self.fp32.mean_iou is None or self.made.mean_iou is None:
            return None
        return self.fp32.mean_iou - self.made.mean_iou

    @property
    def latency_ratio(self) -> float:
        """Latency of the variant over that of the model: below 1, the variant is faster."""
        return self.made.latency_ms / self.fp32.latency_ms

    @property
    def size_ratio(self) -> float:
        """Size of the variant over that of the model."""
        return self.made.size_mb / self.fp32.size_mb

    def as_json(self) -> dict[str, Any]:
        """What ``export --json`` prints."""
        return {
            **asdict(self),
            "file": str(self.file),
            "size_ratio": self.size_ratio,
            "latency_ratio": self.latency_ratio,
            "mean_iou_loss": self.mean_iou_loss,
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """One form of a model: loaded, all its files, and its metrics on the validation images."""

    localizer: NetworkLocalizer
    files: tuple[Path, ...]
    metrics: Metrics | None = None

    def as_form(self, latency_ms: float) -> Form:
        """Its size and metrics, with a latency that was measured elsewhere."""
        size_mb = sum(file.stat().st_size for file in self.files) / _MB
        if self.metrics is None:
            return Form(size_mb, latency_ms)
        return Form(size_mb, latency_ms, self.metrics.mean_iou, self.metrics.class_accuracy)


def compare(
    given: Candidate, made: Candidate, images: Sequence[Pixels], *, variant: str, file: Path
) -> Comparison:
    """Compare a variant with the model that it was made from.

    Outputs and latencies are compared on ``images``; ``file`` is where the variant will lie.
    """
    one, other = given.localizer, made.localizer
    # Before the latencies, so that each form has met each size of image when the clock runs.
    parity_px = largest_difference_px(one.run_once, other.run_once, images, size=one.card.size)
    times = latencies_ms({"given": one, "made": other}, images)
    return Comparison(
        variant=variant,
        file=file,
        images=0 if made.metrics is None else made.metrics.images,
        parity_px=parity_px,
        fp32=given.as_form(times["given"]),
        made=made.as_form(times["made"]),
    )


def latencies_ms(localizers: Mapping[str, Localizer], images: Sequence[Pixels]) -> dict[str, float]:
    """The median time of one prediction of each, in milliseconds.

    They take turns of a few calls on the same images, in alternating order, so that other work of
    the machine slows all of them alike.
    """
    spent: dict[str, list[float]] = {name: [] for name in localizers}
    for turn in range(_TURNS):
        for name in [*localizers][:: 1 if turn % 2 else -1]:
            chosen = islice(cycle(images), turn, turn + _WARM_UP + _CALLS)
            spent[name] += [_time_ms(localizers[name], one) for one in chosen][_WARM_UP:]
    return {name: median(times) for name, times in spent.items()}


def _time_ms(localizer: Localizer, image: Pixels) -> float:
    start = time.perf_counter()
    localizer.predict(image)
    return (time.perf_counter() - start) * 1000
