"""Haar cascades: bundled and own files, their labels, and files that are refused."""

import pytest

from onebox.classic.cascades import cascade_names, open_cascade, subject_of
from onebox.classic.haar import FACES
from onebox.errors import SettingError

pytest.importorskip("cv2")


def test_every_bundled_cascade_opens_by_its_short_name():
    names = cascade_names()
    assert FACES in names
    for name in names:
        open_cascade(name.removeprefix("haarcascade_"))


@pytest.mark.parametrize("content", ["", "hello", "<opencv_storage><a>1</a></opencv_storage>"])
def test_a_file_that_is_not_a_cascade_is_refused(tmp_path, content):
    path = tmp_path / "mine.xml"
    path.write_text(content)
    with pytest.raises(SettingError, match="is not a cascade"):
        open_cascade(path)


def test_a_missing_cascade_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(SettingError, match="no such file"):
        open_cascade(tmp_path / "mine.xml")
    with pytest.raises(SettingError, match="is a folder"):
        open_cascade(tmp_path)


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
def test_the_name_of_a_cascade_gives_the_label(cascade, subject):
    assert subject_of(cascade) == subject
