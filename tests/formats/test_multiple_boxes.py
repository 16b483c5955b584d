"""Several rows of one image: policies, repetitions and contradictions."""

import pytest

from onebox.errors import SettingError
from onebox.formats import read

WITH_SPLIT = "image,label,x_min,y_min,x_max,y_max,split"


def test_several_boxes_are_an_error_with_count_example_and_both_repairs(labels, problems_of):
    rows = ["a.png,cat,1,2,3,4", "a.png,cat,1,2,30,20", "b.png,cat,1,2,3,4"]
    (problem,) = problems_of(labels(*rows))
    assert problem.startswith(
        "1 image with several boxes, for example a.png with 2 at labels.csv:2;"
    )
    assert "on_multiple='largest'" in problem
    assert "--on-multiple skip" in problem


def test_largest_keeps_the_largest_box_and_skip_leaves_the_image_out(labels):
    rows = ["a.png,cat,1,2,3,4", "a.png,dog,1,2,30,20", "b.png,dog,1,2,3,4"]
    path = labels(*rows)
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


def test_an_unknown_policy_is_a_setting_error_with_a_suggestion(labels):
    with pytest.raises(SettingError, match=r"got 'larges'\. Did you mean largest\?"):
        read(labels("a.png,cat,1,2,3,4"), on_multiple="larges")


@pytest.mark.parametrize("on_multiple", ["error", "largest", "skip"])
def test_a_repeated_row_is_a_mistake_under_every_policy(labels, problems_of, on_multiple):
    path = labels("a.png,cat,1,2,3,4", "b.png,cat,1,2,3,4", "./a.png,cat,1,2,3,4")
    assert problems_of(path, on_multiple=on_multiple) == [
        "labels.csv:4: image a.png is listed twice, first at labels.csv:2. Remove one of them."
    ]


def test_one_image_under_two_names_is_one_image(labels, tmp_path, problems_of):
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (problem,) = problems_of(labels("a.png,cat,1,2,3,4", "link.png,cat,1,2,3,4"))
    assert "is listed twice, first at labels.csv:2" in problem


def test_an_image_in_two_splits_or_with_and_without_a_box_is_a_contradiction(labels, problems_of):
    path = labels(
        "a.png,cat,1,2,3,4,train",
        "a.png,cat,1,2,30,4,test",
        "b.png,cat,1,2,3,4,train",
        "b.png,,,,,,train",
        header=WITH_SPLIT,
    )
    assert problems_of(path, on_multiple="largest") == [
        "labels.csv:3: image a.png is in test here and in train at labels.csv:2. Keep it in one "
        "of them.",
        "labels.csv:5: image b.png has no box here and one at labels.csv:4. Remove one of them.",
    ]
