"""Training on a Ray cluster: Ray Train starts the workers, and starts them again if one is lost.

Each worker is a process with its own GPU, or with a share of the cores, and does what a worker on
one machine does: `onebox.learning.network_runs.worker`. The run's folder is shared by all machines:
it has the checkpoints, and the first worker's reports.
"""

import importlib
import platform
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from onebox import stores
from onebox.distributed.cluster import Cluster, require_ray
from onebox.distributed.cores import cores_of_each, cores_of_machines
from onebox.errors import OneboxError, SettingError, first_line, format_count
from onebox.optional import require
from onebox.structures import Dataset, PackedImage, Sample

MOST_LOSSES = 20
"""How often the workers are started again after one was lost; not tuned."""

_WAIT_S = 2 * 24 * 3600  # for workers with more images to decode
_RECORDS = "ray"  # a folder of Ray Train's own, beside the checkpoints
_POLL_S = 0.2


@runtime_checkable
class TrainingJob(Protocol):
    """What all workers are told; they know more of it."""

    @property
    def folder(self) -> Path:
        """The run's folder."""

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""


@runtime_checkable
class Following(Protocol):
    """Follows the reports of the first worker."""

    def follow_while(self, is_running: Callable[[], bool]) -> None:
        """Follow until the workers have ended."""


def count_cluster_workers(workers: int | None, cluster: Cluster) -> int:
    """The number of workers that ``--workers`` asks for; by default one for each GPU.

    Without GPUs, one for each machine, which computes on all its cores.

    Raises:
        SettingError: If the cluster has fewer GPUs, or without GPUs, fewer cores.
    """
    if workers is None:
        return cluster.gpus or cluster.nodes
    room = cluster.gpus or cluster.cpus
    if workers > room:
        devices = (
            format_count(room, "GPU", "GPUs")
            if cluster.gpus
            else format_count(room, "core", "cores")
        )
        raise SettingError(f"--workers {workers}: the cluster has {devices}. Give at most {room}.")
    return workers


def run_on_cluster(
    job: TrainingJob, parts: Sequence[Dataset], cluster: Cluster, follower: Following
) -> None:
    """Run a worker for each part of the data until all have ended.

    Raises:
        OneboxError: If a machine does not see the files, or workers fail or are lost too often.
    """
    ray = require_ray()
    check_reachable(job, parts)
    threads = max(1, cores_of_each(cores_of_machines(), len(parts)))
    told = {"job": job, "parts": [ray.put(part) for part in parts], "threads": threads}
    trainer = _trainer(job, told, workers=len(parts), has_gpus=cluster.gpus > 0)
    failures: list[Exception] = []
    thread = threading.Thread(target=_fit, args=(trainer, failures), daemon=True)
    thread.start()
    try:
        follower.follow_while(thread.is_alive)
    finally:
        shutil.rmtree(job.checkpoints / _RECORDS, ignore_errors=True)
    if failures:
        raise OneboxError(
            f"--on ray: the workers failed ({first_line(failures[0])}). Ray's own logs of the "
            f"workers say more; continue with --resume {job.folder}."
        ) from failures[0]


def _fit(trainer: Any, failures: list[Exception]) -> None:  # noqa: ANN401
    try:
        trainer.fit()
    except Exception as error:  # noqa: BLE001 - of any kind; raised by the thread that waits
        failures.append(error)


def _trainer(job: TrainingJob, told: Mapping[str, Any], *, workers: int, has_gpus: bool) -> Any:  # noqa: ANN401
    train, torch_train = (
        require(name, extra="ray", purpose="clusters") for name in ("ray.train", "ray.train.torch")
    )
    cores = {"CPU": told["threads"]}
    return torch_train.TorchTrainer(
        run_worker,
        train_loop_config={**told},
        torch_config=torch_train.TorchConfig(
            backend="cpu:gloo,cuda:nccl" if has_gpus else "gloo", timeout_s=_WAIT_S
        ),
        scaling_config=train.ScalingConfig(
            num_workers=workers,
            use_gpu=has_gpus,
            resources_per_worker={**cores, "GPU": 1} if has_gpus else cores,
        ),
        run_config=train.RunConfig(
            name="train",
            storage_path=str(job.checkpoints / _RECORDS),
            failure_config=train.FailureConfig(max_failures=MOST_LOSSES),
        ),
    )


def run_worker(told: Mapping[str, Any]) -> None:
    """What Ray runs in each worker."""
    ray = require_ray()
    context = require("ray.train", extra="ray", purpose="clusters").get_context()
    device = require("ray.train.torch", extra="ray", purpose="clusters").get_device()
    importlib.import_module("torch").set_num_threads(told["threads"])
    placement = importlib.import_module("onebox.learning.parallel.placement").Placement(
        context.get_world_rank(),
        context.get_world_size(),
        context.get_local_rank(),
        context.get_node_rank(),
        str(device),
    )
    part = ray.get(told["parts"][placement.rank])
    worker = importlib.import_module("onebox.learning.network_runs.worker")
    worker.work(told["job"], part, placement)


def check_reachable(job: TrainingJob, parts: Sequence[Dataset]) -> None:
    """Check that every machine of the cluster sees the run's folder and an image of each part.

    Raises:
        OneboxError: If one does not; the message names the machine.
    """
    ray = require_ray()
    strategies = require("ray.util.scheduling_strategies", extra="ray", purpose="clusters")
    paths = [job.folder / "recipe.toml", *_first_images(parts)]
    look = ray.remote(missing_path)
    looks = [
        look.options(
            num_cpus=0,
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(
                node_id=node["NodeID"], soft=False
            ),
        ).remote(paths)
        for node in ray.nodes()
        if node["Alive"]
    ]
    for missing in filter(None, ray.get(looks)):
        machine, path = missing
        raise OneboxError(
            f"{path}: the machine {machine} of the cluster cannot read it. Put the images and the "
            f"run's folder (--out, now {job.folder}) on storage that all machines have at the same "
            "path."
        )


def missing_path(paths: Sequence[Path]) -> tuple[str, Path] | None:
    """The name of this machine and the first path that it does not see; None if it sees all."""
    missing = next((path for path in paths if not path.is_file()), None)
    return None if missing is None else (platform.node(), missing)


def _first_images(parts: Sequence[Dataset]) -> list[Path]:
    """The first file of images of each part; those in object stores have none."""
    files = ([file for one in part if (file := _file_of(one))] for part in parts)
    return [paths[0] for paths in files if paths]


def _file_of(sample: Sample) -> Path | None:
    if isinstance(sample.image, PackedImage):
        return None if stores.is_uri(sample.image.shard) else Path(sample.image.shard)
    return sample.image if isinstance(sample.image, Path) else None
