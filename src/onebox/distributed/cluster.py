"""The connection to a Ray cluster: one of this machine while a command runs, or a running one.

``ray`` starts a cluster on this machine, or takes the one that ``RAY_ADDRESS`` names.
``ray://ADDRESS`` takes a running one; the address is what ``ray start --head`` prints, such as
``10.0.0.1:6379``, or ``auto`` on a machine of the cluster. Ray reports no usage statistics unless
the environment asks for it.
"""

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onebox.errors import OneboxError, SettingError
from onebox.optional import require
from onebox.threads import resolve_threads

LOCAL = "ray"
"""The word for a cluster on this machine."""

_SCHEME = "ray://"
_AUTO = "auto"
_TIMEOUT_S = 10.0  # for a port to answer; not tuned
_STORE_BYTES = 512 * 2**20  # of a local cluster's object store: records only, no images; not tuned
# Read when Ray is imported or its workers start.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what is wrong comes as an exception, too
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray 2.60 otherwise warns of
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is connected.

    Attributes:
        cpus: CPU cores of all machines.
        gpus: GPUs of all machines.
        nodes: Number of machines.
        is_local: Whether it was started by this command and ends with it.
    """

    cpus: int
    gpus: int
    nodes: int
    is_local: bool


def parse_address(on: str) -> str | None:
    """The address in the value of ``--on``; None for a cluster on this machine.

    Raises:
        SettingError: If it is neither ``ray`` nor ``ray://ADDRESS``.
    """
    if on == LOCAL:
        return os.environ.get("RAY_ADDRESS") or None
    address = on.removeprefix(_SCHEME)
    if address == on or not address:
        raise SettingError(
            f"--on {on}: must be ray, for a cluster on this machine, or ray://ADDRESS, with the "
            "address that ray start --head prints, such as ray://10.0.0.1:6379."
        )
    return address


def require_ray() -> Any:  # noqa: ANN401 - a module of an extra
    """Import Ray, with its usage statistics off.

    Raises:
        OneboxError: If it is not installed.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return require("ray", extra="ray", purpose="clusters")


@contextmanager
def connected(on: str) -> Iterator[Cluster]:
    """Connect to the cluster that ``--on`` names, and leave it at the end.

    In a process that is connected already, the present connection is used and kept.

    Raises:
        OneboxError: If Ray is not installed, or the cluster cannot be reached.
        SettingError: If the value is wrong.
    """
    address = parse_address(on)
    ray = require_ray()
    if ray.is_initialized():
        yield _describe(ray, is_local=False)
        return
    if address is not None and address != _AUTO:
        _check_reachable(on, address)
    with tempfile.TemporaryDirectory(prefix="onebox-ray-", ignore_cleanup_errors=True) as folder:
        try:
            _connect(ray, address, folder)
        except Exception as error:  # Ray raises bare ones, such as for a slow start
            ray.shutdown()
            raise OneboxError(f"--on {on}: {_explain_failure(address, error)}") from error
        try:
            yield _describe(ray, is_local=address is None)
        finally:
            ray.shutdown()


def _explain_failure(address: str | None, error: Exception) -> str:
    if address is None:
        return (
            f"Ray did not start ({_first_line(error)}). Try again when this machine is less busy."
        )
    return (
        f"the cluster cannot be reached ({_first_line(error)}). Check the address, and that Ray "
        "has the same version there."
    )


def _check_reachable(on: str, address: str) -> None:
    """Check that a port answers: Ray itself would try for minutes.

    Raises:
        OneboxError: If it does not.
        SettingError: If the address is not a host and a port.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingError(
            f"--on {on}: the address must be HOST:PORT, such as ray://10.0.0.1:6379, or auto."
        )
    try:
        socket.create_connection((host, int(port)), _TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise OneboxError(
            f"--on {on}: no cluster answers there ({_first_line(error)}). Check the address; ray "
            "status, on a machine of the cluster, says whether it runs."
        ) from error


def _connect(ray: Any, address: str | None, folder: str) -> None:  # noqa: ANN401
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is not None:
        settings["address"] = address
    else:
        settings |= {
            "address": "local",
            "num_cpus": resolve_threads(None),
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
            "_temp_dir": folder,
        }
    with _silent_stderr():
        ray.init(**settings)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    # Ray's C++ part reports there which log level it was given. What fails is an exception.
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _describe(ray: Any, *, is_local: bool) -> Cluster:  # noqa: ANN401
    resources = ray.cluster_resources()
    nodes = sum(1 for node in ray.nodes() if node["Alive"])
    cpus, gpus = (int(resources.get(name, 0)) for name in ("CPU", "GPU"))
    return Cluster(cpus=cpus, gpus=gpus, nodes=nodes, is_local=is_local)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
