"""What a training round gets from a session: its labels, and the images to predict."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from onebox.labelling.job import Job, Labelled
from onebox.labelling.label_file import LabelFile
from onebox.labelling.ledger import Ledger
from onebox.labelling.proposing import Proposing
from onebox.labelling.training import LEAST_BOXES, Need
from onebox.structures import KeypointSet, Split

_TRAINED_ON = ("train", "val")


class Preparing:
    """Makes the jobs of training rounds."""

    def __init__(self, ledger: Ledger, proposing: Proposing, file: LabelFile) -> None:
        """Keep the parts of the session.

        Args:
            ledger: The labels.
            proposing: Says which images to predict.
            file: Says which split the user gave to an image.
        """
        self._ledger, self._proposing, self._file = ledger, proposing, file

    def need(self) -> Need:
        """What decides whether a round starts."""
        with self._ledger.lock:
            boxed = (one for one in self._labelled() if one.label.box is not None)
            used = (one for one in boxed if one.split in _TRAINED_ON)
            boxes = sum(1 for _ in islice(used, LEAST_BOXES))
            return Need(len(self._ledger.state.labels), boxes, self._proposing.are_few())

    def fill_in(self, job: Job, classes: tuple[str, ...], keypoints: KeypointSet | None) -> Job:
        """A job with the labels and the images of the session as they are now.

        Images of the user's test split are left out: a round does not need them. Those of the
        accuracy sample are for calibration, which does not move a box.
        """
        with self._ledger.lock:
            labelled = (one for one in self._labelled() if one.split != "test")
            return replace(
                job,
                classes=classes,
                keypoints=keypoints,
                labelled=() if job.model is not None else tuple(labelled),
                unlabelled=self._proposing.to_propose(),
                sample=self._proposing.to_measure(),
            )

    def _labelled(self) -> Iterator[Labelled]:
        state, images = self._ledger.state, self._ledger.images
        stated = self._file.content.splits
        for key, label in state.labels.items():
            if key not in images.unreadable:
                path = images.path(key)
                split: Split = "cal" if key in state.splits else stated.get(path, "train")
                yield Labelled(path, label, split)
