"""Pascal VOC: XML files, the paths of their images, and lists of splits."""

import pytest
from PIL import Image

from onebox.formats import read, write
from onebox.structures import Dataset, Sample

OBJECT = (
    "<object><name>{label}</name><part><name>head</name><bndbox><xmin>0</xmin></bndbox></part>"
    "<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"
)


def one(label, *box):
    return OBJECT.format(*box, label=label)


def save(folder, name, *objects, filename=None, more=""):
    folder.mkdir(parents=True, exist_ok=True)
    text = f"<annotation><filename>{filename or name + '.jpg'}</filename>{more}{''.join(objects)}"
    (folder / f"{name}.xml").write_text(text + "</annotation>")


def write_image(path, shade=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (shade, 0, 0)).save(path)
    return path


@pytest.mark.parametrize(
    ("xml", "images", "asked"),
    [
        ("", "", ""),
        ("annotations", "images", "annotations"),
        ("Annotations", "JPEGImages", ""),
        ("annotations/xmls", "images", ""),
        ("labels", "images", "labels/a.xml"),
    ],
)
def test_images_are_found_in_every_usual_layout(tmp_path, xml, images, asked):
    image = write_image(tmp_path / images / "a.jpg")
    save(tmp_path / xml, "a", one("cat", 1, 2, 11, 22))
    (sample,) = read(tmp_path / asked)
    assert (sample.image, sample.label, sample.box) == (image, "cat", (1, 2, 11, 22))
    assert sample.origin == "a.xml"


def test_xml_without_an_object_is_an_image_without_the_subject(tmp_path):
    write_image(tmp_path / "a.jpg")
    save(tmp_path, "a")
    (sample,) = read(tmp_path)
    assert (sample.label, sample.box) == (None, None)


def test_a_size_of_thousands_of_digits_is_a_problem_in_words(tmp_path, problem_of):
    write_image(tmp_path / "a.jpg")
    size = f"<size><width>{'9' * 5000}</width><height>30</height></size>"
    save(tmp_path, "a", one("cat", 1, 2, 3, 4), more=size)
    assert problem_of(tmp_path) == (
        "a.xml: width or height has 5000 digits, which is no size of an image. Correct it."
    )


def test_a_suffix_in_capitals_is_noted(tmp_path):
    for shade, name in enumerate("ab"):
        write_image(tmp_path / f"{name}.jpg", shade)
        save(tmp_path, name, one("cat", 1, 2, 3, 4))
    (tmp_path / "b.xml").rename(tmp_path / "b.XML")
    data = read(tmp_path)
    assert [sample.image.stem for sample in data] == ["a"]
    assert data.notes == ("files not read: b.XML. Write their suffix .xml.",)


def test_problems_of_objects_name_the_number(tmp_path, problems_of):
    write_image(tmp_path / "a.jpg")
    bad = "<object><name>cat</name><bndbox><xmin>x</xmin></bndbox></object>"
    save(tmp_path, "a", one("cat", 1, 2, 3, 4), bad, "<object><name>cat</name></object>")
    assert problems_of(tmp_path) == [
        "a.xml: object 2: xmin is 'x', which is not a number. Correct it, or remove the object.",
        "a.xml: object 3: xmin is missing. Correct it, or remove the object.",
    ]


def test_the_path_of_the_machine_that_drew_the_box_comes_last(tmp_path):
    elsewhere = write_image(tmp_path / "elsewhere/a.jpg", 1)
    save(tmp_path / "set", "a", one("cat", 1, 2, 3, 4), more=f"<path>{elsewhere}</path>")
    assert read(tmp_path / "set").samples[0].image == elsewhere
    here = write_image(tmp_path / "set/a.jpg", 2)
    assert read(tmp_path / "set").samples[0].image == here


def test_a_missing_image_is_reported_with_a_similar_one(tmp_path, problems_of):
    write_image(tmp_path / "bat.jpg")
    save(tmp_path, "a", one("cat", 1, 2, 3, 4), filename="cat.jpg")
    assert problems_of(tmp_path) == [
        f"a.xml: image {tmp_path / 'cat.jpg'} does not exist. Did you mean bat.jpg? Correct the "
        "path or remove the label."
    ]


def test_without_a_filename_the_image_has_the_name_of_its_xml(tmp_path):
    image = write_image(tmp_path / "images/a.png")
    (tmp_path / "a.xml").write_text(f"<annotation>{one('cat', 1, 2, 3, 4)}</annotation>")
    assert read(tmp_path).samples[0].image == image


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<annotation>", "a.xml: is not XML (no element found"),
        ("", "a.xml: is not XML (no element found"),
        ("<html></html>", "a.xml: begins with <html>, not with <annotation> as VOC does"),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><annotation><filename>&b;</filename></annotation>',
            "a.xml: declares a document type (DTD), which is not read",
        ),
    ],
)
def test_what_is_not_plain_voc_is_refused(tmp_path, problems_of, text, sentence):
    (tmp_path / "a.xml").write_text(text)
    (problem,) = problems_of(tmp_path)
    assert sentence in problem


def test_an_unknown_encoding_is_refused(tmp_path, problems_of):
    (tmp_path / "a.xml").write_text('<?xml version="1.0" encoding="utf-99"?><annotation/>')
    (problem,) = problems_of(tmp_path)
    assert "a.xml: is not XML (unknown encoding: utf-99)" in problem


def test_a_list_that_is_not_utf_8_is_refused(tmp_path, problems_of):
    write_image(tmp_path / "JPEGImages/a.jpg")
    save(tmp_path / "Annotations", "a", one("cat", 1, 2, 3, 4))
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    (tmp_path / "ImageSets/Main/train.txt").write_bytes(b"a\xdf\n")
    (problem,) = problems_of(tmp_path)
    assert "train.txt: is not UTF-8 text" in problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_first_name_of_a_list_counts_with_a_byte_order_mark_too(tmp_path, encoding):
    for shade, name in enumerate("ab"):
        write_image(tmp_path / f"{name}.jpg", shade)
        save(tmp_path, name, one("cat", 1, 2, 3, 4))
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\nb\n", encoding=encoding)
    data = read(tmp_path)
    assert [(s.image.stem, s.split) for s in data] == [("a", "train"), ("b", "train")]
    assert data.notes == ()


def test_lists_name_the_splits_and_images_in_no_list_are_left_out(tmp_path):
    for name in ("a", "b 1", "c", "d"):
        write_image(tmp_path / f"JPEGImages/{name}.jpg", ord(name[0]))
        save(tmp_path / "Annotations", name, one("cat", 1, 2, 3, 4))
    lists = tmp_path / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a  1\n")  # lists of one class have a flag
    (lists / "val.txt").write_text("b 1\n")  # here it belongs to the name
    (lists / "calibration.txt").write_text("d\n")
    data = read(tmp_path)
    assert [(s.image.stem, s.split) for s in data] == [
        ("a", "train"),
        ("b 1", "val"),
        ("d", "cal"),
    ]
    assert data.notes == ("1 image left out, named by no list in ImageSets/Main.",)


def test_lists_may_name_the_files_of_the_images(tmp_path):
    for shade, name in enumerate(["a", "b 1", "c.d", "e.png"]):
        write_image(tmp_path / f"{name}.png", shade)
        save(tmp_path, name, one("cat", 1, 2, 3, 4), filename=f"{name}.png")
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    names = ["JPEGImages/a.png", "b 1.png", "c.d.PNG 1", "e.png", "f.png"]
    (tmp_path / "ImageSets/Main/val.txt").write_text("\n".join(names))
    data = read(tmp_path)
    assert [(s.image.stem, s.split) for s in data] == [
        ("a", "val"),
        ("b 1", "val"),
        ("c.d", "val"),
        ("e.png", "val"),
    ]
    assert data.notes == ()


def test_images_of_one_name_get_xml_of_different_names(tmp_path):
    red, blue = (
        write_image(tmp_path / f"images/{name}/1.jpg", len(name)) for name in ("red", "blue")
    )
    data = Dataset(
        (
            Sample(red, "cat", (1.0, 2.0, 3.0, 4.0), "train", size_wh=(40, 30)),
            Sample(blue, None, None, "test", size_wh=(40, 30)),
        ),
        ("cat",),
    )
    write(data, tmp_path / "out", "voc")
    assert sorted(path.name for path in (tmp_path / "out/Annotations").iterdir()) == [
        "1.xml",
        "1_2.xml",
    ]
    assert read(tmp_path / "out").samples == data.samples


def test_an_image_whose_stem_ends_in_xml_keeps_its_split(tmp_path):
    image = write_image(tmp_path / "images/x.xml.png")
    sample = Sample(image, "cat", (1.0, 2.0, 3.0, 4.0), "test", size_wh=(40, 30))
    write(Dataset((sample,), ("cat",)), tmp_path / "out", "voc")
    data = read(tmp_path / "out")
    assert (data.samples, data.notes) == ((sample,), ())
