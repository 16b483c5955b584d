"""The work of one shard, without a cluster: rows, errors, reruns, stores."""

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import onebox
from onebox.distributed.prediction import folder as results
from onebox.distributed.prediction.folder import part_name
from onebox.distributed.prediction.isolation import answer_apart
from onebox.distributed.prediction.model import read_model
from onebox.distributed.prediction.records import PlannedShard
from onebox.distributed.prediction.work import Task, answer_with, find_part, read_shard, work
from onebox.errors import ModelError, OneboxError
from onebox.prediction.writers import Layout

LAYOUT = Layout(("disc",))


@pytest.fixture
def answers(bright_file):
    """Answers of the bright model: the score is the brightness."""
    return answer_with(onebox.load(bright_file, threads=1), threads=2)


@pytest.fixture
def task(place):
    """A task of one shard, in a folder on the disk."""
    Path("out").mkdir()
    return Task(str(place / "out"), 1, "job", LAYOUT)


def loose(contents, folder):
    names = [f"{folder}/{name}" for name in contents]
    return PlannedShard(0, tuple((name, os.path.abspath(name)) for name in names))  # noqa: PTH100


def read(task):
    return pq.read_table(Path(task.folder, part_name(0, task.parts)))


def test_a_part_has_a_row_for_each_image_in_order(task, answers, pictures):
    summary = work(task, loose(pictures("in", 5), "in"), answers)
    found = read(task)
    assert found["image"].to_pylist() == [f"in/{number:03}.png" for number in range(5)]
    assert found["score"].to_pylist() == pytest.approx([n / 255 for n in range(5)], abs=1e-6)
    assert found["error"].to_pylist() == [None] * 5
    assert (summary.rows, summary.errors, summary.examples) == (5, 0, ())


def test_an_image_that_cannot_be_read_is_a_row_with_its_error(task, answers, pictures):
    contents = pictures("in", 3)
    Path("in/001.png").write_bytes(b"no image")
    Path("in/002.png").unlink()
    summary = work(task, loose(contents, "in"), answers)
    found = read(task)
    assert found["image"].to_pylist() == ["in/000.png", "in/001.png", "in/002.png"]
    missing = "in/002.png: there is no such file. Correct the path."
    assert found["error"].to_pylist()[2] == missing
    assert found["error"].to_pylist()[1].startswith("in/001.png: is not an image")
    assert found["score"].to_pylist()[1:] == [None, None]
    assert (summary.rows, summary.errors, summary.examples[1]) == (3, 2, missing)


def test_a_damaged_shard_keeps_its_images_and_ends_with_an_error(task, answers, pictures, tar):
    content = tar(pictures("in", 3))
    Path("a.tar").write_bytes(content[: 512 * 5 + 20])  # within the third image
    work(task, PlannedShard(0, packed=("a.tar", str(Path("a.tar").absolute()))), answers)
    found = read(task)
    assert found["image"].to_pylist() == ["a.tar:000.png", "a.tar:001.png", "a.tar"]
    assert found["error"].to_pylist()[2] == "a.tar: ends within 002.png. Write the shard again."


def test_a_shard_that_is_missing_or_empty_is_a_row(task, answers, tar):
    Path("empty.tar").write_bytes(tar({"a.json": b"{}"}))
    for name, reason in (("no.tar", "does not exist"), ("empty.tar", "holds no image")):
        work(task, PlannedShard(0, packed=(name, str(Path(name).absolute()))), answers)
        [error] = read(task)["error"].to_pylist()
        assert error.startswith(f"{name}: {reason}")


def test_a_part_is_found_again_unless_it_is_another_jobs_or_damaged(task, answers, pictures):
    assert find_part(task, 0) is None
    summary = work(task, loose(pictures("in", 2), "in"), answers)
    assert find_part(task, 0) == summary
    assert find_part(replace(task, job="another"), 0) is None
    part = Path(task.folder, part_name(0, 1))
    part.write_bytes(part.read_bytes()[:-9])
    assert find_part(task, 0) is None


def test_the_same_shard_gives_the_same_bytes(task, answers, pictures):
    shard = loose(pictures("in", 4), "in")
    work(task, shard, answers)
    first = Path(task.folder, part_name(0, 1)).read_bytes()
    work(task, shard, answers)
    assert Path(task.folder, part_name(0, 1)).read_bytes() == first


def test_a_part_that_fails_halfway_leaves_nothing_under_its_name(task, pictures):
    def fail(items):
        next(items)
        raise ModelError("the model is broken.")
        yield

    with pytest.raises(ModelError):
        work(task, loose(pictures("in", 2), "in"), fail)
    assert [path.name for path in Path(task.folder).rglob("*")] == ["_temporary"]


def test_a_worker_that_does_not_see_the_folder_says_so(task):
    with pytest.raises(OneboxError, match="a worker does not see this folder"):
        read_shard(task, 0, 10)


CRASHING = '''
import os
from onebox.distributed.prediction.model import SentModel
from onebox.structures import Prediction

class Model(SentModel):
    """Opens as a localizer that dies of one image."""

    def open(self):
        return self

    def predict(self, source):
        if source.name == "001.png":
            os._exit(1)
        return Prediction("disc", 0.5, (0.0, 0.0, 1.0, 1.0), (1.0,))
'''


@pytest.mark.train
def test_an_image_that_kills_its_process_is_a_row_and_the_others_are_predicted(
    task, pictures, place, monkeypatch
):
    Path("crashing_model.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(place)
    import crashing_model

    summary = work(task, loose(pictures("in", 3), "in"), answer_apart(crashing_model.Model({})))
    found = read(task)
    assert found["score"].to_pylist() == [0.5, None, 0.5]
    assert found["error"].to_pylist()[1].startswith("in/001.png: ends the process that reads it")
    assert summary.errors == 1


@pytest.mark.train
def test_a_process_apart_gives_the_same_answers(task, answers, bright_file, pictures):
    contents = pictures("in", 3)
    Path("in/001.png").write_bytes(b"no image")
    shard = loose(contents, "in")
    work(task, shard, answers)
    together = read(task)
    work(task, shard, answer_apart(read_model(bright_file, None, None)))
    assert read(task).equals(together)


def test_loose_images_and_parts_in_a_store_give_the_same_rows(task, answers, pictures, tar):
    contents = pictures("in", 5)
    store = fsspec.filesystem("memory")
    for name, content in contents.items():
        store.pipe(f"/bucket/in/{name}", content)
    store.pipe("/bucket/a.tar", tar(contents))
    work(task, loose(contents, "in"), answers)
    scores = read(task)["score"]
    stored = replace(task, folder="memory://bucket/out")
    uris = [f"memory://bucket/in/{name}" for name in contents]
    gone = "memory://bucket/in/gone.png"
    for shard, errors in (
        (PlannedShard(0, tuple((uri, uri) for uri in [*uris, gone])), 1),
        (PlannedShard(0, packed=("memory://bucket/a.tar",) * 2), 0),
    ):
        summary = work(stored, shard, answers)
        found = pq.read_table(store.open("/bucket/out/part-00000-of-00001.parquet"))
        assert (summary.rows, summary.errors) == (5 + errors, errors)
        assert found["score"][:5].equals(scores) or found["score"].slice(0, 5).equals(scores)
        assert find_part(stored, 0) == summary


@pytest.fixture(scope="module")
def s3():
    """A local stand-in for S3 with a bucket; yields what its URIs end in."""
    pytest.importorskip("moto")
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        query = f"?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
        store, _ = pa.fs.FileSystem.from_uri(f"s3://bucket/{query}&allow_bucket_creation=true")
        store.create_dir("bucket")
        yield store, query
    server.stop()


@pytest.mark.train
def test_shards_and_parts_on_s3_give_the_rows_of_the_disk(task, answers, pictures, tar, s3):
    store, query = s3
    contents = pictures("in", 4)
    with store.open_output_stream("bucket/shards/a.tar") as file:
        file.write(tar(contents))
    address = f"s3://bucket/shards/a.tar{query}"
    stored = replace(task, folder=f"s3://bucket/out{query}")
    assert results.prepare(stored.folder) is None
    summary = work(stored, PlannedShard(0, packed=("s3://bucket/shards/a.tar", address)), answers)
    work(task, loose(contents, "in"), answers)
    with closing(store.open_input_file("bucket/out/part-00000-of-00001.parquet")) as file:
        found = pq.read_table(file)
    assert found["score"].equals(read(task)["score"])
    assert found["image"][0].as_py() == "s3://bucket/shards/a.tar:000.png"
    assert find_part(stored, 0) == summary
