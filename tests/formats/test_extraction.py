"""Shards to loose images: safe names, no two alike, nothing outside of the folder."""

import io
import json
import tarfile

import pytest
from PIL import Image

from onebox.errors import SettingError
from onebox.formats import read
from onebox.formats.encoded_images import file_names
from onebox.formats.extraction import extract_images
from onebox.structures import Dataset, Sample

LABELS = json.dumps({"label": "cat", "box": [1, 2, 3, 4]}).encode()


@pytest.fixture
def shard(tmp_path):
    """A tar of images of some names, each of its own colour."""

    def write(*names):
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            for number, name in enumerate(names):
                image = io.BytesIO()
                Image.new("RGB", (9, 9), (number, 0, 0)).save(image, "PNG")
                stem = name.rpartition(".")[0]
                for member, data in ((name, image.getvalue()), (f"{stem}.json", LABELS)):
                    info = tarfile.TarInfo(member)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        return read(tmp_path / "a.tar")

    return write


def test_names_lead_out_of_no_folder_and_none_is_there_twice(shard, tmp_path):
    names = ("../../etc/x.png", "/abs/x.png", "a/X.png", "a/x_2.png", 'c:b*"?.png')
    data = shard(*names)
    out = extract_images(data, tmp_path / "images")
    found = [sample.image.name for sample in out]
    assert found == ["x.png", "x_3.png", "X_4.png", "x_2.png", "c_b___.png"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == sorted(found)
    assert all(sample.image.parent == (tmp_path / "images").resolve() for sample in out)
    for packed, loose in zip(data, out, strict=True):
        assert loose.image.read_bytes() == packed.image.read()
        assert (loose.label, loose.box, loose.split) == (packed.label, packed.box, packed.split)


def test_a_folder_that_is_not_empty_is_left_alone(shard, tmp_path):
    data = shard("a.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_text("mine")
    with pytest.raises(SettingError, match=r"--images .*images: is not empty"):
        extract_images(data, tmp_path / "images")
    assert (tmp_path / "images" / "a.png").read_text() == "mine"


def test_loose_images_are_not_extracted(tmp_path):
    with pytest.raises(SettingError, match="are not in shards"):
        extract_images(Dataset((Sample(tmp_path / "a.png"),), ()), tmp_path / "images")


def test_the_first_bytes_tell_the_format_where_the_name_does_not(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "photo", "JPEG")
    Image.new("RGB", (9, 9)).save(tmp_path / "scan.v2", "PNG")
    samples = tuple(Sample(tmp_path / name) for name in ("photo", "scan.v2"))
    assert file_names(Dataset(samples, ())) == ["photo.jpg", "scan.v2.png"]


def test_convert_extracts_images_and_writes_labels_of_them(run, shard, tmp_path):
    shard("a/1.png", "b/1.png")
    tar, out, images = (tmp_path / name for name in ("a.tar", "labels.csv", "images"))
    code, _, err = run("convert", tar, out, "--to", "csv")
    assert code == 2
    assert "--images DIR" in err
    code, printed, err = run("convert", tar, out, "--to", "csv", "--images", images)
    assert (code, printed, err) == (0, f"{out}: 2 images\n", "")
    assert [sample.image for sample in read(out)] == [images / "1.png", images / "1_2.png"]
    code, _, err = run("convert", tar, tmp_path / "b", "--to", "parquet", "--images", images)
    assert code == 2
    assert "parquet shards hold the images themselves" in err


def test_label_refuses_shards_and_says_how_to_convert_them(shard, tmp_path):
    from onebox.labelling.label_source import find_source

    shard("a.png")
    with pytest.raises(SettingError, match=r"webdataset labels cannot be edited.*--images DIR"):
        find_source(tmp_path / "a.tar", None)


def test_the_images_are_removed_if_the_labels_are_refused(tmp_path, run):
    assert run("synth", "blobs", tmp_path / "discs", "--count", "3", "--size", "32")[0] == 0
    tars, taken = tmp_path / "tars", tmp_path / "taken.csv"
    assert run("convert", tmp_path / "discs", tars, "--to", "webdataset")[0] == 0
    taken.write_text("mine")
    images = tmp_path / "images"
    code, _, err = run("convert", tars, taken, "--to", "csv", "--images", images)
    assert (code, taken.read_text(), images.exists()) == (2, "mine", False)
    assert "taken.csv" in err
