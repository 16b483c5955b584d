"""Calibration images with their predictions → what a model card keeps."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from onebox.confidence import conformal, iou_model, keypoint_model, novelty, temperature
from onebox.confidence.applying import calibrated
from onebox.confidence.guarantees import LEAST_IMAGES_OF_LABEL
from onebox.confidence.records import Calibration, KeypointModel, NoveltyModel, SideScores
from onebox.metrics import Outcome, known
from onebox.structures import Prediction


def fit(outcomes: Sequence[Outcome], classes: tuple[str, ...]) -> Calibration:
    """Fit everything that confidence needs, from images that trained and chose nothing.

    Args:
        outcomes: Calibration images with a box, at least one, and their predictions by a model
            that is not calibrated.
        classes: The model's classes.

    Raises:
        ValueError: If there is no image, one has no true box, or a prediction has no spread.
    """
    predictions = [outcome.prediction for outcome in outcomes]
    spreads = np.array(known(prediction.spread for prediction in predictions))
    ious = np.array(known(outcome.iou for outcome in outcomes))
    if not len(outcomes) or min(len(spreads), len(ious)) < len(outcomes):
        raise ValueError("calibration needs images, each with a true box and a predicted spread.")
    model = Calibration(
        images=len(outcomes),
        temperature=_temperature(outcomes, classes),
        iou=iou_model.fit(spreads, ious),
        sides=_side_scores(outcomes),
        sides_by_label=_side_scores_by_label(outcomes),
        spreads=tuple(sorted(spreads.tolist())),
        keypoints=_keypoints(outcomes),
    )
    return _with_scores(_with_novelty(model, predictions), outcomes)


def _temperature(outcomes: Sequence[Outcome], classes: tuple[str, ...]) -> float:
    labelled = [outcome for outcome in outcomes if outcome.sample.label is not None]
    if len(classes) == 1 or not labelled:
        return 1.0
    probabilities = np.array([outcome.prediction.probabilities for outcome in labelled])
    labels = np.array([classes.index(str(outcome.sample.label)) for outcome in labelled])
    return temperature.fit(probabilities, labels)


def _keypoints(outcomes: Sequence[Outcome]) -> KeypointModel | None:
    pairs = [
        ([confidence for _, _, confidence in one.prediction.keypoints], one.keypoints_found)
        for one in outcomes
        if one.prediction.keypoints is not None and one.keypoints_found is not None
    ]
    if not any(known(is_found) for _, is_found in pairs):
        return None
    confidences, is_found = zip(*pairs, strict=True)
    # None becomes NaN.
    return keypoint_model.fit(np.array(confidences), np.array(is_found, dtype=np.float64))


def _side_scores(outcomes: Sequence[Outcome]) -> SideScores:
    boxes = np.array([outcome.prediction.box for outcome in outcomes], dtype=np.float64)
    true_boxes = np.array([outcome.sample.box for outcome in outcomes], dtype=np.float64)
    sigmas = np.array([outcome.prediction.sigma for outcome in outcomes], dtype=np.float64)
    outer, inner = conformal.side_scores(boxes, true_boxes, sigmas)
    return SideScores(tuple(np.sort(outer).tolist()), tuple(np.sort(inner).tolist()))


def _side_scores_by_label(outcomes: Sequence[Outcome]) -> Mapping[str, SideScores]:
    by_label: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_label.setdefault(outcome.prediction.label, []).append(outcome)
    enough = {label: part for label, part in by_label.items() if len(part) >= LEAST_IMAGES_OF_LABEL}
    # With one label alone, its scores are those of all images.
    return {label: _side_scores(part) for label, part in enough.items() if len(by_label) > 1}


def _with_novelty(model: Calibration, predictions: Sequence[Prediction]) -> Calibration:
    """With the novelty model, if the predictions have distances, and the novelties."""
    distances = known(prediction.distance for prediction in predictions)
    if len(distances) < len(predictions):
        return model
    signs = [
        novelty.signs(
            distance, prediction.spread or 0.0, max(calibrated(prediction, model).probabilities)
        )
        for distance, prediction in zip(distances, predictions, strict=True)
    ]
    fitted: NoveltyModel = novelty.fit(np.array(signs))
    novelties = sorted(novelty.novelty(fitted, of_image) for of_image in signs)
    return dataclasses.replace(model, novelty=fitted, novelties=tuple(novelties))


def _with_scores(model: Calibration, outcomes: Sequence[Outcome]) -> Calibration:
    """With the calibrated score of each image and whether it is wrong, highest score first."""
    pairs = [
        (calibrated(outcome.prediction, model).score, bool(outcome.is_wrong))
        for outcome in outcomes
    ]
    scores, wrong = zip(*sorted(pairs, key=lambda pair: -pair[0]), strict=True)
    return dataclasses.replace(model, scores=scores, is_wrong=wrong)
