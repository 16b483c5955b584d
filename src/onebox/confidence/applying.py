"""What calibration and guarantees add to one prediction. It runs for every image, so it is fast."""

import dataclasses

from onebox.confidence import familiarity, keypoint_model, novelty
from onebox.confidence.conformal import grow, shrink
from onebox.confidence.guarantees import Guarantees
from onebox.confidence.iou_model import expected_iou, probability_at_least
from onebox.confidence.records import Calibration
from onebox.confidence.temperature import scale
from onebox.structures import Prediction


def calibrated(prediction: Prediction, calibration: Calibration) -> Prediction:
    """Set the probabilities, the score, the expected IoU and the familiarity of a prediction.

    The confidence of a keypoint becomes the probability that it is found.

    The score is the IoU that is expected if a wrong label, or an image without the subject, counts
    as an IoU of 0: the label's probability, times the expected IoU, times ``present``.

    Args:
        prediction: As the model makes it. Without a sigma, it is returned as it is.
        calibration: Of this kind of prediction: with the refinement pass, or without.
    """
    spread = prediction.spread
    if spread is None:
        return prediction
    probabilities = scale(prediction.probabilities, calibration.temperature)
    iou, probability = calibration.iou, max(probabilities)
    expected = expected_iou(iou, spread)
    present = 1.0 if prediction.present is None else prediction.present
    novel = familiar = is_familiar = None
    if prediction.distance is not None and calibration.novelty is not None:
        signs = novelty.signs(prediction.distance, spread, probability)
        novel = novelty.novelty(calibration.novelty, signs)
        familiar = familiarity.rank(calibration.novelties, novel)
        is_familiar = familiarity.is_familiar(calibration.novelties, novel)
    return dataclasses.replace(
        prediction,
        score=probability * expected * present,
        probabilities=probabilities,
        keypoints=_keypoints(prediction, calibration),
        expected_iou=expected,
        p_iou50=probability_at_least(iou, spread, 0.5),
        p_iou75=probability_at_least(iou, spread, 0.75),
        novelty=novel,
        familiar=familiar,
        is_familiar=is_familiar,
    )


def _keypoints(
    prediction: Prediction, calibration: Calibration
) -> tuple[tuple[float, float, float], ...] | None:
    """Keypoints with the probability that each is found in place of its confidence."""
    if prediction.keypoints is None or calibration.keypoints is None:
        return prediction.keypoints
    confidences = [confidence for _, _, confidence in prediction.keypoints]
    scaled = keypoint_model.scale(calibration.keypoints, confidences)
    return tuple((x, y, p) for (x, y, _), p in zip(prediction.keypoints, scaled, strict=True))


def guaranteed(
    prediction: Prediction, guarantees: Guarantees, size_wh: tuple[int, int]
) -> Prediction:
    """Set the outer box, the inner box and whether a calibrated prediction is accepted.

    Args:
        prediction: A result of `calibrated`.
        guarantees: What the model promises.
        size_wh: Width and height of the image, in pixels.
    """
    outer = inner = accepted = None
    growth = guarantees.growth_by_label.get(prediction.label, guarantees.growth)
    if growth is not None and prediction.sigma is not None:
        outer = grow(prediction.box, prediction.sigma, growth.outer, size_wh)
        inner = shrink(prediction.box, prediction.sigma, growth.inner, size_wh)
    if guarantees.score_threshold is not None:
        accepted = prediction.score > guarantees.score_threshold
    return dataclasses.replace(prediction, outer_box=outer, inner_box=inner, accepted=accepted)
