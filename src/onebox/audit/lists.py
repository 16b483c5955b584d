"""The two ranked lists: boxes by their residuals, classes by the probability that they are wrong.

One merged list would bury the wrong boxes among the wrong classes, and the other way round.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from onebox.audit.box_scores import BoxScores, score_boxes
from onebox.audit.class_scores import ClassScores, score_classes
from onebox.audit.readings import FAR_IOU, iou
from onebox.audit.records import SIDES, Finding
from onebox.errors import format_box
from onebox.structures import Box, as_box, box_problem

LEAST_PER_CLASS = 4
"""A class with fewer images is hardly in the training part of a fold: its labels are not judged."""

_FAR = "far off"
_LOOSE = "box"
_ONE_SIDE = "one side"
_DECIMALS = 1  # of a suggested edge, in pixels

Boxes = Float[ndarray, "n 4"]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Labelled boxes and the predicted ones, row by row.

    Attributes:
        rows: Row of each in the data set.
        given: The labelled boxes, in pixels.
        predicted: The predicted boxes, in pixels.
        sigmas: Standard deviation of each predicted edge, in pixels.
        sizes: Width and height of each image, twice: what the numbers of a box are fractions of.
    """

    rows: Sequence[int]
    given: Boxes
    predicted: Boxes
    sigmas: Boxes
    sizes: Boxes


def rank_boxes(labelled: Labelled, rate: float) -> list[Finding]:
    """All labelled boxes, the most suspicious first."""
    sizes = labelled.sizes
    scores = score_boxes(
        labelled.given / sizes, labelled.predicted / sizes, labelled.sigmas / sizes
    )
    order = np.argsort(-scores.scores, kind="stable").tolist()
    return numbered(_box_finding(labelled, scores, index, rate) for index in order)


def rank_classes(
    given: Int[ndarray, " n"],
    probabilities: Float[ndarray, "n classes"],
    rows: Sequence[int],
    names: Sequence[str],
    rate: float,
) -> tuple[list[Finding], float | None]:
    """All class labels that can be judged, the most suspicious first.

    Args:
        given: Index of the class of each image.
        probabilities: The predicted ones, row by row.
        rows: Row of each in the data set.
        names: Of the classes.
        rate: The false-discovery rate.

    Returns:
        The list, and the estimated fraction of wrong labels; None if none was judged.
    """
    is_judged = np.bincount(given, minlength=len(names))[given] >= LEAST_PER_CLASS
    judged = np.flatnonzero(is_judged)
    if len(names) < 2 or not len(judged):  # noqa: PLR2004  (one class cannot be wrong)
        return [], None
    scores = score_classes(given[judged], probabilities[judged])
    order = np.argsort(-scores.wrong, kind="stable").tolist()
    findings = [
        _ClassLabel(rows[place], int(given[place]), probabilities[place], names)
        for place in judged.tolist()
    ]
    ranked = [findings[index].finding(scores, index, rate) for index in order]
    return numbered(ranked), scores.error_rate


def numbered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of one list, each with its rank."""
    return [replace(finding, rank=rank) for rank, finding in enumerate(findings, start=1)]


def rounded(box: Iterable[float]) -> Box:
    """A suggested box as it is written: a predicted edge is not known to a tenth of a pixel."""
    return as_box(round(float(edge), _DECIMALS) for edge in box)


def _box_finding(labelled: Labelled, scores: BoxScores, index: int, rate: float) -> Finding:
    given = as_box(labelled.given[index].tolist())
    predicted = rounded(labelled.predicted[index])
    one_side, side = int(scores.one_side[index]), scores.side_of(index)
    overlap = iou(given, predicted)
    is_listed = bool(scores.q_values[index] <= rate)
    kind = _ONE_SIDE if one_side >= 0 else _FAR if overlap < FAR_IOU else _LOOSE
    suggested = _with_side(given, predicted, one_side) if one_side >= 0 else predicted
    is_box = not box_problem(suggested)  # a network that hardly learned predicts boxes of no area
    return Finding(
        row=labelled.rows[index],
        list="boxes",
        rank=0,
        score=float(scores.scores[index]),
        p_value=float(scores.p_values[index]),
        q_value=float(scores.q_values[index]),
        is_listed=is_listed,
        kind=kind if is_listed else "",
        side="" if side is None else SIDES[side],
        given=format_box(given),
        suggested=format_box(suggested) if is_box else "",
        why=_why_box(scores, index, side, overlap),
        box=suggested if is_box else None,
    )


def _with_side(given: Box, predicted: Box, side: int) -> Box:
    edges = list(given)
    edges[side] = predicted[side]
    return as_box(edges)


def _why_box(scores: BoxScores, index: int, side: int | None, overlap: float) -> str:
    lengths = scores.standardized[index]
    largest = int(lengths.argmax()) if side is None else side
    sentence = (
        f"The IoU with the predicted box is {overlap:.2f}, and the {SIDES[largest]} edge is "
        f"{lengths[largest]:.1f} times as far from the predicted one as such edges usually are"
    )
    return f"{sentence}." if side is None else f"{sentence}; the other edges are much nearer."


@dataclass(frozen=True, slots=True, eq=False)
class _ClassLabel:
    """The class label of one image, and what is predicted."""

    row: int
    given: int
    probabilities: Float[ndarray, " classes"]
    names: Sequence[str]

    def finding(self, scores: ClassScores, index: int, rate: float) -> Finding:
        """What the audit says of it; ``index`` is its row in the scores."""
        others = self.probabilities.copy()
        others[self.given] = -1
        given, other = self.names[self.given], self.names[int(others.argmax())]
        is_listed = bool(scores.q_values[index] <= rate)
        return Finding(
            row=self.row,
            list="classes",
            rank=0,
            score=float(scores.wrong[index]),
            p_value=None,
            q_value=float(scores.q_values[index]),
            is_listed=is_listed,
            kind="class" if is_listed else "",
            side="",
            given=given,
            suggested=other,
            why=(
                f"The networks give {given} a probability of "
                f"{self.probabilities[self.given]:.1%} and {other} {others.max():.1%}."
            ),
            label=other,
        )
