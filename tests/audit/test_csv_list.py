"""audit.csv: written, edited by a person, and read back."""

import csv
import pathlib
import shutil
from dataclasses import replace

import pytest

from onebox.audit.corrections import EXCHANGED, Correction
from onebox.audit.csv_list import COLUMNS, read_corrections, write_list
from onebox.errors import DataError, OneboxError
from onebox.structures import KeypointSet


@pytest.fixture
def list_file(audited, pets, tmp_path):
    """The audit as a file in a folder of its own."""
    path = tmp_path / "found" / "audit.csv"
    path.parent.mkdir()
    write_list(audited, pets, path)
    return path


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path, change):
    """Change the rows as a person does; ``change`` gets and returns a list of rows."""
    rows = change(rows_of(path))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def set_in_first(path, **cells):
    rewrite(path, lambda rows: [{**rows[0], **cells}, *rows[1:]])


def test_a_name_that_no_file_can_have_is_a_row_of_no_image(list_file, pets):
    set_in_first(list_file, image="a\0/b.png")
    with pytest.raises(DataError, match=r"audit\.csv:2: "):
        read_corrections(list_file, pets)


# --- written


def test_a_row_has_the_image_the_suggestion_and_the_reason(list_file):
    first = rows_of(list_file)[0]
    assert tuple(first) == COLUMNS
    assert first == {
        "image": "../pets/images/a.png",
        "list": "boxes",
        "rank": "1",
        "score": "4.25",
        "p_value": "0.00125",
        "q_value": "0.005",
        "listed": "yes",
        "kind": "far off",
        "side": "right",
        "given": "10, 10, 50, 60",
        "suggested_x_min": "12.5",
        "suggested_y_min": "10",
        "suggested_x_max": "70",
        "suggested_y_max": "60",
        "suggested_label": "",
        "suggested_keypoints": "",
        "why": "It is far off.",
    }


def test_boxes_come_first_then_classes_then_checks_and_all_are_there(list_file):
    rows = rows_of(list_file)
    assert [row["list"] for row in rows] == ["boxes", "boxes", "classes", "classes", "checks"]
    assert [row["listed"] for row in rows] == ["yes", "no", "yes", "no", "yes"]
    assert [row["suggested_label"] for row in rows] == ["", "", "cat", "dog", ""]
    assert rows[-1]["p_value"] == rows[-1]["q_value"] == ""


def test_the_list_is_not_taken_for_labels(list_file):
    import onebox

    with pytest.raises(DataError):
        onebox.read(list_file.parent)


def test_a_list_that_cannot_be_written_leaves_no_part_of_it(audited, pets, tmp_path):
    with pytest.raises(OneboxError, match="cannot be written"):
        write_list(audited, pets, tmp_path / "nowhere" / "audit.csv")
    assert not (tmp_path / "nowhere").exists()


# --- read back


def test_listed_rows_read_back_as_corrections(list_file, pets):
    assert read_corrections(list_file, pets) == [
        Correction(0, "boxes", box=(12.5, 10.0, 70.0, 60.0)),
        Correction(3, "classes", label="cat"),
        Correction(2, "checks", box=(20.0, 20.0, 80.0, 70.0)),
    ]


def test_a_removed_row_and_one_marked_no_are_not_corrected(list_file, pets):
    rewrite(list_file, lambda rows: [{**rows[0], "listed": "no"}, *rows[3:]])
    assert [one.row for one in read_corrections(list_file, pets)] == [2]


def test_a_row_marked_yes_and_an_edited_box_are_taken(list_file, pets):
    rewrite(
        list_file,
        lambda rows: [rows[0] | {"suggested_x_min": "1.125"}, rows[1] | {"listed": "TRUE"}],
    )
    boxes = [one.box for one in read_corrections(list_file, pets)]
    assert boxes == [(1.125, 10.0, 70.0, 60.0), (20.0, 5.0, 88.0, 70.0)]


def test_many_decimals_survive(audited, pets, tmp_path):
    box = (1 / 3, 2 / 7, 50.1, 60.000001)
    audited = replace(audited, boxes=[replace(audited.boxes[0], box=box)], classes=[], checks=[])
    write_list(audited, pets, tmp_path / "audit.csv")
    assert read_corrections(tmp_path / "audit.csv", pets)[0].box == box


def test_a_spreadsheet_may_write_semicolons_a_mark_and_fewer_columns(list_file, pets):
    kept = [name for name in COLUMNS if name not in {"why", "rank", "score", "given"}]
    rows = rows_of(list_file)
    lines = [";".join(kept), *(";".join(row[name] for name in kept) for row in rows)]
    list_file.write_text("\n".join(lines), encoding="utf-8-sig")
    assert [one.row for one in read_corrections(list_file, pets)] == [0, 3, 2]


def test_a_list_behind_a_link_to_its_folder_names_the_same_images(list_file, pets, tmp_path):
    (tmp_path / "deep").mkdir()
    link = tmp_path / "deep" / "link"
    pathlib.Path(link).symlink_to(list_file.parent)
    assert len(read_corrections(link / "audit.csv", pets)) == 3


def test_keypoints_that_should_be_exchanged_read_back(make_finding, audited, pets, tmp_path):
    posed = replace(pets, keypoints=KeypointSet(("left", "right"), (), ((0, 1),)))
    finding = make_finding(1, "checks", swaps_keypoints=True)
    audited = replace(audited, boxes=[], classes=[], checks=[finding])
    path = tmp_path / "audit.csv"
    write_list(audited, posed, path)
    assert rows_of(path)[0]["suggested_keypoints"] == EXCHANGED
    assert read_corrections(path, posed) == [Correction(1, "checks", swaps_keypoints=True)]
    with pytest.raises(DataError, match=r"audit\.csv:2: .*has no keypoints"):
        read_corrections(path, pets)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"image": "../pets/images/aa.png"}, "'../pets/images/aa.png' is not in .*mean a.png?"),
        ({"list": "box"}, "list 'box' is not one of boxes, classes, checks. Did you mean boxes?"),
        ({"listed": "maybe"}, "listed is 'maybe', which is neither yes nor no"),
        ({"suggested_x_min": "12,5"}, "suggested_x_min is '12,5', which is not a .* Write 12.5"),
        ({"suggested_x_min": "left"}, "suggested_x_min is 'left', which is not a number. Correct"),
        ({"suggested_y_max": ""}, "suggested_y_max is empty. Write all four edges, or none"),
        ({"suggested_x_max": "5"}, "suggested box 12.5, 10, 5, 60 is -7.5 x 50 pixels"),
        ({"suggested_x_max": "nan"}, "is not made of finite numbers"),
        ({"suggested_x_max": "101"}, "passes the frame of 100 x 80 pixels"),
        (
            {"suggested_label": "cta"},
            "suggested_label 'cta' is not one of cat, dog. Did you mean c",
        ),
        ({"suggested_keypoints": "yes"}, "suggested_keypoints is 'yes'. Write 'left and right"),
        ({"image": "../pets/images/e.png"}, "no subject so far. Suggest both a box and a label"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line_and_repair(list_file, pets, cells, message):
    set_in_first(list_file, **cells)
    with pytest.raises(DataError, match=rf"^audit.csv:2: .*{message}"):
        read_corrections(list_file, pets)


def test_all_wrong_rows_are_listed_at_once(list_file, pets):
    rewrite(list_file, lambda rows: [{**row, "listed": "?"} for row in rows])
    with pytest.raises(DataError) as caught:
        read_corrections(list_file, pets)
    assert [problem.split(" ")[0] for problem in caught.value.problems] == [
        f"audit.csv:{line}:" for line in range(2, 7)
    ]


def test_an_image_without_a_subject_may_be_given_one(list_file, pets):
    set_in_first(list_file, image="../pets/images/e.png", suggested_label="dog")
    assert read_corrections(list_file, pets)[0] == Correction(
        4, "boxes", (12.5, 10.0, 70.0, 60.0), "dog"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("image,label\na.png,cat\n", "audit.csv:1: has no column list, listed"),
        ("image,list\n", "has no column listed"),
        ('image,"list\n', "is not CSV"),
    ],
)
def test_another_file_is_refused(pets, tmp_path, text, message):
    (tmp_path / "audit.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_corrections(tmp_path / "audit.csv", pets)


def test_a_row_that_is_cut_off_is_named(list_file, pets):
    lines = list_file.read_text().splitlines()
    list_file.write_text("\n".join([*lines[:2], "../pets/images/a.png,boxes"]))
    with pytest.raises(DataError, match=r"audit\.csv:3: has 2 cells; 17 are needed"):
        read_corrections(list_file, pets)


def test_a_missing_list_and_a_moved_one_are_errors(list_file, pets, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_corrections(tmp_path / "none.csv", pets)
    (tmp_path / "a" / "b").mkdir(parents=True)
    moved = shutil.move(list_file, tmp_path / "a" / "b" / "audit.csv")
    with pytest.raises(DataError, match="keep the list in the folder where the audit wrote it"):
        read_corrections(moved, pets)
