"""Trains models in the background: when a round starts, what it is told, what became of it.

A round is a process of its own (`onebox.labelling.worker`), so that PyTorch never slows the page
down, and a crash takes nothing with it.
"""

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onebox.errors import first_line
from onebox.files import real_path
from onebox.labelling.job import Job, Proposals, read_json
from onebox.labelling.options import TrainingOptions
from onebox.labelling.records import TrainingStatus
from onebox.labelling.rounds import LOG, STATUS, Rounds
from onebox.recipes.loading import read_recipe

_POLL_S = 0.3  # between two looks at a running round; not tuned
LEAST_BOXES = 2
"""As in `onebox.runs.preflight`: one to train on, one to validate."""

_PACKAGES = {
    "train": ("torch", "torchvision", "timm", "lightning", "safetensors"),
    "classic": ("cv2", "skimage", "sklearn"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the trainer does.

    Attributes:
        training: None to train no model.
        model: A model that proposes before the first round; None without.
    """

    training: TrainingOptions | None
    model: Path | None


@dataclass(frozen=True, slots=True)
class Need:
    """What decides whether a round starts.

    Attributes:
        labels: Number of labels.
        boxes: Number of boxes to train on or to validate with; more than `LEAST_BOXES` are not
            counted.
        wants_proposals: Whether few images have a proposal, and others could get one.
    """

    labels: int
    boxes: int
    wants_proposals: bool


class Trainer:
    """A thread that starts rounds and takes over what they leave."""

    def __init__(
        self,
        plan: Plan,
        rounds: Rounds,
        need: Callable[[], Need],
        make_job: Callable[[Job], Job],
        deliver: Callable[[Proposals], None],
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            plan: What it does.
            rounds: The rounds so far.
            need: Says what there is to train on.
            make_job: Fills in the images of a job.
            deliver: Takes the proposals of a finished round over.
        """
        self._plan, self.rounds = plan, rounds
        self._need, self._make_job, self._deliver = need, make_job, deliver
        self._missing = _missing_packages(plan.training)
        self._is_asked = False
        self._failure = ""
        self._started_at = self._labels_of_newest()
        self._job: Job | None = None
        self._wake, self._is_stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="onebox-trainer", daemon=True)

    def start(self) -> None:
        """Start the thread, if there is anything to do for it."""
        if self._trains or self._plan.model is not None:
            self._thread.start()

    def notify(self) -> None:
        """Labels have changed."""
        self._wake.set()

    def train_now(self) -> None:
        """Start a round as soon as none runs."""
        self._is_asked = True
        self._wake.set()

    def close(self) -> None:
        """Stop the thread and the round that runs."""
        self._is_stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def status(self) -> TrainingStatus:
        """What happens now."""
        job, newest = self._job, self.rounds.newest or 0
        if job is not None:
            said = read_json(self.rounds.folder(job.round) / STATUS) or {}
            stage, done = said.get("stage", "Starting"), said.get("done", 0.0)
            return TrainingStatus("running", job.round, job.labels, stage, done)
        labels = self._labels_of_newest()
        if self._failure:
            return TrainingStatus("failed", newest, labels, message=self._failure)
        if not self._trains:
            return TrainingStatus("off", newest, labels, message=self._missing)
        return TrainingStatus("waiting", newest, labels, message=self._reason_to_wait())

    @property
    def _trains(self) -> bool:
        return self._plan.training is not None and not self._missing

    def _labels_of_newest(self) -> int:
        newest = self.rounds.newest
        return 0 if newest is None else self.rounds.read[newest].labels

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self._job = self._next_job()
                if self._job is not None:
                    self._failure = self._do(self._job)
                    continue
            except Exception as error:  # noqa: BLE001 - the thread must go on, and the user know
                self._failure = first_line(error)
            finally:
                self._job = None
            self._wake.wait()
            self._wake.clear()

    def _next_job(self) -> Job | None:
        """The job to do now, without its images; None to wait."""
        need, training = self._need(), self._plan.training
        if training is not None and self._trains and self._is_due(need, training):
            self._is_asked = False
            self._started_at = need.labels
            newest = self.rounds.newest
            return Job(
                (newest or 0) + 1,
                need.labels,
                recipe=str(training.recipe),
                changes=training.changes,
                earlier=self.rounds.weights(newest),
                weights=training.weights,
                minutes=training.minutes,
            )
        if self._plan.model is None or self.rounds.newest or self._failure:
            return None
        if need.wants_proposals or self.rounds.newest is None:
            return Job(0, 0, model=real_path(self._plan.model))
        return None

    def _is_due(self, need: Need, training: TrainingOptions) -> bool:
        if need.boxes < LEAST_BOXES:
            return False
        is_first = self._started_at == 0
        due = training.first_at if is_first else self._started_at + training.every
        return self._is_asked or need.labels >= due

    def _reason_to_wait(self) -> str:
        need, training = self._need(), self._plan.training
        is_enough = training is None or (need.labels < training.first_at and not self._is_asked)
        if is_enough or need.boxes >= LEAST_BOXES:
            return ""
        return (
            f"Training needs at least {LEAST_BOXES} boxes besides those of the accuracy sample; "
            f"there are {need.boxes}."
        )

    def _do(self, job: Job) -> str:
        """Do a job in a process; why it failed, or nothing."""
        file = self.rounds.begin(self._make_job(job))
        code = self._wait_for(start_worker(file))
        if self._is_stopped.is_set():
            return ""
        said = read_json(file.with_name(STATUS)) or {}
        proposals = None if said.get("error") else self.rounds.finish(job.round)
        if proposals is None:
            return said.get("error") or _crash(code, file.with_name(LOG))
        self._deliver(proposals)
        return ""

    def _wait_for(self, process: subprocess.Popen[bytes]) -> int:
        """Wait until the process ends, or end it if the session closes; its exit code."""
        try:
            while process.poll() is None and not self._is_stopped.wait(_POLL_S):
                pass
        finally:
            process.kill()  # nothing, if it has ended
            code = process.wait()
            if process.stdin is not None:
                process.stdin.close()
        return code


def start_worker(job: Path) -> subprocess.Popen[bytes]:
    """Start the process that does the job in a file; it ends when this process does."""
    with job.with_name(LOG).open("wb") as log:
        # A pipe as its input: it closes when this process ends, however that happens.
        return subprocess.Popen(  # noqa: S603 - this Python and a module of this package
            # -P: no module is imported from the folder that the user happens to be in.
            [sys.executable, "-P", "-m", "onebox.labelling.worker", str(job)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )


def _crash(code: int, log: Path) -> str:
    """Why a process ended that wrote no reason of its own."""
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    end = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    last = f" Its last line is: {lines[-1]}" if lines else ""
    return f"the process that trains {end}.{last} See {log}. The next labels start another try."


def _missing_packages(training: TrainingOptions | None) -> str:
    """What to install before a model can be trained; empty if nothing is missing."""
    if training is None:
        return ""
    recipe = read_recipe(training.recipe, training.changes)
    extra = "train" if recipe.hog is None else "classic"
    missing = [name for name in _PACKAGES[extra] if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"Training needs the package '{missing[0]}', which is not installed. Install it with: pip "
        f"install 'onebox[{extra}]'"
    )
