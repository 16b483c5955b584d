"""The trials of a search on a Ray cluster, several at once, with early stopping."""

import logging
import math
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onebox.distributed.cluster import Cluster
from onebox.distributed.tuning.early_stopping import make_scheduler
from onebox.distributed.tuning.recorder import Recorder
from onebox.distributed.tuning.records import Outcome
from onebox.distributed.tuning.trial_worker import NUMBER, TrialInputs, run
from onebox.optional import require

# Read by Ray Tune in this process: no files of its own beside the results, and our Ctrl-C.
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a report of an error has no metric
    "RAY_AIR_NEW_OUTPUT": "0",  # which prints a box in spite of verbose=0
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
_TRIALS_OF_A_WORKER = 4  # at least, so that early stopping has trials to compare with; not tuned


@dataclass(frozen=True, slots=True)
class Shares:
    """How the cluster is divided among trials.

    Attributes:
        workers: Trials at once.
        threads: CPU cores of each.
        gpus: GPUs of each, 0 or 1.
    """

    workers: int
    threads: int
    gpus: int


def divide(cluster: Cluster, trials: int, workers: int | None) -> Shares:
    """Divide a cluster among trials.

    By default there is a trial for each GPU, or else for each core: two trials on a core each are
    faster than one after the other on two. But no more than a quarter of all trials run at once.

    Args:
        cluster: The cluster.
        trials: Number of trials.
        workers: Trials at once; None for the default.

    Examples:
        >>> divide(Cluster(cpus=8, gpus=0, nodes=1, is_local=True), 12, None)
        Shares(workers=3, threads=2, gpus=0)
    """
    if workers is None:
        room = cluster.gpus or cluster.cpus
        workers = min(room, math.ceil(trials / _TRIALS_OF_A_WORKER))
    workers = max(1, min(workers, trials))
    # A trial runs on one machine.
    threads = min(cluster.cpus // workers, cluster.cpus // max(1, cluster.nodes))
    return Shares(workers, max(1, threads), 1 if cluster.gpus else 0)


def search(
    inputs: TrialInputs,
    pending: Sequence[int],
    finished: Sequence[Outcome],
    recorder: Recorder,
    shares: Shares,
) -> None:
    """Run the trials that are pending; the recorder learns what they find.

    It returns when all have finished, or as soon as the recorder says that it is stopping.

    Args:
        inputs: What all trials share.
        pending: Numbers of the trials to run, in order.
        finished: Earlier trials, for early stopping to compare with.
        recorder: Follows the trials.
        shares: What each trial gets of the cluster.
    """
    with (
        _environment(),
        _quiet_logs(),
        tempfile.TemporaryDirectory(prefix="onebox-tune-", ignore_cleanup_errors=True) as folder,
        _stopped_by_interrupt(recorder),
    ):
        tune = require("ray.tune", extra="ray", purpose="searches")
        tune.run(
            tune.with_parameters(run, inputs=inputs),
            name="trials",
            config={NUMBER: tune.grid_search(list(pending))},
            resources_per_trial={"cpu": shares.threads, "gpu": shares.gpus},
            max_concurrent_trials=shares.workers,
            scheduler=make_scheduler(finished),
            stop=_stopper(tune, recorder),
            callbacks=[_callback(tune, recorder)],
            storage_path=folder,
            reuse_actors=True,  # a new process would import PyTorch again
            raise_on_failed_trial=False,
            verbose=0,
        )


def _stopper(tune: Any, recorder: Recorder) -> Any:  # noqa: ANN401 - Ray is imported by name
    class Stopper(tune.Stopper):  # type: ignore[misc]
        """Stops all trials once the recorder says so."""

        def __call__(self, *_: object) -> bool:
            return False

        def stop_all(self) -> bool:
            return recorder.is_stopping()

        def __reduce__(self) -> tuple[type, tuple[()]]:
            """Ray Tune keeps its state on the disk, which is never read: nothing is kept here."""
            return object, ()

    return Stopper()


def _callback(tune: Any, recorder: Recorder) -> Any:  # noqa: ANN401
    class Callback(tune.Callback):  # type: ignore[misc]
        """Tells the recorder of reports and of finished trials."""

        def on_trial_result(self, *, trial: Any, result: Any, **_: Any) -> None:  # noqa: ANN401
            recorder.report(trial.config[NUMBER], result)

        def on_trial_complete(self, *, trial: Any, **_: Any) -> None:  # noqa: ANN401
            recorder.finish(trial.config[NUMBER])

        def on_trial_error(self, *, trial: Any, **_: Any) -> None:  # noqa: ANN401
            recorder.fail(trial.config[NUMBER], _death(trial.get_error()))

    return Callback()


def _death(error: BaseException | None) -> str:
    lines = str(error or "").strip().splitlines()
    last = lines[-1] if lines else "unknown"
    return f"its process died, perhaps for lack of memory ({last})."


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _quiet_logs() -> Iterator[None]:
    logger = logging.getLogger("ray.tune")
    before = logger.level
    logger.setLevel(logging.CRITICAL)  # what happens to trials is in the journal and on the page
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _stopped_by_interrupt(recorder: Recorder) -> Iterator[None]:
    """Have Ctrl-C stop the trials; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Callable[..., Any] | int | None = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        recorder.is_interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
