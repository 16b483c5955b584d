"""Labels and proposals as JSON values, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from onebox.errors import DataError
from onebox.labelling.records import Label, Proposal
from onebox.structures import Keypoints, as_box

Json = dict[str, Any]


def label_as_json(label: Label | None) -> Json | None:
    """A label as a JSON object; None for no label."""
    if label is None:
        return None
    keypoints = None if label.keypoints is None else [list(point) for point in label.keypoints]
    box = None if label.box is None else list(label.box)
    return {"label": label.label, "box": box, "keypoints": keypoints}


def label_from_json(value: object) -> Label | None:
    """The label that `label_as_json` wrote, or that a client sent.

    Raises:
        DataError: If the value is not of that form.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise DataError(f"a label must be an object or null, got {type(value).__name__}.")
    name, box, keypoints = (value.get(key) for key in ("label", "box", "keypoints"))
    if not isinstance(name, str | None):
        raise DataError(f"the class of a label must be text or null, got {name!r}.")
    return Label(
        name,
        None if box is None else as_box(_numbers(box, 4, "a box")),
        None if keypoints is None else _keypoints(keypoints),
    )


def proposal_as_json(proposal: Proposal | None) -> Json | None:
    """A proposal as a JSON object; None for none."""
    if proposal is None:
        return None
    keypoints = proposal.keypoints
    return {
        "label": proposal.label,
        "box": list(proposal.box),
        "score": proposal.score,
        "keypoints": None if keypoints is None else [list(point) for point in keypoints],
        "present": proposal.present,
        "expected_iou": proposal.expected_iou,
        "is_familiar": proposal.is_familiar,
        "round": proposal.round,
    }


def proposal_from_json(value: Json) -> Proposal:
    """The proposal that `proposal_as_json` wrote."""
    keypoints = value["keypoints"]
    points = None if keypoints is None else tuple((x, y, sure) for x, y, sure in keypoints)
    return Proposal(**{**value, "box": as_box(value["box"]), "keypoints": points})


def _keypoints(value: object) -> Keypoints:
    if not isinstance(value, Sequence):
        raise DataError("the keypoints of a label must be a list or null.")
    points = (_numbers(point, 3, "a keypoint") for point in value)
    return tuple((x, y, int(visibility)) for x, y, visibility in points)


def _numbers(value: object, count: int, what: str) -> list[float]:
    numbers = [one for one in value if _is_number(one)] if isinstance(value, Sequence) else []
    if not isinstance(value, Sequence) or not len(numbers) == len(value) == count:
        raise DataError(f"{what} must be a list of {count} numbers, got {value!r}.")
    return [float(number) for number in numbers]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
