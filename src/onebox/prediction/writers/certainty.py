"""How sure a prediction is, as keys and columns of a results file.

Which columns a file has follows from its model and from what the user asked for. JSON leaves out
what a prediction does not have; columns are empty there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from onebox.model_card import ModelCard
from onebox.structures import Box, Prediction

EDGES = ("x_min", "y_min", "x_max", "y_max")
_CALIBRATED = ("expected_iou", "p_iou50", "p_iou75")
_FAMILIAR = ("familiar", "is_familiar")

IS_TRUE = frozenset({"is_familiar", "accepted"})
"""The columns that are true, false or empty; all others hold numbers."""


@dataclass(frozen=True, slots=True)
class Certainty:
    """What the predictions of a file say of how sure they are.

    Attributes:
        has_sigma: Whether they have the standard deviation of each edge.
        is_calibrated: Whether they have the expected IoU, and probabilities of an IoU.
        has_familiar: Whether they have a rank among the calibration images by novelty.
        coverage: Coverage of their outer and inner boxes; None if they have none.
        max_risk: Most wrong predictions among the accepted ones, as a fraction; None if none are
            accepted or refused.
    """

    has_sigma: bool = False
    is_calibrated: bool = False
    has_familiar: bool = False
    coverage: float | None = None
    max_risk: float | None = None


def certainty_of(
    card: ModelCard, *, coverage: float | None = None, max_risk: float | None = None
) -> Certainty:
    """What the predictions of a model say, with the coverage and the risk asked for."""
    calibration = card.active_calibration
    has_familiar = calibration is not None and bool(calibration.novelties)
    return Certainty(card.sigma, calibration is not None, has_familiar, coverage, max_risk)


def columns(certainty: Certainty) -> list[str]:
    """The names of the columns."""
    found = [*_edges_of("sigma")] if certainty.has_sigma else []
    if certainty.is_calibrated:
        found += _CALIBRATED
    if certainty.has_familiar:
        found += _FAMILIAR
    if certainty.coverage is not None:
        found += ["coverage", *_edges_of("outer"), *_edges_of("inner")]
    if certainty.max_risk is not None:
        found += ["max_risk", "accepted"]
    return found


def values(prediction: Prediction, certainty: Certainty) -> list[float | bool | None]:
    """The values of a prediction in the columns."""
    found: list[float | bool | None] = []
    if certainty.has_sigma:
        found += _four(prediction.sigma)
    if certainty.is_calibrated:
        found += [prediction.expected_iou, prediction.p_iou50, prediction.p_iou75]
    if certainty.has_familiar:
        found += [prediction.familiar, prediction.is_familiar]
    if certainty.coverage is not None:
        outer, inner = _four(prediction.outer_box), _four(prediction.inner_box)
        found += [certainty.coverage, *outer, *inner]
    if certainty.max_risk is not None:
        found += [certainty.max_risk, prediction.accepted]
    return found


def as_json(prediction: Prediction, certainty: Certainty) -> dict[str, Any]:
    """The values by name. What was asked for is there even if it is None."""
    known = {name: getattr(prediction, name) for name in (*_CALIBRATED, "sigma", *_FAMILIAR)}
    found = {name: value for name, value in known.items() if value is not None}
    if certainty.coverage is not None:
        boxes = {"outer_box": prediction.outer_box, "inner_box": prediction.inner_box}
        found |= {"coverage": certainty.coverage, **boxes}
    if certainty.max_risk is not None:
        found |= {"max_risk": certainty.max_risk, "accepted": prediction.accepted}
    return found


def other_promise(record: dict[str, Any], certainty: Certainty) -> str:
    """Say how what was asked for differs from a record of a file; empty if it does not.

    The numbers of a record may be text, as CSV has them.
    """
    for name in ("coverage", "max_risk"):
        stored, wanted = record.get(name), getattr(certainty, name)
        try:
            known = None if stored is None else float(stored)
        except (TypeError, ValueError):
            return f"has {stored!r} as its {name}"
        if known != wanted:
            return (
                f"was written {_option(name, known)}, and this command runs {_option(name, wanted)}"
            )
    return ""


def _option(name: str, value: float | None) -> str:
    option = f"--{name.replace('_', '-')}"
    return f"without {option}" if value is None else f"with {option} {value:g}"


def _edges_of(name: str) -> Iterator[str]:
    return (f"{name}_{edge}" for edge in EDGES)


def _four(box: Box | None) -> tuple[float | None, ...]:
    return (None,) * len(EDGES) if box is None else box
