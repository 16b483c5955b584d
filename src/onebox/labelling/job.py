"""What the process of a training round is told, and what it answers, as JSON files."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from onebox.files import replacing
from onebox.labelling.accuracy import Guess, Round
from onebox.labelling.label_json import proposal_as_json, proposal_from_json
from onebox.labelling.records import Label, Proposal
from onebox.structures import Dataset, KeypointSet, Sample, Split, as_box

Images = Mapping[str, Path]
"""Id → image file."""

_FILES = ("earlier", "weights", "model")


@dataclass(frozen=True, slots=True)
class Labelled:
    """An image to train on, or held out.

    Attributes:
        path: The image file.
        label: Its label.
        split: What it is for.
    """

    path: Path
    label: Label
    split: Split


@dataclass(frozen=True, slots=True)
class Job:
    """What a training round does: train a model, unless it is given one, and predict with it.

    Attributes:
        round: Its number.
        labels: Number of labels of the session at its start.
        classes: Class names.
        keypoints: Keypoints of the labels; None without.
        labelled: The images to train on, and those held out.
        recipe: Name of a recipe, or a file.
        changes: Changes of the recipe.
        earlier: Weights of the last round; None in the first.
        weights: Initial weights if there are no earlier ones, or if they do not fit the recipe, as
            in `onebox.train`.
        minutes: Time budget of the training; None without one.
        model: The model to predict with, in place of training one.
        unlabelled: Images to propose a label for.
        sample: Images of the accuracy sample to predict.
    """

    round: int
    labels: int
    classes: tuple[str, ...] = ()
    keypoints: KeypointSet | None = None
    labelled: tuple[Labelled, ...] = ()
    recipe: str = "default"
    changes: tuple[str, ...] = ()
    earlier: Path | None = None
    weights: Path | None = None
    minutes: float | None = None
    model: Path | None = None
    unlabelled: Images = field(default_factory=dict)
    sample: Images = field(default_factory=dict)

    def dataset(self) -> Dataset:
        """The labelled images as a data set."""
        samples = tuple(
            Sample(one.path, one.label.label, one.label.box, one.split, one.label.keypoints)
            for one in self.labelled
        )
        return Dataset(samples, self.classes, self.keypoints, "the labels of this session")


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the model of a round says of images without a label.

    Attributes:
        by_image: Id → proposal.
        doubtful: Ids, the most doubtful first.
        different: Ids, those most different from the training images first.
        unreadable: Id → why the image cannot be read.
    """

    by_image: Mapping[str, Proposal]
    doubtful: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)


def write_json(path: Path, value: object, *, sync: bool = True) -> None:
    """Write a JSON file as a whole.

    Raises:
        OneboxError: If it cannot be written.
    """
    with replacing(path, sync=sync) as temporary:
        temporary.write_text(json.dumps(value, allow_nan=False), "utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a JSON file; None if it is missing or damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def job_as_json(job: Job) -> dict[str, Any]:
    """A job as a JSON object."""
    return {
        **asdict(job),
        "labelled": [
            {"path": str(one.path), "label": asdict(one.label), "split": one.split}
            for one in job.labelled
        ],
        **{name: _text(getattr(job, name)) for name in _FILES},
        "unlabelled": {key: str(path) for key, path in job.unlabelled.items()},
        "sample": {key: str(path) for key, path in job.sample.items()},
    }


def job_from_json(value: dict[str, Any]) -> Job:
    """The job that `job_as_json` wrote."""
    keypoints = value["keypoints"]
    return Job(
        **{
            **value,
            "classes": tuple(value["classes"]),
            "keypoints": None if keypoints is None else _keypoint_set(keypoints),
            "labelled": tuple(_labelled(one) for one in value["labelled"]),
            "changes": tuple(value["changes"]),
            **{name: _path(value[name]) for name in _FILES},
            "unlabelled": {key: Path(path) for key, path in value["unlabelled"].items()},
            "sample": {key: Path(path) for key, path in value["sample"].items()},
        }
    )


def proposals_as_json(proposals: Proposals) -> dict[str, Any]:
    """Proposals as a JSON object."""
    by_image = {key: proposal_as_json(one) for key, one in proposals.by_image.items()}
    return {
        "by_image": by_image,
        "doubtful": proposals.doubtful,
        "different": proposals.different,
        "unreadable": dict(proposals.unreadable),
    }


def proposals_from_json(value: dict[str, Any]) -> Proposals:
    """The proposals that `proposals_as_json` wrote."""
    return Proposals(
        {key: proposal_from_json(one) for key, one in value["by_image"].items()},
        tuple(value["doubtful"]),
        tuple(value["different"]),
        value["unreadable"],
    )


def round_as_json(one: Round) -> dict[str, Any]:
    """The predictions for the accuracy sample as a JSON object."""
    guesses = {key: [guess.label, list(guess.box)] for key, guess in one.guesses.items()}
    return {"labels": one.labels, "guesses": guesses}


def round_from_json(value: dict[str, Any]) -> Round:
    """The predictions that `round_as_json` wrote."""
    guesses = {key: Guess(label, as_box(box)) for key, (label, box) in value["guesses"].items()}
    return Round(value["labels"], guesses)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _labelled(value: dict[str, Any]) -> Labelled:
    label = value["label"]
    box, points = label["box"], label["keypoints"]
    keypoints = None if points is None else tuple((x, y, seen) for x, y, seen in points)
    known = Label(label["label"], None if box is None else as_box(box), keypoints)
    return Labelled(Path(value["path"]), known, value["split"])


def _keypoint_set(value: dict[str, Any]) -> KeypointSet:
    pairs = {name: tuple((a, b) for a, b in value[name]) for name in ("skeleton", "flip_pairs")}
    return KeypointSet(tuple(value["names"]), **pairs)
