"""Round trips: reading gives the samples that were written."""

import itertools
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from onebox.errors import DataError, OneboxError, SettingError
from onebox.formats import FORMATS, read, write
from onebox.structures import SPLITS, Dataset, KeypointSet, Sample

SIZE = (64, 48)
CLASSES = ("cat", "dög & <co>", 'a;b, "c"')
KEYPOINTS = KeypointSet(("nose", "left_eye", "right_eye"), ((0, 1), (1, 2)), ((1, 2),))
COUNT = 4
numbered = itertools.count()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    # one in a folder of its own, two of one name, one with a space
    paths = [folder / name for name in ("a.png", "x/1.png", "y/1.png", "y/with space.png")]
    for shade, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", SIZE, (shade, 0, 0)).save(path)
    return paths


def interval(length, decimals):
    ends = st.lists(st.integers(0, length * 10**decimals), min_size=2, max_size=2)
    scaled = ends.map(lambda two: [end / 10**decimals for end in sorted(two)])
    return scaled.filter(lambda two: two[0] < two[1])


def boxes(decimals):
    pairs = st.tuples(interval(SIZE[0], decimals), interval(SIZE[1], decimals))
    box = pairs.map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))
    # a box within one pixel of the corner reads as normalized
    return box.filter(lambda one: max(one) > 1)


def keypoints():
    keypoint = st.tuples(
        st.integers(0, 640).map(lambda x: x / 10),
        st.integers(0, 480).map(lambda y: y / 10),
        st.sampled_from([0, 1, 2]),
    )
    labelled = st.tuples(*[keypoint] * len(KEYPOINTS.names)).filter(
        lambda points: any(point[2] for point in points)
    )
    return st.none() | labelled


@st.composite
def samples(draw, decimals, posed=False):
    label = draw(st.none() | st.sampled_from(CLASSES))
    return {
        "label": label,
        "box": None if label is None else draw(boxes(decimals)),
        "split": draw(st.sampled_from(SPLITS)),
        "keypoints": draw(keypoints()) if posed and label is not None else None,
    }


def dataset(images, drawn, keypoints=None):
    made = [Sample(p, size_wh=SIZE, **one) for p, one in zip(images, drawn, strict=False)]
    return Dataset(tuple(made), CLASSES, keypoints)


def back_from(data, folder, name, file=""):
    path = folder / f"out{next(numbered)}{file}"
    write(data, path, name)
    return read(path, name, classes=CLASSES)


def by_image(data):
    return sorted(data, key=lambda sample: sample.image)


relaxed = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("csv", ".csv"),
        ("voc", ""),
        ("coco", ".json"),
        ("labelstudio", ".json"),
        ("createml", ".json"),
        ("createml", ""),
    ],
)
@given(drawn=st.lists(samples(decimals=3), min_size=1, max_size=COUNT))
@relaxed
def test_written_samples_are_read_equal(images, tmp_path, name, file, drawn):
    data = dataset(images, drawn)
    assert by_image(back_from(data, tmp_path, name, file)) == by_image(data)


@given(drawn=st.lists(samples(decimals=16), min_size=1, max_size=COUNT))
@relaxed
def test_csv_keeps_every_digit(images, tmp_path, drawn):
    data = dataset(images, drawn)
    assert back_from(data, tmp_path, "csv", ".csv").samples == data.samples


@pytest.mark.parametrize("file", ["", ".json"])
@given(drawn=st.lists(samples(decimals=2, posed=True), min_size=1, max_size=COUNT))
@relaxed
def test_coco_keeps_keypoints_and_splits_in_one_file_and_in_several(images, tmp_path, file, drawn):
    data = dataset(images, drawn, KEYPOINTS)
    back = back_from(data, tmp_path, "coco", file)
    assert by_image(back) == by_image(data)
    assert (back.keypoints, back.classes) == (KEYPOINTS, CLASSES)


@given(drawn=st.lists(samples(decimals=3, posed=True), min_size=1, max_size=COUNT))
@relaxed
def test_yolo_keeps_all_but_the_paths_of_the_images(images, tmp_path, drawn):
    data = dataset(images, drawn, KEYPOINTS)
    back = back_from(data, tmp_path, "yolo")
    assert (back.keypoints, back.classes) == (KEYPOINTS, CLASSES)
    there = {sample.image.read_bytes(): sample for sample in back}
    for sample in data:
        same = there.pop(sample.image.read_bytes())
        assert (same.label, same.split) == (sample.label, sample.split)
        assert same.box == (sample.box and pytest.approx(sample.box, abs=1e-6))
        assert (same.keypoints is None) == (sample.keypoints is None)
        for one, other in zip(same.keypoints or (), sample.keypoints or (), strict=True):
            assert one == pytest.approx(other, abs=1e-6)
    assert not there


def as_read(sample):
    """A sample as Label Studio returns it: the place of an unlabelled keypoint is not kept."""
    points = sample.keypoints and tuple(
        one if one[2] else (0.0, 0.0, 0) for one in sample.keypoints
    )
    return replace(sample, keypoints=points)


@given(drawn=st.lists(samples(decimals=2, posed=True), min_size=1, max_size=COUNT))
@relaxed
def test_label_studio_keeps_keypoints_and_splits(images, tmp_path, drawn):
    data = dataset(images, drawn, KEYPOINTS)
    back = back_from(data, tmp_path, "labelstudio", ".json")
    assert by_image(back) == by_image(map(as_read, data))
    assert back.keypoints == KEYPOINTS


@pytest.mark.parametrize(("name", "posed"), [("fiftyone", True), ("imagefolder", False)])
@given(drawn=st.lists(samples(decimals=3), min_size=1, max_size=COUNT))
@relaxed
def test_formats_with_images_keep_all_but_the_paths_of_the_images(
    images, tmp_path, name, posed, drawn
):
    data = dataset(images, drawn, KEYPOINTS if posed else None)
    back = back_from(data, tmp_path, name)
    assert back.keypoints == data.keypoints
    assert contents(back) == contents(data)


def contents(data):
    """The label of each image, by the bytes of the image."""
    return {
        one.image.read_bytes(): (one.label, one.box, one.split, one.size_wh, one.keypoints)
        for one in data
    }


PLACES = {
    "csv": "labels.csv",
    "voc": "voc",
    "coco": "labels.json",
    "yolo": "yolo",
    "labelstudio": "tasks.json",
    "createml": "createml.json",
    "fiftyone": "fiftyone",
    "imagefolder": "imagefolder",
}


@pytest.mark.parametrize("second", PLACES)
@pytest.mark.parametrize("first", PLACES)
def test_any_format_is_converted_into_any_other_and_found_by_content(
    images, tmp_path, first, second
):
    boxes = [(1.5, 2.25, 30.125, 40.0), None, (0.0, 0.0, 64.0, 48.0), (3.0, 4.0, 9.5, 8.0)]
    made = [
        Sample(image, box and "cat", box, split, size_wh=SIZE)
        for image, box, split in zip(images, boxes, SPLITS, strict=True)
    ]
    data = Dataset(tuple(made), ("cat",))
    expected = contents(data)
    for name in (first, second):
        place = tmp_path / f"out{next(numbered)}" / PLACES[name]
        write(data, place, name)
        data = read(place, classes=("cat",))
        found = contents(data)
        assert found.keys() == expected.keys()
        for image, (label, box, *others) in found.items():
            assert (label, *others) == (expected[image][0], *expected[image][2:])
            assert box == (expected[image][1] and pytest.approx(expected[image][1], abs=1e-6))


def test_sizes_are_looked_up_if_the_samples_do_not_state_them(images, tmp_path):
    sample = Sample(images[0], "cat", (1.0, 2.0, 3.0, 4.0))
    for name, file in [
        ("voc", ""),
        ("coco", ".json"),
        ("yolo", ""),
        ("labelstudio", ".json"),
        ("fiftyone", ""),
        ("imagefolder", ""),
    ]:
        (back,) = back_from(Dataset((sample,), CLASSES), tmp_path, name, file)
        assert (back.box, back.size_wh) == (sample.box, SIZE)


@pytest.mark.parametrize("name", FORMATS)
def test_existing_files_are_not_overwritten(images, tmp_path, name):
    data = Dataset((Sample(images[0]),), CLASSES)
    kept = tmp_path / "out" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("kept")
    for path in (kept, kept.parent):
        with pytest.raises(SettingError, match="exists already"):
            write(data, path, name)
    assert kept.read_text() == "kept"


@pytest.mark.parametrize("name", ["voc", "coco", "yolo", "createml", "fiftyone", "imagefolder"])
def test_an_empty_folder_may_be_filled(images, tmp_path, name):
    (tmp_path / "out").mkdir()
    write(Dataset((Sample(images[0]),), CLASSES), tmp_path / "out", name)
    assert len(read(tmp_path / "out", name)) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_a_failed_write_leaves_nothing_behind(images, tmp_path, name, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OneboxError, match=r"cannot be written \(No space left on device\)"):
        write(Dataset((Sample(images[0]),), CLASSES), tmp_path / "out", name)
    assert list(tmp_path.iterdir()) == []


def test_generated_images_cannot_be_written_as_labels(tmp_path):
    import numpy as np

    data = Dataset((Sample(np.zeros((4, 4, 3), np.uint8)),), ("cat",))
    with pytest.raises(SettingError, match="Save them first"):
        write(data, tmp_path / "out.csv", "csv")


def test_a_label_outside_the_classes_is_a_value_error(images, tmp_path):
    data = Dataset((Sample(images[0], "cow", (1.0, 2.0, 3.0, 4.0)),), CLASSES)
    with pytest.raises(ValueError, match="'cow' is not among"):
        write(data, tmp_path / "out", "yolo")


def test_links_in_folders_lead_to_the_same_image(images, tmp_path):
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real/deep")
    data = Dataset((Sample(images[0], "cat", (1.0, 2.0, 3.0, 4.0), size_wh=SIZE),), ("cat",))
    write(data, tmp_path / "link/labels.csv", "csv")
    assert read(tmp_path / "link/labels.csv").samples == data.samples


def test_relative_and_absolute_paths_give_equal_samples(images, tmp_path, monkeypatch):
    data = Dataset((Sample(images[0], "cat", (1.0, 2.0, 3.0, 4.0), size_wh=SIZE),), ("cat",))
    write(data, tmp_path / "labels.csv", "csv")
    monkeypatch.chdir(tmp_path)
    assert read("labels.csv").samples == read(os.fspath(tmp_path)).samples == data.samples


def test_a_label_file_without_read_permission_is_reported(tmp_path, monkeypatch):
    (tmp_path / "labels.csv").write_text("a.png,1,2,3,4,cat\n")

    def locked(*_, **__):
        raise PermissionError(13, "Permission denied", "labels.csv")

    monkeypatch.setattr("pathlib.Path.read_text", locked)
    with pytest.raises(DataError, match=r"labels\.csv: cannot be read \(Permission denied\)"):
        read(tmp_path / "labels.csv")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_image_whose_name_is_not_utf_8_is_refused_by_every_format(name, tmp_path):
    image = tmp_path / os.fsdecode(b"caf\xe9.png")  # Latin-1
    Image.new("RGB", (40, 30)).save(image)
    sample = Sample(image, "cat", (1.0, 2.0, 9.0, 8.0), "train", size_wh=(40, 30))
    with pytest.raises(DataError, match="has a name that is not UTF-8, which label files are"):
        write(Dataset((sample,), ("cat",)), tmp_path / "out", name)
    assert [path.name for path in tmp_path.iterdir()] == [image.name]
