"""The job on this machine's side: plan, hand the shards out, and keep count.

The order of the files makes a rerun safe: first the plan, then what was asked, then the parts, the
manifest last. A rerun takes the plan that is there, and works the shards whose part is missing.
"""

import json
import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onebox import stores
from onebox.distributed import cluster
from onebox.distributed.cores import cores_of_each, cores_of_machines
from onebox.distributed.prediction import folder as results
from onebox.distributed.prediction.actors import BegunShards, Worker, WorkerSettings
from onebox.distributed.prediction.model import SentModel
from onebox.distributed.prediction.planning import Name, write_plan
from onebox.distributed.prediction.records import JobRecord, PartSummary, PlanFacts, Request
from onebox.distributed.prediction.work import Task
from onebox.errors import DataError, OneboxError, first_line
from onebox.optional import require
from onebox.prediction.targets import Target
from onebox.prediction.writers import Layout

_EXAMPLES = 20  # errors that a job quotes
_MOST_BLOCKS = 10_000  # of shards that Ray hands out; with more shards, several go together


@dataclass(slots=True)
class Tally:
    """How far a job is.

    Attributes:
        parts: Shards that are done.
        images: Their images, those with errors included.
        errors: Images that could not be read.
        examples: Some of these errors, a sentence each.
        summaries: What each part holds, by its number.
    """

    parts: int = 0
    images: int = 0
    errors: int = 0
    examples: list[str] = field(default_factory=list)
    summaries: dict[int, PartSummary] = field(default_factory=dict)

    def add(self, summary: PartSummary) -> None:
        """Count a part."""
        self.summaries[summary.number] = summary
        self.parts = len(self.summaries)
        self.images += summary.rows
        self.errors += summary.errors
        self.examples += summary.examples[: max(0, _EXAMPLES - len(self.examples))]


@dataclass(frozen=True, slots=True)
class ClusterJob:
    """A job whose plan is written.

    Attributes:
        folder: Where the results go: a path that is absolute, or a URI.
        record: What was asked, and what the plan holds.
        layout: What all rows have in common.
        model: The model.
    """

    folder: str
    record: JobRecord
    layout: Layout
    model: SentModel

    def find_totals(self) -> Tally | None:
        """The totals of a job that has finished; None if the manifest, its last file, is missing.

        Raises:
            DataError: If the folder cannot be reached.
        """
        return _read_totals(self.folder)

    def run(
        self,
        on: str,
        workers: int | None,
        progress: Callable[[Tally], object],
        note: Callable[[str], object],
    ) -> Tally:
        """Work all shards that have no part yet, and write the manifest.

        Args:
            on: The cluster, as ``--on`` names it.
            workers: Number of workers; one for each core of the cluster if None.
            progress: Called after each shard.
            note: Called with what the user should know, a sentence.

        Raises:
            OneboxError: If the cluster or the folder cannot be reached, or a worker cannot go on.
        """
        tally = Tally()
        with cluster.connected(on) as found, _quiet() as data:
            if not found.cpus:
                raise OneboxError(f"--on {on}: the cluster has no cores. Add a machine to it.")
            count, cpus = share_cores(cores_of_machines(), workers or found.cpus)
            if workers is not None and count < workers:
                note(f"the cluster has room for {count} workers, not {workers}.")
            settings = WorkerSettings(self._task(), cpus, self.record.request.onebox)
            handed_out = _hand_out(data, settings, self.model, count)
            with _ray_errors_named(on), closing(handed_out) as rows:
                for row in rows:
                    tally.add(_read_row(row))
                    progress(tally)
        summaries = [tally.summaries[number] for number in sorted(tally.summaries)]
        results.write_manifest(self.folder, self.record, summaries)
        results.sweep(self.folder)
        return tally

    def _task(self) -> Task:
        plan = self.record.plan
        return Task(self.folder, plan.parts, self.record.request.digest, self.layout)


def begin(folder: str, request: Request, targets: Iterator[Target], name: Name) -> JobRecord:
    """Plan a job, or find the plan of an earlier run in the folder.

    Args:
        folder: Where the results go: a path that is absolute, or a URI.
        request: What is asked.
        targets: What the sources stand for; drawn for a new plan alone.
        name: How a path is named in the results.

    Raises:
        SettingError: If the folder holds anything else, or a source is a video, a camera or a URL.
        DataError: If the sources hold no image.
        OneboxError: If the folder cannot be written to.
    """
    if (found := results.prepare(folder)) is not None:
        results.check_same(folder, found, request)
        return found
    with results.publishing(folder, results.PLAN) as file:
        plan: PlanFacts = write_plan(targets, name, file)
    if not plan.parts:
        raise DataError(*(plan.problems or ("there is no image to predict. Name some.",)))
    record = JobRecord(request, plan)
    results.write_text(folder, results.JOB, record.as_json())
    return record


def _read_totals(folder: str) -> Tally | None:
    file = stores.join(folder, results.MANIFEST)
    if not stores.exists(file):
        return None
    found = json.loads(stores.read(file))
    return Tally(len(found["parts"]), found["rows"], found["errors"])


def share_cores(cores: Sequence[int], workers: int) -> tuple[int, int]:
    """Number of workers that the machines have room for, and the cores of each.

    Args:
        cores: Of each machine.
        workers: As many as are wanted.

    Examples:
        >>> share_cores([4, 4], 2), share_cores([4, 2], 2), share_cores([2, 2], 9)
        ((2, 4), (2, 2), (4, 1))
    """
    count = min(workers, sum(cores))
    return count, max(1, cores_of_each(cores, count))


def _hand_out(
    data: Any,  # noqa: ANN401 - the module ray.data, imported by name
    settings: WorkerSettings,
    model: SentModel,
    workers: int,
) -> Generator[dict[str, Any], None, None]:
    """Have the workers work all shards; yield what each says, as soon as it is done."""
    ray = cluster.require_ray()
    lines = results.plan_lines(settings.task.folder)
    shards = [{"offset": offset, "length": length} for offset, length in lines]
    sent = ray.put(model)
    lasting = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
    begun = ray.remote(BegunShards).options(**lasting).remote()
    # One shard waits at no worker: it would wait for that worker's death and restart, too.
    pool = data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1)
    blocks = min(len(shards), _MOST_BLOCKS)
    worked = data.from_items(shards, override_num_blocks=blocks).map_batches(
        Worker,
        batch_size=1,
        compute=pool,
        num_cpus=settings.threads,
        fn_constructor_args=(settings, [sent], begun),
    )
    yield from worked.iter_rows()


@contextmanager
def _ray_errors_named(on: str) -> Iterator[None]:
    exceptions = cluster.require_ray().exceptions
    try:
        yield
    except exceptions.RayError as error:
        raise OneboxError(
            f"--on {on}: Ray cannot go on ({first_line(error)}). See its logs, and check that "
            "every machine has the same versions of onebox and Ray; then run the command again."
        ) from error


def _read_row(row: dict[str, Any]) -> PartSummary:
    if row["failure"]:
        raise OneboxError(row["failure"])
    examples = tuple(row["examples"].splitlines())
    return PartSummary(int(row["part"]), int(row["rows"]), int(row["errors"]), examples)


@contextmanager
def _quiet() -> Iterator[Any]:
    """Import Ray Data; keep it and Ray from printing on standard output, and from its own bars."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own settings
        data = require("ray.data", extra="ray", purpose="clusters")
        context = data.DataContext.get_current()
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    context.enable_progress_bars = context.print_on_execution_start = False
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            yield data
        finally:
            logger.setLevel(level)
