"""Real data sets, if the machine has them."""

from pathlib import Path

import pytest

from onebox.errors import DataError
from onebox.formats import read

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs = pytest.mark.skipif(not SHARED.is_dir(), reason=f"there is no data in {SHARED}")


@needs
def test_raccoons_agree_between_csv_and_voc():
    table = read(SHARED / "raccoon" / "labels.csv")
    drawn = read(SHARED / "raccoon", "voc", on_multiple="skip")
    assert {(s.image, s.label, s.box) for s in table} == {(s.image, s.label, s.box) for s in drawn}
    assert len(table) == 184


@needs
def test_images_of_several_raccoons_are_counted():
    with pytest.raises(DataError, match="16 images with several boxes"):
        read(SHARED / "raccoon" / "annotations")


@needs
def test_the_one_empty_box_of_caltech_is_found():
    with pytest.raises(DataError) as caught:
        read(SHARED / "caltech3" / "labels.csv")
    assert len(caught.value.problems) == 1
    assert "22 x 0 pixels" in str(caught.value)


@needs
@pytest.mark.parametrize(("name", "count"), [("face", 435), ("motorcycle", 798)])
def test_headerless_caltech_finds_its_images_in_the_folder_of_its_name(name, count):
    data = read(SHARED / "caltech3" / "annotations" / f"{name}.csv")
    assert (len(data), data.classes) == (count, (name,))
    assert {sample.image.parent.name for sample in data} == {name}


@needs
def test_athletes_keep_their_splits_and_keypoints():
    data = read(SHARED / "lsp")
    assert [len(data.part(split)) for split in ("train", "val", "test")] == [700, 100, 200]
    assert data.keypoints.names[0] == "right_ankle"
    assert data.keypoints.flip_pairs[0] == (0, 5)
    # the first athlete: bbox [167.11, 111.25, 128.12, 90.39]
    assert data.samples[0].box == (167.11, 111.25, 295.23, 201.64)
    assert data.samples[0].keypoints[0] == (219.14, 201.64, 2)
