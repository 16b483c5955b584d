"""audit.csv: written, edited by a person, and read again."""

import csv
from pathlib import Path

import pytest

from onebox.audit.corrections import listed_corrections
from onebox.audit.find import find
from onebox.audit.table import COLUMNS, read_corrections, write_table
from onebox.errors import DataError


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.fixture
def wrong(data, relabel):
    """A box and a class that are wrong, of two images."""
    return relabel(relabel(data, 7, box=(0.0, 0.0, 30.0, 20.0)), 6, label="cat")


@pytest.fixture
def written(place, wrong, found):
    audit = find(wrong, found, 0.2)
    write_table(audit, wrong, Path("out/audit.csv"))
    return audit


def rows(path="out/audit.csv"):
    with Path(path).open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def edit(change):
    """Rewrite the file; ``change`` returns each row, or None to remove it."""
    changed = [row for row in map(change, rows()) if row is not None]
    with Path("out/audit.csv").open("w", newline="", encoding="utf-8") as opened:
        table = csv.DictWriter(opened, COLUMNS)
        table.writeheader()
        table.writerows(changed)


def test_every_finding_has_a_row_in_order(written):
    table = rows()
    assert tuple(table[0]) == COLUMNS
    assert [row["list"] for row in table] == ["boxes"] * 40 + ["classes"] * 40
    first = table[0]
    assert (first["image"], first["rank"], first["listed"]) == ("../images/07.jpg", "1", "yes")
    assert first["given"] == "0, 0, 30, 20"
    assert float(first["q_value"]) <= 0.2 < float(table[39]["q_value"])


def test_an_unedited_file_gives_the_corrections_of_the_lists(written, wrong):
    read = read_corrections(Path("out/audit.csv"), wrong)
    listed = listed_corrections(written)
    assert {(one.row, one.label) for one in read} == {(one.row, one.label) for one in listed}
    for one, other in zip(read, listed, strict=True):
        assert one.box == pytest.approx(other.box) if other.box else one.box is None


def test_rows_that_a_person_removed_or_answered_no_are_passed_over(written, wrong):
    edit(lambda row: None if row["list"] == "boxes" else row)
    assert {one.box for one in read_corrections(Path("out/audit.csv"), wrong)} == {None}
    edit(lambda row: {**row, "listed": "No"})
    assert read_corrections(Path("out/audit.csv"), wrong) == []


def test_a_row_that_a_person_answered_yes_is_applied_with_their_numbers(written, wrong):
    def change(row):
        is_other = row["image"].endswith("03.jpg") and row["list"] == "boxes"
        return {**row, "listed": "yes", "suggested": "1 2;30.5, 40"} if is_other else None

    edit(change)
    (one,) = read_corrections(Path("out/audit.csv"), wrong)
    assert (one.row, one.box) == (3, (1.0, 2.0, 30.5, 40.0))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"image": "../images/no.jpg"}, "audit.csv:2: image '../images/no.jpg' is not in the data"),
        ({"listed": "maybe"}, "audit.csv:2: listed is 'maybe'; write yes"),
        ({"suggested": "1, 2, 3"}, "audit.csv:2: suggested box '1, 2, 3' is not four numbers"),
        ({"suggested": "9, 9, 3, 12"}, "audit.csv:2: box 9, 9, 3, 12 is -6 x 3 pixels"),
        (
            {"list": "classes", "suggested": "dgo"},
            "audit.csv:2: label 'dgo' is not one of cat, dog",
        ),
        ({"list": "box"}, "audit.csv:2: list 'box' is not one of boxes, classes, checks"),
    ],
)
def test_a_row_that_cannot_be_applied_is_named_with_its_line(change, problem, written, wrong):
    first = rows()[0]
    edit(lambda row: {**row, **change} if row == first else row)
    with pytest.raises(DataError) as raised:
        read_corrections(Path("out/audit.csv"), wrong)
    assert problem in str(raised.value)


def test_a_file_without_its_columns_is_refused(place, data):
    Path("out/audit.csv").write_text("image,rank\na.jpg,1\n")
    with pytest.raises(DataError, match=r"audit.csv:1: has no column list, listed, suggested"):
        read_corrections(Path("out/audit.csv"), data)


def test_a_file_that_is_missing_is_named(place, data):
    with pytest.raises(DataError, match=r"out/no.csv: cannot be read"):
        read_corrections(Path("out/no.csv"), data)


def test_a_file_saved_with_semicolons_is_read(written, wrong):
    text = Path("out/audit.csv").read_text()
    table = list(csv.reader(text.splitlines()))
    with Path("out/audit.csv").open("w", newline="", encoding="utf-8-sig") as opened:
        csv.writer(opened, delimiter=";").writerows(table)
    assert len(read_corrections(Path("out/audit.csv"), wrong)) == len(listed_corrections(written))
