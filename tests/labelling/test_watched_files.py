"""Files that others edit: read at one state, replaced only if they are as they were read."""

from pathlib import Path

import pytest

from onebox.errors import DataError
from onebox.formats.edits import Replacement
from onebox.labelling import watched_files
from onebox.labelling.watched_files import ChangedMeanwhileError, WatchedFiles


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def watched(file):
    """The file, watched and read."""
    watched = WatchedFiles(file, lambda path: [path])
    assert watched.read(Path.read_bytes) == b"old"
    return watched


def test_a_replaced_file_has_not_changed(watched, file):
    watched.replace(Replacement(file, b"old", b"new"))
    assert not watched.have_changed()
    watched.replace(Replacement(file, b"new", None))
    assert not file.exists()


def test_content_that_was_not_read_is_not_replaced_even_if_the_new_content_was_made_from_it(
    watched, file
):
    file.write_bytes(b"theirs")
    with pytest.raises(ChangedMeanwhileError):
        watched.replace(Replacement(file, b"theirs", b"ours"))
    assert file.read_bytes() == b"theirs"
    assert watched.have_changed()


@pytest.mark.parametrize("new", [b"ours", None])
def test_content_that_changed_after_the_new_content_was_made_stays(watched, file, new):
    file.write_bytes(b"theirs")
    with pytest.raises(ChangedMeanwhileError):
        watched.replace(Replacement(file, b"old", new))
    assert file.read_bytes() == b"theirs"


def test_an_edit_within_the_resolution_of_the_dates_is_noticed(watched, file, monkeypatch):
    stat = file.stat()
    file.write_bytes(b"new")
    monkeypatch.setattr(Path, "stat", lambda *_, **__: stat)
    assert watched.have_changed()


def test_a_file_that_has_been_the_same_for_long_is_not_read_again(watched, file, monkeypatch):
    monkeypatch.setattr(watched_files, "_RESOLUTION_NS", -1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    assert not watched.have_changed()


def test_files_that_change_while_they_are_read_are_read_again(file):
    contents = iter([b"1", b"2"])

    def read(path):
        content = path.read_bytes()
        path.write_bytes(next(contents, content))
        return content

    assert WatchedFiles(file, lambda path: [path]).read(read) == b"2"


def test_a_file_that_changes_all_the_time_is_given_up(file):
    def read(path):
        path.write_bytes(path.read_bytes() + b".")

    with pytest.raises(DataError, match=r"labels\.csv: another program writes it all the time"):
        WatchedFiles(file, lambda path: [path]).read(read)


def test_a_file_that_cannot_be_read_is_a_problem(watched, file, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"labels\.csv: cannot be read \(Permission denied\)"):
        watched.have_changed()
