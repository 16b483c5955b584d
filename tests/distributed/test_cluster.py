"""The connection to a Ray cluster."""

import os
import re
from pathlib import Path

import pytest

import onebox
from onebox.cli.cluster_options import check_cluster
from onebox.distributed.cluster import connected, parse_address
from onebox.errors import OneboxError, SettingError


def test_ray_alone_is_a_cluster_on_this_machine(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert parse_address("ray") is None


def test_ray_alone_takes_the_cluster_of_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert parse_address("ray") == "10.0.0.1:6379"


def test_an_address_follows_the_scheme():
    assert parse_address("ray://10.0.0.1:6379") == "10.0.0.1:6379"


@pytest.mark.parametrize("on", ["", "ray://", "Ray", "spark", "10.0.0.1:6379"])
def test_any_other_word_is_refused_with_an_example(on):
    with pytest.raises(
        SettingError, match=r"--on .*: must be ray, .*such as ray://10\.0\.0\.1:6379"
    ):
        parse_address(on)


def test_only_the_room_of_distributed_work_imports_ray():
    source = Path(onebox.__file__).parent
    imports = re.compile(r"""(require|import_module)\(\s*["']ray\b|^\s*(import|from) ray\b""", re.M)
    found = {
        file.relative_to(source).parts[0]
        for file in source.rglob("*.py")
        if imports.search(file.read_text("utf-8"))
    }
    assert found == {"distributed"}


def test_workers_without_a_cluster_are_refused():
    with pytest.raises(SettingError, match=r"--workers 2: is for clusters\. Add --on ray"):
        check_cluster(None, 2)


def test_options_of_a_cluster_are_checked_before_ray_is_imported():
    with pytest.raises(SettingError, match="--on dask"):
        check_cluster("dask", None)


@pytest.mark.train
def test_a_cluster_on_this_machine_has_its_cores_and_no_telemetry(local_cluster):
    assert local_cluster.is_local
    assert local_cluster.nodes == 1
    assert local_cluster.cpus >= 1
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.train
def test_a_connected_process_keeps_its_connection(local_cluster):
    import ray

    with connected("ray") as again:
        assert again.cpus == local_cluster.cpus
        assert not again.is_local
    assert ray.is_initialized()


@pytest.fixture
def unconnected(monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)


def test_a_cluster_that_does_not_answer_is_named_at_once(unconnected):
    expected = r"--on ray://127\.0\.0\.1:1: no cluster answers there .*refused.*ray status"
    with pytest.raises(OneboxError, match=expected), connected("ray://127.0.0.1:1"):
        pass


@pytest.mark.parametrize("address", ["10.0.0.1", "host:", ":6379", "host:port"])
def test_an_address_without_host_or_port_is_refused(address, unconnected):
    with pytest.raises(SettingError, match="must be HOST:PORT"), connected(f"ray://{address}"):
        pass
