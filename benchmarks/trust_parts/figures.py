"""The figures of docs/trust.md, from predictions of uncalibrated models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from trust_parts.predicted import Predicted

from onebox.calibration.fitting import fit
from onebox.certainty.ranking import spearman
from onebox.certainty.reliability import reliability
from onebox.confidence import selection
from onebox.confidence.applying import calibrated, guaranteed
from onebox.confidence.conformal import coverage_interval
from onebox.confidence.guarantees import Guarantees, guarantees
from onebox.confidence.records import Calibration
from onebox.errors import SettingError
from onebox.metrics import Outcome, auroc

SPLITS = 200
"""Random halves: one calibrates, the other is judged."""

COVERAGE = 0.9
RISK = 0.05
_THIRDS = 3
_THRESHOLDS = (0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Half:
    """Images that are judged by the calibration of others."""

    calibration: Calibration
    judged: tuple[Outcome, ...]


def halves(predicted: Predicted, seed: int = 0) -> Iterator[Half]:
    """Random halves of the images that did not train the model, as many as `SPLITS`."""
    generator = np.random.default_rng(seed)
    for _ in range(SPLITS):
        order = generator.permutation(len(predicted.own))
        middle = len(order) // 2
        first, second = ([predicted.own[at] for at in part] for part in np.split(order, [middle]))
        yield judge(fit(first, predicted.classes), second)


def by_split(predicted: Predicted) -> Half:
    """Test images, judged by the calibration of the others."""
    others = [one for one in predicted.own if one.sample.split != "test"]
    test = [one for one in predicted.own if one.sample.split == "test"]
    return judge(fit(others, predicted.classes), test)


def judge(calibration: Calibration, outcomes: Sequence[Outcome]) -> Half:
    """Outcomes with calibrated predictions."""
    return Half(
        calibration,
        tuple(replace(one, prediction=calibrated(one.prediction, calibration)) for one in outcomes),
    )


def ranking(predicted: Predicted) -> dict[str, float | None]:
    """Spearman of expected IoU and of the earlier score with IoU; AURC; all on test images."""
    half = by_split(predicted)
    raw = [one for one in predicted.own if one.sample.split == "test"]
    iou = _ious(half.judged)
    expected = np.array([one.prediction.expected_iou for one in half.judged])
    score = np.array([one.prediction.score for one in half.judged])
    earlier = np.array([one.prediction.score for one in raw])
    probability = np.array([max(one.prediction.probabilities) for one in raw])
    of_probability = selection.aurc(probability, 1 - iou)
    return {
        "mean_iou": float(iou.mean()),
        "spearman": spearman(expected, iou),
        "spearman_score": spearman(score, iou),
        "spearman_earlier": spearman(earlier, iou),
        "aurc": selection.aurc(score, 1 - iou),
        "aurc_probability": of_probability,
        "aurc_oracle": selection.aurc(iou, 1 - iou),
        "aurc_gain": 1 - selection.aurc(score, 1 - iou) / of_probability,
    }


def calibration_errors(predicted: Predicted) -> dict[str, float]:
    """Mean over the halves of ECE, ECE by chance and Brier score; also of the earlier score."""
    rows = []
    raw = {one.sample.name: one.prediction.score for one in predicted.own}
    for half in halves(predicted):
        iou = _ious(half.judged)
        row = {}
        for threshold in _THRESHOLDS:
            name = f"p_iou{threshold * 100:.0f}"
            happened = iou >= threshold
            said = np.array([getattr(one.prediction, name) for one in half.judged])
            earlier = np.array([raw[one.sample.name] for one in half.judged])
            new, old = reliability(said, happened), reliability(earlier, happened)
            if new is not None and old is not None:
                row |= {f"ece_{name}": new.ece, f"chance_{name}": new.ece_by_chance}
                row |= {f"brier_{name}": new.brier, f"ece_score_{name}": old.ece}
                row |= {f"brier_score_{name}": old.brier}
        rows.append(row)
    return _means(rows) | _pooled_errors(predicted)


def _pooled_errors(predicted: Predicted) -> dict[str, float]:
    """ECE over all images at once, each with its mean probability over the halves that judge it."""
    said: dict[str, list[tuple[float, ...]]] = {}
    for half in halves(predicted):
        for one in half.judged:
            pair = (one.prediction.p_iou50 or 0.0, one.prediction.p_iou75 or 0.0)
            said.setdefault(one.sample.name, []).append(pair)
    found = {}
    iou = _ious(predicted.own)
    means = np.array([np.mean(said[one.sample.name], axis=0) for one in predicted.own])
    for column, threshold in enumerate(_THRESHOLDS):
        result = reliability(means[:, column], iou >= threshold)
        if result is not None:
            name = f"{threshold * 100:.0f}"
            found[f"pooled_ece_{name}"] = result.ece
            found[f"pooled_chance_{name}"] = result.ece_by_chance
    return found


def outer_boxes(predicted: Predicted) -> dict[str, float]:
    """Coverage, also by thirds of sureness, and stretch of the 90 % outer box over the halves."""
    rows = []
    for half in halves(predicted):
        promised = guarantees(half.calibration, "model", coverage=COVERAGE)
        boxes = [_outer(one, promised) for one in half.judged]
        covered = np.array([_covers(box, one) for box, one in zip(boxes, half.judged, strict=True)])
        stretch = [_stretch(box, one) for box, one in zip(boxes, half.judged, strict=True)]
        order = np.argsort([-(one.prediction.expected_iou or 0.0) for one in half.judged])
        thirds = [float(covered[part].mean()) for part in np.array_split(order, _THIRDS)]
        rows.append(
            {"coverage": float(covered.mean()), "stretch": float(np.median(stretch))}
            | {f"third_{number}": share for number, share in enumerate(thirds, 1)}
        )
    coverages = np.array([row["coverage"] for row in rows])
    calibrating = len(predicted.own) // 2
    low, high = coverage_interval(calibrating, COVERAGE)
    return _means(rows) | {
        "coverage_sd": float(coverages.std()),
        "images": float(calibrating),
        "law_mean": float(np.ceil((calibrating + 1) * COVERAGE) / (calibrating + 1)),
        "law_low": low,
        "law_high": high,
        "inside_law": float(((coverages >= low) & (coverages <= high)).mean()),
        **_law_of_halves(calibrating, len(predicted.own) - calibrating, coverages),
    }


def _law_of_halves(calibrating: int, judged: int, coverages: np.ndarray) -> dict[str, float]:
    """Share of the halves inside the law's 95 % range with the noise of so few judged images."""
    generator = np.random.default_rng(0)
    rank = int(np.ceil((calibrating + 1) * COVERAGE))
    truths = generator.beta(rank, calibrating + 1 - rank, 100_000)
    drawn = generator.binomial(judged, truths) / judged
    low, high = np.quantile(drawn, [0.025, 0.975])
    inside = ((coverages >= low) & (coverages <= high)).mean()
    return {"law_sd": float(drawn.std()), "inside_law_and_sampling": float(inside)}


def risks(predicted: Predicted) -> dict[str, float]:
    """How often a risk of 5 % can be proved, is broken, and what is then accepted."""
    proved, broken, accepted = 0, 0, []
    for half in halves(predicted):
        try:
            promised = guarantees(half.calibration, "model", max_risk=RISK)
        except SettingError:
            continue
        proved += 1
        chosen = [
            one for one in half.judged if guaranteed(one.prediction, promised, one.size_wh).accepted
        ]
        accepted.append(len(chosen) / len(half.judged))
        broken += bool(chosen) and np.mean([bool(one.is_wrong) for one in chosen]) > RISK
    return {
        "proved": proved / SPLITS,
        "broken": broken / SPLITS,
        "accepted": float(np.mean(accepted)) if accepted else float("nan"),
        "wrong": float(np.mean([bool(one.is_wrong) for one in predicted.own])),
    }


def foreign(predicted: Predicted) -> dict[str, float]:
    """AUROC of the novelty of each other data set; false alarms on own images; caught images."""
    half = by_split(predicted)
    own = [one.prediction.novelty or 0.0 for one in half.judged]
    row: dict[str, float] = {}
    for name, predictions in predicted.foreign.items():
        novelties = [calibrated(one, half.calibration).novelty or 0.0 for one in predictions]
        row[f"auroc_{name}"] = auroc(novelties, own) or 0.0
    alarms = [
        np.mean([one.prediction.is_familiar is False for one in part.judged])
        for part in halves(predicted)
    ]
    caught = [
        np.mean([calibrated(one, half.calibration).is_familiar is False for one in predictions])
        for predictions in predicted.foreign.values()
    ]
    return row | {"false_alarms": float(np.mean(alarms)), "caught": float(np.mean(caught))}


def _ious(outcomes: Sequence[Outcome]) -> np.ndarray:
    return np.array([one.iou for one in outcomes], dtype=np.float64)


def _outer(outcome: Outcome, promised: Guarantees) -> tuple[float, float, float, float]:
    box = guaranteed(outcome.prediction, promised, outcome.size_wh).outer_box
    return box or outcome.prediction.box


def _covers(box: tuple[float, float, float, float], outcome: Outcome) -> bool:
    true = outcome.sample.box or outcome.prediction.box
    width, height = outcome.size_wh
    inside = (max(true[0], 0), max(true[1], 0), min(true[2], width), min(true[3], height))
    rounding = 1e-6
    return (
        box[0] <= inside[0] + rounding
        and box[1] <= inside[1] + rounding
        and box[2] >= inside[2] - rounding
        and box[3] >= inside[3] - rounding
    )


def _stretch(box: tuple[float, float, float, float], outcome: Outcome) -> float:
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, outcome.prediction.box)]
    return float(np.sqrt(areas[0] / max(areas[1], 1e-9)))


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
