"""`onebox annotate haar`: labels that read back, notes, and errors."""

import csv
import json
import shutil
from pathlib import Path

import pytest

import onebox

cv2 = pytest.importorskip("cv2")
pytest.importorskip("skimage.data")

from onebox.classic import haar  # noqa: E402


@pytest.fixture
def selfies(tmp_path, monkeypatch, faces):
    """A folder with one face and one image without a face, in the working folder."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "selfies"
    (place / "deeper").mkdir(parents=True)
    shutil.copy(faces / "one.png", place / "deeper")
    shutil.copy(faces / "cup.png", place)
    return place


@pytest.fixture
def crowd(selfies, faces):
    """The folder with one more image, which has two faces, one of half the size."""
    shutil.copy(faces / "two.png", selfies)
    return selfies


@pytest.fixture
def annotate(run):
    def run_line(*words):
        return run("annotate", "haar", *words)

    return run_line


def images_of(labels):
    return sorted(sample.image.name for sample in onebox.read(labels))


def test_boxes_are_written_as_lists_that_read_back(annotate, selfies):
    code, out, err = annotate("selfies", "labels/faces.csv")
    (found,) = haar.annotate(selfies).samples
    assert (code, out) == (0, "labels/faces.csv: 1 image with a face, 1 without a find\n")
    assert err == "note: selfies/cup.png: no face found.\n"
    header, row = csv.reader(Path("labels/faces.csv").read_text().splitlines())
    assert header == ["image", "bbox", "label"]
    assert row[0] == "../selfies/deeper/one.png"
    assert json.loads(row[1]) == list(found.box)
    (sample,) = onebox.read("labels/faces.csv")
    assert (sample.label, sample.box, sample.image.resolve()) == ("face", found.box, found.image)


def test_json_lists_the_images_without_a_find_and_with_several(annotate, crowd):
    code, out, _ = annotate("selfies", "faces.csv", "--on-multiple", "largest", "--json")
    assert code == 0
    assert json.loads(out) == {
        "labels": "faces.csv",
        "images": 2,
        "label": "face",
        "without": ["selfies/cup.png"],
        "several": ["selfies/two.png"],
        "unreadable": 0,
    }


def test_several_faces_are_an_error_by_default_and_nothing_is_written(annotate, crowd, tmp_path):
    code, out, err = annotate("selfies", "faces.csv")
    assert (code, out) == (3, "")
    assert "two.png with 2; an image has one subject. Keep the largest" in err
    assert [path.name for path in tmp_path.iterdir()] == ["selfies"]


@pytest.mark.parametrize(
    ("policy", "kept", "message"),
    [
        ("largest", ["one.png", "two.png"], "1 image with several finds kept the largest."),
        ("skip", ["one.png"], "1 image with several finds left out."),
    ],
)
def test_the_policy_for_several_faces_decides_what_is_kept(policy, kept, message, annotate, crowd):
    code, _, err = annotate("selfies", "faces.csv", "--on-multiple", policy)
    assert (code, images_of("faces.csv")) == (0, kept)
    assert f"note: {message}" in err


def test_the_name_of_a_cascade_file_is_the_label(annotate, selfies):
    bundled = f"{cv2.data.haarcascades}haarcascade_frontalface_alt.xml"
    shutil.copy(bundled, "spacefarer.xml")
    assert annotate("selfies", "found.csv", "--cascade", "spacefarer.xml")[0] == 0
    assert onebox.read("found.csv").classes == ("spacefarer",)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["selfies", "--cascade", "profilface"], 2, "Did you mean profileface?"),
        (["selfies", "--cascade", "text.xml"], 2, "cascade text.xml: is not a cascade"),
        (["selfies", "--cascade", "none.xml"], 2, "cascade none.xml: there is no such file"),
        (["selfies", "--cascade", "selfies"], 2, "cascade selfies: is a folder"),
        (["selfies", "--on-multiple", "larges"], 2, "Did you mean largest?"),
        (["empty"], 3, "empty: holds no image"),
        (["nowhere"], 3, "nowhere: there is no such folder"),
        (["cups"], 3, "cups: found no 'face' in 1 image."),
    ],
)
def test_an_error_has_a_message_and_writes_nothing(
    words, code, message, annotate, selfies, tmp_path
):
    (tmp_path / "text.xml").write_text("hello")
    (tmp_path / "empty").mkdir()
    (tmp_path / "cups").mkdir()
    shutil.copy(selfies / "cup.png", tmp_path / "cups")
    before = sorted(tmp_path.iterdir())
    folder, *options = words
    ended, out, err = annotate(folder, "faces.csv", *options)
    assert (ended, out) == (code, "")
    assert message in err
    assert sorted(tmp_path.iterdir()) == before


def test_unreadable_images_are_named_and_end_with_3(annotate, selfies):
    (selfies / "broken.jpg").write_bytes(b"no image")
    code, out, err = annotate("selfies", "faces.csv")
    assert (code, out[:10]) == (3, "faces.csv:")
    assert "error: selfies/broken.jpg: " in err
    assert "1 image could not be read" in err
    assert images_of("faces.csv") == ["one.png"]


def test_existing_labels_are_not_overwritten(annotate, selfies, tmp_path):
    (tmp_path / "faces.csv").write_text("image,bbox\n")
    code, out, err = annotate("selfies", "faces.csv")
    assert (code, out) == (2, "")
    assert "faces.csv" in err
    assert (tmp_path / "faces.csv").read_text() == "image,bbox\n"


def test_the_help_names_the_method_and_its_options(run):
    code, out, _ = run("annotate", "--help")
    assert (code, "haar" in out) == (0, True)
    _, out, _ = run("annotate", "haar", "--help")
    options = ("--cascade", "--on-multiple", "--json")
    assert [option for option in options if option not in out] == []
