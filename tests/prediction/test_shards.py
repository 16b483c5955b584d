"""Shards and object stores as sources of one machine."""

import io
import json
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from onebox.prediction.items import SourceItem
from onebox.prediction.sources import Sources


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder, and the working one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def png(brightness):
    file = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), brightness, np.uint8)).save(file, "PNG")
    return file.getvalue()


def tar(*members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return file.getvalue()


def found_in(*sources, listed=()):
    return [
        (one.name, one.source) if isinstance(one, SourceItem) else one.message
        for one in Sources(sources, listed)
    ]


def test_the_images_of_a_tar_are_named_after_their_members(place):
    Path("a.tar").write_bytes(tar(("x/1.png", b"one"), ("x/1.json", b"{}"), ("2.jpg", b"two")))
    assert found_in("a.tar") == [("a.tar:x/1.png", b"one"), ("a.tar:2.jpg", b"two")]


def test_a_member_that_comes_again_is_left_out(place):
    Path("a.tar").write_bytes(tar(("1.png", b"one"), ("1.png", b"again")))
    assert found_in("a.tar") == [("a.tar:1.png", b"one")]


def test_the_images_of_a_table_are_named_by_row_and_name(place):
    pq.write_table(pa.table({"image": [b"one", None], "name": ["x", "x"]}), "a.parquet")
    assert found_in("a.parquet") == [("a.parquet:0:x", b"one"), ("a.parquet:1:x", b"")]
    pq.write_table(pa.table({"image": [b"one"]}), "b.parquet")
    assert found_in("b.parquet") == [("b.parquet:0", b"one")]


def test_a_folder_without_images_is_searched_for_shards(place):
    Path("s").mkdir()
    Path("s/b.tar").write_bytes(tar(("1.png", b"one")))
    pq.write_table(pa.table({"image": [b"two"]}), "s/a.parquet")
    assert found_in("s") == [("s/a.parquet:0", b"two"), ("s/b.tar:1.png", b"one")]
    Path("s/c.png").touch()
    assert found_in("s") == [("s/c.png", Path("s/c.png"))]


def test_shards_that_cannot_be_read_are_named_and_the_next_source_follows(place):
    Path("empty.tar").write_bytes(tar(("a.json", b"{}")))
    Path("text.tar").write_text("no tar at all, but long enough to have a header" * 20)
    pq.write_table(pa.table({"score": [0.5]}), "found.parquet")
    Path("a.png").touch()
    missing, empty, text, table, image = found_in(
        "no.tar", "empty.tar", "text.tar", "found.parquet", "a.png"
    )
    assert missing == "no.tar: does not exist. Correct the name."
    assert empty == "empty.tar: holds no image. Leave the shard out."
    assert text.startswith("text.tar: is no uncompressed tar file that can be read")
    assert table.startswith("found.parquet: no column holds encoded images")
    assert image == ("a.png", Path("a.png"))


def test_a_tar_that_is_cut_short_gives_its_whole_images_first(place):
    content = tar(("1.png", b"a" * 600), ("2.png", b"b" * 600))
    Path("a.tar").write_bytes(content[: 512 * 4 + 10])
    first, reason = found_in("a.tar")
    assert first == ("a.tar:1.png", b"a" * 600)
    assert reason == "a.tar: ends within 2.png. Write the shard again."


def test_a_store_has_images_and_shards_under_names_without_the_query(place):
    store = fsspec.filesystem("memory")
    store.pipe("/one/b.png", b"two")
    store.pipe("/one/a.jpg", b"one")
    store.pipe("/one/notes.txt", b"")
    store.pipe("/packed/a.tar", tar(("1.png", b"three")))
    assert found_in("memory://one") == [
        ("memory://one/a.jpg", b"one"), ("memory://one/b.png", b"two")
    ]  # fmt: skip
    assert found_in("memory://packed") == [("memory://packed/a.tar:1.png", b"three")]
    assert found_in("memory://one/b.png") == [("memory://one/b.png", b"two")]
    assert found_in("-", listed=["memory://one/b.png"]) == [("memory://one/b.png", b"two")]
    assert found_in("memory://one/c.png") == [
        "memory://one/c.png: does not exist. Correct the name."
    ]


def test_shards_and_stores_do_not_say_unread_how_many_images_they_have(place):
    Path("a.tar").write_bytes(tar(("1.png", b"one")))
    Path("b.png").touch()
    assert Sources(["a.tar", "b.png"]).count() is None
    assert Sources(["memory://one"]).count() is None
    assert Sources(["b.png"]).count() == 1


def test_predict_prints_and_draws_the_images_of_a_shard(run, bright_file, place):
    Path("a.tar").write_bytes(tar(("x/1.png", png(51)), ("x/2.png", b"no image")))
    code, out, err = run("predict", bright_file, "a.tar", "--json", "--draw", "drawn")
    assert code == 3
    assert json.loads(out)["image"] == "a.tar:x/1.png"
    assert json.loads(out)["score"] == pytest.approx(0.2, abs=1e-6)
    assert "a.tar:x/2.png: is not an image in a supported format" in err
    assert [path.name for path in Path("drawn").iterdir()] == ["1.png"]


def test_a_file_in_another_folder_names_a_shard_relative_to_itself(run, bright_file, place):
    Path("a.tar").write_bytes(tar(("1.png", png(51))))
    assert run("predict", bright_file, "a.tar", "--csv", "results/found.csv")[0] == 0
    assert Path("results/found.csv").read_text().splitlines()[1].startswith("../a.tar:1.png,")
