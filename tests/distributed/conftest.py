"""One Ray cluster on this machine for all tests of distributed work."""

import inspect

import pytest

from onebox.distributed.cluster import connected

pytest.importorskip("ray", reason="needs onebox[ray]")


@pytest.fixture(scope="session")
def local_cluster():
    """A cluster of two cores; code that connects with --on ray uses it."""
    import ray

    with connected("ray") as cluster:
        yield cluster
        # Else Python warns of processes that still run; older versions of Ray cannot wait.
        can_wait = "wait_for_processes" in inspect.signature(ray.shutdown).parameters
        ray.shutdown(**({"wait_for_processes": True} if can_wait else {}))
