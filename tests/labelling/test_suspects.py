import os

import pytest

from onebox.audit.csv_list import COLUMNS
from onebox.errors import DataError
from onebox.labelling.records import Suspect, image_id


@pytest.fixture
def folder(make_folder):
    folder = make_folder(4)
    rows = [f"{number:03}.png,cat,1,1,20,20" for number in range(4)]
    (folder / "labels.csv").write_text("\n".join(["image,label,x_min,y_min,x_max,y_max", *rows]))
    return folder


def write_audit(folder, *rows):
    lines = [",".join(str(row.get(column, "")) for column in COLUMNS) for row in rows]
    path = folder / "audit.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    os.utime(path, (1e9, 1e9))  # long ago, so that every action is later
    return path


BOX = {
    "list": "boxes",
    "listed": "yes",
    "kind": "too small",
    "why": "The right edge is off.",
    "suggested_x_min": 1,
    "suggested_y_min": 1,
    "suggested_x_max": 30,
    "suggested_y_max": 20,
}
CLASS = {
    "list": "classes",
    "listed": "yes",
    "kind": "wrong class",
    "why": "It looks like a dog.",
    "suggested_label": "dog",
}


def test_a_listed_row_is_the_suspect_of_its_image(folder, open_session):
    session = open_session(folder, suspects=write_audit(folder, {"image": "002.png", **BOX}))
    entry = session.entry(image_id("002.png"))
    why = "The right edge is off."
    assert entry.suspect == Suspect("too small", why, (1.0, 1.0, 30.0, 20.0))
    assert session.entry(image_id("001.png")).suspect is None
    assert session.summary().suspects == 1


def test_a_row_that_is_not_listed_is_no_suspect(folder, open_session):
    row = {"image": "002.png", **BOX, "listed": "no"}
    session = open_session(folder, suspects=write_audit(folder, row))
    assert session.summary().suspects == 0


def test_two_rows_of_one_image_become_one_suspect(folder, open_session):
    rows = [{"image": "002.png", **BOX}, {"image": "002.png", **CLASS}]
    session = open_session(folder, classes=("dog",), suspects=write_audit(folder, *rows))
    suspect = session.entry(image_id("002.png")).suspect
    assert suspect is not None
    assert (suspect.kind, suspect.label) == ("too small, wrong class", "dog")
    assert suspect.box == (1.0, 1.0, 30.0, 20.0)


def test_suspects_come_first_and_in_the_order_of_the_audit(folder, open_session):
    rows = [{"image": name, **BOX} for name in ("003.png", "001.png")]
    session = open_session(folder, suspects=write_audit(folder, *rows))
    assert [one.name for one in session.next_entries("a", 9)] == ["003.png", "001.png"]
    assert [one.name for one in session.find("", "suspects", 0, 9)[1]] == ["003.png", "001.png"]


def test_a_suspect_is_settled_when_a_person_acts_on_it(folder, open_session, act):
    audit = write_audit(folder, {"image": "002.png", **BOX})
    with open_session(folder, suspects=audit) as session:
        entry = session.entry(image_id("002.png"))
        assert act(session, entry, how="absent").suspect is None
        assert session.summary().suspects == 0
        assert session.next_entries("a", 9) == []
    assert open_session(folder, suspects=audit).summary().suspects == 0


def test_a_suspect_of_a_later_audit_is_open_again(folder, open_session, act):
    audit = write_audit(folder, {"image": "002.png", **BOX})
    with open_session(folder, suspects=audit) as session:
        act(session, session.entry(image_id("002.png")))
    os.utime(audit, (4e9, 4e9))
    assert open_session(folder, suspects=audit).summary().suspects == 1


def test_a_row_of_an_unknown_image_is_an_error_with_its_line(folder, open_session):
    audit = write_audit(folder, {"image": "9.png", **BOX})
    with pytest.raises(DataError, match=r"audit\.csv:2: image '9\.png' is not in"):
        open_session(folder, suspects=audit)
