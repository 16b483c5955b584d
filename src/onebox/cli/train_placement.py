"""Where ``onebox train`` trains: in this process, on several devices, or on a Ray cluster."""

from typing import Annotated

import typer

from onebox.cli.cluster_options import check_cluster
from onebox.errors import SettingError
from onebox.runs.options import WorkerOptions

_AUTO = "auto"

Devices = Annotated[
    str | None,
    typer.Option(
        "--devices",
        metavar="N|auto",
        help="Train on N GPUs of this machine (without a GPU: in N processes), or on all of them.",
    ),
]


def read_placement(
    devices: str | None, on: str | None, workers: int | None
) -> WorkerOptions | None:
    """The workers that the options ask for; None to train in this process.

    Raises:
        SettingError: If options exclude each other, or a value is wrong.
    """
    check_cluster(on, workers)
    if devices is not None and on is not None:
        raise SettingError(
            "--devices is for this machine, and --on for a cluster; leave one out (--workers is "
            "the number of workers on a cluster)."
        )
    if on is not None:
        return WorkerOptions(workers, on)
    if devices is None:
        return None
    return WorkerOptions(_read_count(devices))


# None for ``auto``.
def _read_count(devices: str) -> int | None:
    if devices == _AUTO:
        return None
    if not devices.isdecimal() or int(devices) < 1:
        raise SettingError(f"--devices {devices}: must be a number from 1, or auto.")
    return int(devices)
