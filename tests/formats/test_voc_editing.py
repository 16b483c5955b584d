"""Edited VOC folders: XML files keep their other elements, lists their other names."""

from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from onebox.formats import read, write
from onebox.formats.edits import Edits
from onebox.formats.voc_editing import edit, files
from onebox.structures import Dataset, Sample

SIZE = (40, 30)
BOX = (1.5, 2.0, 11.0, 22.0)
XML = """<?xml version="1.0" encoding="utf-8"?>
<!-- drawn by hand -->
<annotation verified="yes">
  <filename>a.png</filename>
  <!-- a sunny day -->
  <source><database>mine &amp; yours</database></source>
  <object>
    <name>dog</name>
    <pose>Left</pose>
    <bndbox><xmin>0</xmin><ymin>0</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>
    <part><name>head</name></part>
  </object>
</annotation>
<!-- the end -->
"""


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate("abc"):
        Image.new("RGB", SIZE, (number, 0, 0)).save(tmp_path / f"{name}.png")
    return tmp_path


def change(folder, changes, split="train", origins=()):
    """Edit the XML files of a folder and write them."""
    samples = {
        folder / f"{name}.png": one and Sample(folder / f"{name}.png", *one, split, size_wh=SIZE)
        for name, one in changes.items()
    }
    edited = edit(folder, Edits(samples, origins=dict(origins)))
    assert not edited.refused
    for one in edited.replacements:
        assert one.old == (one.path.read_bytes() if one.path.exists() else None)
        if one.new is None:
            one.path.unlink()
        else:
            one.path.write_bytes(one.new)
    return [one.path.name for one in edited.replacements]


def content_of(folder):
    """The content of all XML files and lists."""
    files = [*folder.glob("*.xml"), *folder.rglob("*.txt")]
    return {file: file.read_bytes() for file in files}


def test_an_object_changes_and_all_else_in_its_file_stays(folder):
    (folder / "a.xml").write_text(XML)
    assert change(folder, {"a": ("cat", BOX)}) == ["a.xml"]
    old, new = ("<xmin>0</xmin><ymin>0</ymin><xmax>5</xmax><ymax>5</ymax>",) * 2
    new = "<xmin>1.5</xmin><ymin>2</ymin><xmax>11</xmax><ymax>22</ymax>"
    assert (folder / "a.xml").read_text() == XML.replace("dog", "cat").replace(old, new)


def test_line_ends_and_encoding_stay(folder):
    text = XML.replace("utf-8", "iso-8859-1").replace("mine", "müller").replace("\n", "\r\n")
    (folder / "a.xml").write_bytes(text.encode("iso-8859-1"))
    change(folder, {"a": ("köter", BOX)})
    content = (folder / "a.xml").read_bytes()
    assert content.startswith(text[:90].encode("iso-8859-1"))
    assert "müller &amp; yours".encode("iso-8859-1") in content
    assert content.count(b"\n") == content.count(b"\r\n") == text.count("\n")
    assert [one.label for one in read(folder)] == ["köter"]


ENCODINGS = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    "cp1252": "windows-1252",
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_changed_file_keeps_its_encoding_and_all_else_in_it(folder, encoding, line_end):
    text = XML.replace("utf-8", ENCODINGS[encoding]).replace("mine", "Größe&#13;")
    text = text.replace("by hand", 'by hand, encoding="ascii"').replace("\n", line_end)
    (folder / "a.xml").write_bytes(text.encode(encoding))
    change(folder, {"a": ("kätzchen", (0.0, 0.0, 5.0, 5.0))})
    content = (folder / "a.xml").read_bytes()
    assert content == text.replace("dog", "kätzchen").encode(encoding)
    assert [one.label for one in read(folder)] == ["kätzchen"]
    change(folder, {"a": ("dog", (0.0, 0.0, 5.0, 5.0))})
    assert (folder / "a.xml").read_bytes() == text.encode(encoding)


@pytest.mark.parametrize("after", ["", "<!-- the end -->\n"])
def test_a_root_without_content_gets_an_object(folder, after):
    (folder / "a.xml").write_text(f'<annotation note="a > b"/>{after}')
    change(folder, {"a": ("cat", BOX)})
    assert (folder / "a.xml").read_text().endswith(f"</object></annotation>{after}")
    assert [(one.label, one.box) for one in read(folder)] == [("cat", BOX)]


def test_a_label_that_would_not_be_read_as_it_is_meant_is_refused(folder):
    (folder / "a.xml").write_text(XML)
    image = folder / "a.png"
    edited = edit(folder, Edits({image: Sample(image, "cat\x01", BOX, size_wh=SIZE)}))
    assert edited.refused == {
        image: f"{image}: label 'cat\\x01' cannot be written into its XML file, which would then "
        "not be read as it is meant. Write it there yourself, or save the file as UTF-8."
    }
    assert edited.replacements == ()


def test_an_image_without_the_subject_has_no_object_and_gets_one_again(folder):
    (folder / "a.xml").write_text(XML)
    change(folder, {"a": (None, None)})
    absent = (folder / "a.xml").read_text()
    assert "<object>" not in absent
    assert absent.endswith("</source>\n</annotation>\n<!-- the end -->\n")
    change(folder, {"a": ("cat", BOX)})
    assert (folder / "a.xml").read_text() == absent.replace(
        "</source>\n",
        """</source>
  <object>
    <name>cat</name>
    <difficult>0</difficult>
    <truncated>0</truncated>
    <bndbox>
      <xmin>1.5</xmin>
      <ymin>2</ymin>
      <xmax>11</xmax>
      <ymax>22</ymax>
    </bndbox>
  </object>
""",
    )


def test_of_several_objects_that_of_the_same_class_stays(folder):
    second = XML.partition("<object>")[2].partition("</object>")[0].replace("dog", "cat")
    two = XML.replace(
        "</object>", f"</object>\n  <object>{second.replace('Left', 'Right')}</object>"
    )
    (folder / "a.xml").write_text(two)
    change(folder, {"a": ("cat", BOX)})
    text = (folder / "a.xml").read_text()
    assert (text.count("<object>"), text.count("Right"), text.count("Left")) == (1, 1, 0)
    assert [(one.label, one.box) for one in read(folder)] == [("cat", BOX)]


def test_a_new_image_gets_an_xml_file_and_a_line_in_the_list_of_its_split(folder):
    write(
        Dataset((Sample(folder / "a.png", "dog", (0.0, 0.0, 5.0, 5.0), size_wh=SIZE),), ("dog",)),
        folder / "voc",
        "voc",
    )
    samples = {folder / "b.png": Sample(folder / "b.png", "cat", BOX, "test", size_wh=SIZE)}
    for one in edit(folder / "voc/Annotations", Edits(samples)).replacements:
        one.path.write_bytes(one.new)
    assert (folder / "voc/ImageSets/Main/train.txt").read_text() == "a\n"
    assert (folder / "voc/ImageSets/Main/test.txt").read_text() == "b\n"
    data = read(folder / "voc", classes=["cat", "dog"])
    assert [(one.image.name, one.label, one.box, one.split) for one in data] == [
        ("a.png", "dog", (0, 0, 5, 5), "train"),
        ("b.png", "cat", BOX, "test"),
    ]


def test_a_label_that_is_taken_away_removes_the_file_and_its_line(folder):
    (folder / "ImageSets/Main").mkdir(parents=True)
    (folder / "ImageSets/Main/train.txt").write_text("a  1\nb -1\n")
    for name in "ab":
        (folder / f"{name}.xml").write_text(XML.replace("a.png", f"{name}.png"))
    assert change(folder, {"a": None}) == ["train.txt", "a.xml"]
    assert (folder / "ImageSets/Main/train.txt").read_text() == "b -1\n"
    assert [one.image.name for one in read(folder)] == ["b.png"]
    assert change(folder, {"c": None}) == []


def test_a_file_of_another_name_is_found_by_its_origin_and_a_taken_name_gets_a_number(folder):
    (folder / "001.xml").write_text(XML)
    (folder / "b.xml").write_text(XML.replace("a.png", "c.png"))
    names = change(
        folder,
        {"a": ("cat", BOX), "b": ("cat", BOX)},
        origins={folder / "a.png": ["001.xml: object 1"]},
    )
    assert names == ["001.xml", "b_2.xml"]
    assert change(folder, {"b": (None, None)}) == ["b_2.xml"]
    assert {one.image.name: one.label for one in read(folder)} == {
        "a.png": "cat",
        "c.png": "dog",
        "b.png": None,
    }


@pytest.fixture
def listed(folder):
    """Write XML for ``a`` and ``b``, and a list: ``listed("a\\n")``."""

    def write_list(text):
        (folder / "ImageSets/Main").mkdir(parents=True)
        (folder / "ImageSets/Main/train.txt").write_bytes(text.encode())
        for name in "ab":
            (folder / f"{name}.xml").write_text(XML.replace("a.png", f"{name}.png"))

    return write_list


def test_a_new_image_enters_the_list_of_its_split_and_leaves_it_again(folder, listed):
    listed("b\r\na\r\n")
    before = content_of(folder)
    assert change(folder, {"c": ("cat", BOX)}) == ["c.xml", "train.txt"]
    assert (folder / "ImageSets/Main/train.txt").read_bytes() == b"b\r\na\r\nc\r\n"
    assert {one.image.name for one in read(folder)} == {"a.png", "b.png", "c.png"}
    assert change(folder, {"c": None}) == ["train.txt", "c.xml"]
    assert content_of(folder) == before


IMAGE_LINES = ["{}.png", "JPEGImages/{}.png", "{}.png -1", "{}", "\ufeff{}.png"]


@pytest.mark.parametrize("line", IMAGE_LINES)
@pytest.mark.parametrize("has_labels", [True, False])
def test_an_image_that_a_list_names_already_enters_no_other_list(folder, line, has_labels):
    lists = folder / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text(line.format("a") + "\n")
    (lists / "val.txt").write_text("".join(line.format(name) + "\n" for name in "bc"))
    for name in "ab" if has_labels else "":
        (folder / f"{name}.xml").write_text(XML.replace("a.png", f"{name}.png"))
    before = {file: file.read_bytes() for file in lists.iterdir()}
    assert change(folder, {"c": ("cat", BOX)}) == ["c.xml"]
    assert change(folder, {"c": ("dog", BOX)}) == ["c.xml"]  # it is listed, so it is read
    assert {file: file.read_bytes() for file in lists.iterdir()} == before
    splits = {one.image.stem: one.split for one in read(folder)}
    assert splits == ({"a": "train", "b": "val"} if has_labels else {}) | {"c": "val"}


def test_images_that_were_listed_by_their_files_leave_the_list_and_enter_it_again(folder, listed):
    listed("a.png\nb.png\nc.png\n")
    assert change(folder, {"b": None, "c": ("cat", BOX)}) == ["c.xml", "train.txt", "b.xml"]
    train = folder / "ImageSets/Main/train.txt"
    assert train.read_text() == "a.png\nc.png\n"
    assert change(folder, {"b": ("cat", BOX), "c": None}) == ["b.xml", "train.txt", "c.xml"]
    assert train.read_text() == "a.png\nb\n"
    assert {one.image.stem: one.label for one in read(folder)} == {"a": "dog", "b": "cat"}


def test_a_line_of_two_words_names_its_first_only_if_there_is_no_xml_of_both(folder, listed):
    listed("a\nb\nc d\n")
    Image.new("RGB", SIZE, (9, 9, 9)).save(folder / "c d.png")
    assert change(folder, {"c d": ("cat", BOX), "c": ("cat", BOX)}) == [
        "c d.xml",
        "c.xml",
        "train.txt",
    ]
    assert (folder / "ImageSets/Main/train.txt").read_text() == "a\nb\nc d\nc\n"
    assert {one.image.stem for one in read(folder)} == {"a", "b", "c d", "c"}


@pytest.mark.parametrize("lists", ["a\n", "\na\n", "other\n"])
def test_an_xml_file_that_no_list_names_is_neither_changed_nor_removed(folder, listed, lists):
    listed(lists)
    before = content_of(folder)
    image = folder / "b.png"
    for sample in (Sample(image, "cat", BOX, size_wh=SIZE), Sample(image, size_wh=SIZE)):
        edited = edit(folder, Edits({image: sample}))
        assert edited.refused == {
            image: f"{folder / 'b.xml'}: belongs to b.png, but no list in ImageSets/Main names b, "
            "so its label was not read and is kept. Add b to a list, or move the file away."
        }
        assert edited.replacements == ()
    assert change(folder, {"b": None}) == []
    assert content_of(folder) == before


def test_of_two_xml_files_of_an_image_that_which_no_list_names_stays(folder, listed):
    listed("a\n")
    second = (folder / "b.xml").rename(folder / "a_2.xml")
    second.write_text(XML)
    assert change(folder, {"a": ("cat", BOX)}) == ["a.xml"]
    assert change(folder, {"a": None}) == ["train.txt", "a.xml"]
    assert second.read_text() == XML


def test_a_list_that_names_nothing_leaves_nothing_out_and_stays_so(folder, listed):
    listed("\n")
    before = content_of(folder)
    assert change(folder, {"a": ("cat", BOX)}) == ["a.xml"]
    assert change(folder, {"c": ("cat", BOX)}) == ["c.xml"]
    labels = {one.image.stem: one.label for one in read(folder)}
    assert labels == {"a": "cat", "b": "dog", "c": "cat"}
    assert change(folder, {"c": None}) == ["c.xml"]
    assert content_of(folder).keys() == before.keys()


def test_a_box_that_was_drawn_before_the_rotation_becomes_one_of_the_upright_image(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE).save(folder / "a.png", exif=exif)
    size = "<size><width>40</width><height>30</height><depth>3</depth></size>"
    (folder / "a.xml").write_text(XML.replace("</source>", f"</source>{size}"))
    [before] = read(folder)
    assert before.box == (25, 0, 30, 5)  # x = 30 - y, y = x
    image = folder / "a.png"
    sample = Sample(image, "cat", (3.0, 2.0, 30.0, 40.0), size_wh=(30, 40))
    [replacement] = edit(folder, Edits({image: sample})).replacements
    (folder / "a.xml").write_bytes(replacement.new)
    assert [one.box for one in read(folder)] == [sample.box]
    assert b"<width>30</width><height>40</height><depth>3</depth>" in replacement.new


def test_a_name_that_xml_cannot_hold_is_refused(folder):
    image = folder / "a\x01.png"
    (folder / "a.png").rename(image)
    edited = edit(folder, Edits({image: Sample(image, "cat", BOX, size_wh=SIZE)}))
    assert "Rename the image" in edited.refused[image]
    assert edited.replacements == ()


def test_the_files_are_the_xml_files_and_the_lists_that_are_read(folder):
    (folder / "ImageSets/Main").mkdir(parents=True)
    for name in ("train.txt", "dog_train.txt"):
        (folder / "ImageSets/Main" / name).write_text("a\n")
    (folder / "a.xml").write_text(XML)
    assert [one.name for one in files(folder)] == ["a.xml", "train.txt"]


@given(
    names=st.lists(st.sampled_from("ab"), unique=True),
    labelled=st.sets(st.sampled_from("abc")),
    note=st.text("x& \n\t<ö>]", max_size=6),
    encoding=st.sampled_from(list(ENCODINGS)),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undone_labels_leave_the_files_as_they_were(folder, names, labelled, note, encoding):
    text = XML.replace("utf-8", ENCODINGS[encoding]).replace("mine", escape(note))
    for name in "ab":
        (folder / f"{name}.xml").write_bytes(text.replace("a.png", f"{name}.png").encode(encoding))
    (folder / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
    (folder / "ImageSets/Main/train.txt").write_text("".join(f"{name}\n" for name in names))
    before = content_of(folder)
    earlier = dict.fromkeys(names or "ab", ("dog", (0.0, 0.0, 5.0, 5.0)))
    kept = labelled - ({*"ab"} - earlier.keys())  # the others are refused
    change(folder, dict.fromkeys(kept, ("cät", BOX)))
    labels = {one.image.stem: one.label for one in read(folder)}
    assert labels == {name: "cät" if name in kept else "dog" for name in {*earlier} | kept}
    change(folder, {name: earlier.get(name) for name in labelled})
    assert content_of(folder) == before
