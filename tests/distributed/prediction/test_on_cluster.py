"""Jobs on Ray: the answers of one machine, whatever dies on the way."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import onebox
from onebox.distributed.prediction import folder as results
from onebox.distributed.prediction.actors import (
    DEATHS_BEFORE_CARE,
    MOST_DEATHS,
    BegunShards,
    Worker,
    WorkerSettings,
)
from onebox.distributed.prediction.model import read_model
from onebox.distributed.prediction.planning import write_plan
from onebox.distributed.prediction.work import Task
from onebox.prediction.writers import Layout

pytestmark = pytest.mark.train

LONGEST_S = 120


@pytest.fixture
def sources(pictures, tar):
    """Loose images, one of them broken, a tar and a Parquet file; the first is ``in/000.png``."""
    contents = pictures("in", 20)
    Path("in/007.png").write_bytes(b"no image")
    Path("a.tar").write_bytes(tar(contents))
    images = list(contents.values())
    pq.write_table(pa.table({"image": images, "name": ["twice"] * len(images)}), "b.parquet")
    return ["in", "a.tar", "b.parquet"]


def test_a_cluster_gives_the_answers_of_one_machine(
    local_cluster, run, bright_file, sources, same_answers, rows_of
):
    code, _, _ = run("predict", bright_file, *sources, "--parquet", "one.parquet")
    assert code == 3
    code, out, err = run("predict", bright_file, *sources, "--on", "ray", "--parquet", "many")
    assert (code, out) == (3, "")
    assert "error: in/007.png: is not an image" in err
    assert same_answers("many", "one.parquet")
    assert rows_of("many").num_rows == 60
    manifest = json.loads(Path("many/_manifest.json").read_text())
    assert (manifest["rows"], manifest["errors"]) == (60, 1)
    named = {part["file"] for part in manifest["parts"]}
    assert named == {path.name for path in Path("many").glob("part-*")}
    assert not Path("many/_temporary").exists()


def holding_pipe(path):
    """Put a pipe in place of an image: who opens it waits for ever."""
    content = path.read_bytes()
    path.unlink()
    os.mkfifo(path)

    def let_go():
        path.with_suffix(".new").write_bytes(content)
        path.with_suffix(".new").replace(path)

    return let_go


def wait_until(is_true):
    deadline = time.monotonic() + LONGEST_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def parts_in(folder):
    return len([*Path(folder).glob("part-*")])


def workers_below(process):
    return [one for one in process.children(recursive=True) if is_worker(one)]


def is_worker(process):
    try:
        return "MapWorker" in process.name() or "MapWorker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_a_killed_worker_costs_no_image_and_repeats_none(
    local_cluster, run, bright_file, pictures, same_answers
):
    pictures("in", 24)
    assert run("predict", bright_file, "in", "--parquet", "one.parquet")[0] == 0
    images = sorted(map(str, Path("in").iterdir()))
    let_go = holding_pipe(Path("in/000.png"))
    killed = []

    def kill():
        wait_until(lambda: parts_in("many") == 2)  # the third is held
        killed.extend(workers_below(psutil.Process()))
        let_go()
        for worker in killed:
            os.kill(worker.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    code, _, _ = run("predict", bright_file, *images, "--on", "ray", "--parquet", "many")
    killer.join()
    assert (code, len(killed)) == (0, 2)
    assert same_answers("many", "one.parquet")


def test_a_rerun_ends_what_a_killed_driver_left(
    local_cluster, run, bright_file, pictures, same_answers
):
    pictures("in", 24)
    assert run("predict", bright_file, "in", "--parquet", "one.parquet")[0] == 0
    images = sorted(map(str, Path("in").iterdir()))
    let_go = holding_pipe(Path("in/000.png"))
    words = ["predict", str(bright_file), *images, "--on", "ray", "--parquet", "many"]
    command = [sys.executable, "-m", "onebox", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as driver:
        wait_until(lambda: parts_in("many") == 2 or driver.poll() is not None)
        assert driver.poll() is None, driver.stdout.read().decode()
        below = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
    before = {path: path.stat().st_mtime_ns for path in Path("many").glob("part-*")}
    assert len(before) == 2
    assert not Path("many/_manifest.json").exists()
    let_go()
    assert run(*words)[0] == 0
    assert same_answers("many", "one.parquet")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for process in below:  # Ray may take half a minute to end what its driver left
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


TWO_NODES = """
import sys
from ray.cluster_utils import Cluster
from onebox.cli import main

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
sys.argv = ["onebox", *sys.argv[1:], "--on", f"ray://{cluster.address}"]
try:
    main()
finally:
    cluster.shutdown()
"""


def test_two_machines_give_the_answers_of_one(run, bright_file, sources, same_answers):
    assert run("predict", bright_file, *sources, "--parquet", "one.parquet")[0] == 3
    words = ["predict", str(bright_file), *sources, "--parquet", "many"]
    command = [sys.executable, "-c", TWO_NODES, *words]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 3, ended.stderr
    assert same_answers("many", "one.parquet")


@pytest.fixture
def new_worker(local_cluster, place, bright_file, pictures):
    """A worker in this process, and its plan of one shard: ``new_worker(deaths)``."""
    import ray

    pictures("in", 3)
    Path("out").mkdir()
    write_plan(sorted(Path("in").iterdir()), str, Path("out", results.PLAN))
    [(offset, length)] = results.plan_lines("out")

    def make(deaths, version=onebox.__version__):
        begun = ray.remote(BegunShards).options(num_cpus=0).remote()
        ray.get([begun.begin.remote(0) for _ in range(deaths)])
        task = Task("out", 1, "job", Layout(("disc",)))
        model = ray.put(read_model(bright_file, None, None))
        worker = Worker(WorkerSettings(task, 1, version), [model], begun)
        return worker({"offset": np.array([offset]), "length": np.array([length])})

    return make


def test_a_shard_whose_worker_died_is_worked_in_a_process_of_its_own(new_worker, monkeypatch):
    from onebox.distributed.prediction import actors

    apart = []

    def answer_apart(model):
        apart.append(model)
        return actors.answer_with(model.open(), 1)

    monkeypatch.setattr(actors, "answer_apart", answer_apart)
    assert new_worker(DEATHS_BEFORE_CARE - 1)["rows"] == [3]
    assert apart == []
    Path("out/part-00000-of-00001.parquet").unlink()
    assert new_worker(DEATHS_BEFORE_CARE)["rows"] == [3]
    assert len(apart) == 1


def test_a_shard_does_not_kill_workers_for_ever(new_worker):
    [failure] = new_worker(MOST_DEATHS)["failure"]
    assert failure.startswith("part 0 of the plan: its worker died 20 times.")


def test_a_worker_of_another_version_says_so(new_worker):
    [failure] = new_worker(0, version="0.0.1")["failure"]
    assert failure == (
        f"a worker has onebox {onebox.__version__}, and this machine has 0.0.1. Install the same "
        "version on all machines."
    )
