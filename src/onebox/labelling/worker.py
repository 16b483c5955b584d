"""The process of a training round: ``python -m onebox.labelling.worker JOB.json``.

It trains at low priority, predicts, and writes what it found beside the job. Its standard input is
a pipe of the session: when that closes, the session is gone, however it ended, and so this ends.
"""

import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.errors import ImageError, OneboxError, SettingError
from onebox.folds.copies import SIDE, thumbnail
from onebox.formats.image_headers import read_headers
from onebox.images import load as load_image
from onebox.labelling.accuracy import Guess, Round
from onebox.labelling.job import (
    Images,
    Job,
    Proposals,
    job_from_json,
    proposals_as_json,
    read_json,
    round_as_json,
    write_json,
)
from onebox.labelling.ordering import Rank, most_different, most_doubtful, without_copies
from onebox.labelling.records import Proposal
from onebox.labelling.rounds import PROPOSALS, SAMPLE, STATUS
from onebox.loading import load
from onebox.localizer import Localizer
from onebox.progress import Silent
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import Recipe
from onebox.runs.train import train
from onebox.structures import Prediction

_LOWEST_PRIORITY = 19
_REPORT_S = 0.3  # between two writes of the status; not tuned
_ALIKE = 0.95  # correlation of the thumbnails of near copies; not tuned
_COMPARED = 200  # images of the most different that are compared for near copies; not tuned


@dataclass(frozen=True, slots=True)
class _Length:
    """How long a round trains at least; the longer of the two holds."""

    steps: int
    epochs: int


_FIRST, _LATER = _Length(150, 10), _Length(100, 5)
_BATCH = 16
"""The first round, and later ones, which go on from its weights; batches are small, since with few
images the number of steps counts. Not tuned; a training run of its own has at least 300 steps of 32
images, and 30 epochs."""
_FROM_SCRATCH = {
    "train.frozen_stages": 0,
    "train.backbone_lr_scale": 1.0,
    "train.freeze_backbone_fraction": 0.0,
}
"""Changes of a recipe without pretrained weights: an earlier round has not taught the backbone
enough to freeze it."""


class StatusFile(Silent):
    """A listener that keeps the newest progress in a file."""

    def __init__(self, path: Path) -> None:
        """Begin with nothing done.

        Args:
            path: The file, which is written anew each time.
        """
        self._path, self._stage, self._last_s = path, "", 0.0

    def stage(self, name: str) -> None:
        """Write that a stage begins."""
        self._stage = name
        self._write(0.0)

    def advance(self, done: int, total: int) -> None:
        """Write how much is done, but not too often."""
        if time.monotonic() - self._last_s >= _REPORT_S:
            self._write(done / max(total, 1))

    def fail(self, message: str) -> None:
        """Write why the round failed."""
        write_json(self._path, {"stage": self._stage, "done": 0.0, "error": message}, sync=False)

    def _write(self, done: float) -> None:
        self._last_s = time.monotonic()
        write_json(self._path, {"stage": self._stage, "done": min(done, 1.0)}, sync=False)


@dataclass(frozen=True, slots=True)
class _Found:
    """Predictions for images by their ids, and why others cannot be read."""

    predictions: dict[str, Prediction]
    unreadable: dict[str, str]


def main(words: Sequence[str]) -> int:
    """Do the job in a file; 0 if it is done."""
    file = Path(words[0])
    threading.Thread(target=_end_with_session, daemon=True).start()
    _lower_priority()
    # The squares that training decodes would push those of the user's own runs out of the cache.
    cache = file.with_name("cache")
    os.environ["ONEBOX_CACHE"] = str(cache)
    status = StatusFile(file.with_name(STATUS))
    try:
        run_job(job_from_json(read_json(file)), file.parent, status)
    except OneboxError as error:
        status.fail(str(error))
        return 1
    finally:
        for folder in (cache, file.parent / "run" / "checkpoints"):
            shutil.rmtree(folder, ignore_errors=True)  # no round is resumed
    return 0


def run_job(job: Job, folder: Path, status: StatusFile) -> None:
    """Train, predict, and write the answers in the folder of the round.

    Raises:
        OneboxError: As `onebox.train` and `onebox.load`.
    """
    model = job.model or _train(job, folder / "run", status)
    localizer = load(model)
    status.stage("Predicting the accuracy sample")
    sample = _predict(localizer, job.sample, status)
    status.stage("Proposing labels")
    found = _predict(localizer, job.unlabelled, status)
    guesses = {key: Guess(one.label, one.box) for key, one in sample.predictions.items()}
    write_json(folder / SAMPLE, round_as_json(Round(job.labels, guesses)))
    unreadable = {**sample.unreadable, **found.unreadable}
    write_json(folder / PROPOSALS, proposals_as_json(_proposals(job, found, unreadable)))


def _train(job: Job, out: Path, status: StatusFile) -> Path:
    status.stage("Loading the packages that train")
    recipe = read_recipe(job.recipe, job.changes)
    data = _with_readable(job).dataset()
    if recipe.hog is None:
        recipe = _timed(recipe, job, len(data.part("train")))
    if job.earlier is None or recipe.hog is not None:
        return train(data, recipe, weights=job.weights, out=out, listeners=[status]).model
    goes_on = recipe if recipe.model.pretrained else recipe.changed(_FROM_SCRATCH)
    try:
        return train(data, goes_on, weights=job.earlier, out=out, listeners=[status]).model
    except SettingError:
        # The recipe was changed so that the weights of the last round do not fit it.
        shutil.rmtree(out, ignore_errors=True)
        return train(data, recipe, weights=job.weights, out=out, listeners=[status]).model


def _timed(recipe: Recipe, job: Job, images: int) -> Recipe:
    """The recipe of one round: within a time budget if the user gave one, else a short one.

    Without being asked for, a round has no time budget: at low priority on a busy machine, the
    export alone can take longer than any.
    """
    if job.minutes is not None:
        return recipe.changed({"train.minutes": job.minutes})
    if recipe.train.epochs is not None or recipe.train.minutes is not None:
        return recipe
    length = _FIRST if job.earlier is None else _LATER
    batch = min(recipe.train.batch_size, _BATCH)
    epochs = max(length.epochs, math.ceil(length.steps / math.ceil(images / batch)))
    return recipe.changed({"train.epochs": epochs, "train.batch_size": batch})


def _with_readable(job: Job) -> Job:
    """A job without labelled images that were removed or damaged meanwhile."""
    headers = read_headers(one.path for one in job.labelled)
    readable = (one for one in job.labelled if headers[one.path].header is not None)
    return replace(job, labelled=tuple(readable))


def _predict(localizer: Localizer, images: Images, status: StatusFile) -> _Found:
    found = _Found({}, {})
    answers = localizer.predict_many(images.values(), threads=1)
    for key, answer in zip(images, answers, strict=True):
        if answer.prediction is not None:
            found.predictions[key] = answer.prediction
        else:
            found.unreadable[key] = str(answer.error)
        status.advance(answer.index + 1, len(images))
    return found


def _proposals(job: Job, found: _Found, unreadable: dict[str, str]) -> Proposals:
    ranks = {key: _rank(one) for key, one in found.predictions.items()}
    different = most_different(ranks)
    return Proposals(
        {key: _proposal(one, job.round) for key, one in found.predictions.items()},
        tuple(most_doubtful(ranks)),
        (*_spread_out(different[:_COMPARED], job.unlabelled), *different[_COMPARED:]),
        unreadable,
    )


def _proposal(one: Prediction, number: int) -> Proposal:
    return Proposal(
        label=one.label,
        box=one.box,
        score=one.score,
        keypoints=one.keypoints,
        present=one.present,
        expected_iou=one.expected_iou,
        is_familiar=one.is_familiar,
        round=number,
    )


def _rank(one: Prediction) -> Rank:
    novelty = one.distance if one.novelty is None else one.novelty
    return Rank(one.expected_iou, one.spread, novelty)


def _spread_out(order: list[str], images: Images) -> list[str]:
    """The images in order, with those at the end that look like an earlier one."""
    if not order:
        return []
    looks = [_look(images[key]) for key in order]
    return without_copies(order, np.array(looks).reshape(len(order), -1), _ALIKE)


def _look(path: Path) -> Float[ndarray, " pixels"]:
    try:
        return thumbnail(load_image(path, at_least=SIDE).pixels)
    except ImageError:  # it was removed meanwhile
        return np.zeros(SIDE * SIDE)


def _lower_priority() -> None:
    if hasattr(os, "nice"):
        os.nice(_LOWEST_PRIORITY)


def _end_with_session() -> None:
    """End the process when its standard input closes: nobody waits for its answer any more."""
    # Not through sys.stdin: its lock, held here, would stop the interpreter from ending.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)  # not sys.exit, which would end this thread only


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
