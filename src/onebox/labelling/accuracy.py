"""How accurate the newest model is, measured on the accuracy sample, and what follows from it.

The images of the sample are random and were labelled without a proposal, so the mean IoU on them is
that on all images of the folder, but for chance. Its interval is that of Student's t: the mean of
many IoUs is nearly normal, and with few images the t interval is wider than a bootstrap interval,
which is too narrow then. It holds for one look at the numbers, not for the first of many looks that
pleases.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.boxes import paired_iou
from onebox.confidence.student_t import t_interval
from onebox.errors import format_count
from onebox.labelling.records import Accuracy, Advice, Label
from onebox.structures import Box

LEAST_IMAGES = 10
"""Fewest labelled images of the sample with a box that measure a model; not tuned."""

LITTLE_GAIN = 0.01
"""Gain of mean IoU, for twice as many labels, that is not worth them; not tuned."""

_MOST_OF_NEWEST = 0.65  # labels of an earlier round, as a share of the newest's: about half
_LEAST_OF_NEWEST = 0.35  # neither is tuned


@dataclass(frozen=True, slots=True)
class Guess:
    """What a model predicts for an image of the sample.

    Attributes:
        label: The most probable class.
        box: ``xyxy`` in pixels.
    """

    label: str
    box: Box


@dataclass(frozen=True, slots=True)
class Round:
    """What the model of a training round predicts for the sample.

    Attributes:
        labels: Number of labels at its start.
        guesses: Id → prediction.
    """

    labels: int
    guesses: Mapping[str, Guess]


@dataclass(frozen=True, slots=True)
class Progress:
    """What the advice depends on.

    Attributes:
        remaining: Number of images without a label.
        measured: Number of labelled images of the sample with a box and a prediction; None without
            a model.
        accuracy: None while there are too few.
        gain: Interval of the gain over the model of about half as many labels; None without it.
        target: Mean IoU that is good enough; None without one.
    """

    remaining: int
    measured: int | None = None
    accuracy: Accuracy | None = None
    gain: tuple[float, float] | None = None
    target: float | None = None


def measure(newest: Round, sample: Mapping[str, Label], classes: int) -> Accuracy | None:
    """Measure a model on the labelled images of the sample.

    Args:
        newest: The predictions of the model.
        sample: Id → label. Those without a subject are left out: they have no IoU.
        classes: Number of classes.

    Returns:
        None with fewer than `LEAST_IMAGES` images that have a box and a prediction.
    """
    keys = _shared(sample, newest)
    if len(keys) < LEAST_IMAGES:
        return None
    ious = _ious(newest, sample, keys)
    low, high = t_interval(ious)
    right = [newest.guesses[key].label == sample[key].label for key in keys]
    share = sum(right) / len(right) if classes > 1 else None
    return Accuracy(len(keys), float(ious.mean()), max(low, 0.0), min(high, 1.0), share)


def count_measured(newest: Round, sample: Mapping[str, Label]) -> int:
    """Number of images of the sample that have a box and a prediction."""
    return len(_shared(sample, newest))


def gain_since_half(
    rounds: Mapping[int, Round], sample: Mapping[str, Label]
) -> tuple[float, float] | None:
    """Interval of the gain of the newest round over that of about half as many labels.

    Both predict the same images, so the differences of their IoUs are compared with zero.

    Args:
        rounds: Number of a round → its predictions.
        sample: Id → label.

    Returns:
        Lower and upper end; None if there is no such round, or too few images that both predict.
    """
    if not rounds:
        return None
    newest = rounds[max(rounds)]
    share = {number: one.labels / max(newest.labels, 1) for number, one in rounds.items()}
    near = [each for each in rounds if _LEAST_OF_NEWEST <= share[each] <= _MOST_OF_NEWEST]
    if not near:
        return None
    half = rounds[min(near, key=lambda each: (abs(share[each] - 0.5), each))]
    keys = _shared(sample, newest, half)
    if len(keys) < LEAST_IMAGES:
        return None
    return t_interval(_ious(newest, sample, keys) - _ious(half, sample, keys))


def advise(progress: Progress) -> Advice:
    """Say whether more labels are worth their time."""
    accuracy, target = progress.accuracy, progress.target
    if not progress.remaining:
        return Advice("done", f"Every image has a label. {_state(progress)}")
    if accuracy is None:
        return Advice("too_early", _state(progress))
    if target is not None and accuracy.low >= target:
        return Advice(
            "good_enough",
            f"{_state(progress)} The lower end of the interval reaches your target of {target:g}.",
        )
    if progress.gain is not None and progress.gain[1] < LITTLE_GAIN:
        return Advice(
            "levelled_off",
            f"{_state(progress)} The last doubling of the labels changed the mean IoU by "
            f"{progress.gain[0]:+.3f} to {progress.gain[1]:+.3f}: more labels of this kind gain "
            "little.",
        )
    return Advice("go_on", f"{_state(progress)} {_reason_to_go_on(progress)}")


def _reason_to_go_on(progress: Progress) -> str:
    if progress.target is not None:
        return (
            f"The interval does not lie above your target of {progress.target:g} yet. Go on "
            "labelling."
        )
    return "More labels may still improve the model. Go on labelling."


def _state(progress: Progress) -> str:
    accuracy = progress.accuracy
    if accuracy is not None:
        return (
            f"The mean IoU on {accuracy.images} images that were labelled without a proposal is "
            f"{accuracy.mean_iou:.3f} (95 % interval {accuracy.low:.3f} to {accuracy.high:.3f})."
        )
    if progress.measured is None:
        return "No model was measured yet."
    images = format_count(progress.measured, "image", "images")
    return (
        f"The accuracy is measured on {LEAST_IMAGES} or more images that were labelled without a "
        f"proposal; there are {images} so far."
    )


def _shared(sample: Mapping[str, Label], *rounds: Round) -> list[str]:
    """Ids of the labelled images with a box that all rounds predict."""
    boxed = (key for key, label in sample.items() if label.box is not None)
    return [key for key in boxed if all(key in one.guesses for one in rounds)]


def _ious(one: Round, sample: Mapping[str, Label], keys: list[str]) -> Float[ndarray, " n"]:
    guesses = np.array([one.guesses[key].box for key in keys], dtype=np.float64)
    truth = np.array([sample[key].box for key in keys], dtype=np.float64)
    return paired_iou(guesses, truth)
