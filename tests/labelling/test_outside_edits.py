"""Edits of the label file from outside: taken over or asked about, never overwritten unseen."""

import pytest

from onebox.errors import OneboxError
from onebox.labelling.journal import Journal
from onebox.labelling.label_file import LabelFile
from onebox.labelling.records import Label, image_id


def rows(folder):
    """The rows of the label file, by image."""
    lines = (folder / "labels.csv").read_text().splitlines()[1:]
    return {line.split(",")[0]: line.split(",")[1:] for line in lines}


def save(session):
    """Do at once what the saver's thread does soon."""
    session._saver.save()


def append(folder, line):
    with (folder / "labels.csv").open("a") as file:
        file.write(f"{line}\n")


def by_name(session, name):
    return session.entry(image_id(name))


def refuse(why):
    raise OneboxError(why)


def write_row(folder, box):
    """Give the first image a label from outside, and no other image one."""
    header = "image,label,x_min,y_min,x_max,y_max,split"
    (folder / "labels.csv").write_text(f"{header}\n000.png,cat,{box},train\n")


def start_conflict(folder, session, act):
    """Change the label of the one image on the page to 1,1,9,9 and outside to 5,5,9,9."""
    act(session, by_name(session, "000.png"), (1, 1, 9, 9))
    write_row(folder, "5,5,9,9")
    save(session)
    assert by_name(session, "000.png").is_in_conflict


def test_an_edit_of_the_file_from_outside_is_taken_over(make_folder, open_session, act):
    folder = make_folder(3)
    session = open_session(folder)
    act(session, by_name(session, "000.png"))
    save(session)
    append(folder, "001.png,dog,1,2,3,4,train")
    save(session)
    entry = by_name(session, "001.png")
    assert (entry.label, entry.revision) == (Label("dog", (1.0, 2.0, 3.0, 4.0)), 1)
    assert session.classes == ("cat", "dog")


def test_an_edit_that_contradicts_an_unsaved_label_is_a_conflict_until_it_is_settled(
    make_folder, open_session, act
):
    folder = make_folder(3)
    session = open_session(folder)
    act(session, by_name(session, "000.png"), (1, 1, 9, 9))
    save(session)
    text = (folder / "labels.csv").read_text()
    entry = act(session, by_name(session, "000.png"), (2, 2, 9, 9))
    (folder / "labels.csv").write_text(text.replace("1,1,9,9", "5,5,9,9"))
    save(session)
    entry = session.entry(entry.id)
    assert entry.is_in_conflict
    assert (entry.label.box, entry.theirs.box) == ((2.0, 2.0, 9.0, 9.0), (5.0, 5.0, 9.0, 9.0))
    assert session.summary().conflicts == (entry.id,)
    assert rows(folder)["000.png"][1:5] == ["5", "5", "9", "9"]
    session.close()
    session = open_session(folder)
    assert session.entry(entry.id) == entry
    settled = session.settle(entry.id, "mine")
    assert (settled.is_in_conflict, settled.revision) == (False, entry.revision + 1)
    save(session)
    assert rows(folder)["000.png"][1:5] == ["2", "2", "9", "9"]


def test_a_conflict_may_be_settled_for_the_file(make_folder, open_session, act):
    folder = make_folder(1)
    session = open_session(folder)
    act(session, by_name(session, "000.png"), (1, 1, 9, 9))
    (folder / "labels.csv").write_text(
        "image,label,x_min,y_min,x_max,y_max,split\n000.png,cat,5,5,9,9,train\n"
    )
    save(session)
    entry = session.settle(image_id("000.png"), "theirs")
    assert (entry.label.box, entry.is_in_conflict) == ((5.0, 5.0, 9.0, 9.0), False)
    save(session)
    assert rows(folder)["000.png"][1:5] == ["5", "5", "9", "9"]


def test_after_a_conflict_was_settled_for_the_file_a_new_label_is_written(
    make_folder, open_session, act
):
    folder = make_folder(1)
    session = open_session(folder)
    start_conflict(folder, session, act)
    entry = session.settle(image_id("000.png"), "theirs")
    entry = act(session, entry, (2, 2, 9, 9))
    save(session)
    assert not session.entry(entry.id).is_in_conflict
    assert rows(folder)["000.png"][1:5] == ["2", "2", "9", "9"]


def test_a_conflict_that_ended_outside_does_not_come_back(make_folder, open_session, act):
    folder = make_folder(1)
    session = open_session(folder)
    start_conflict(folder, session, act)
    write_row(folder, "1,1,9,9")
    save(session)
    entry = by_name(session, "000.png")
    assert not entry.is_in_conflict
    act(session, entry, (2, 2, 9, 9))
    save(session)
    assert not session.entry(entry.id).is_in_conflict
    assert rows(folder)["000.png"][1:5] == ["2", "2", "9", "9"]


def test_a_newer_edit_of_the_file_is_asked_about_before_the_label_of_the_page_is_written(
    make_folder, open_session, act
):
    folder = make_folder(1)
    session = open_session(folder)
    start_conflict(folder, session, act)
    write_row(folder, "7,7,9,9")
    session.settle(image_id("000.png"), "mine")
    save(session)
    entry = by_name(session, "000.png")
    assert (entry.is_in_conflict, entry.theirs.box) == (True, (7.0, 7.0, 9.0, 9.0))
    assert rows(folder)["000.png"][1:5] == ["7", "7", "9", "9"]
    session.settle(entry.id, "mine")
    save(session)
    assert rows(folder)["000.png"][1:5] == ["1", "1", "9", "9"]


@pytest.mark.parametrize("keep", ["mine", "theirs"])
def test_a_file_that_is_removed_during_a_conflict_has_no_label_any_more(
    make_folder, open_session, act, keep
):
    folder = make_folder(1)
    with open_session(folder) as session:
        start_conflict(folder, session, act)
    (folder / "labels.csv").unlink()
    with open_session(folder) as session:
        entry = by_name(session, "000.png")
        assert (entry.is_in_conflict, entry.theirs) == (True, None)
        entry = session.settle(entry.id, keep)
        assert (entry.label is not None) == (keep == "mine")
    assert (folder / "labels.csv").exists() == (keep == "mine")


def test_an_edit_between_two_sessions_that_contradicts_an_unsaved_label_is_a_conflict(
    make_folder, open_session, act, monkeypatch
):
    folder = make_folder(2)
    with open_session(folder) as session:
        entry = act(session, by_name(session, "001.png"), (1, 1, 9, 9))
        save(session)
        with monkeypatch.context() as patch:
            patch.setattr(LabelFile, "save", lambda *args, **kwargs: 1 / 0)
            entry = act(session, entry, (2, 2, 9, 9))
            session.close()
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("1,1,9,9", "5,5,9,9"))
    entry = open_session(folder).entry(entry.id)
    assert entry.is_in_conflict
    assert (entry.label.box[0], entry.theirs.box[0]) == (2.0, 5.0)


@pytest.mark.parametrize("is_acted", [False, True])
def test_an_edit_from_outside_is_taken_over_later_if_the_journal_is_full(
    make_folder, open_session, act, monkeypatch, is_acted
):
    folder = make_folder(2)
    session = open_session(folder)
    act(session, by_name(session, "000.png"), (1, 1, 9, 9))
    save(session)
    write_row(folder, "5,5,9,9")
    if is_acted:
        act(session, by_name(session, "001.png"))
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", lambda *args, **kwargs: refuse("the disk is full."))
        save(session)
    assert session.summary().file.message == "the disk is full."
    save(session)
    entry = by_name(session, "000.png")
    assert (entry.label.box, entry.is_in_conflict) == ((5.0, 5.0, 9.0, 9.0), False)


def test_an_edit_that_the_full_journal_has_not_is_asked_about_when_the_label_changes(
    make_folder, open_session, act, monkeypatch
):
    folder = make_folder(1)
    session = open_session(folder)
    act(session, by_name(session, "000.png"), (1, 1, 9, 9))
    save(session)
    write_row(folder, "5,5,9,9")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", lambda *args, **kwargs: refuse("the disk is full."))
        save(session)
    act(session, by_name(session, "000.png"), (2, 2, 9, 9))
    save(session)
    assert by_name(session, "000.png").is_in_conflict
    assert rows(folder)["000.png"][1:5] == ["5", "5", "9", "9"]


def test_an_unsaved_label_is_written_although_the_file_was_removed(
    make_folder, open_session, act, monkeypatch
):
    folder = make_folder(1)
    with open_session(folder) as session:
        entry = act(session, by_name(session, "000.png"), (1, 1, 9, 9))
        save(session)
        with monkeypatch.context() as patch:
            patch.setattr(LabelFile, "save", lambda *args, **kwargs: 1 / 0)
            act(session, entry, (2, 2, 9, 9))
            session.close()
    (folder / "labels.csv").unlink()
    with open_session(folder) as session:
        save(session)
        assert not session.entry(entry.id).is_in_conflict
    assert rows(folder)["000.png"][1:5] == ["2", "2", "9", "9"]
