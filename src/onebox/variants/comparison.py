"""Two forms of one model, held against each other: size, latency, answers, overlap."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.evaluation import Predictor
from onebox.metrics import Metrics
from onebox.runtime import Localizer
from onebox.structures import Prediction
from onebox.variants.inputs import Shown

_TURNS = 10
_WARM_UP = 2  # calls of a turn that are not counted: the other form's threads still spin
_CALLS = 8
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Form:
    """What one form of a model takes, and what it scores.

    Attributes:
        size_mb: Of its files, in millions of bytes.
        latency_ms: Median time of `Localizer.predict` on a decoded image.
        mean_iou: On the validation images; None where there were none, or none has a box.
        class_accuracy: Likewise; None where none has a label.
    """

    size_mb: float
    latency_ms: float
    mean_iou: float | None = None
    class_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant beside the file that it was made from.

    Attributes:
        variant: Its name.
        file: Where it was written.
        images: Validation images that both were measured on.
        parity_px: The largest difference of their answers; see `largest_difference_px`.
        fp32: The file that it was made from.
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
        """How much mean IoU the variant loses; negative where it gains; None if unknown."""
        if self.fp32.mean_iou is None or self.made.mean_iou is None:
            return None
        return self.fp32.mean_iou - self.made.mean_iou

    @property
    def latency_ratio(self) -> float:
        """The variant's time over the other's: below 1 it is faster."""
        return self.made.latency_ms / self.fp32.latency_ms

    @property
    def size_ratio(self) -> float:
        """The variant's bytes over the other's."""
        return self.made.size_mb / self.fp32.size_mb

    def as_json(self) -> dict[str, Any]:
        """What ``export --json`` prints."""
        return {
            "variant": self.variant,
            "file": str(self.file),
            "images": self.images,
            "parity_px": self.parity_px,
            "fp32": asdict(self.fp32),
            "made": asdict(self.made),
            "size_ratio": self.size_ratio,
            "latency_ratio": self.latency_ratio,
            "mean_iou_loss": self.mean_iou_loss,
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """One form of a model, loaded and measured, before it is held against another.

    Attributes:
        localizer: Answers from it.
        files: Everything it is made of.
        metrics: What it scores on the validation images; None where there are none.
    """

    localizer: Localizer
    files: tuple[Path, ...]
    metrics: Metrics | None = None

    def as_form(self, latency_ms: float) -> Form:
        """What it takes and scores."""
        size_mb = sum(file.stat().st_size for file in self.files) / _MB
        if self.metrics is None:
            return Form(size_mb, latency_ms)
        return Form(size_mb, latency_ms, self.metrics.mean_iou, self.metrics.class_accuracy)


def compare(
    given: Candidate, made: Candidate, images: Sequence[Shown], *, variant: str, file: Path
) -> Comparison:
    """Hold a variant against the model that it was made from.

    Args:
        given: The model.
        made: The variant.
        images: To compare their answers and their times on.
        variant: Its name.
        file: Where it is to lie.
    """
    # First, so that each form has seen each size of image before the clock runs.
    parity_px = largest_difference_px(given.localizer, made.localizer, images)
    times = latencies_ms({"given": given.localizer, "made": made.localizer}, images)
    return Comparison(
        variant=variant,
        file=file,
        images=0 if made.metrics is None else made.metrics.images,
        parity_px=parity_px,
        fp32=given.as_form(times["given"]),
        made=made.as_form(times["made"]),
    )


def latencies_ms(predictors: Mapping[str, Predictor], images: Sequence[Shown]) -> dict[str, float]:
    """The median time of one answer of each, in milliseconds.

    They take turns of a few calls on the same images, in an order that turns too, so that what
    else the machine does meets all of them.
    """
    spent: dict[str, list[float]] = {name: [] for name in predictors}
    for turn in range(_TURNS):
        for name in [*predictors][:: 1 if turn % 2 else -1]:
            chosen = islice(cycle(images), turn, turn + _WARM_UP + _CALLS)
            spent[name] += [_milliseconds(predictors[name], one) for one in chosen][_WARM_UP:]
    return {name: median(times) for name, times in spent.items()}


def largest_difference_px(one: Localizer, other: Localizer, images: Iterable[Shown]) -> float:
    """The largest difference of the answers of two forms, each at one look.

    Returns:
        Shown of the training size: of an edge of the box or of a keypoint. A probability, a score
        or a presence, which have no pixels, count as an edge does: their whole range is a side.
        No number where either has no number.
    """
    # A second look starts from rounded pixels of the first: it would multiply what differs.
    first, second = one.with_refinement(None), other.with_refinement(None)
    differences = [
        np.abs(_shares(first.predict(image), image) - _shares(second.predict(image), image))
        for image in images
    ]
    return float(np.max(np.concatenate([np.zeros(1), *differences]))) * one.card.size


def _milliseconds(predictor: Predictor, image: Shown) -> float:
    start = time.perf_counter()
    predictor.predict(image)
    return (time.perf_counter() - start) * 1000


def _shares(prediction: Prediction, image: Shown) -> Float[ndarray, " n"]:
    """All numbers of an answer, those in pixels as shares of the image's sides."""
    height, width = image.shape[:2]
    points = [prediction.box[:2], prediction.box[2:]]
    points += [(x, y) for x, y, _ in prediction.keypoints or ()]
    others = [*prediction.probabilities, prediction.score, prediction.present or 0.0]
    return np.concatenate([(np.array(points) / (width, height)).ravel(), others])
