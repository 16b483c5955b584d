"""CSV label files: common layouts, and the problems of rows that cannot be used."""

import csv
import io

import pytest
from PIL import Image

from onebox.errors import DataError, SettingError
from onebox.formats import read, write
from onebox.formats.csv import format_row, write_boxes
from onebox.formats.splitting import split_of_bytes
from onebox.structures import Dataset, KeypointSet, Sample


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for number, name in enumerate(["a.jpg", "b.jpg"]):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / "images" / name)
    return tmp_path


def save(folder, text, name="labels.csv"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_named_columns_give_samples_with_splits(folder):
    path = save(
        folder,
        "image,label,x_min,y_min,x_max,y_max,split\n"
        "images/a.jpg,cat,1,2,11,22.5,train\n"
        "images/b.jpg,cat,0,0,40,30,validation\n",
    )
    data = read(path)
    assert data.samples == (
        Sample(folder / "images/a.jpg", "cat", (1.0, 2.0, 11.0, 22.5), "train", size_wh=(40, 30)),
        Sample(folder / "images/b.jpg", "cat", (0.0, 0.0, 40.0, 30.0), "val", size_wh=(40, 30)),
    )
    assert (data.classes, data.name, data.notes) == (("cat",), str(path), ())
    assert data.samples[0].origin == "labels.csv:2"


def test_aliases_order_case_byte_order_mark_line_ends_blank_lines_and_semicolons_change_nothing(
    folder,
):
    plain = read(save(folder, "image,label,x_min,y_min,x_max,y_max\nimages/a.jpg,cat,1,2,11,22\n"))
    odd = read(
        save(
            folder,
            "\ufeffClass;XMin;ymin;xmax;ymax;Filename\r\n\r\ncat;1;2;11;22;images/a.jpg\r\n",
            "odd.csv",
        )
    )
    assert odd.samples == plain.samples


def test_a_file_without_header_is_file_corners_label(folder):
    data = read(save(folder, "a.jpg,1,2,11,22,cat\nb.jpg,3,4,13,24,dog\n"))
    assert [(s.image.name, s.label, s.box) for s in data] == [
        ("a.jpg", "cat", (1, 2, 11, 22)),
        ("b.jpg", "dog", (3, 4, 13, 24)),
    ]


@pytest.mark.parametrize("cell", ["[1, 2, 11, 22]", "(1,2,11,22)", "[1 2 11 22]"])
def test_a_box_may_be_a_list_and_its_image_in_the_folder_images(folder, cell):
    data = read(save(folder, f'image,bbox\na.jpg,"{cell}"\n'))
    assert [(s.image, s.label, s.box) for s in data] == [
        (folder / "images/a.jpg", "object", (1, 2, 11, 22))
    ]


def test_a_list_may_have_a_label_and_is_never_evaluated(folder, problems_of):
    assert read(save(folder, 'image,bbox,label\na.jpg,"[1, 2, 3, 4]",cat\n')).classes == ("cat",)
    path = save(folder, 'image,bbox\na.jpg,"[1, 2, 3, __import__(1)]"\n', "code.csv")
    assert problems_of(path) == [
        "code.csv:2: bbox is '__import__(1', which is not a number. Correct it."
    ]


@pytest.mark.parametrize("row", ["images/a.jpg,,,,,", "images/a.jpg,cat,,,,"])
def test_an_empty_box_is_an_image_without_the_subject(folder, row):
    data = read(save(folder, f"image,label,x_min,y_min,x_max,y_max\n{row}\n"))
    assert [(s.label, s.box) for s in data] == [(None, None)]
    assert ["read as without the subject" in note for note in data.notes] == ["cat" in row] * (
        "cat" in row
    )


def test_images_are_found_beside_the_folder_of_labels(folder):
    (folder / "annotations").mkdir()
    path = save(folder / "annotations", "a.jpg,1,2,11,22,cat\n")
    assert read(path).samples[0].image == folder / "images/a.jpg"


def test_an_image_name_that_two_folders_hold_must_name_its_folder(folder, problems_of):
    for name in ("red", "blue"):
        (folder / name).mkdir()
        Image.new("RGB", (9, 9)).save(folder / name / "twin.png")
    assert problems_of(save(folder, "twin.png,1,2,3,4,cat\n")) == [
        "labels.csv:1: image twin.png is in several folders: blue, red. "
        "Write the folder before the name."
    ]


def test_an_unknown_header_is_reported_with_the_missing_column_and_the_likely_typo(
    folder, problems_of
):
    path = save(folder, "imag,label,x_min,y_min,x_max,y_max\nimages/a.jpg,cat,1,2,3,4\n")
    assert problems_of(path) == [
        "labels.csv:1: has no column image; its first row is imag, label, x_min, y_min, x_max, "
        "y_max. 'imag': Did you mean image?"
    ]


def test_a_typo_in_an_optional_column_is_reported(folder, problems_of):
    path = save(folder, "image,label,x_min,y_min,x_max,y_max,spilt\na.jpg,cat,1,2,3,4,val\n")
    assert problems_of(path) == ["labels.csv:1: column 'spilt' is not known. Did you mean split?"]


def test_unused_columns_are_noted(folder):
    path = save(folder, "image,label,x_min,y_min,x_max,y_max,mood\na.jpg,cat,1,2,3,4,calm\n")
    assert read(path).notes == ("labels.csv: columns not used: mood.",)


def test_name_and_set_yield_to_other_columns_of_their_meaning_and_are_noted(folder):
    path = save(
        folder,
        "set,image,name,label,x_min,y_min,x_max,y_max,split\ntrain,a.jpg,Alice,cat,1,2,3,4,test\n",
    )
    data = read(path)
    (sample,) = data
    assert (sample.image.name, sample.label, sample.split) == ("a.jpg", "cat", "test")
    assert data.notes == ("labels.csv: columns not used: set, name.",)


def test_of_other_columns_of_one_meaning_the_first_counts_whatever_its_name(folder):
    header = "filename,image,class,label,x_min,y_min,x_max,y_max"
    data = read(save(folder, f"{header}\na.jpg,17,cat,0,1,2,3,4\n"))
    (sample,) = data
    assert (sample.image.name, sample.label) == ("a.jpg", "cat")
    assert data.notes == ("labels.csv: columns not used: image, label.",)


def test_of_two_other_names_of_one_meaning_the_first_counts(folder):
    path = save(folder, "image,class,name,x1,y1,x2,y2\na.jpg,cat,Alice,1,2,3,4\n")
    data = read(path)
    assert (data.classes, data.notes) == (("cat",), ("labels.csv: columns not used: name.",))


def test_a_size_of_thousands_of_digits_is_a_problem_in_words(folder, problems_of):
    header = "image,label,x_min,y_min,x_max,y_max,width,height\n"
    path = save(folder, f"{header}images/a.jpg,cat,1,2,3,4,40,{'9' * 5000}\n")
    assert problems_of(path) == [
        "labels.csv:2: width or height has 5000 digits, which is no size of an image. Correct it."
    ]


def test_every_bad_row_is_listed_at_once_with_its_line(folder, problems_of):
    path = save(
        folder,
        "image,label,x_min,y_min,x_max,y_max,split\n"
        "images/a.jpg,cat,one,2,3,4,train\n"
        "images/a.jpg,cat,1,2,,4,train\n"
        ",cat,1,2,3,4,train\n"
        "images/a.jpg,cat\n"
        "images/a.jpg,cat,1,2,3,4,tset\n"
        "images/a.jpg,,1,2,3,4,train\n"
        "images/bb.jpg,cat,1,2,3,4,train\n",
    )
    assert problems_of(path) == [
        "labels.csv:2: x_min is 'one', which is not a number. Correct it.",
        "labels.csv:3: x_max is empty. Write all four numbers, or none for an image without the "
        "subject.",
        "labels.csv:4: names no image. Write its path, or remove the row.",
        "labels.csv:5: has 2 cells; at least 7 are needed. Write the missing cells, empty if "
        "need be.",
        "labels.csv:6: split 'tset' is not one of train, val, cal, test. Did you mean test?",
        "labels.csv:7: has a box but no label. Name the subject, or remove the box.",
        f"labels.csv:8: image {folder / 'images/bb.jpg'} does not exist. Did you mean b.jpg? "
        "Correct the path or remove the label.",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "labels.csv: is empty. Write one row for each image."),
        (b"image,label\n\xff\xfe,cat\n", "labels.csv: is not UTF-8 text"),
        (b'image,bbox\na.jpg,"[1, 2\n', "labels.csv:2: is not CSV"),
        (b"image,label,x_min,y_min,x_max,y_max\n", "holds no labelled image"),
    ],
)
def test_a_file_that_is_not_a_table_is_reported_with_the_reason(
    folder, problems_of, content, sentence
):
    path = folder / "labels.csv"
    path.write_bytes(content)
    (problem,) = problems_of(path)
    assert sentence in problem


def test_written_paths_are_relative_so_the_folder_can_move(folder, tmp_path_factory):
    data = Dataset(
        (Sample(folder / "images/a.jpg", "cat", (1.0, 2.0, 3.0, 4.5), "test"),), ("cat",)
    )
    write(data, folder / "out/labels.csv", "csv")
    assert (folder / "out/labels.csv").read_text() == (
        "image,label,x_min,y_min,x_max,y_max,split\n../images/a.jpg,cat,1,2,3,4.5,test\n"
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_text_with_a_line_end_in_it_is_one_cell_in_quotes(line_end):
    cells = ["a.jpg", f"big{line_end}cat", 'a "b"', ""]
    row = format_row(cells)
    assert row == f'a.jpg,"big{line_end}cat","a ""b""",'
    assert list(csv.reader(io.StringIO(f"{row}\n", newline=""))) == [cells]


def test_boxes_written_as_lists_are_read_equal_and_split_by_the_images(folder):
    image = folder / "images/a.jpg"
    sample = Sample(image, "cat", (1.0, 2.0, 3.0, 4.5), "test")
    write_boxes([sample], folder / "boxes.csv")
    assert (folder / "boxes.csv").read_text() == (
        'image,bbox,label\nimages/a.jpg,"[1, 2, 3, 4.5]",cat\n'
    )
    (back,) = read(folder / "boxes.csv")
    assert (back.image, back.label, back.box) == (image, "cat", sample.box)
    assert back.split == split_of_bytes(image.read_bytes())


def test_formats_without_keypoints_refuse_to_write_them(folder):
    data = Dataset((), ("cat",), keypoints=KeypointSet(("nose",)))
    for name in ("csv", "voc"):
        with pytest.raises(
            SettingError, match=r"no place for keypoints.* Write it as coco or yolo"
        ):
            write(data, folder / "out", name)


@pytest.mark.parametrize("name", ["csv", "voc"])
@pytest.mark.parametrize("label", ["cat ", "\tcat", "black\rcat"])
def test_a_class_that_would_come_back_as_another_is_not_written(folder, name, label):
    box = (1.0, 2.0, 3.0, 4.0)
    samples = (
        Sample(folder / "images/a.jpg", "cat", box, "train", size_wh=(40, 30)),
        Sample(folder / "images/b.jpg", label, box, "train", size_wh=(40, 30)),
    )
    with pytest.raises(DataError) as caught:
        write(Dataset(samples, ("cat", label)), folder / "out", name)
    assert caught.value.problems == (
        f"class {label!r} has spaces at its ends or control characters, which the format does not "
        "keep. Rename it.",
    )
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("csv", " a.png"),
        ("csv", "a\rb.png"),
        *(("voc", n) for n in (" a.png", "a .png", "a\nb.png")),
    ],
)
def test_an_image_whose_name_would_come_back_changed_is_not_written(folder, name, image):
    Image.new("RGB", (40, 30)).save(folder / image)
    sample = Sample(folder / image, "cat", (1.0, 2.0, 3.0, 4.0), "train", size_wh=(40, 30))
    with pytest.raises(DataError) as caught:
        write(Dataset((sample,), ("cat",)), folder / "out", name)
    (problem,) = caught.value.problems
    assert problem.startswith(f"image {str(folder / image)!r} has spaces at its ends or control")


def test_spaces_and_wide_spaces_inside_names_are_kept(folder):
    image = folder / "my a .png"
    Image.new("RGB", (40, 30)).save(image)
    sample = Sample(image, "black\u3000cat", (1.0, 2.0, 3.0, 4.0), "train", size_wh=(40, 30))
    write(Dataset((sample,), ("black\u3000cat",)), folder / "out.csv", "csv")
    assert read(folder / "out.csv").samples == (sample,)
