"""Shards of a data set: where they are, which split they have, how large they are."""

import pytest
from PIL import Image

from onebox.errors import DataError
from onebox.formats import parquet, read, webdataset, write
from onebox.formats.shard_writing import Limits, write_shards
from onebox.formats.shards import split_of_shard
from onebox.structures import SPLITS, Dataset, Sample

SIZE = (8, 8)


@pytest.fixture
def data(tmp_path):
    """Eight images, two of each split."""
    made = []
    for number in range(8):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", SIZE, (number, 0, 0)).save(path)
        made.append(Sample(path, "cat", (1.0, 2.0, 3.0, 4.0), SPLITS[number % 4], size_wh=SIZE))
    return Dataset(tuple(made), ("cat",))


@pytest.mark.parametrize(
    ("title", "split"),
    [
        ("train-00000-of-00002.parquet", "train"),
        ("validation-00001-of-00003-0f3a.parquet", "val"),
        ("shard_test_000017.tar", "test"),
        ("calibration.tar", "cal"),
        ("000017.tar", None),
        ("train/000017.tar", "train"),
        ("test/val-0.tar", "val"),
        ("train-test-0.tar", None),
        ("training/data/0.tar", "train"),
    ],
)
def test_the_file_name_or_else_the_nearest_folder_tells_the_split(title, split):
    assert split_of_shard(title) == split


@pytest.mark.parametrize(("name", "suffix"), [("parquet", ".parquet"), ("webdataset", ".tar")])
def test_a_folder_has_shards_of_one_split_each_named_after_it(data, tmp_path, name, suffix):
    write(data, tmp_path / "out", name)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{split}-00000{suffix}" for split in ("cal", "test", "train", "val")]
    assert len(read(tmp_path / "out")) == 8


class Names:
    """A shard that keeps the names of its images in a text file."""

    def __init__(self, path):
        self.path, self.names = path, []

    def add(self, entry):
        self.names.append(entry.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.path.write_text(" ".join(self.names))


@pytest.mark.parametrize(
    ("limits", "shards"),
    [
        (Limits(images=2), ["0.png 1.png", "2.png 3.png", "4.png"]),
        # The first image of a shard always fits; the one that passes the limit is its last.
        (Limits(content_bytes=1), ["0.png", "1.png", "2.png", "3.png", "4.png"]),
        (Limits(), ["0.png 1.png 2.png 3.png 4.png"]),
    ],
)
def test_a_full_shard_is_followed_by_the_next_in_the_order_of_the_data(
    data, tmp_path, limits, shards
):
    from dataclasses import replace

    trained = tuple(replace(sample, split="train") for sample in data.samples[:5])
    write_shards(replace(data, samples=trained), tmp_path / "out", ".txt", Names, limits)
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert written == {f"train-{number:05d}.txt": text for number, text in enumerate(shards)}


def test_an_image_that_is_gone_leaves_nothing_behind(data, tmp_path):
    data.samples[6].image.unlink()
    for name in ("parquet", "webdataset"):
        with pytest.raises(DataError, match=r"6\.png: cannot be read"):
            write(data, tmp_path / "out", name)
        assert not (tmp_path / "out").exists()
        assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("module", [parquet, webdataset])
def test_a_place_without_shards_is_reported(module, tmp_path):
    with pytest.raises(DataError, match="nowhere: there is no such file or folder"):
        module.parse(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no \.(tar|parquet) file"):
        module.parse(tmp_path)


def test_shards_of_both_formats_in_a_folder_are_reported(data, tmp_path, problem_of):
    (tmp_path / "both").mkdir()
    write(data, tmp_path / "both/a.tar", "webdataset")
    write(data, tmp_path / "both/a.parquet", "parquet")
    assert "holds labels in several formats: parquet" in problem_of(tmp_path / "both")
    assert len(read(tmp_path / "both", "webdataset")) == 8
