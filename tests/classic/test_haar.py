"""Face boxes from Haar cascades: what is found, listed and refused."""

import shutil

import numpy as np
import pytest
from PIL import Image

from onebox.boxes import paired_iou
from onebox.errors import DataError, SettingError

pytest.importorskip("cv2")
skimage_data = pytest.importorskip("skimage.data")

from onebox.classic import haar  # noqa: E402
from onebox.classic.cascades import cascade_names, open_cascade, subject_of  # noqa: E402

FACE = (178.0, 70.0, 270.0, 180.0)  # chin to hairline of the astronaut, drawn by hand


def overlap(box, truth):
    return float(paired_iou(np.array([box], float), np.array([truth], float))[0])


@pytest.fixture(scope="module")
def astronaut():
    return Image.fromarray(skimage_data.astronaut())


@pytest.fixture
def folder(tmp_path, astronaut):
    """One face, and one image without."""
    place = tmp_path / "selfies"
    (place / "deeper").mkdir(parents=True)
    astronaut.save(place / "deeper" / "one.png")
    Image.fromarray(skimage_data.coffee()).save(place / "cup.png")
    return place


@pytest.fixture
def crowd(folder, astronaut):
    """A second face of half the size beside the first."""
    both = Image.new("RGB", (768, 512))
    both.paste(astronaut.resize((256, 256)), (0, 0))
    both.paste(astronaut, (256, 0))
    both.save(folder / "two.png")
    return folder


def test_a_face_is_boxed_and_a_cup_is_listed(folder):
    found = haar.annotate(folder)
    (sample,) = found.samples
    assert sample.image == folder / "deeper" / "one.png"
    assert (sample.label, sample.size_wh) == ("face", (512, 512))
    assert overlap(sample.box, FACE) > 0.6
    assert found.without == (folder / "cup.png",)
    assert found.several == ()
    assert found.dataset("selfies").classes == ("face",)


def test_an_image_on_its_side_is_boxed_as_a_person_sees_it(tmp_path, astronaut):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    astronaut.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    (sample,) = haar.annotate(tmp_path).samples
    assert overlap(sample.box, FACE) > 0.6


def test_an_image_that_shrinks_while_it_decodes_is_boxed_in_its_own_pixels(tmp_path, astronaut):
    astronaut.resize((1536, 1536)).save(tmp_path / "large.jpg")
    (sample,) = haar.annotate(tmp_path).samples
    assert sample.size_wh == (1536, 1536)
    assert overlap(sample.box, tuple(3 * edge for edge in FACE)) > 0.6


def test_a_transparent_and_a_grey_image_are_searched_too(tmp_path, astronaut):
    astronaut.convert("L").save(tmp_path / "grey.png")
    seen = astronaut.copy()
    seen.putalpha(255)
    seen.save(tmp_path / "rgba.png")
    found = haar.annotate(tmp_path)
    assert [overlap(sample.box, FACE) > 0.6 for sample in found.samples] == [True, True]


def test_several_faces_are_an_error_that_counts_and_names_one(crowd):
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
    assert overlap(box, (x_min + 256, y_min, x_max + 256, y_max)) > 0.6
    assert found.several == (crowd / "two.png",)


def test_skip_leaves_the_image_of_two_faces_out(crowd):
    found = haar.annotate(crowd, on_multiple="skip")
    assert [sample.image.name for sample in found.samples] == ["one.png"]
    assert found.several == (crowd / "two.png",)
    assert found.without == (crowd / "cup.png",)


def test_when_skip_leaves_nothing_it_says_why(crowd):
    (crowd / "deeper" / "one.png").unlink()
    with pytest.raises(DataError, match="every image with a detection of 'face' has several"):
        haar.annotate(crowd, on_multiple="skip")


def test_a_folder_without_faces_is_said(tmp_path):
    Image.fromarray(skimage_data.coffee()).save(tmp_path / "cup.png")
    with pytest.raises(DataError, match="found no 'face' in 1 image"):
        haar.annotate(tmp_path)


def test_a_folder_without_images_and_no_folder_are_said(tmp_path):
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


def test_every_image_is_counted_as_done(folder):
    calls = []
    haar.annotate(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_a_misspelt_cascade_or_policy_is_corrected(folder):
    with pytest.raises(
        SettingError, match=r"neither a file nor one of .* Did you mean profileface"
    ):
        haar.annotate(folder, cascade="profilface")
    with pytest.raises(SettingError, match="Did you mean largest"):
        haar.annotate(folder, on_multiple="larges")


def test_every_bundled_cascade_opens_by_its_short_name():
    names = cascade_names()
    assert haar.FACES in names
    for name in names:
        open_cascade(name.removeprefix("haarcascade_"))


@pytest.mark.parametrize("content", ["", "hello", "<opencv_storage><a>1</a></opencv_storage>"])
def test_a_file_that_is_no_cascade_is_refused(tmp_path, content):
    path = tmp_path / "mine.xml"
    path.write_text(content)
    with pytest.raises(SettingError, match="is not a cascade"):
        open_cascade(path)


def test_a_cascade_file_that_is_missing_or_a_folder_is_refused(tmp_path):
    with pytest.raises(SettingError, match="no such file"):
        open_cascade(tmp_path / "mine.xml")
    with pytest.raises(SettingError, match="is a folder"):
        open_cascade(tmp_path)


def test_a_cascade_file_finds_what_its_name_says(folder, tmp_path):
    import cv2

    own = tmp_path / "spacefarer.xml"
    shutil.copy(f"{cv2.data.haarcascades}haarcascade_frontalface_alt.xml", own)
    found = haar.annotate(folder, cascade=own)
    assert found.samples[0].label == found.label == "spacefarer"
    assert overlap(found.samples[0].box, FACE) > 0.6


@pytest.mark.parametrize(
    ("cascade", "subject"),
    [
        ("haarcascade_frontalcatface_extended", "cat face"),
        ("profileface", "face"),
        ("haarcascade_lefteye_2splits", "eye"),
        ("haarcascade_fullbody", "body"),
        ("haarcascade_russian_plate_number", "licence plate"),
        ("/some/where/mine.xml", "mine"),
    ],
)
def test_a_cascade_is_called_after_what_it_finds(cascade, subject):
    assert subject_of(cascade) == subject
