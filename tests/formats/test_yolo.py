"""YOLO: normalized boxes, keypoints, and the paths of images and labels."""

import pytest
import yaml
from PIL import Image

from onebox.formats import read, write
from onebox.structures import Dataset, KeypointSet, Sample


def write_image(folder, place, labels=None):
    image = folder / f"{place}.png"
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 20), (len(place), 0, 0)).save(image)
    if labels is not None:
        file = folder / f"{place.replace('images', 'labels')}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(labels)
    return image


def config(folder, *lines):
    path = folder / "data.yaml"
    path.write_text("\n".join(["names: [cat, dog]", *lines, ""]))
    return path


def test_normalized_boxes_become_pixels_and_empty_or_missing_labels_no_subject(tmp_path):
    write_image(tmp_path, "images/train/a", "1 0.5 0.5 0.25 0.5\n\n")
    write_image(tmp_path, "images/train/b", "")
    write_image(tmp_path, "images/val/c")
    data = read(config(tmp_path, "train: images/train", "val: images/val"))
    # centre 20, 10 of 40 x 20; 10 wide, 10 high
    assert [(s.image.stem, s.label, s.box, s.split) for s in data] == [
        ("a", "dog", (15, 5, 25, 15), "train"),
        ("b", None, None, "train"),
        ("c", None, None, "val"),
    ]
    assert data.classes == ("cat", "dog")
    assert data.samples[0].origin == "labels/train/a.txt:1"


def test_boxes_are_normalized_by_the_upright_size(tmp_path):
    image = write_image(tmp_path, "images/a", "0 0.5 0.25 0.5 0.1\n")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(image, exif=exif)
    (sample,) = read(config(tmp_path, "train: images"))
    # upright 20 x 40: centre 10, 10, size 10 x 4
    assert (sample.size_wh, sample.box) == ((20, 40), (5, 8, 15, 12))


@pytest.mark.parametrize(
    "lines",
    [
        ("path: set", "train: images/train"),
        ("path: nowhere/else", "train: ../set/images/train"),
        ("train: [set/images/train]",),
        ("train: ../set/images/train",),  # as Roboflow writes it
        ("train: list.txt",),
    ],
)
def test_data_yaml_names_its_images_in_many_ways(tmp_path, lines):
    image = write_image(tmp_path, "set/images/train/a", "0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "list.txt").write_text("./set/images/train/a.png\n\n")
    (sample,) = read(config(tmp_path, *lines))
    assert (sample.image, sample.split, sample.label) == (image, "train", "cat")


def test_names_may_be_numbered(tmp_path):
    write_image(tmp_path, "images/a", "5 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("train: images\nnames: {5: bird, 2: ant}\n")
    data = read(tmp_path)
    assert (data.samples[0].label, data.classes) == ("bird", ("ant", "bird"))


@pytest.mark.parametrize(
    ("place", "split"),
    [
        ("images/val/a", "val"),
        ("valid/images/a", "val"),
        ("images/calib/a", "cal"),
        ("images/a", None),
    ],
)
def test_a_folder_of_images_and_labels_needs_no_yaml(tmp_path, place, split):
    write_image(tmp_path, place, "1 0.5 0.5 0.5 0.5\n")
    data = read(tmp_path)
    assert data.samples[0].label == "1"
    assert split in {None, data.samples[0].split}
    assert "classes are called by number" in data.notes[0]
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert (read(tmp_path).samples[0].label, read(tmp_path).notes) == ("dog", ())


def test_keypoints_have_two_or_three_values_each(tmp_path):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5 0.25 0.5 0.75 0.1\n")
    two = config(tmp_path, "train: images", "kpt_shape: [2, 2]", "flip_idx: [1, 0]")
    data = read(two)
    assert data.keypoints == KeypointSet(("keypoint_0", "keypoint_1"), flip_pairs=((0, 1),))
    assert data.samples[0].keypoints == ((10, 10, 2), (30, 2, 2))
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.5 0.5 0.25 0.5 1 0 0 0\n")
    three = config(tmp_path, "train: images", "kpt_shape: [2, 3]")
    assert read(three).samples[0].keypoints == ((10, 10, 1), (0, 0, 0))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("0 0.5 0.5", "has 3 values; a box has 5 (class cx cy width height)."),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "has 9 values; a box has 5"),
        ("7 0.5 0.5 0.5 0.5", "class 7 is not one of 0 (cat), 1 (dog)."),
        ("0.5 0.5 0.5 0.5 0.5", "class 0.5 is not a whole number from 0."),
        ("cat 0.5 0.5 0.5 0.5", "'cat' is not a number."),
        (
            "0 20 10 10 10",
            "box 20 10 10 10 is in pixels, but normalized values (0 to 1) are expected.",
        ),
        ("0 0.5 0.5 -0.5 0.5", "is -20 x 10 pixels; width and height must be positive."),
        ("0 nan 0.5 0.5 0.5", "is not made of finite numbers."),
        ("0 1 0.5 0.5 0.5", "passes the frame of 40 x 20 pixels by 10."),
    ],
)
def test_a_bad_row_is_reported_with_file_and_line(tmp_path, problems_of, row, sentence):
    write_image(tmp_path, "images/a", f"\n{row}\n")
    (problem,) = problems_of(config(tmp_path, "train: images"))
    assert problem.startswith("labels/a.txt:2: ")
    assert sentence in problem


def test_a_label_without_its_image_is_reported(tmp_path, problems_of):
    write_image(tmp_path, "images/train/a", "0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "labels/train/b.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "labels/train/classes.txt").write_text("cat\n")
    assert problems_of(config(tmp_path, "train: images/train")) == [
        "labels/train/b.txt: there is no image of that name. Add it, or remove the label."
    ]


def test_data_yaml_names_calibration_images_by_a_key_of_our_own(tmp_path):
    for split in ("train", "cal"):
        write_image(tmp_path, f"images/{split}/a", "0 0.5 0.5 0.5 0.5\n")
    data = read(config(tmp_path, "cal: images/cal", "train: images/train"))
    assert [s.split for s in data] == ["train", "cal"]
    write(data, tmp_path / "out", "yolo")
    written = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert written == {
        "train": "images/train",
        "cal": "images/cal",
        "names": {0: "cat", 1: "dog"},
    }
    assert [s.split for s in read(tmp_path / "out")] == ["train", "cal"]


def test_training_images_named_again_as_val_stay_training_images(tmp_path):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5\n")
    data = read(config(tmp_path, "train: images", "val: images"))
    assert [s.split for s in data] == ["train"]
    assert data.notes == ("data.yaml: val names the same images as train; not used.",)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (("train: nowhere",), "data.yaml: nowhere does not exist; tried"),
        ((), "data.yaml: names no images. Add train:"),
        (("train: images", "kpt_shape: [2, 4]"), "kpt_shape ends in 4; it must be 2 or 3."),
        (
            ("train: images", "kpt_shape: [2, 3]", "flip_idx: [1, 1]"),
            "flip_idx must swap keypoints",
        ),
        (("train: images", "kpt_shape: [3, 3]", "kpt_names: [a]"), "3 keypoints, kpt_names 1"),
        (("train: {",), "data.yaml: is not YAML"),
        (("train: 5.5",), "data.yaml: 5.5 does not exist"),
    ],
)
def test_a_data_yaml_that_cannot_be_used_is_reported_with_the_reason(
    tmp_path, problems_of, lines, sentence
):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5\n")
    (problem,) = problems_of(config(tmp_path, *lines))
    assert sentence in problem


def test_images_are_copied_and_equal_names_get_numbers(tmp_path):
    red, blue = write_image(tmp_path, "red/1"), write_image(tmp_path, "blue/1")
    data = Dataset(
        (
            Sample(red, "cat", (1.0, 2.0, 3.0, 4.0), "train", size_wh=(40, 20)),
            Sample(blue, None, None, "train", size_wh=(40, 20)),
        ),
        ("dog", "cat"),
    )
    write(data, tmp_path / "out", "yolo")
    back = read(tmp_path / "out")
    assert back.classes == ("dog", "cat")
    assert [(s.image.name, s.label, s.box) for s in back] == [
        ("1.png", "cat", (1, 2, 3, 4)),
        ("1_2.png", None, None),
    ]
    assert back.samples[0].image.read_bytes() == red.read_bytes()
    assert back.samples[1].image.read_bytes() == blue.read_bytes()


def test_images_without_any_label_file_are_refused_with_the_expected_path(tmp_path, problems_of):
    write_image(tmp_path, "images/a")
    write_image(tmp_path, "images/b")
    (problem,) = problems_of(config(tmp_path, "train: images"))
    assert "none of its 2 images has a label file" in problem
    assert str(tmp_path / "labels" / "a.txt") in problem


@pytest.mark.parametrize("content", [b"\xff\xfe0\0 \0", b"0 0.5 0.5 0.1 0.1\0"])
def test_an_image_whose_labels_are_no_text_is_not_one_without_a_subject(
    tmp_path, problem_of, content
):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5\n")
    write_image(tmp_path, "images/b", "")
    (tmp_path / "labels/b.txt").write_bytes(content)
    path = config(tmp_path, "train: images")
    assert problem_of(path).startswith("labels/b.txt: is not ")
    data = read(path, on_bad="skip")
    assert [one.image.stem for one in data] == ["a"]


def test_labels_elsewhere_and_folders_without_images_are_not_skipped(tmp_path, problems_of):
    write_image(tmp_path, "images/train/a")
    (tmp_path / "images/val").mkdir()
    path = config(tmp_path, "train: images/train", "val: images/val")
    for on_bad in ("error", "skip"):
        empty, elsewhere = problems_of(path, on_bad=on_bad)
        assert "images/val holds no images" in empty
        assert "none of its 1 images has a label file" in elsewhere


def test_a_class_has_the_number_of_its_line_also_after_a_blank_one(tmp_path):
    write_image(tmp_path, "images/a", "2 0.5 0.5 0.5 0.5\n")
    (tmp_path / "classes.txt").write_text("cat\n\ndog\nbird\n\n")
    data = read(tmp_path)
    assert (data.samples[0].label, data.classes) == ("dog", ("cat", "dog", "bird"))


def test_double_line_ends_of_windows_are_one_and_a_blank_line_is_explained(tmp_path, problem_of):
    write_image(tmp_path, "images/a", "1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "classes.txt").write_bytes(b"cat\r\r\ndog\r\r\n")
    assert read(tmp_path).samples[0].label == "dog"
    (tmp_path / "classes.txt").write_bytes(b"cat\n\ndog\n")
    assert problem_of(tmp_path) == (
        "labels/a.txt:1: class 1 is not one of 0 (cat), 2 (dog). Correct it. A blank line among "
        "the names counts as a class."
    )


def test_other_texts_in_the_folder_of_labels_are_left_alone(tmp_path):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "labels/README.TXT").write_text("by us")
    assert len(read(config(tmp_path, "train: images"))) == 1


def test_a_label_file_whose_suffix_has_another_case_is_a_problem(tmp_path, problems_of):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "labels/b.TXT").write_text("0 0.5 0.5 0.5 0.5\n")
    write_image(tmp_path, "images/b")
    assert problems_of(config(tmp_path, "train: images")) == [
        "labels/b.TXT: ends in .TXT, and labels end in .txt. Rename it."
    ]


def test_the_key_validation_and_folders_in_another_case_are_splits(tmp_path):
    write_image(tmp_path, "images/Train/a", "0 0.5 0.5 0.5 0.5\n")
    write_image(tmp_path, "images/Validation/bb", "0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "classes.txt").write_text("cat\n")
    assert [one.split for one in read(tmp_path)] == ["train", "val"]
    path = config(tmp_path, "train: images/Train", "validation: images/Validation")
    assert [one.split for one in read(path)] == ["train", "val"]


def test_of_keypoints_without_visibility_negative_ones_are_not_labelled(tmp_path):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5 -1 -1 0.5 0.5 0 0\n")
    (sample,) = read(config(tmp_path, "train: images", "kpt_shape: [3, 2]"))
    assert sample.keypoints == ((0, 0, 0), (20, 10, 2), (0, 0, 0))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("classes.txt", b"K\xe4se\n", "classes.txt: is not UTF-8 text"),
        ("data.yaml", b"names: [cat]\ntrain: list.txt\n", "list.txt: is not UTF-8 text"),
        ("data.yaml", b"names: [cat]\ndate: 2024-02-30\ntrain: images\n", "is not YAML (day"),
    ],
)
def test_lists_that_are_no_text_and_dates_that_are_none_are_errors_in_words(
    tmp_path, problems_of, name, content, words
):
    write_image(tmp_path, "images/a", "0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "list.txt").write_bytes(b"images/\xe4.png\n")
    (tmp_path / name).write_bytes(content)
    path = tmp_path if name == "classes.txt" else tmp_path / name
    assert any(words in problem for problem in problems_of(path, format="yolo"))
