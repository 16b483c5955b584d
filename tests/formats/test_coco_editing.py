"""Edited COCO files: other entries keep their text, changed ones their other keys."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read
from onebox.formats.coco_editing import edit
from onebox.formats.edits import Edits
from onebox.structures import Sample

SIZE = (40, 30)
BOX = (1.5, 2.0, 11.0, 22.0)
FILE = """{
  "info": {"year": 2.50, "by": "m\\u00fcller"},
  "images": [
    {"id": 7, "file_name": "a.png", "width": 40, "height": 30, "license": 3},
    {"id": 9, "file_name": "b.png"}
  ],
  "annotations": [
    {"id": 20, "image_id": 7, "category_id": 4, "bbox": [0, 0, 5.0, 5.00], "area": 25.0, "by": "i"},
    {"id": 21, "image_id": 9, "category_id": 4, "bbox": [0, 0, 5.0, 5.00], "area": 1e1}
  ],
  "categories": [{"id": 4, "name": "dog", "supercategory": "animal"}],
  "licenses": []
}
"""


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate("abc"):
        Image.new("RGB", SIZE, (number, 0, 0)).save(tmp_path / f"{name}.png")
    return tmp_path


def change(path, changes, *, classes=("dog",), split="train"):
    """Edit a COCO file, write it, and return its text."""
    edited = edit(path, edits_of(path.parent, changes, classes, split))
    assert not edited.refused
    [replacement] = edited.replacements
    assert replacement.old == (path.read_bytes() if path.exists() else None)
    path.write_bytes(replacement.new)
    return replacement.new.decode()


def edits_of(folder, changes, classes=("dog",), split="train"):
    samples = {}
    for name, one in changes.items():
        image = folder / f"{name}.png"
        keypoints = {"keypoints": one[2]} if one and len(one) > 2 else {}
        samples[image] = one and Sample(image, *one[:2], split, size_wh=SIZE, **keypoints)
    return Edits(samples, classes)


def written(folder, content):
    path = folder / "labels.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_changed_annotation_keeps_its_other_keys_and_all_other_text_stays(folder):
    path = written(folder, FILE)
    assert change(path, {"a": ("dog", BOX)}) == FILE.replace(
        '"bbox": [0, 0, 5.0, 5.00], "area": 25.0, "by"',
        '"bbox": [1.5, 2, 9.5, 20], "area": 190.0, "by"',
    )


def test_a_label_that_is_taken_away_removes_image_and_annotation(folder):
    path = written(folder, FILE)
    text = change(path, {"a": None, "c": None})
    lines = FILE.splitlines(keepends=True)
    assert text == "".join(lines[:3] + lines[4:7] + lines[8:])
    assert [one.image.stem for one in read(path)] == ["b"]


def test_a_new_image_gets_the_next_ids_and_the_layout_of_the_others(folder):
    path = written(folder, FILE)
    text = change(path, {"c": ("dog", BOX)}, split="test")
    assert text == FILE.replace(
        '"b.png"}\n',
        '"b.png"},\n    {"id": 10, "file_name": "c.png", "width": 40, "height": 30}\n',
    ).replace(
        '"area": 1e1}\n',
        '"area": 1e1},\n    {"id": 22, "image_id": 10, "category_id": 4, '
        '"bbox": [1.5, 2, 9.5, 20], "area": 190.0, "iscrowd": 0}\n',
    )
    assert [(one.image.stem, one.box) for one in read(path)][2] == ("c", BOX)


def test_an_image_without_the_subject_has_no_annotation(folder):
    path = written(folder, FILE)
    text = change(path, {"a": (None, None)})
    lines = FILE.splitlines(keepends=True)
    assert text == "".join(lines[:7] + lines[8:])
    assert [one.box for one in read(path)] == [None, (0, 0, 5, 5)]


def test_a_new_class_is_appended_with_those_before_it(folder):
    path = written(folder, FILE)
    change(path, {"a": ("ox", BOX)}, classes=("dog", "cät", "ox"))
    content = json.loads(path.read_text())
    assert content["categories"][1:] == [{"id": 5, "name": "cät"}, {"id": 6, "name": "ox"}]
    assert content["annotations"][0]["category_id"] == 6
    assert read(path).classes == ("dog", "cät", "ox")


def test_a_class_that_no_label_needs_is_not_appended(folder):
    path = written(folder, FILE)
    assert '"cat"' not in change(path, {"a": ("dog", BOX)}, classes=("dog", "cat"))


def test_a_class_that_is_nowhere_declared_is_refused(folder):
    path = written(folder, FILE)
    edited = edit(path, edits_of(folder, {"a": ("ox", BOX), "b": ("dog", BOX)}))
    assert [image.stem for image in edited.refused] == ["a"]
    assert [one["bbox"][0] for one in json.loads(edited.replacements[0].new)["annotations"]] == [
        0,
        1.5,
    ]


LAYOUTS = [
    {"indent": 1},
    {"indent": "\t"},
    {"separators": (",", ":")},
    {},
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_that_json_wrote_has_the_same_layout_afterwards(folder, layout):
    content = json.loads(FILE)
    path = written(folder, json.dumps(content, **layout))
    text = change(path, {"a": ("dog", BOX), "c": ("dog", BOX)})
    assert text == json.dumps(json.loads(text), **layout)


def test_byte_order_mark_and_line_ends_stay(folder):
    path = folder / "labels.json"
    text = json.dumps(json.loads(FILE), indent=2).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    change(path, {"a": ("dog", BOX), "c": ("dog", BOX)})
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf{\r\n")
    assert content.count(b"\n") == content.count(b"\r\n")


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_a_new_file_has_one_entry_on_a_line_and_splits(folder, text):
    path = folder / "labels.json"
    if text is not None:
        path.write_text(text)
    changes = {"a": ("dög", BOX), "b": (None, None)}
    assert change(path, changes, classes=("dög", "cat"), split="cal") == (
        '{\n"images": [\n'
        '  {"id": 1, "file_name": "a.png", "width": 40, "height": 30, "split": "cal"},\n'
        '  {"id": 2, "file_name": "b.png", "width": 40, "height": 30, "split": "cal"}\n'
        '],\n"annotations": [\n'
        '  {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1.5, 2, 9.5, 20], "area": 190.0, '
        '"iscrowd": 0}\n'
        '],\n"categories": [\n  {"id": 1, "name": "dög"},\n  {"id": 2, "name": "cat"}\n]\n}\n'
    )


def with_two(first, second):
    content = json.loads(FILE)
    base = content["annotations"][0]
    content["annotations"] = [base | {"id": 1} | first, base | {"id": 2} | second]
    content["categories"].append({"id": 5, "name": "cat"})
    return content


def test_of_several_annotations_that_of_the_same_class_stays(folder):
    path = written(folder, with_two({"by": "one"}, {"by": "two", "category_id": 5}))
    change(path, {"a": ("cat", BOX)})
    [one] = json.loads(path.read_text())["annotations"]
    assert (one["id"], one["by"], one["bbox"]) == (2, "two", [1.5, 2, 9.5, 20])


def test_of_several_annotations_of_a_class_the_one_of_the_largest_iou_stays(folder):
    path = written(folder, with_two({"by": "one"}, {"by": "two", "bbox": [2, 2, 9, 19]}))
    change(path, {"a": ("dog", BOX)})
    assert [one["by"] for one in json.loads(path.read_text())["annotations"]] == ["two"]


CROWD = {"iscrowd": 1, "segmentation": {"size": [1, 1]}}


def test_a_crowd_stays_beside_a_box_and_when_the_label_is_taken_away(folder):
    path = written(folder, with_two({}, CROWD))
    change(path, {"a": ("cat", BOX)})
    assert [one["iscrowd"] for one in json.loads(path.read_text())["annotations"][1:]] == [1]
    change(path, {"a": None})
    content = json.loads(path.read_text())
    assert [one["id"] for one in content["annotations"]] == [2]
    assert [one["id"] for one in content["images"]] == [7, 9]


def test_an_image_with_a_crowd_cannot_be_one_without_the_subject(folder):
    path = written(folder, with_two({}, CROWD))
    edited = edit(path, edits_of(folder, {"a": (None, None)}))
    image = folder / "a.png"
    assert edited.refused == {
        image: f"{image}: has a crowd annotation, so the label file cannot say that the image is "
        "without the subject. Draw a box, or remove the crowd annotation from the file."
    }
    assert edited.replacements[0].new == path.read_bytes()


def test_a_label_of_an_image_with_only_a_crowd_can_be_undone(folder):
    path = written(folder, with_two({"image_id": 9}, CROWD))
    before = path.read_text()
    assert [one.image.stem for one in read(path)] == ["b"]
    change(path, {"a": ("cat", BOX)})
    assert {one.image.stem: one.box for one in read(path)} == {"a": BOX, "b": (0, 0, 5, 5)}
    assert change(path, {"a": None}) == before


def test_a_crowd_of_an_image_that_is_listed_twice_keeps_its_entry(folder):
    content = with_two({}, CROWD | {"image_id": 8})
    content["images"][1] |= {"id": 8, "file_name": "a.png"}
    path = written(folder, content)
    change(path, {"a": ("cat", BOX)})
    changed = json.loads(path.read_text())
    assert changed["images"] == content["images"]
    assert changed["annotations"][1] == content["annotations"][1]
    assert [(one.image.stem, one.label, one.box) for one in read(path)] == [("a", "cat", BOX)]


def test_of_an_image_that_is_listed_twice_the_first_entry_stays(folder):
    content = with_two({}, {"image_id": 8})
    content["images"][1] |= {"id": 8, "file_name": "a.png"}
    path = written(folder, content)
    change(path, {"a": ("cat", BOX)})
    assert [one["id"] for one in json.loads(path.read_text())["images"]] == [7]
    assert [(one.image.stem, one.box) for one in read(path)] == [("a", BOX)]


def test_a_segmentation_and_its_area_stay(folder):
    path = written(folder, with_two({"segmentation": [[0, 0, 5, 0, 5, 5]]}, {"image_id": 9}))
    change(path, {"a": ("dog", BOX)})
    one = json.loads(path.read_text())["annotations"][0]
    assert (one["area"], one["segmentation"]) == (25.0, [[0, 0, 5, 0, 5, 5]])


def test_keypoints_are_written_and_a_new_class_has_those_of_the_others(folder):
    content = json.loads(FILE)
    content["categories"][0] |= {"keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}
    path = written(folder, content)
    points = ((3.0, 4.0, 2), (0.0, 0.0, 0))
    change(path, {"a": ("dog", BOX, points), "b": ("cat", BOX, points)}, classes=("dog", "cat"))
    data = read(path)
    assert [one.keypoints for one in data] == [points, points]
    assert json.loads(path.read_text())["categories"][1] == {
        "id": 5,
        "name": "cat",
        "keypoints": ["nose", "tail"],
        "skeleton": [[1, 2]],
    }
    change(path, {"a": ("dog", BOX)})
    assert [one.keypoints for one in read(path)] == [None, points]


def test_a_box_that_was_drawn_before_the_rotation_becomes_one_of_the_upright_image(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE).save(folder / "a.png", exif=exif)
    path = written(folder, FILE)
    assert read(path).samples[0].box == (25, 0, 30, 5)  # x = 30 - y, y = x
    image = folder / "a.png"
    sample = Sample(image, "dog", (3.0, 2.0, 30.0, 40.0), size_wh=(30, 40))
    [replacement] = edit(path, Edits({image: sample}, ("dog",))).replacements
    path.write_bytes(replacement.new)
    assert read(path).samples[0].box == sample.box
    assert json.loads(path.read_text())["images"][0] == {
        "id": 7,
        "file_name": "a.png",
        "width": 30,
        "height": 40,
        "license": 3,
    }


@pytest.mark.parametrize("text", ["[]", '{"images": []}', '{"images": [', '{"images" 1}', "{"])
def test_a_file_that_is_not_coco_is_refused(folder, text):
    path = written(folder, text)
    with pytest.raises(DataError, match=r"labels\.json: is not COCO"):
        edit(path, edits_of(folder, {"a": ("dog", BOX)}))


LABEL = st.tuples(
    st.sampled_from(["cat", "dög"]),
    st.tuples(
        st.integers(0, 150), st.integers(0, 100), st.integers(160, 400), st.integers(120, 300)
    ),
).map(lambda one: (one[0], tuple(edge / 10 for edge in one[1]))) | st.just((None, None))
CLASSES = ("cat", "dög")


@given(
    steps=st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | LABEL), max_size=3),
    layout=st.sampled_from(LAYOUTS),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_after_editing_gives_the_edited_samples_and_leaves_all_others_equal(
    folder, steps, layout
):
    content = json.loads(FILE)
    path = written(folder, json.dumps(content, **layout))
    expected = {"a": ("dog", (0, 0, 5, 5)), "b": ("dog", (0, 0, 5, 5))}
    for step in steps:
        change(path, step, classes=("dog", *CLASSES))
        expected |= step
    expected = {name: one for name, one in expected.items() if one is not None}
    rows = read(path) if expected else ()
    assert {one.image.stem: (one.label, one.box) for one in rows} == expected
    ids = [one["id"] for one in json.loads(path.read_text())["annotations"]]
    assert len(set(ids)) == len(ids)


@given(
    names=st.lists(st.sampled_from("ab"), max_size=4),
    labels=st.dictionaries(st.sampled_from("abc"), LABEL.filter(lambda one: one[1]), min_size=1),
    layout=st.sampled_from(LAYOUTS),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undone_labels_leave_a_file_of_crowds_as_it_was(folder, names, labels, layout):
    numbered = list(enumerate(names))
    content = {
        "images": [{"id": number, "file_name": f"{name}.png"} for number, name in numbered],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 4, "bbox": [0, 0, 9, 9], **CROWD}
            for number, _ in numbered
        ],
        "categories": [{"id": 4, "name": "cat"}, {"id": 5, "name": "dög"}],
    }
    path = written(folder, json.dumps(content, **layout))
    before = path.read_text()
    change(path, labels, classes=CLASSES)
    assert {one.image.stem: (one.label, one.box) for one in read(path)} == labels
    assert change(path, dict.fromkeys(labels), classes=CLASSES) == before
