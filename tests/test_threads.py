"""The threads that a process can run at once, by CPU affinity and control-group quota."""

import os
import sys

import pytest

from onebox import threads

UNLIMITED = "max 100000"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    return path


@pytest.fixture
def membership(tmp_path):
    """The file that names the control groups of a process."""
    return lambda text: write(tmp_path / "self/cgroup", text)


def test_a_quota_of_version_2_is_time_over_period(tmp_path, membership):
    write(tmp_path / "groups/pod/cpu.max", "150000 100000")
    # 150 ms of every 100 ms
    assert threads.cpu_quota(membership("0::/pod"), tmp_path / "groups") == 1.5


def test_the_smallest_quota_of_a_group_and_its_ancestors_counts(tmp_path, membership):
    write(tmp_path / "groups/pod/cpu.max", "50000 100000")
    write(tmp_path / "groups/pod/box/cpu.max", "200000 100000")
    assert threads.cpu_quota(membership("0::/pod/box"), tmp_path / "groups") == 0.5


def test_in_a_container_a_path_of_the_host_means_the_mount_itself(tmp_path, membership):
    write(tmp_path / "groups/cpu.max", "300000 100000")
    assert threads.cpu_quota(membership("0::/docker/0123"), tmp_path / "groups") == 3


def test_without_a_quota_the_result_is_none(tmp_path, membership):
    write(tmp_path / "groups/pod/cpu.max", UNLIMITED)
    write(tmp_path / "groups/cpu/pod/cpu.cfs_quota_us", "-1")
    write(tmp_path / "groups/cpu/pod/cpu.cfs_period_us", "100000")
    named = membership("4:cpu:/pod\n0::/pod")
    assert threads.cpu_quota(named, tmp_path / "groups") is None
    assert threads.cpu_quota(tmp_path / "none", tmp_path / "groups") is None


@pytest.mark.parametrize("controllers", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_version_1_is_time_over_period(tmp_path, membership, controllers, folder):
    write(tmp_path / f"groups/{folder}/pod/cpu.cfs_quota_us", "250000")
    write(tmp_path / f"groups/{folder}/pod/cpu.cfs_period_us", "100000")
    named = membership(f"5:memory:/other\n4:{controllers}:/pod")
    expected = None if (controllers, folder) == ("cpu", "cpu,cpuacct") else 2.5
    assert threads.cpu_quota(named, tmp_path / "groups") == expected


def test_an_unreadable_quota_is_ignored(tmp_path, membership):
    write(tmp_path / "groups/cpu.max", "many")
    assert threads.cpu_quota(membership("0::/"), tmp_path / "groups") is None


@pytest.mark.parametrize(
    ("cores", "quota", "expected"),
    [(8, None, 8), (8, 2.0, 2), (8, 2.1, 3), (8, 0.25, 1), (2, 6.0, 2)],
)
def test_available_threads_are_the_cores_up_to_the_quota_rounded_up(
    cores, quota, expected, monkeypatch
):
    monkeypatch.setattr(threads, "_count_cores", lambda: cores)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert threads.available_threads() == expected
    assert threads.resolve_threads(None) == expected
    assert threads.resolve_threads(64) == 64


@pytest.mark.skipif(sys.platform != "linux", reason="sched_getaffinity is Linux only")
def test_cores_are_counted_by_affinity(monkeypatch):
    monkeypatch.setattr(threads, "cpu_quota", lambda: None)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7})
    assert threads.available_threads() == 3
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2, raising=False)
    assert threads.available_threads() == 2


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_thread_is_a_value_error(count):
    with pytest.raises(ValueError, match=f"threads must be at least 1, got {count}"):
        threads.resolve_threads(count)
