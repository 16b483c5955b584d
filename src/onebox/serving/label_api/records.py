"""Records of a session ⇄ the JSON of its page."""

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from onebox.labelling.records import (
    LONGEST_S,
    Action,
    Entry,
    How,
    Label,
    Proposal,
    Summary,
    Suspect,
)

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Name = Annotated[str, Field(max_length=200)]
_Key = Annotated[str, Field(min_length=1, max_length=64)]
_MOST_KEYPOINTS = 1000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelBody(_Body):
    """A label; null for class and box says that there is no subject."""

    label: _Name | None = None
    box: tuple[_Number, _Number, _Number, _Number] | None = None
    keypoints: (
        Annotated[
            list[tuple[_Number, _Number, Literal[0, 1, 2]]], Field(max_length=_MOST_KEYPOINTS)
        ]
        | None
    ) = None

    def record(self) -> Label:
        """The label as a record."""
        points = None if self.keypoints is None else tuple(self.keypoints)
        return Label(self.label, self.box, points)


class ActionBody(_Body):
    """What ``POST /api/actions`` takes."""

    id: _Key
    image: _Key
    revision: Annotated[int, Field(ge=0)]
    label: LabelBody | None
    how: How
    seconds: Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)] = 0.0
    tab: _Key

    def record(self) -> Action:
        """The action as a record."""
        label = None if self.label is None else self.label.record()
        return Action(self.id, self.image, self.revision, label, self.how, self.seconds, self.tab)


class ClassBody(_Body):
    """What ``POST /api/classes`` takes."""

    name: _Name


class SettlementBody(_Body):
    """What ``POST /api/conflicts/ID`` takes."""

    keep: Literal["mine", "theirs"]


class NoBody(_Body):
    """An empty object."""


def entry_as_json(entry: Entry) -> dict[str, Any]:
    """An image with its label and proposal."""
    return {
        "id": entry.id,
        "name": entry.name,
        "size": entry.size_wh,
        "revision": entry.revision,
        "label": _as_json(entry.label),
        "proposal": _as_json(entry.proposal),
        "in_sample": entry.in_sample,
        "suspect": _as_json(entry.suspect),
        "theirs": _as_json(entry.theirs),
        "is_in_conflict": entry.is_in_conflict,
    }


def summary_as_json(summary: Summary, classes: tuple[str, ...]) -> dict[str, Any]:
    """The state of a session, with its classes, which any tab may add to."""
    return {
        **dataclasses.asdict(summary),
        "remaining": summary.images - summary.labelled,
        "classes": classes,
    }


def _as_json(record: Label | Proposal | Suspect | None) -> dict[str, Any] | None:
    return None if record is None else dataclasses.asdict(record)
