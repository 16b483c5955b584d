"""Annotation by Haar cascades: the boxes, the images without one, and the refusals."""

import shutil

import numpy as np
import pytest
from PIL import Image

from onebox.boxes import paired_iou
from onebox.errors import DataError, SettingError

pytest.importorskip("cv2")
skimage_data = pytest.importorskip("skimage.data")

from onebox.classic import haar  # noqa: E402

FACE = (178.0, 70.0, 270.0, 180.0)  # chin to hairline of the astronaut, drawn by hand


def iou(box, truth):
    return float(paired_iou(np.array([box], float), np.array([truth], float))[0])


@pytest.fixture(scope="module")
def astronaut():
    return Image.fromarray(skimage_data.astronaut())


@pytest.fixture
def folder(tmp_path, faces):
    """One face, and one image without."""
    folder = tmp_path / "selfies"
    (folder / "deeper").mkdir(parents=True)
    shutil.copy(faces / "one.png", folder / "deeper")
    shutil.copy(faces / "cup.png", folder)
    return folder


@pytest.fixture
def crowd(folder, faces):
    """A second face of half the size beside the first."""
    shutil.copy(faces / "two.png", folder)
    return folder


def test_a_face_is_boxed_and_an_image_without_one_is_listed(folder):
    found = haar.annotate(folder)
    (sample,) = found.samples
    assert sample.image == folder / "deeper" / "one.png"
    assert (sample.label, sample.size_wh) == ("face", (512, 512))
    assert iou(sample.box, FACE) > 0.6
    assert found.without == (folder / "cup.png",)
    assert found.several == ()
    assert found.dataset("selfies").classes == ("face",)


def test_an_image_with_exif_orientation_is_boxed_upright(tmp_path, astronaut):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown rotated clockwise by 90 degrees
    astronaut.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    (sample,) = haar.annotate(tmp_path).samples
    assert iou(sample.box, FACE) > 0.6


def test_the_box_of_an_image_that_shrinks_while_it_decodes_is_in_its_own_pixels(
    tmp_path, astronaut
):
    astronaut.resize((1536, 1536)).save(tmp_path / "large.jpg")
    (sample,) = haar.annotate(tmp_path).samples
    assert sample.size_wh == (1536, 1536)
    assert iou(sample.box, tuple(3 * edge for edge in FACE)) > 0.6


@pytest.mark.parametrize("size_wh", [(1280, 720), (720, 1280), (1920, 1080), (1800, 700)])
def test_a_face_in_a_wide_or_tall_image_is_searched_in_its_own_shape(tmp_path, astronaut, size_wh):
    canvas = Image.new("RGB", size_wh, "grey")
    left, top = (size_wh[0] - 512) // 2, (size_wh[1] - 512) // 2
    canvas.paste(astronaut, (left, top))
    canvas.save(tmp_path / "wide.png")
    (sample,) = haar.annotate(tmp_path, on_multiple="largest").samples
    x_min, y_min, x_max, y_max = sample.box
    assert abs((x_max - x_min) / (y_max - y_min) - 1) < 0.02
    assert iou(sample.box, np.array(FACE) + np.array([left, top] * 2)) > 0.6


def test_grey_and_transparent_images_are_searched(tmp_path, astronaut):
    astronaut.convert("L").save(tmp_path / "grey.png")
    seen = astronaut.copy()
    seen.putalpha(255)
    seen.save(tmp_path / "rgba.png")
    found = haar.annotate(tmp_path)
    assert [iou(sample.box, FACE) > 0.6 for sample in found.samples] == [True, True]


def test_the_error_for_several_faces_counts_the_images_and_names_one(crowd):
    with pytest.raises(DataError) as caught:
        haar.annotate(crowd)
    message = str(caught.value)
    assert message.startswith("1 image with several detections of 'face'")
    assert str(crowd / "two.png") in message
    assert "with 2;" in message
    assert "--on-multiple largest" in message


def test_largest_keeps_the_larger_face(crowd):
    found = haar.annotate(crowd, on_multiple="largest")
    box = {sample.image.name: sample.box for sample in found.samples}["two.png"]
    x_min, y_min, x_max, y_max = FACE  # the whole one was pasted 256 pixels to the right
    assert iou(box, (x_min + 256, y_min, x_max + 256, y_max)) > 0.6
    assert found.several == (crowd / "two.png",)


def test_skip_leaves_out_the_image_with_two_faces(crowd):
    found = haar.annotate(crowd, on_multiple="skip")
    assert [sample.image.name for sample in found.samples] == ["one.png"]
    assert found.several == (crowd / "two.png",)
    assert found.without == (crowd / "cup.png",)


def test_if_skip_leaves_no_image_the_error_says_why(crowd):
    (crowd / "deeper" / "one.png").unlink()
    with pytest.raises(DataError, match="every image with a detection of 'face' has several"):
        haar.annotate(crowd, on_multiple="skip")


def test_a_folder_without_faces_is_refused(tmp_path, faces):
    shutil.copy(faces / "cup.png", tmp_path)
    with pytest.raises(DataError, match="found no 'face' in 1 image"):
        haar.annotate(tmp_path)


def test_a_missing_folder_and_one_without_images_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no image"):
        haar.annotate(tmp_path)
    with pytest.raises(DataError, match="there is no such folder"):
        haar.annotate(tmp_path / "nowhere")


def test_an_unreadable_image_is_named_and_the_others_are_searched(folder):
    (folder / "broken.jpg").write_bytes(b"no image")
    found = haar.annotate(folder)
    (problem,) = found.unreadable
    assert "broken.jpg" in problem
    assert len(found.samples) == 1


def test_progress_counts_every_image(folder):
    calls = []
    haar.annotate(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_the_closest_cascade_or_policy_is_suggested(folder):
    with pytest.raises(
        SettingError, match=r"neither a file nor one of .* Did you mean profileface"
    ):
        haar.annotate(folder, cascade="profilface")
    with pytest.raises(SettingError, match="Did you mean largest"):
        haar.annotate(folder, on_multiple="larges")


def test_the_name_of_a_cascade_file_is_the_label(folder, tmp_path):
    import cv2

    own = tmp_path / "spacefarer.xml"
    shutil.copy(f"{cv2.data.haarcascades}haarcascade_frontalface_alt.xml", own)
    found = haar.annotate(folder, cascade=own)
    assert found.samples[0].label == found.label == "spacefarer"
    assert iou(found.samples[0].box, FACE) > 0.6
