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
    ("ours", "known", "theirs", "is_written"),
    [
        (OURS, [OLD], OLD, True),
        (OURS, [None], None, True),
        (OURS, [None, OLD], OLD, True),
        (OURS, [OLD], OURS, True),
        (OURS, [OLD], THEIRS, False),
        (OURS, [OLD], None, False),
        (OURS, [None], THEIRS, False),
        (None, [OLD], OLD, True),
        (None, [OLD], None, True),
        (None, [OLD], THEIRS, False),
        (ABSENT, [OLD], None, False),
    ],
)
def test_a_label_of_the_file_that_is_neither_known_nor_the_new_one_is_a_conflict(
    ours, known, theirs, is_written
):
    labels = {} if theirs is None else {IMAGE: theirs}
    expected = Merged({IMAGE: ours}, {}) if is_written else Merged({}, {IMAGE: theirs})
    assert merge({IMAGE: ours}, {IMAGE: known}, labels) == expected


def test_nothing_is_merged_if_nothing_changed():
    assert merge({}, {}, {IMAGE: THEIRS}) == Merged({}, {})


LABELS = st.dictionaries(
    st.sampled_from([Path("/a.jpg"), Path("/b.jpg")]), st.sampled_from([OLD, OURS, THEIRS, ABSENT])
)


@given(old=LABELS, new=LABELS)
def test_differences_lead_from_the_old_labels_to_the_new_ones(old, new):
    changed = old | differences(old, new)
    assert {image: label for image, label in changed.items() if label is not None} == new
    assert differences(new, new) == {}


def test_a_conflict_keeps_no_other_image_from_being_written():
    a, b, c = (Path(f"/{name}.jpg") for name in "abc")
    merged = merge({a: OURS, b: OURS}, {a: [None], b: [OLD]}, {b: THEIRS, c: THEIRS})
    assert merged == Merged({a: OURS}, {b: THEIRS})


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
