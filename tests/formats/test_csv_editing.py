"""Edited CSV files: the edited rows change, all other bytes stay."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from onebox.formats import read
from onebox.formats.csv_editing import edit
from onebox.formats.edits import Edits
from onebox.structures import Sample

SIZE = (40, 30)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for number, name in enumerate(["a.jpg", "b.jpg", "c.jpg"]):
        Image.new("RGB", SIZE, (number, 0, 0)).save(tmp_path / "images" / name)
    return tmp_path


@pytest.fixture
def after(folder):
    """Edit a CSV file: ``after(text, {"a": ("cat", box), "b": None})`` gives its new text."""

    def change(text, changes, split="train"):
        path = folder / "labels.csv"
        path.write_bytes(text.encode())
        edited = edit(path, edits_of(folder, changes, split))
        assert not edited.refused
        [replacement] = edited.replacements
        assert (replacement.path, replacement.old) == (path, text.encode())
        path.write_bytes(replacement.new)
        return replacement.new.decode()

    return change


def edits_of(folder, changes, split="train"):
    samples = {}
    for name, change in changes.items():
        image = folder / "images" / f"{name}.jpg"
        samples[image] = change and Sample(image, *change, split, size_wh=SIZE)
    return Edits(samples)


BOX = (1.5, 2.0, 11.0, 22.0)

# The layout, the text before, and the text after: `a` gets the box, `b` is taken away, `c` is new.
LAYOUTS = {
    "named": (
        "image,label,x_min,y_min,x_max,y_max\nimages/a.jpg,dog,0,0,5,5\nimages/b.jpg,dog,0,0,5,5\n",
        "image,label,x_min,y_min,x_max,y_max\nimages/a.jpg,cat,1.5,2,11,22\n"
        "images/c.jpg,cat,1.5,2,11,22\n",
    ),
    "aliases, order, more columns, semicolons, line ends, byte order mark": (
        "\ufeffwho;Class;XMin;ymin;xmax;ymax;Filename;note\r\n\r\n"
        'me;"dog";0;0;5;5;a.jpg; "kept"\r\nme;dog;0;0;5;5;b.jpg;\r\n',
        "\ufeffwho;Class;XMin;ymin;xmax;ymax;Filename;note\r\n\r\n"
        'me;cat;1.5;2;11;22;a.jpg;" ""kept"""\r\n;cat;1.5;2;11;22;images/c.jpg;\r\n',
    ),
    "headerless, without a last line end": (
        "a.jpg,0,0,5,5,dog\nb.jpg,0,0,5,5,dog",
        "a.jpg,1.5,2,11,22,cat\nimages/c.jpg,1.5,2,11,22,cat\n",
    ),
    "list": (
        'image,bbox,label\na.jpg,"[0, 0, 5, 5]",dog\nb.jpg,"(0 0 5 5)",dog\n',
        'image,bbox,label\na.jpg,"[1.5, 2, 11, 22]",cat\nimages/c.jpg,"[1.5, 2, 11, 22]",cat\n',
    ),
    "tabs and splits": (
        "split\timage\tlabel\tx1\ty1\tx2\ty2\nval\ta.jpg\tdog\t0\t0\t5\t5\ntest\tb.jpg\tdog\t0\t0\t5\t5\n",
        "split\timage\tlabel\tx1\ty1\tx2\ty2\nval\ta.jpg\tcat\t1.5\t2\t11\t22\n"
        "cal\timages/c.jpg\tcat\t1.5\t2\t11\t22\n",
    ),
    "a column of splits that states none": (
        "image,label,x1,y1,x2,y2,split\na.jpg,dog,0,0,5,5,\nb.jpg,dog,0,0,5,5,\n",
        "image,label,x1,y1,x2,y2,split\na.jpg,cat,1.5,2,11,22,\nimages/c.jpg,cat,1.5,2,11,22,\n",
    ),
    "sizes": (
        "image,width,height,label,x1,y1,x2,y2\na.jpg,40,30,dog,0,0,5,5\nb.jpg,40,30,dog,0,0,5,5\n",
        "image,width,height,label,x1,y1,x2,y2\na.jpg,40,30,cat,1.5,2,11,22\n"
        "images/c.jpg,40,30,cat,1.5,2,11,22\n",
    ),
    "several boxes: the row of the same class stays": (
        "image,label,x1,y1,x2,y2,note\na.jpg,dog,0,0,5,5,1\na.jpg,cat,0,0,5,5,2\nb.jpg,,,,,,\n"
        "b.jpg,dog,0,0,5,5,3\n",
        "image,label,x1,y1,x2,y2,note\na.jpg,cat,1.5,2,11,22,2\nimages/c.jpg,cat,1.5,2,11,22,\n",
    ),
    "a header alone": (
        "image,label,x1,y1,x2,y2,split",
        "image,label,x1,y1,x2,y2,split\nimages/a.jpg,cat,1.5,2,11,22,cal\n"
        "images/c.jpg,cat,1.5,2,11,22,cal\n",
    ),
    "empty": (
        "",
        "image,label,x_min,y_min,x_max,y_max,split\nimages/a.jpg,cat,1.5,2,11,22,cal\n"
        "images/c.jpg,cat,1.5,2,11,22,cal\n",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_changes_one_goes_one_is_new_and_the_layout_stays(after, folder, layout):
    before, expected = LAYOUTS[layout]
    changes = {"a": ("cat", BOX), "b": None, "c": ("cat", BOX)}
    assert after(before, changes, split="cal") == expected
    data = read(folder / "labels.csv")
    assert [(one.image.name, one.label, one.box) for one in data] == [
        ("a.jpg", "cat", BOX),
        ("c.jpg", "cat", BOX),
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inner", ["\n", "\r\n", "\r", "\n\n"])
def test_a_cell_of_several_lines_stays_one_cell_with_its_own_line_ends(
    after, folder, inner, line_end
):
    rows = [
        "image,label,x1,y1,x2,y2,note",
        f'a.jpg,dog,0,0,5,5,"two{inner}lines"',
        f'b.jpg,dog,0,0,5,5,"see{inner}c.jpg"',
    ]
    before = line_end.join([*rows, ""])
    changed = before.replace("a.jpg,dog,0,0,5,5", "a.jpg,cat,1.5,2,11,22")
    assert after(before, {"a": ("cat", BOX)}) == changed
    assert [one.label for one in read(folder / "labels.csv")] == ["cat", "dog"]


NOTE = st.text('two\r\n;,"', max_size=6)


@given(notes=st.tuples(NOTE, NOTE), delimiter=st.sampled_from(",;\t"))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_label_and_its_undoing_leave_the_file_as_it_was_whatever_else_is_in_it(
    after, notes, delimiter
):
    quoted = ['"' + note.replace('"', '""') + '"' for note in notes]
    header = ["image", "label", "x1", "y1", "x2", "y2", "note"]
    rows = [[f"{name}.jpg", "dog", "0", "0", "5", "5"] for name in "ab"]
    lines = [header, *([*row, note] for row, note in zip(rows, quoted, strict=True))]
    before = "".join(f"{delimiter.join(line)}\n" for line in lines)
    with_c = after(before, {"c": ("cat", BOX)})
    assert after(with_c, {"c": None}) == before
    first = after(with_c, {"a": ("cat", BOX), "c": None})
    assert first.endswith(delimiter.join(lines[2]) + "\n")
    again = after(first, {"a": ("dog", (0.0, 0.0, 5.0, 5.0))})
    assert list(csv.reader(io.StringIO(again, newline=""), delimiter=delimiter)) == [
        header,
        *([*row, note] for row, note in zip(rows, notes, strict=True)),
    ]


def test_an_image_without_the_subject_is_a_row_with_an_empty_box(after, folder):
    text = after("a.jpg,0,0,5,5,dog\nb.jpg,0,0,5,5,dog\n", {"a": (None, None), "c": (None, None)})
    assert text == "a.jpg,,,,,\nb.jpg,0,0,5,5,dog\nimages/c.jpg,,,,,\n"
    assert [one.box for one in read(folder / "labels.csv")] == [None, (0, 0, 5, 5), None]


def test_a_box_without_a_column_for_labels_keeps_its_nameless_class(after):
    text = after('image,bbox\na.jpg,"[0,0,5,5]"\n', {"a": ("object", BOX), "b": (None, None)})
    assert text == 'image,bbox\na.jpg,"[1.5, 2, 11, 22]"\nimages/b.jpg,[]\n'


def test_a_class_is_refused_where_there_is_no_column_for_it(folder):
    path = folder / "labels.csv"
    path.write_text('image,bbox\na.jpg,"[0, 0, 5, 5]"\n')
    edited = edit(path, edits_of(folder, {"a": ("cat", BOX), "b": ("object", BOX)}))
    image = folder / "images/a.jpg"
    assert edited.refused == {
        image: f"{image}: class 'cat' cannot be written, for the label file has no column 'label': "
        "all its subjects are called 'object'. Add the column."
    }
    [replacement] = edited.replacements
    assert replacement.new == (
        b'image,bbox\na.jpg,"[0, 0, 5, 5]"\nimages/b.jpg,"[1.5, 2, 11, 22]"\n'
    )


def test_a_name_that_csv_does_not_keep_is_refused(folder):
    image = folder / " a.jpg"
    Image.new("RGB", SIZE).save(image)
    edited = edit(folder / "labels.csv", Edits({image: Sample(image, "cat", BOX, size_wh=SIZE)}))
    assert list(edited.refused) == [image]
    assert "Rename the image" in edited.refused[image]


def test_a_box_that_was_drawn_before_the_rotation_becomes_one_of_the_upright_image(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(folder / "images/a.jpg", exif=exif)
    path = folder / "labels.csv"
    path.write_text("image,label,x1,y1,x2,y2,width,height\na.jpg,cat,0,0,40,10,40,30\n")
    [before] = read(path)
    assert before.box == (20, 0, 30, 40)  # x = 30 - y, y = x
    image = folder / "images/a.jpg"
    sample = Sample(image, "cat", (3.0, 2.0, 30.0, 40.0), size_wh=(30, 40))
    [replacement] = edit(path, Edits({image: sample})).replacements
    path.write_bytes(replacement.new)
    assert [one.box for one in read(path)] == [sample.box]


LABEL = st.none() | st.tuples(
    st.sampled_from(["cat", 'd;o,"g', "ö"]),
    st.tuples(
        st.integers(0, 150), st.integers(0, 100), st.integers(160, 400), st.integers(120, 300)
    ),
).map(lambda one: (one[0], tuple(edge / 10 for edge in one[1])))
CHANGE = st.none() | LABEL.map(lambda one: one or (None, None))


@given(
    before=st.dictionaries(st.sampled_from("abc"), LABEL.map(lambda one: one or (None, None))),
    changes=st.dictionaries(st.sampled_from("abc"), CHANGE),
    layout=st.sampled_from(["image,label,x1,y1,x2,y2", "split;bbox;file;class", ""]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_after_editing_gives_the_edited_samples_and_leaves_all_others_equal(
    folder, before, changes, layout
):
    path = folder / "labels.csv"
    path.write_text(layout)
    for step in (before, changes):
        [replacement] = edit(path, edits_of(folder, step)).replacements
        path.write_bytes(replacement.new)
    expected = {name: one for name, one in (before | changes).items() if one is not None}
    rows = read(path, classes=["cat", 'd;o,"g', "ö"]) if expected else ()
    assert {one.image.stem: (one.label, one.box) for one in rows} == expected
