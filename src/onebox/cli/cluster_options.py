"""Options of the commands that can work on a Ray cluster."""

from typing import Annotated

import typer

from onebox.errors import SettingError

On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="ray[://ADDRESS]",
        help="Work on a Ray cluster: one on this machine, or the running one at an address.",
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Number of workers; by default as many as the cluster has room for.",
    ),
]


def check_cluster(on: str | None, workers: int | None) -> None:
    """Check that the options of a cluster fit together, before anything is read.

    Raises:
        SettingError: If ``--workers`` is given without ``--on``, or ``--on`` is wrong.
    """
    if on is None:
        if workers is not None:
            raise SettingError(
                f"--workers {workers}: is for clusters. Add --on ray, or leave it out."
            )
        return
    from onebox.distributed.cluster import parse_address

    parse_address(on)
