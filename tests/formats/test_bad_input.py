"""What is said of labels that cannot be true, whatever the format."""

import math

import pytest
from PIL import Image

from onebox.errors import DataError, SettingError
from onebox.formats import read

HEADER = "image,label,x_min,y_min,x_max,y_max"


@pytest.fixture
def folder(tmp_path):
    for name in "abcdefgh":
        Image.new("RGB", (40, 30), (ord(name), 0, 0)).save(tmp_path / f"{name}.png")
    return tmp_path


def labels(folder, *rows, header=HEADER):
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return path


def problems_of(path, **settings):
    with pytest.raises(DataError) as caught:
        read(path, **settings)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ("nan,2,3,4", "box nan, 2, 3, 4 is not made of finite numbers. Correct or remove it."),
        ("1,2,inf,4", "box 1, 2, inf, 4 is not made of finite numbers. Correct or remove it."),
        (
            "9,2,7,6",
            "box 9, 2, 7, 6 is -2 x 4 pixels; both sides must be positive. Swap its corners or "
            "remove the row.",
        ),
        (
            "9,2,9,6",
            "box 9, 2, 9, 6 is 0 x 4 pixels; both sides must be positive. Swap its corners or "
            "remove the row.",
        ),
        (
            "50,2,60,6",
            "box 50, 2, 60, 6 lies outside the image of 40 x 30 pixels. Correct it or remove the "
            "row.",
        ),
        (
            "40,2,42,6",
            "box 40, 2, 42, 6 lies outside the image of 40 x 30 pixels. Correct it or remove the "
            "row.",
        ),
        (
            "-2.5,2,9,6",
            "box -2.5, 2, 9, 6 passes the frame of 40 x 30 pixels by 2.5. If it is right, clip it: "
            "0, 2, 9, 6.",
        ),
        (
            "0.25,0.1,0.5,1",
            "box 0.25, 0.1, 0.5, 1 is normalised where pixels are meant. Multiply x by 40 and y by "
            "30: 10, 3, 20, 30; or keep such labels as YOLO.",
        ),
    ],
)
def test_a_box_that_cannot_be_is_told_with_its_repair(folder, box, sentence):
    assert problems_of(labels(folder, f"a.png,cat,{box}")) == [f"labels.csv:2: {sentence}"]


def test_a_box_of_one_pixel_is_normal_in_an_image_of_one_pixel(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    assert read(labels(tmp_path, "a.png,cat,0,0,1,1")).samples[0].box == (0, 0, 1, 1)


def test_up_to_two_pixels_over_the_frame_are_clipped_and_counted(folder):
    data = read(labels(folder, "a.png,cat,-2,5,41,32", "b.png,cat,1,2,3,4", "c.png,cat,1,2,41,3"))
    assert [s.box for s in data] == [(0, 5, 40, 30), (1, 2, 3, 4), (1, 2, 40, 3)]
    assert data.notes == (
        "2 boxes clipped at the frame, passed by at most 2 px (at labels.csv:2).",
    )


def test_noise_at_the_frame_is_clipped_without_a_note(folder):
    data = read(labels(folder, "a.png,cat,0,0,40.004,30"))
    assert (data.samples[0].box, data.notes) == ((0, 0, 40, 30), ())


def test_a_stated_size_that_no_image_has_is_told(folder):
    path = labels(folder, "a.png,80,60,cat,2,4,6,8", header="image,width,height,class,x1,y1,x2,y2")
    assert problems_of(path) == [
        f"labels.csv:2: states a size of 80 x 60 pixels, but {folder / 'a.png'} has 40 x 30. "
        "Correct the size, and the box if it was drawn at the stated one."
    ]


def test_unreadable_images_are_told_once_each_and_with_the_bad_rows(folder):
    (folder / "empty.jpg").touch()
    (folder / "words.jpg").write_text("not an image")
    path = labels(
        folder,
        "empty.jpg,cat,1,2,3,4",
        "words.jpg,cat,1,2,3,4",
        "words.jpg,cat,5,6,7,8",
        "aa.png,cat,1,2,3,4",
        "b.png,cat,9,2,7,6",
    )
    empty, words, missing, inverted = problems_of(path)
    assert empty.startswith("labels.csv:2: ")
    assert "is empty (0 bytes)" in empty
    assert words.startswith("labels.csv:3: ")
    assert "not an image" in words
    assert missing.startswith(f"labels.csv:5: image {folder / 'aa.png'} does not exist.")
    assert "Did you mean a.png?" in missing
    assert inverted.startswith("labels.csv:6: box 9, 2, 7, 6")


def test_a_decompression_bomb_is_told_from_its_header_alone(tmp_path, monkeypatch):
    Image.new("1", (4000, 3000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr("onebox.images.MAX_PIXELS", 10_000_000)
    (problem,) = problems_of(labels(tmp_path, "bomb.png,cat,1,2,3,4"))
    assert "has more than the" in problem


def test_several_boxes_are_an_error_with_count_example_and_both_repairs(folder):
    rows = ["a.png,cat,1,2,3,4", "a.png,cat,1,2,30,20", "b.png,cat,1,2,3,4"]
    (problem,) = problems_of(labels(folder, *rows))
    assert problem.startswith(
        "1 image with several boxes, for example a.png with 2 at labels.csv:2;"
    )
    assert "on_multiple='largest'" in problem
    assert "--on-multiple skip" in problem


def test_largest_keeps_the_largest_box_and_skip_the_other_images(folder):
    rows = ["a.png,cat,1,2,3,4", "a.png,dog,1,2,30,20", "b.png,dog,1,2,3,4"]
    path = labels(folder, *rows)
    largest = read(path, on_multiple="largest")
    assert [(s.image.name, s.label, s.box) for s in largest] == [
        ("a.png", "dog", (1, 2, 30, 20)),
        ("b.png", "dog", (1, 2, 3, 4)),
    ]
    assert largest.notes == (
        "1 image with several boxes kept the largest one (a.png with 2 at labels.csv:2).",
    )
    skipped = read(path, on_multiple="skip")
    assert [s.image.name for s in skipped] == ["b.png"]
    assert skipped.notes == ("1 image with several boxes left out (a.png with 2 at labels.csv:2).",)


def test_an_unknown_policy_is_a_setting_with_a_suggestion(folder):
    with pytest.raises(SettingError, match=r"got 'larges'\. Did you mean largest\?"):
        read(labels(folder, "a.png,cat,1,2,3,4"), on_multiple="larges")


@pytest.mark.parametrize("on_multiple", ["error", "largest", "skip"])
def test_a_repeated_row_is_a_mistake_under_every_policy(folder, on_multiple):
    path = labels(folder, "a.png,cat,1,2,3,4", "b.png,cat,1,2,3,4", "./a.png,cat,1,2,3,4")
    assert problems_of(path, on_multiple=on_multiple) == [
        "labels.csv:4: image a.png is listed twice, first at labels.csv:2. Remove one of them."
    ]


def test_one_image_under_two_names_is_one_image(folder):
    (folder / "link.png").symlink_to(folder / "a.png")
    (problem,) = problems_of(labels(folder, "a.png,cat,1,2,3,4", "link.png,cat,1,2,3,4"))
    assert "is listed twice, first at labels.csv:2" in problem


def test_an_image_in_two_splits_or_with_and_without_subject_is_a_contradiction(folder):
    path = labels(
        folder,
        "a.png,cat,1,2,3,4,train",
        "a.png,cat,1,2,30,4,test",
        "b.png,cat,1,2,3,4,train",
        "b.png,,,,,,train",
        header=HEADER + ",split",
    )
    assert problems_of(path, on_multiple="largest") == [
        "labels.csv:3: image a.png is in test here and in train at labels.csv:2. Keep it in one "
        "of them.",
        "labels.csv:5: image b.png has no box here and one at labels.csv:4. Remove one of them.",
    ]


def test_a_split_that_only_some_rows_state_is_told(folder):
    path = labels(folder, "a.png,cat,1,2,3,4,train", "b.png,cat,1,2,3,4,", header=HEADER + ",split")
    assert problems_of(path) == [
        "labels.csv:3: has no split, but other images have one. Write train, val or test, or "
        "leave it out everywhere."
    ]


def test_declared_classes_keep_their_order_and_catch_a_typo(folder):
    rows = ["a.png,cat,1,2,3,4", "b.png,dog,1,2,3,4"]
    assert read(labels(folder, *rows), classes=["dog", "cat"]).classes == ("dog", "cat")
    assert problems_of(labels(folder, *rows, "c.png,cta,1,2,3,4"), classes=["cat", "dog"]) == [
        "labels.csv:4: label 'cta' is not one of cat, dog. Did you mean cat?"
    ]


def test_classes_as_one_string_are_a_wrong_call(folder):
    with pytest.raises(TypeError, match="sequence of names"):
        read(labels(folder, "a.png,cat,1,2,3,4"), classes="cat")


def test_a_label_that_no_training_image_has_is_told(folder):
    path = labels(
        folder,
        "a.png,cat,1,2,3,4,train",
        "b.png,dog,1,2,3,4,train",
        "c.png,cta,1,2,3,4,test",
        header=HEADER + ",split",
    )
    assert problems_of(path) == [
        "labels.csv:4: label 'cta' is not one of cat, dog. Did you mean cat? Correct it, or "
        "declare the classes: train --set data.classes=[...]."
    ]


@pytest.mark.parametrize("slip", ["RACOON", "raccoon"])
def test_a_single_label_beside_a_common_close_one_is_told(folder, slip):
    common = [f"{name}.png,Raccoon,1,2,3,4" for name in "abcde"]
    (problem,) = problems_of(labels(folder, *common, f"f.png,{slip},1,2,3,4"))
    assert problem.startswith(
        f"labels.csv:7: label {slip!r} is not one of Raccoon. Did you mean Raccoon?"
    )
    assert "data.classes" in problem


def test_the_names_of_a_model_are_no_slips(folder):
    common = [f"{name}.png,car,1,2,3,4,train" for name in "abcde"]
    rare = ["f.png,cart,1,2,3,4,train", "g.png,cat,1,2,3,4,test"]
    path = labels(folder, *common, *rare, header=HEADER + ",split")
    assert len(problems_of(path)) == 2
    assert read(path, meant=["cart", "cat", "cow"]).classes == ("car", "cart", "cat")
    with pytest.raises(DataError, match="label 'cat' is not one of car, cart"):
        read(path, meant=["cart"])


@pytest.mark.parametrize("rare", ["f.png,zebra,1,2,3,4", "f.png,cat,1,2,3,4\ng.png,cat,1,2,3,4"])
def test_a_rare_label_is_fine_where_it_is_unlike_the_others_or_repeated(folder, rare):
    common = [f"{name}.png,car,1,2,3,4" for name in "abcde"]
    assert "car" in read(labels(folder, *common, rare)).classes


def test_one_image_of_one_class_can_be_read(folder):
    assert len(read(labels(folder, "a.png,cat,1,2,3,4"))) == 1


def test_keypoints_must_be_finite(folder):
    from onebox.formats.rows import Row
    from onebox.formats.validation import check_row
    from onebox.images import Header

    row = Row("x", folder / "a.png", "cat", (1.0, 2.0, 3.0, 4.0), ((math.nan, 1.0, 2),))
    with pytest.raises(DataError, match=r"keypoint 1 is at nan, 1\.0, which is not finite"):
        check_row(row, Header((40, 30), 1))


def test_bad_rows_can_be_left_out_and_are_counted(folder):
    path = labels(folder, "a.png,cat,2,3,20,25", "b.png,cat,20,25,20,3")
    data = read(path, on_bad="skip")
    assert [sample.image.name for sample in data] == ["a.png"]
    assert any("1 bad row is left out" in note and "labels.csv:3" in note for note in data.notes)


def test_an_unknown_word_for_bad_rows_is_refused_with_the_right_one(folder):
    path = labels(folder, "a.png,cat,2,3,20,25")
    with pytest.raises(SettingError, match=r"error, skip.*Did you mean skip\?"):
        read(path, on_bad="skp")
