"""What a calibrated model promises for a coverage and a risk, or why it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, inf

from onebox.confidence.conformal import coverage_interval, least_images, quantile
from onebox.confidence.records import Calibration, SideScores
from onebox.confidence.selection import images_for, is_proved, threshold
from onebox.errors import SettingError, format_count

CONFIDENCE = 0.95
"""Of every interval and bound that this module states."""

LEAST_IMAGES_OF_LABEL = 50
"""Calibration images that a label takes for conformal scores of its own."""

FEW_IMAGES = 50
"""Below this number of calibration images, a promise comes with a warning."""

_PERCENT = 100
_RISKS = 1000  # steps in which the smallest provable risk is looked for


@dataclass(frozen=True, slots=True)
class Growth:
    """How many sigmas the sides of a box move; see `conformal`.

    Attributes:
        outer: Outwards, for the outer box.
        inner: Inwards, for the inner box.
    """

    outer: float
    inner: float


@dataclass(frozen=True, slots=True)
class Guarantees:
    """What a calibrated model promises.

    Attributes:
        coverage: Share of the outer boxes that contain the true box, and of the inner boxes that
            lie within it; None if none was asked for.
        images: Calibration images behind the coverage.
        growth: Of boxes with any other label than those of ``growth_by_label``; None if no coverage
            was asked for.
        growth_by_label: Of boxes with this predicted label; the coverage holds for each of these
            labels by itself.
        max_risk: Largest share of the accepted predictions that is wrong; None if none was asked
            for.
        score_threshold: Predictions with a higher score are accepted; None if no risk was asked
            for.
        accepted_share: Share of the calibration images that is accepted.
    """

    coverage: float | None = None
    images: int = 0
    growth: Growth | None = None
    growth_by_label: Mapping[str, Growth] = field(default_factory=dict)
    max_risk: float | None = None
    score_threshold: float | None = None
    accepted_share: float = 0.0

    def describe(self) -> tuple[str, ...]:
        """The promises in words, one sentence each; the last may warn that images are few."""
        sentences = []
        if self.coverage is not None:
            low, high = coverage_interval(self.images, self.coverage, CONFIDENCE)
            sentences.append(
                "Outer boxes contain the true box, and inner boxes lie within it, in "
                f"{_percent(self.coverage)} % of images each; with "
                f"{format_count(self.images, 'calibration image', 'calibration images')} "
                f"somewhere in {100 * low:.0f} to {100 * high:.0f} %."
            )
        if self.max_risk is not None:
            sentences.append(
                f"At most {_percent(self.max_risk)} % of accepted predictions are wrong (IoU below "
                f"0.5, or another label), with {_percent(CONFIDENCE)} % confidence; of the "
                f"calibration images, {100 * self.accepted_share:.0f} % are accepted."
            )
        if self.coverage is not None and self.images < FEW_IMAGES:
            sentences.append(
                f"{self.images} calibration images are few: calibrate with {FEW_IMAGES} or more "
                "for a narrower interval."
            )
        return tuple(sentences)


def guarantees(
    calibration: Calibration | None,
    model_name: str,
    coverage: float | None = None,
    max_risk: float | None = None,
) -> Guarantees:
    """What a model promises for a coverage and a risk.

    Args:
        calibration: Of the predictions that the model makes; None if it is not calibrated.
        model_name: The model file, for messages.
        coverage: Coverage of the outer and inner boxes, in (0, 1); None for no such boxes.
        max_risk: Largest share of wrong predictions among the accepted, in (0, 1); None to accept
            none.

    Raises:
        SettingError: If the model is not calibrated, or with too few images, or its images do not
            prove the risk.
    """
    if coverage is None and max_risk is None:
        return Guarantees()
    _check("coverage", coverage)
    _check("max_risk", max_risk)
    if calibration is None:
        raise SettingError(
            f"{model_name} is not calibrated, so it has no coverage or risk to promise. Run "
            "onebox calibrate with this model and labelled images that it was not trained on."
        )
    growth, by_label = None, dict[str, Growth]()
    if coverage is not None:
        growth = _growth(calibration.sides, coverage, model_name)
        by_label = _growth_by_label(calibration, coverage, growth)
    score_threshold = None if max_risk is None else _threshold(calibration, max_risk, model_name)
    return Guarantees(
        coverage=coverage,
        images=len(calibration.sides.outer),
        growth=growth,
        growth_by_label=by_label,
        max_risk=max_risk,
        score_threshold=score_threshold,
        accepted_share=_accepted_share(calibration.scores, score_threshold),
    )


def _growth(sides: SideScores, coverage: float, model_name: str) -> Growth:
    images, needed = len(sides.outer), least_images(coverage)
    if images >= needed:
        return Growth(quantile(sides.outer, coverage), quantile(sides.inner, coverage))
    most = floor(100 * images / (images + 1)) / 100
    instead = f"Ask for at most {most:g}, or calibrate" if images else "Calibrate"
    raise SettingError(
        f"{model_name}: coverage {coverage:g} needs {needed} calibration images, this model has "
        f"{images}. {instead} it with more."
    )


def _growth_by_label(
    calibration: Calibration, coverage: float, growth: Growth
) -> dict[str, Growth]:
    """The growth of each label with enough images for this coverage.

    Where other labels share the growth of all, no label gets less than that: else the easy labels
    would lower the coverage of all images together, which the hard ones need.
    """
    enough = {
        label: Growth(quantile(sides.outer, coverage), quantile(sides.inner, coverage))
        for label, sides in calibration.sides_by_label.items()
        if len(sides.outer) >= least_images(coverage)
    }
    in_them = sum(len(calibration.sides_by_label[label].outer) for label in enough)
    if in_them == calibration.images:
        return enough
    return {
        label: Growth(max(own.outer, growth.outer), max(own.inner, growth.inner))
        for label, own in enough.items()
    }


def _threshold(calibration: Calibration, max_risk: float, model_name: str) -> float:
    found = threshold(calibration.scores, calibration.is_wrong, max_risk, CONFIDENCE)
    if found is not None:
        return found
    images, needed = len(calibration.scores), images_for(0, max_risk, CONFIDENCE)
    reason = (
        f"needs at least {needed} calibration images, this model has {images}"
        if images < needed
        else f"is not proved by its {images} calibration images: too many of the surest are wrong"
    )
    provable = smallest_risk(calibration, above=max_risk)
    repair = f"Ask for {provable:g}, or calibrate" if provable else "Calibrate"
    raise SettingError(f"{model_name}: max_risk {max_risk:g} {reason}. {repair} it with more.")


def smallest_risk(calibration: Calibration, above: float = 0.0) -> float | None:
    """The smallest risk that the calibration images prove, in steps of 0.001; None for none.

    Larger ones need not be proved, see `is_proved`. ``above`` leaves out smaller risks.
    """
    scores, is_wrong = calibration.scores, calibration.is_wrong
    for step in range(int(above * _RISKS) + 1, _RISKS):
        if is_proved(scores, is_wrong, step / _RISKS, CONFIDENCE):
            return step / _RISKS
    return None


def _accepted_share(scores: tuple[float, ...], score_threshold: float | None) -> float:
    if score_threshold is None or not scores:
        return 0.0
    if score_threshold == -inf:
        return 1.0
    return sum(score > score_threshold for score in scores) / len(scores)


def _check(setting: str, value: float | None) -> None:
    if value is None or 0 < value < 1:
        return
    percent = f" Did you mean {value / 100:g}?" if 1 < value < _PERCENT else ""
    raise SettingError(f"{setting} must be between 0 and 1, got {value:g}.{percent}")


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g}"
