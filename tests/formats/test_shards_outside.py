"""Other readers of shards: Hugging Face datasets, pyarrow and webdataset read what was written."""

import io
import json
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from onebox.formats import read, write
from onebox.formats.csv import CORNERS
from onebox.structures import Dataset, Sample

pytestmark = pytest.mark.train

BOXES = [(1.0, 2.0, 11.5, 22.25), None, (7.5, 3.25, 9.0, 28.0)]


@pytest.fixture
def data(tmp_path):
    made = []
    for number, box in enumerate(BOXES):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 30), (number, 0, 0)).save(path)
        made.append(Sample(path, box and "cat", box, "train", size_wh=(40, 30)))
    return Dataset(tuple(made), ("cat",))


@pytest.fixture
def load_dataset(tmp_path, monkeypatch):
    """Load files with Hugging Face datasets, offline and in a folder of its own."""
    for name, value in {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()

        def load(kind, file):
            return datasets.load_dataset(
                kind, data_files={"train": str(file)}, split="train", cache_dir=tmp_path / "cache"
            )

        yield load


def test_datasets_shows_the_images_of_a_parquet_file_and_reads_equal_labels(
    data, load_dataset, tmp_path
):
    write(data, tmp_path / "a.parquet", "parquet")
    theirs = load_dataset("parquet", tmp_path / "a.parquet")
    for sample, row in zip(data, theirs, strict=True):
        with Image.open(sample.image) as image:
            np.testing.assert_array_equal(np.asarray(row["image"]), np.asarray(image))
        assert tuple(row[name] for name in CORNERS) == (sample.box or (None,) * 4)
        assert (row["label"], row["split"]) == (sample.label, "train")
        assert (row["width"], row["height"]) == (40, 30)


def test_pyarrow_reads_equal_bytes(data, tmp_path):
    write(data, tmp_path / "a.parquet", "parquet")
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["image"]["bytes"] for row in table] == [one.image.read_bytes() for one in data]
    assert [row["image"]["path"] for row in table] == ["0.png", "1.png", "2.png"]


def test_onebox_reads_what_datasets_writes(data, load_dataset, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({
        "image": datasets.Image(),
        "objects": {
            "bbox": datasets.Sequence(datasets.Sequence(datasets.Value("float32"), length=4)),
            "category": datasets.Sequence(datasets.ClassLabel(names=["dog", "cat"])),
        },
    })  # fmt: skip
    rows = {
        "image": [{"bytes": sample.image.read_bytes(), "path": None} for sample in data],
        "objects": [
            {
                "bbox": [[b[0], b[1], b[2] - b[0], b[3] - b[1]]] if b else [],
                "category": [1][: bool(b)],
            }
            for b in BOXES
        ],
    }
    theirs = datasets.Dataset.from_dict(rows, features=features)
    theirs.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    back = read(tmp_path / "train-00000-of-00001.parquet")
    assert [(one.label, one.box, one.split) for one in back] == [
        (one.label, one.box, "train") for one in data
    ]
    assert back.classes == ("dog", "cat")
    assert [one.image.read() for one in back] == [one.image.read_bytes() for one in data]


def test_datasets_reads_a_tar(data, load_dataset, tmp_path):
    write(data, tmp_path / "a.tar", "webdataset")
    for sample, row in zip(data, load_dataset("webdataset", tmp_path / "a.tar"), strict=True):
        with Image.open(sample.image) as image:
            np.testing.assert_array_equal(np.asarray(row["png"]), np.asarray(image))
        assert row["json"]["box"] == (sample.box and list(sample.box))
        assert row["json"]["label"] == sample.label


def test_webdataset_reads_a_tar_and_onebox_reads_its_own(data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library
        webdataset = pytest.importorskip("webdataset")
        write(data, tmp_path / "a.tar", "webdataset")
        theirs = list(webdataset.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False))
        assert [row["__key__"] for row in theirs] == ["0", "1", "2"]
        for sample, row in zip(data, theirs, strict=True):
            assert row["png"] == sample.image.read_bytes()
            assert json.loads(row["json"])["box"] == (sample.box and list(sample.box))
        with webdataset.TarWriter(str(tmp_path / "b.tar")) as sink:
            for sample in data:
                labels = {"label": sample.label, "box": sample.box, "split": sample.split}
                image = Image.open(io.BytesIO(sample.image.read_bytes()))
                sink.write({"__key__": sample.image.stem, "png": image, "json": labels})
    back = read(tmp_path / "b.tar")
    assert [(one.label, one.box, one.split) for one in back] == [
        (one.label, one.box, one.split) for one in data
    ]
