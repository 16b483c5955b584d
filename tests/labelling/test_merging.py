"""Three-way merge of labels: what is written, what is adopted, what a person settles."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.labelling.merging import Merged, differences, is_same, merge
from onebox.labelling.records import Label

IMAGE = Path("/a.jpg")
OLD = Label("cat", (1.0, 2.0, 30.0, 40.0))
OURS = Label("cat", (5.0, 2.0, 30.0, 40.0))
THEIRS = Label("dog", (1.0, 2.0, 30.0, 40.0))
ABSENT = Label()


@pytest.mark.parametrize(
    ("ours", "outside", "forced", "expected"),
    [
        ({}, {}, (), Merged({}, {}, {})),
        ({IMAGE: OURS}, {}, (), Merged({IMAGE: OURS}, {}, {})),
        ({}, {IMAGE: THEIRS}, (), Merged({}, {IMAGE: THEIRS}, {})),
        ({IMAGE: OURS}, {IMAGE: THEIRS}, (), Merged({}, {}, {IMAGE: THEIRS})),
        ({IMAGE: OURS}, {IMAGE: THEIRS}, (IMAGE,), Merged({IMAGE: OURS}, {}, {})),
        ({IMAGE: OURS}, {IMAGE: OURS}, (), Merged({IMAGE: OURS}, {}, {})),
        ({IMAGE: None}, {IMAGE: THEIRS}, (), Merged({}, {}, {IMAGE: THEIRS})),
        ({IMAGE: OURS}, {IMAGE: None}, (), Merged({}, {}, {IMAGE: None})),
        ({IMAGE: None}, {IMAGE: None}, (), Merged({IMAGE: None}, {}, {})),
        ({IMAGE: ABSENT}, {IMAGE: None}, (), Merged({}, {}, {IMAGE: None})),
    ],
)
def test_only_what_both_changed_differently_is_a_conflict(ours, outside, forced, expected):
    assert merge(ours, outside, forced) == expected


LABELS = st.dictionaries(
    st.sampled_from([Path("/a.jpg"), Path("/b.jpg")]), st.sampled_from([OLD, OURS, THEIRS, ABSENT])
)


@given(old=LABELS, new=LABELS)
def test_differences_lead_from_the_old_labels_to_the_new_ones(old, new):
    changed = old | differences(old, new)
    assert {image: label for image, label in changed.items() if label is not None} == new
    assert differences(new, new) == {}


def test_every_image_of_either_side_is_in_one_part():
    a, b, c = (Path(f"/{name}.jpg") for name in "abc")
    merged = merge({a: OURS, b: OURS}, {b: THEIRS, c: THEIRS})
    assert (merged.to_write, merged.conflicts, merged.theirs) == (
        {a: OURS},
        {b: THEIRS},
        {c: THEIRS},
    )


# COCO and YOLO round at the last digits; a hundredth of a pixel is the limit.
@pytest.mark.parametrize(("shift", "is_equal"), [(0.0, True), (0.009, True), (0.011, False)])
def test_labels_are_the_same_up_to_rounding(shift, is_equal):
    points = ((3.0, 4.0, 2),)
    one = Label("cat", (1.0, 2.0, 30.0, 40.0), points)
    assert is_same(one, Label("cat", (1.0, 2.0, 30.0 + shift, 40.0), points)) is is_equal
    assert is_same(one, Label("cat", one.box, ((3.0 + shift, 4.0, 2),))) is is_equal


@pytest.mark.parametrize(
    "other",
    [
        None,
        ABSENT,
        Label("dog", (1.0, 2.0, 30.0, 40.0), ((3.0, 4.0, 2),)),
        Label("cat", (1.0, 2.0, 30.0, 40.0)),
        Label("cat", (1.0, 2.0, 30.0, 40.0), ((3.0, 4.0, 1),)),
        Label("cat", (1.0, 2.0, 30.0, 40.0), ((3.0, 4.0, 2), (3.0, 4.0, 2))),
    ],
)
def test_another_class_box_or_keypoint_is_another_label(other):
    one = Label("cat", (1.0, 2.0, 30.0, 40.0), ((3.0, 4.0, 2),))
    assert not is_same(one, other)
    assert not is_same(other, one)
