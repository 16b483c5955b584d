"""Outcomes of labelled images → how far a model's certainty can be trusted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from statistics import fmean

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.certainty.outer_boxes import LEVELS, OuterBoxes, judge_outer_boxes
from onebox.certainty.ranking import RiskCurve, risk_curve, spearman
from onebox.certainty.reliability import Reliability, reliability
from onebox.confidence.drift import DIFFERENT_P, exchangeability_p
from onebox.confidence.guarantees import guarantees
from onebox.confidence.records import Calibration
from onebox.confidence.selection import threshold
from onebox.errors import SettingError
from onebox.metrics import Outcome, known

LEVEL = 0.9
"""The coverage whose outer boxes are summed up in one line."""

MAX_RISK = 0.05
"""The share of wrong predictions among the accepted that is judged."""

_TIGHT = 0.75  # of the IoU
_MODEL = "This model"  # in sentences that have no file to name


@dataclass(frozen=True, slots=True)
class Accepted:
    """The predictions that are accepted for a risk.

    Attributes:
        max_risk: The largest share of wrong predictions that was asked for.
        share: Fraction of the images whose prediction is accepted.
        risk: Fraction of these that are wrong (`Outcome.is_wrong`); None if none is accepted.
    """

    max_risk: float
    share: float
    risk: float | None


@dataclass(frozen=True, slots=True)
class Certainty:
    """How far the certainty of predictions can be trusted, measured on images with a true box.

    Attributes:
        images: Number of images with a true box; all others are left out.
        calibration_images: Images that the model was calibrated on; None if it is not calibrated.
        spearman: Rank correlation of the sureness with the IoU. The sureness of a prediction is
            its expected IoU, or its score if the model is not calibrated. None for fewer than two
            images, or if either is the same for all.
        by_score: The risk-coverage curve of the score; the loss is 1 - IoU.
        by_class_probability: The curve of the probability of the label alone, for comparison.
        by_iou: The curve of the true IoU: no order is better (the oracle).
        p_iou50: Reliability of the probability that the IoU is at least 0.5; None for a model that
            is not calibrated, as are all that follow but ``probability``.
        p_iou75: The same for 0.75.
        probability: Reliability of the probability of the label; None for a model of one class.
        keypoints: Reliability of the probability that a keypoint is found (PCK@0.2), over all
            labelled keypoints; None also for a model whose keypoints are not calibrated.
        outer_boxes: Outer boxes for each of `LEVELS` that the calibration images allow.
        accepted: The predictions that are accepted for a risk of `MAX_RISK`; None also if the
            calibration images do not prove it.
        drift_p: P-value of the hypothesis that these images are like the calibration images: the
            smallest of those of the spreads, of the novelties and of the coverage of the outer
            boxes for `LEVEL`, times their number (Bonferroni).
        promises: What the model promises for a coverage of `LEVEL` and a risk of `MAX_RISK`, or
            why it cannot; one sentence each.
    """

    images: int
    calibration_images: int | None
    spearman: float | None
    by_score: RiskCurve
    by_class_probability: RiskCurve
    by_iou: RiskCurve
    p_iou50: Reliability | None = None
    p_iou75: Reliability | None = None
    probability: Reliability | None = None
    keypoints: Reliability | None = None
    outer_boxes: tuple[OuterBoxes, ...] = ()
    accepted: Accepted | None = None
    drift_p: float | None = None
    promises: tuple[str, ...] = ()

    @property
    def excess_aurc(self) -> float:
        """Area under the score's risk-coverage curve above that of the best order (E-AURC)."""
        return self.by_score.area - self.by_iou.area

    @property
    def at_level(self) -> OuterBoxes | None:
        """The outer boxes for a coverage of `LEVEL`."""
        return next((one for one in self.outer_boxes if one.level == LEVEL), None)

    def warning(self) -> str | None:
        """Say that the images are unlike the calibration images; None if that is not shown."""
        if self.drift_p is None or self.drift_p >= DIFFERENT_P:
            return None
        return (
            "these images differ from those that the model was calibrated on "
            f"(p = {self.drift_p:.1g}), so coverage and risk may not hold. If they are not its "
            "training images, calibrate anew: onebox calibrate MODEL DATA."
        )

    def rows(self) -> dict[str, object]:
        """The few numbers that a table shows."""
        outer, accepted = self.at_level, self.accepted
        return {
            "spearman": self.spearman,
            "aurc": self.by_score.area,
            "calibration_images": self.calibration_images,
            "p_iou50.ece": self.p_iou50 and self.p_iou50.ece,
            "p_iou75.ece": self.p_iou75 and self.p_iou75.ece,
            **({"keypoints.ece": self.keypoints.ece} if self.keypoints else {}),
            f"coverage_{LEVEL:g}.covered": outer and outer.covered,
            f"coverage_{LEVEL:g}.stretch": outer and outer.stretch,
            f"max_risk_{MAX_RISK:g}.accepted": accepted and accepted.share,
            f"max_risk_{MAX_RISK:g}.risk": accepted and accepted.risk,
        }

    def as_json(self) -> dict[str, object]:
        """All numbers, under the names of the ``evaluate --json`` contract."""
        curves = {
            "score": self.by_score,
            "class_probability": self.by_class_probability,
            "oracle": self.by_iou,
        }
        numbers: dict[str, object] = {
            "images": self.images,
            "calibration_images": self.calibration_images,
            "spearman": self.spearman,
            "aurc": {name: curve.area for name, curve in curves.items()},
            "excess_aurc": self.excess_aurc,
            "p_iou50": self.p_iou50 and asdict(self.p_iou50),
            "p_iou75": self.p_iou75 and asdict(self.p_iou75),
            "probability": self.probability and asdict(self.probability),
            "keypoints": self.keypoints and asdict(self.keypoints),
            "outer_boxes": [asdict(one) for one in self.outer_boxes],
            "accepted": self.accepted and asdict(self.accepted),
            "drift_p": self.drift_p,
            "promises": self.promises,
            "risk_coverage": {
                "coverage": self.by_score.coverages,
                **{name: curve.risks for name, curve in curves.items()},
            },
        }
        return {name: _with_lists(value) for name, value in numbers.items()}


def _with_lists(value: object) -> object:
    """A value with lists in place of tuples, as it reads back from JSON."""
    if isinstance(value, dict):
        return {name: _with_lists(each) for name, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, list | tuple) else value


def assess(outcomes: Iterable[Outcome], calibration: Calibration | None) -> Certainty | None:
    """Measure the certainty of predictions.

    Args:
        outcomes: Any images; those without a true box are left out.
        calibration: That of the predictions; None for a model that is not calibrated.

    Returns:
        None if no image has a true box.
    """
    images = sorted((one for one in outcomes if one.iou is not None), key=sureness)
    if not images:
        return None
    ious = _numbers(one.iou for one in images)
    losses = 1 - ious
    found = Certainty(
        images=len(images),
        calibration_images=None,
        spearman=spearman(_numbers(map(sureness, images)), ious),
        by_score=risk_curve(_numbers(one.prediction.score for one in images), losses),
        by_class_probability=risk_curve(_numbers(map(_class_probability, images)), losses),
        by_iou=risk_curve(ious, losses),
        p_iou50=_reliability((one.prediction.p_iou50, one.is_localized) for one in images),
        p_iou75=_reliability((one.prediction.p_iou75, _is_tight(one)) for one in images),
        probability=_reliability(
            (_class_probability(one), one.is_label_right)
            for one in images
            if len(one.prediction.probabilities) > 1
        ),
    )
    return found if calibration is None else _with_promises(found, images, calibration)


def sureness(outcome: Outcome) -> float:
    """The expected IoU of a prediction, or its score if the model is not calibrated."""
    prediction = outcome.prediction
    sure = prediction.score if prediction.expected_iou is None else prediction.expected_iou
    return sure if isfinite(sure) else 0.0


def _reliability(pairs: Iterable[tuple[float | None, bool | None]]) -> Reliability | None:
    """Reliability of probabilities with what happened; pairs with a None are left out."""
    complete = [(p, happened) for p, happened in pairs if p is not None and happened is not None]
    probabilities = _numbers(p for p, _ in complete)
    return reliability(probabilities, np.array([happened for _, happened in complete], bool))


def _with_promises(
    found: Certainty, images: Sequence[Outcome], calibration: Calibration
) -> Certainty:
    """Add what is measured with the calibration of the model."""
    with_sigma = [one for one in images if one.prediction.sigma is not None]
    outer_boxes = known(judge_outer_boxes(with_sigma, calibration, level) for level in LEVELS)
    coverage_ps = [one.p_value for one in outer_boxes if one.level == LEVEL]
    return replace(
        found,
        calibration_images=calibration.images,
        keypoints=None if calibration.keypoints is None else _reliability(_keypoints(images)),
        outer_boxes=tuple(outer_boxes),
        accepted=_accepted(images, calibration),
        drift_p=_least_p([*_drift_ps(images, calibration), *coverage_ps]),
        promises=_promises(calibration),
    )


def _keypoints(images: Iterable[Outcome]) -> Iterator[tuple[float | None, bool | None]]:
    """The probability of each labelled keypoint, and whether it is found."""
    for one in images:
        keypoints, is_found = one.prediction.keypoints, one.keypoints_found
        if keypoints is not None and is_found is not None:
            for (_, _, p), each in zip(keypoints, is_found, strict=True):
                yield p, each


def _accepted(images: Sequence[Outcome], calibration: Calibration) -> Accepted | None:
    least = threshold(calibration.scores, calibration.is_wrong, MAX_RISK)
    if least is None:
        return None
    are_wrong = [bool(one.is_wrong) for one in images if one.prediction.score > least]
    risk = fmean(are_wrong) if are_wrong else None
    return Accepted(MAX_RISK, len(are_wrong) / len(images), risk)


def _promises(calibration: Calibration) -> tuple[str, ...]:
    asked: tuple[tuple[float | None, float | None], ...] = ((LEVEL, None), (None, MAX_RISK))
    sentences: list[str] = []
    for coverage, max_risk in asked:
        try:
            sentences += guarantees(calibration, _MODEL, coverage, max_risk).describe()
        except SettingError as error:
            sentences.append(str(error))
    return tuple(sentences)


def _drift_ps(images: Sequence[Outcome], calibration: Calibration) -> list[float]:
    spreads = _numbers(known(one.prediction.spread for one in images))
    novelties = _numbers(known(one.prediction.novelty for one in images))
    pairs = [(calibration.spreads, spreads), (calibration.novelties, novelties)]
    return [exchangeability_p(np.array(old, float), new) for old, new in pairs if old and len(new)]


def _least_p(ps: Sequence[float]) -> float:
    """The smallest of several p-values, times their number."""
    return min([1.0, *(len(ps) * p for p in ps)])


def _class_probability(outcome: Outcome) -> float:
    return max(outcome.prediction.probabilities)


def _is_tight(outcome: Outcome) -> bool:
    return outcome.iou is not None and outcome.iou >= _TIGHT


def _numbers(values: Iterable[float | None]) -> Float[ndarray, " n"]:
    """The values as an array; one that is not a finite number is 0, so no confidence at all."""
    numbers = np.array(list(values), dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, 0.0)
