"""The records of a labelling session: what a person says of an image, and what a model proposes.

An image is known by its id, a hash of its path relative to the folder, so no path ever comes from a
client. Its revision counts the changes of its label: an action states the revision that it was made
for, so two tabs cannot overwrite each other unseen.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from onebox.errors import OneboxError
from onebox.structures import Box, Keypoints, Split

How = Literal["drawn", "accepted", "corrected", "absent", "cleared", "undone"]
"""How a label came about; ``accepted`` and ``corrected`` say that a proposal was shown."""

LONGEST_S = 1e9
"""The longest time of an action: 30 years, so that times of all images have a finite sum."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of one image.

    Attributes:
        label: Class of the subject; None if the image has no subject.
        box: ``xyxy`` in pixels of the upright image; None if the image has no subject.
        keypoints: As in `Sample`; None without keypoints.
    """

    label: str | None = None
    box: Box | None = None
    keypoints: Keypoints | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model proposes for an image, in pixels of the upright image.

    Attributes:
        label: The most probable class.
        box: ``xyxy``.
        score: As in `Prediction`, and so are the others.
        round: Number of the training round whose model proposes it, from 1; 0 for a model that
            the user named.
    """

    label: str
    box: Box
    score: float
    keypoints: tuple[tuple[float, float, float], ...] | None = None
    present: float | None = None
    expected_iou: float | None = None
    is_familiar: bool | None = None
    round: int = 0


@dataclass(frozen=True, slots=True)
class Suspect:
    """What an audit says against the label of an image; see `onebox.audit`.

    Attributes:
        kind: What seems wrong, in one or two words.
        why: One sentence.
        box: The suggested box, ``xyxy`` in pixels; None if there is none.
        label: The suggested class; None if there is none.
    """

    kind: str
    why: str
    box: Box | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a session.

    Attributes:
        id: `image_id` of its path.
        path: The image file.
        name: Path relative to the folder, with slashes.
        size_wh: Width and height of the upright image.
        revision: Number of changes of the label so far.
        label: None if the image is not labelled yet.
        proposal: None if there is none, or if a person must not see it.
        in_sample: Whether the image is of the accuracy sample: labelled without a proposal, never
            trained on.
        suspect: None if no audit lists it.
        theirs: Label that the file has by an edit from outside, while this session has another;
            None if they agree.
        is_in_conflict: Whether `theirs` is to be settled.
    """

    id: str
    path: Path
    name: str
    size_wh: tuple[int, int]
    revision: int = 0
    label: Label | None = None
    proposal: Proposal | None = None
    in_sample: bool = False
    suspect: Suspect | None = None
    theirs: Label | None = None
    is_in_conflict: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One act of labelling.

    Attributes:
        id: Chosen by the client; an action that is sent twice counts once.
        image: `Entry.id`.
        revision: `Entry.revision` that the person saw.
        label: The new label; None to take the label away.
        how: How it came about.
        seconds: Time that the person took, at most `LONGEST_S`.
        tab: The tab of the browser.
    """

    id: str
    image: str
    revision: int
    label: Label | None
    how: How
    seconds: float = 0.0
    tab: str = ""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy of the newest model on the accuracy sample.

    Attributes:
        images: Number of labelled images of the sample.
        mean_iou: Their mean IoU.
        low: Lower end of its 95 % interval.
        high: Upper end.
        class_accuracy: Fraction with the right class; None with one class.
    """

    images: int
    mean_iou: float
    low: float
    high: float
    class_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether more labels are worth their time.

    Attributes:
        kind: One of the words of its type.
        text: One or two sentences.
    """

    kind: Literal["too_early", "go_on", "levelled_off", "good_enough", "done"]
    text: str


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """What the training in the background does.

    Attributes:
        state: ``off`` if the session does not train.
        round: Number of the round that runs, or that ended last; 0 before the first.
        labels: Number of labels that it trains on.
        stage: What it does, in words.
        done: Fraction of the stage that is done, in [0, 1].
        message: Why it failed, or what is missing to start; empty otherwise.
    """

    state: Literal["off", "waiting", "running", "failed"]
    round: int = 0
    labels: int = 0
    stage: str = ""
    done: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """Whether the label file has all labels.

    Attributes:
        state: ``refused`` if the file cannot be read or written at present.
        message: Why it was refused; empty otherwise.
    """

    state: Literal["saved", "pending", "refused"]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The state of a session in numbers.

    Attributes:
        images: Number of images in the folder.
        labelled: Number of those with a label, those without a subject included.
        absent: Number of those without a subject.
        suspects: Number of suspects that are not settled.
        conflicts: Ids of the images whose label was changed from outside as well.
        seconds_left: Time that the remaining images take at the pace so far; None if unknown.
        accuracy: None while no model was measured.
        advice: Whether to go on.
        training: The training in the background.
        file: The label file.
    """

    images: int
    labelled: int
    absent: int
    suspects: int
    conflicts: tuple[str, ...]
    seconds_left: float | None
    accuracy: Accuracy | None
    advice: Advice
    training: TrainingStatus
    file: FileStatus


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a label file says.

    Attributes:
        labels: Image file → its label, for each image of the folder that the file names; the
            largest box if the file has several. Paths are absolute, with links in their folders
            followed.
        classes: Class names, in the order of the file.
        splits: Image file → split that the file states; without those for which it states none.
        crowded: Images with several rows or boxes. Saving a label of such an image leaves it alone
            in the file.
        notes: What is not shown, one sentence each: rows of images that do not exist, for example.
    """

    labels: Mapping[Path, Label]
    classes: tuple[str, ...] = ()
    splits: Mapping[Path, Split] = field(default_factory=dict)
    crowded: frozenset[Path] = frozenset()
    notes: tuple[str, ...] = ()


def image_id(name: str) -> str:
    """The id of an image.

    Args:
        name: Its path relative to the folder, with slashes.

    Examples:
        >>> len(image_id("cats/1.jpg"))
        16
    """
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


class ConflictError(OneboxError):
    """An action that was made for an older revision of a label.

    Attributes:
        entry: The image as it is now.
    """

    def __init__(self, entry: Entry) -> None:
        """Word the message; the entry says what the label is now."""
        self.entry = entry
        super().__init__(
            f"{entry.name}: its label was changed meanwhile, in another tab or in the label file. "
            "Look at it again."
        )
