"""Checks of what a client sends: the label of an action, the name of a class."""

from collections.abc import Collection
from dataclasses import replace

from onebox.errors import DataError, format_box, shorten, suggest
from onebox.labelling.records import LONGEST_S, Action, Label
from onebox.structures import Box, KeypointSet, as_box, box_problem, keypoint_problem

_ROUNDING_PX = 0.5  # a proposal may pass the frame by rounding; not tuned
_LONGEST = 200  # characters of a name; not tuned


def checked_label(
    label: Label, size_wh: tuple[int, int], classes: Collection[str], keypoints: KeypointSet | None
) -> Label:
    """A label that fits its image, its classes and its keypoints.

    Returns:
        The label, cut at the frame where it passes it by rounding; without keypoints of its own, it
        has those of the set, not labelled.

    Raises:
        DataError: If it does not fit.
    """
    if label.label is None and label.box is None:
        return Label()
    if label.label is None or label.box is None:
        raise DataError("a label needs both a class and a box, or neither if there is no subject.")
    if label.label not in classes:
        raise DataError(
            f"label '{label.label}' is not one of {shorten(list(classes))}."
            f"{suggest(label.label, classes)} Add the class first."
        )
    box = _inside(label.box, size_wh)
    return replace(label, box=box, keypoints=_checked_keypoints(label, keypoints))


def checked_action(action: Action) -> Action:
    """An action whose id and time can be kept.

    Raises:
        DataError: If it has no id, or a time that is no time.
    """
    if not 0 < len(action.id) <= _LONGEST:
        raise DataError(f"the id of an action must have 1 to {_LONGEST} characters.")
    if not 0 <= action.seconds <= LONGEST_S:
        raise DataError(
            f"the time of an action must be 0 to {LONGEST_S:g} seconds, got {action.seconds:g}."
        )
    return action


def checked_class(name: str, classes: Collection[str]) -> str:
    """A name for a new class, without spaces at its ends.

    Raises:
        DataError: If it is empty, too long, of several lines, or there is such a class.
    """
    word = name.strip()
    if not word or len(word) > _LONGEST or not word.isprintable():
        raise DataError(
            f"class name {name[:_LONGEST]!r} cannot be used. Write 1 to {_LONGEST} characters on "
            "one line."
        )
    known = {one.casefold(): one for one in classes}
    if word.casefold() in known:
        raise DataError(f"there is a class '{known[word.casefold()]}' already. Use it.")
    return word


def _inside(box: Box, size_wh: tuple[int, int]) -> Box:
    if problem := box_problem(box):
        raise DataError(problem)
    width, height = size_wh
    limits = (*size_wh, *size_wh)
    cut = as_box(min(max(edge, 0.0), float(end)) for edge, end in zip(box, limits, strict=True))
    overshoot = max(abs(edge - inside) for edge, inside in zip(box, cut, strict=True))
    if overshoot > _ROUNDING_PX:
        raise DataError(
            f"box {format_box(box)} passes the frame of {width} x {height} pixels. Keep it inside."
        )
    if problem := box_problem(cut):
        raise DataError(problem)
    return cut


def _checked_keypoints(
    label: Label, keypoints: KeypointSet | None
) -> tuple[tuple[float, float, int], ...] | None:
    count = 0 if keypoints is None else len(keypoints.names)
    if label.keypoints is None:
        return ((0.0, 0.0, 0),) * count if count else None
    if len(label.keypoints) != count:
        raise DataError(
            f"the label has {len(label.keypoints)} keypoints, and this session has {count}."
        )
    if problem := keypoint_problem(label.keypoints):
        raise DataError(problem)
    return label.keypoints or None
