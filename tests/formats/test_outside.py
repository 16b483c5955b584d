"""Other readers: pycocotools and supervision read equal labels from the written files."""

import contextlib
import io
import warnings

import numpy as np
import pytest
from PIL import Image

from onebox.formats import read, write
from onebox.structures import Dataset, KeypointSet, Sample

CLASSES = ("cat", "dog")
BOXES = [(1.0, 2.0, 11.5, 22.25), (0.0, 0.0, 40.0, 30.0), (7.5, 3.25, 9.0, 28.0)]


@pytest.fixture(scope="module")
def sv():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it does without OpenCV
        import supervision

        yield supervision


@pytest.fixture
def data(tmp_path):
    (tmp_path / "images").mkdir()
    made = []
    for number, box in enumerate(BOXES):
        path = tmp_path / "images" / f"{number}.png"
        Image.new("RGB", (40, 30), (number, 0, 0)).save(path)
        made.append(Sample(path, CLASSES[number % 2], box, size_wh=(40, 30)))
    return Dataset(tuple(made), CLASSES)


def by_image_name(outside):
    """Class and box of each image that supervision has read, by the image's file name."""
    return {
        path.rsplit("/", 1)[-1]: (outside.classes[found.class_id[0]], found.xyxy[0])
        for path, _, found in outside
    }


def assert_agrees(data, outside, tolerance_px=0.0):
    theirs = by_image_name(outside)
    assert len(theirs) == len(data)
    for sample in data:
        label, box = theirs[sample.image.name]
        assert label == sample.label
        np.testing.assert_allclose(box, sample.box, rtol=0, atol=tolerance_px)


def test_pycocotools_reads_boxes_classes_and_keypoints(data, tmp_path):
    from pycocotools.coco import COCO

    keypoints = KeypointSet(("nose", "tail"), ((0, 1),))
    labelled = ((1.5, 2.0, 2), (0.0, 0.0, 0))
    posed = Dataset(
        tuple(Sample(s.image, s.label, s.box, keypoints=labelled, size_wh=(40, 30)) for s in data),
        CLASSES,
        keypoints,
    )
    write(posed, tmp_path / "out.json", "coco")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(tmp_path / "out.json")
    for sample, image in zip(posed, theirs.loadImgs(theirs.getImgIds()), strict=True):
        (entry,) = theirs.loadAnns(theirs.getAnnIds(image["id"]))
        (category,) = theirs.loadCats(entry["category_id"])
        x, y, width, height = entry["bbox"]
        assert (x, y, x + width, y + height) == sample.box
        assert entry["area"] == width * height
        assert (category["name"], category["keypoints"]) == (sample.label, ["nose", "tail"])
        assert category["skeleton"] == [[1, 2]]
        assert entry["keypoints"] == [1.5, 2, 2, 0, 0, 0]
        assert (image["width"], image["height"], entry["num_keypoints"]) == (40, 30, 1)


def test_supervision_reads_what_is_written_as_coco(data, tmp_path, sv):
    write(data, tmp_path / "out.json", "coco")
    outside = sv.DetectionDataset.from_coco(str(tmp_path), str(tmp_path / "out.json"))
    assert_agrees(data, outside)


def test_supervision_reads_what_is_written_as_voc(data, tmp_path, sv):
    whole = [tuple(float(int(value)) for value in sample.box) for sample in data]
    rounded = Dataset(
        tuple(
            Sample(s.image, s.label, b, size_wh=(40, 30)) for s, b in zip(data, whole, strict=True)
        ),
        CLASSES,
    )
    write(rounded, tmp_path / "out", "voc")
    outside = sv.DetectionDataset.from_pascal_voc(
        str(tmp_path / "images"), str(tmp_path / "out/Annotations")
    )
    # supervision counts VOC's pixels from 1, both ends included: its first corner is one less
    theirs = {
        name: (label, box + np.array([1, 1, 0, 0]))
        for name, (label, box) in by_image_name(outside).items()
    }
    for sample in rounded:
        label, box = theirs[sample.image.name]
        assert label == sample.label
        np.testing.assert_allclose(box, sample.box)


def test_supervision_reads_what_is_written_as_yolo(data, tmp_path, sv):
    write(data, tmp_path / "out", "yolo")
    outside = sv.DetectionDataset.from_yolo(
        str(tmp_path / "out/images/train"),
        str(tmp_path / "out/labels/train"),
        str(tmp_path / "out/data.yaml"),
    )
    assert_agrees(data, outside, tolerance_px=1e-4)


def test_what_supervision_writes_is_read_equal(data, tmp_path, sv):
    from_here = sv.DetectionDataset(
        list(CLASSES),
        [str(sample.image) for sample in data],
        {
            str(sample.image): sv.Detections(
                xyxy=np.array([sample.box], dtype=np.float32),
                class_id=np.array([CLASSES.index(sample.label)]),
            )
            for sample in data
        },
    )
    out = tmp_path / "theirs"
    from_here.as_yolo(str(out / "images"), str(out / "labels"), str(out / "data.yaml"))
    (out / "data.yaml").write_text((out / "data.yaml").read_text() + "\ntrain: images\n")
    from_here.as_coco(annotations_path=str(tmp_path / "theirs.json"))
    for back in (read(out), read(tmp_path / "theirs.json")):
        boxes = {sample.image.name: (sample.label, sample.box) for sample in back}
        for sample in data:
            label, box = boxes[sample.image.name]
            assert label == sample.label
            # supervision writes YOLO with five decimals
            np.testing.assert_allclose(box, sample.box, rtol=0, atol=40 * 1e-5)
