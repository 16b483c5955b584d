"""A run whose workers train in processes of their own, on this machine or on a cluster.

This process stores the records of the samples, and decodes no more images than export needs.
"""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from onebox.calibration.training_features import MOST_EXAMPLES
from onebox.distributed.cluster import connected
from onebox.distributed.training import count_cluster_workers, run_on_cluster
from onebox.errors import OneboxError, StoppedError
from onebox.learning.data.decoded_cache import Decoded, decode
from onebox.learning.fitting.checkpoint_io import save_weights
from onebox.learning.fitting.fit import Fitted
from onebox.learning.fitting.history import History
from onebox.learning.network_runs.events import Follower
from onebox.learning.network_runs.finish import PreparedRun
from onebox.learning.network_runs.job import STOPPED, Job, check_workers, part_of
from onebox.learning.network_runs.local_workers import count_local_workers, run_local
from onebox.learning.network_runs.resolve import learns_presence
from onebox.learning.parallel.placement import Placement
from onebox.parity import PARITY_IMAGES
from onebox.progress import Listener, Listeners
from onebox.runs.options import WorkerOptions
from onebox.runs.results import write_recipe
from onebox.structures import Dataset, Sample


def check_count(options: WorkerOptions, data: Dataset, prepared: PreparedRun) -> None:
    """Check the number of workers, as far as it is known before a cluster is reached.

    Raises:
        SettingError: If data or batches cannot be divided among them, or GPUs are missing.
    """
    count = options.count
    if options.on is None:
        count = count_local_workers(count, prepared.recipe.train.batch_size)
    if count is not None:
        check_workers(count, data, prepared.recipe)


def fit_on_workers(
    prepared: PreparedRun,
    data: Dataset,
    options: WorkerOptions,
    ends_at: float | None,
    listener: Listener,
) -> Fitted:
    """Train on the workers that the options ask for.

    Args:
        prepared: The run; its network has the initial weights.
        data: All samples.
        options: How many workers, and where.
        ends_at: Value of `time.time` at which training has to be over; None for no limit.
        listener: Told of the progress; it may stop all workers.

    Returns:
        What the fit left behind, in the run's folder.

    Raises:
        OneboxError: If workers fail, nothing was trained, or a machine does not see the files.
        SettingError: If data or batches cannot be divided among the workers.
        DataError: If images cannot be read.
    """
    history = History(prepared.folder / "history.csv", is_resumed=prepared.resume is not None)
    heard = Listeners([history, listener])
    if options.on is None:
        workers = count_local_workers(options.count, prepared.recipe.train.batch_size)
        job = _write_job(prepared, data, workers, ends_at)
        follower = Follower(job.checkpoints, heard)
        run_local(job, data, workers, follower)
        return _ended(job, follower)
    listener.stage("Connecting to the cluster")
    with connected(options.on) as cluster:
        workers = count_cluster_workers(options.count, cluster)
        job = _write_job(prepared, data, workers, ends_at)
        follower = Follower(job.checkpoints, heard)
        parts = [part_of(data, Placement(rank, workers)) for rank in range(workers)]
        run_on_cluster(job, parts, cluster, follower)
    return _ended(job, follower)


def _write_job(prepared: PreparedRun, data: Dataset, workers: int, ends_at: float | None) -> Job:
    check_workers(workers, data, prepared.recipe)
    is_resumed = prepared.resume is not None
    job = Job(
        prepared.folder.absolute(),
        prepared.recipe,
        prepared.weights,
        learns_presence(prepared.recipe, data),
        None if is_resumed else ends_at,
        is_resumed,
    )
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    if not is_resumed:
        write_recipe(job.recipe, job.folder)
        save_weights(prepared.network.state_dict(), job.initial, {})
    return job


def _ended(job: Job, follower: Follower) -> Fitted:
    follower.clear()
    job.initial.unlink(missing_ok=True)
    if follower.error is not None:
        raise follower.error
    if follower.fitted is None:
        kind = StoppedError if follower.is_interrupted else OneboxError
        raise kind(f"{job.folder}: {STOPPED}")
    return dataclasses.replace(follower.fitted, is_interrupted=follower.is_interrupted)


def decode_few(data: Dataset, side: int) -> dict[str, Decoded]:
    """Decode the images that the end of a run looks at: training and validation images.

    These are the training images whose features a model file keeps, and some for the comparison of
    the exported model with the network.

    Raises:
        DataError: If images cannot be read.
    """
    train = data.part("train")
    boxed = [sample for sample in train if sample.box is not None]
    few = {"train": _spread(boxed, MOST_EXAMPLES), "val": data.part("val").samples[:PARITY_IMAGES]}
    return {
        split: decode(dataclasses.replace(data, samples=tuple(samples)), side)
        for split, samples in few.items()
    }


def _spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    positions = np.linspace(0, len(samples) - 1, min(most, len(samples)))
    return [samples[round(position)] for position in positions]


def end_of_training(budget_s: float | None) -> float | None:
    """The value of `time.time` after so many seconds; None for no limit."""
    return None if budget_s is None else time.time() + budget_s
