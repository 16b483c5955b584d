"""What an audit is made of: predictions, one list of boxes, one of classes, and checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from numpy import ndarray

from onebox.folds.copies import Pair
from onebox.structures import Box

ListName = Literal["boxes", "classes", "checks"]
SIDES = ("left", "top", "right", "bottom")
"""Names of the edges of a box, in the order of its numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions for each image by a network that was not trained on it, one row per image.

    Attributes:
        boxes: Normalized ``xyxy``.
        sigmas: Standard deviation of each edge, normalized.
        probabilities: Of the classes, in the data set's order.
        keypoints: Normalized ``(x, y)``; None from networks without keypoints.
        present: Probability that the image shows the subject; None from networks without it.
        copies: Pairs of copies of one image; the two are in one fold.
    """

    boxes: Float[ndarray, "n 4"]
    sigmas: Float[ndarray, "n 4"]
    probabilities: Float[ndarray, "n classes"]
    keypoints: Float[ndarray, "n keypoints 2"] | None
    present: Float[ndarray, " n"] | None
    copies: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the audit says of one label.

    Attributes:
        row: Index of the sample in the data set.
        list: The list that it belongs to.
        rank: Place in the list, from 1.
        score: What the list is ranked by, highest first; without a unit.
        p_value: Probability of such a score, or a higher one, if the box is right; None in the
            other lists.
        q_value: The smallest false-discovery rate at which it is in the list; None for a check,
            which is a rule.
        is_listed: Whether it is in the list at the chosen false-discovery rate; True for a check.
        kind: What seems wrong, in one or two words; empty if nothing does.
        side: The side whose residual stands out; empty if none does.
        given: The label, in words or as four numbers.
        suggested: What to write instead, likewise; empty if there is no suggestion.
        why: One sentence.
        box: The suggested box, ``xyxy`` in pixels; None if the box is not in question.
        label: The suggested class; None if the class is not in question.
        swaps_keypoints: Whether left and right keypoints should be exchanged.
    """

    row: int
    list: ListName
    rank: int
    score: float
    p_value: float | None
    q_value: float | None
    is_listed: bool
    kind: str
    side: str
    given: str
    suggested: str
    why: str
    box: Box | None = None
    label: str | None = None
    swaps_keypoints: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that an audit found.

    Attributes:
        boxes: All images with a box, the most suspicious first.
        classes: All images with a label, likewise; empty with fewer than two classes.
        checks: What the rules found.
        rate: The false-discovery rate of the two lists.
        class_error_rate: Estimated fraction of wrong class labels; None if none was judged.
        notes: What could not be judged, one sentence each.
    """

    boxes: Sequence[Finding]
    classes: Sequence[Finding]
    checks: Sequence[Finding]
    rate: float
    class_error_rate: float | None = None
    notes: tuple[str, ...] = ()

    def findings(self) -> list[Finding]:
        """All findings: boxes, classes, then checks, each in the order of its list."""
        return [*self.boxes, *self.classes, *self.checks]
