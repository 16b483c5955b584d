"""What runs on the cluster: workers that open the model once, and the count of begun shards.

Ray starts a worker again that has died, and gives it its shard again. A shard whose worker died
three times is worked in a process of its own, so that the image at fault becomes an error. Whatever
the user can repair travels back as text: an exception of a worker would only be retried.
"""

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

import onebox
from onebox.distributed.cluster import require_ray
from onebox.distributed.prediction.isolation import answer_apart
from onebox.distributed.prediction.model import SentModel
from onebox.distributed.prediction.records import PartSummary, PlannedShard
from onebox.distributed.prediction.work import (
    Answers,
    Task,
    answer_with,
    find_part,
    read_shard,
    work,
)
from onebox.errors import OneboxError

DEATHS_BEFORE_CARE = 3
"""Deaths of a worker after which its shard is worked in a process of its own; not tuned."""

MOST_DEATHS = 20
"""Deaths of a worker at one shard after which the job ends; not tuned."""


class BegunShards:
    """Counts how often each shard was begun and not ended; one actor for all workers."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """How often the shard was begun before."""
        self._begun[number] += 1
        return self._begun[number] - 1

    def end(self, number: int) -> None:
        """Forget a shard that is done."""
        self._begun.pop(number, None)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker is told.

    Attributes:
        task: What all shards have in common.
        threads: Images that it predicts at once.
        version: The version of onebox that started the job.
    """

    task: Task
    threads: int
    version: str


class Worker:
    """Works one shard at a call; the model is opened at the first."""

    def __init__(self, settings: WorkerSettings, model: list[Any], begun: Any) -> None:  # noqa: ANN401
        """Keep what is needed.

        Args:
            settings: What to do.
            model: The reference to the `SentModel`, in a list: Ray would otherwise fetch it.
            begun: The handle of the `BegunShards`.
        """
        self._settings, self._model, self._begun = settings, model, begun
        self._answer: Answers | None = None

    def __call__(self, batch: dict[str, ndarray]) -> dict[str, ndarray]:
        """Work a shard of the plan; return its summary as a row of a data set."""
        offset, length = int(batch["offset"][0]), int(batch["length"][0])
        try:
            summary, failure = self._work(offset, length), ""
        except OneboxError as error:
            summary, failure = PartSummary(-1, 0, 0), str(error)
        return {
            "part": np.array([summary.number]),
            "rows": np.array([summary.rows]),
            "errors": np.array([summary.errors]),
            "examples": np.array(["\n".join(summary.examples)], object),
            "failure": np.array([failure], object),
            "process": np.array([os.getpid()]),
        }

    def _work(self, offset: int, length: int) -> PartSummary:
        self._check_version()
        task = self._settings.task
        shard = read_shard(task, offset, length)
        if (summary := find_part(task, shard.number)) is not None:
            return summary
        ray = require_ray()
        deaths = ray.get(self._begun.begin.remote(shard.number))
        summary = work(task, shard, self._choose(shard, deaths))
        self._begun.end.remote(shard.number)
        return summary

    def _check_version(self) -> None:
        if self._settings.version != onebox.__version__:
            raise OneboxError(
                f"a worker has onebox {onebox.__version__}, and this machine has "
                f"{self._settings.version}. Install the same version on all machines."
            )

    def _choose(self, shard: PlannedShard, deaths: int) -> Answers:
        if deaths >= MOST_DEATHS:
            raise OneboxError(
                f"part {shard.number} of the plan: its worker died {deaths} times. See the logs of "
                "Ray; give the machines more memory, or leave its images out."
            )
        if deaths >= DEATHS_BEFORE_CARE:
            return answer_apart(self._fetch())
        if self._answer is None:
            self._answer = answer_with(self._fetch().open(), self._settings.threads)
        return self._answer

    def _fetch(self) -> SentModel:
        model: SentModel = require_ray().get(self._model[0])
        return model
