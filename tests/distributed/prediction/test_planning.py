"""Plans: which images share a shard, and what a plan remembers."""

import json
from pathlib import Path

import pytest

from onebox.distributed.prediction.planning import MOST_IMAGES, write_plan
from onebox.distributed.prediction.records import PlannedShard
from onebox.errors import SettingError
from onebox.prediction.items import UnreadableSource
from onebox.prediction.targets import Shard, StoredImage


@pytest.fixture
def plan_of(tmp_path):
    """The facts and the shards of a plan."""

    def plan(targets, name=str):
        file = tmp_path / "plan.jsonl"
        facts = write_plan(iter(targets), name, file)
        return facts, [PlannedShard.from_line(line) for line in file.read_bytes().splitlines()]

    return plan


def test_every_image_is_in_one_shard_in_its_order(plan_of):
    paths = [Path(f"/a/{number}.jpg") for number in range(1000)]
    facts, shards = plan_of(paths)
    assert [name for shard in shards for name, _ in shard.images] == [str(path) for path in paths]
    assert [shard.number for shard in shards] == list(range(facts.parts))
    assert facts.images == 1000
    # 1000 // 64 = 15 in a shard: 66 of 15, and one of 10
    assert [len(shard.images) for shard in shards] == [15] * 66 + [10]


def test_many_images_are_cut_into_shards_of_the_largest_size(plan_of):
    facts, shards = plan_of(Path(f"/{number}.jpg") for number in range(64 * MOST_IMAGES + 1))
    assert {len(shard.images) for shard in shards[:-1]} == {MOST_IMAGES}
    assert (facts.parts, len(shards[-1].images)) == (65, 1)


def test_a_packed_file_is_a_shard_between_the_loose_images_beside_it(plan_of):
    targets = [Path("/a.jpg"), Shard("/b.tar"), Shard("/c.parquet"), Path("/d.jpg")]
    facts, shards = plan_of(targets)
    assert [shard.packed for shard in shards] == [
        None, ("/b.tar", "/b.tar"), ("/c.parquet", "/c.parquet"), None
    ]  # fmt: skip
    assert [len(shard.images) for shard in shards] == [1, 0, 0, 1]
    assert facts.images is None


def test_a_plan_has_names_for_people_and_addresses_for_machines(plan_of, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    stored = StoredImage("s3://bucket/b.jpg?endpoint_override=localhost:9")
    _, [shard] = plan_of([Path("a.jpg"), stored], name=lambda path: f"up/{path}")
    assert shard.images == (
        ("up/a.jpg", str(tmp_path / "a.jpg")),
        ("s3://bucket/b.jpg", stored.name),
    )


def test_a_name_that_is_not_utf8_survives_the_plan(plan_of):
    name = "/caf\udce9.jpg"
    _, [shard] = plan_of([Path(name)])
    assert shard.images == ((name, name),)


def test_sources_without_images_are_remembered(plan_of):
    facts, shards = plan_of([UnreadableSource("a: holds no image."), Path("/b.jpg")])
    assert facts.problems == ("a: holds no image.",)
    assert len(shards) == 1


@pytest.mark.parametrize("target", [Path("clip.mp4"), "camera:0", "https://example.org/a.jpg"])
def test_videos_cameras_and_urls_are_refused(plan_of, target):
    with pytest.raises(SettingError, match="videos, cameras and URLs are read on one machine"):
        plan_of([Path("/a.jpg"), target])


def test_a_line_of_a_plan_is_one_json_object():
    line = PlannedShard(3, packed=("a\n.tar", "/x/a\n.tar")).as_line()
    assert line.count("\n") == 1
    assert json.loads(line) == {"part": 3, "shard": ["a\n.tar", "/x/a\n.tar"]}
