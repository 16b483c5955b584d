"""An audit of labels against predictions: the two lists and the checks."""

import dataclasses

import numpy as np
import pytest

from onebox.audit.find import find
from onebox.folds.copies import Pair
from onebox.structures import Dataset, KeypointSet


def kinds(audit, row):
    """What each list says of an image, where it is listed."""
    return {
        finding.list: finding.kind
        for finding in audit.findings()
        if finding.row == row and finding.is_listed
    }


def test_right_labels_are_ranked_and_none_is_listed(data, found):
    audit = find(data, found, 0.05)
    assert [finding.rank for finding in audit.boxes] == list(range(1, 41))
    assert sorted(finding.row for finding in audit.boxes) == list(range(40))
    assert [finding.rank for finding in audit.classes] == list(range(1, 41))
    assert not any(finding.is_listed for finding in audit.findings())
    scores = [finding.score for finding in audit.boxes]
    assert scores == sorted(scores, reverse=True)


def test_a_predicted_box_without_area_is_no_suggestion(data, found):
    boxes = found.boxes.copy()
    boxes[7] = [0.5, 0.2, 0.5001, 0.8]  # less than a tenth of a pixel wide
    audit = find(data, dataclasses.replace(found, boxes=boxes), 0.1)
    (finding,) = [one for one in audit.boxes if one.row == 7]
    assert finding.is_listed
    assert (finding.box, finding.suggested) == (None, "")
    assert all(one.box is not None for one in audit.boxes if one.row != 7)


def test_a_box_that_does_not_fit_is_listed_first_with_the_predicted_one(data, found, relabel):
    wrong = relabel(data, 7, box=(0.0, 0.0, 30.0, 20.0))
    first = find(wrong, found, 0.1).boxes[0]
    assert (first.row, first.kind, first.is_listed) == (7, "far off", True)
    predicted = found.boxes[7] * [200, 100, 200, 100]
    np.testing.assert_allclose(first.box, predicted, atol=0.051)
    assert first.given == "0, 0, 30, 20"
    assert "The IoU with the predicted box is 0.0" in first.why


@pytest.mark.parametrize(("edge", "name"), list(enumerate(["left", "top", "right", "bottom"])))
def test_one_wrong_side_is_named_and_the_others_are_kept(edge, name, data, found, relabel):
    box = list(data.samples[8].box)
    box[edge] += (25 if edge % 2 else 40) * (-1 if edge > 1 else 1)
    first = find(relabel(data, 8, box=tuple(box)), found, 0.1).boxes[0]
    assert (first.row, first.kind, first.side) == (8, "one side", name)
    box[edge] = first.box[edge]
    assert first.box == tuple(box)
    assert abs(first.box[edge] - data.samples[8].box[edge]) < 8


def test_a_wrong_class_is_listed_first_with_the_more_probable_one(data, found, relabel):
    audit = find(relabel(data, 6, label="cat"), found, 0.2)
    first = audit.classes[0]
    assert (first.row, first.given, first.suggested, first.label) == (6, "cat", "dog", "dog")
    assert first.is_listed
    assert "cat a probability of 10.0% and dog 90.0%" in first.why
    assert kinds(audit, 6) == {"classes": "class"}


def test_one_class_has_no_list_of_classes(data, found):
    samples = tuple(dataclasses.replace(sample, label="pet") for sample in data)
    alone = Dataset(samples, ("pet",))
    audit = find(alone, dataclasses.replace(found, probabilities=np.ones((40, 1))), 0.1)
    assert list(audit.classes) == []
    assert audit.class_error_rate is None


def test_a_class_of_few_images_is_not_judged_and_a_note_says_so(data, found, relabel):
    rare = dataclasses.replace(relabel(data, 3, label="fox"), classes=("cat", "dog", "fox"))
    probabilities = np.concatenate([found.probabilities, np.zeros((40, 1))], axis=1)
    audit = find(rare, dataclasses.replace(found, probabilities=probabilities), 0.1)
    assert 3 not in {finding.row for finding in audit.classes}
    assert audit.notes == (
        "1 class has fewer than 4 images, and the class labels of these are not judged: fox.",
    )


def test_predictions_that_fit_no_label_are_noted(data, found):
    audit = find(data, dataclasses.replace(found, boxes=found.boxes * 0.2), 0.1)
    assert "The list of boxes means little" in audit.notes[0]


def test_another_reading_explains_the_box_in_both_places(data, found, relabel):
    given = (10.0, 10.0, 20.0, 20.0)  # percent: 20, 10, 40, 20
    found.boxes[9] = (0.1, 0.1, 0.2, 0.2)
    audit = find(relabel(data, 9, box=given), found, 0.1)
    assert kinds(audit, 9) == {"boxes": "reading", "checks": "reading"}
    check = audit.checks[0]
    assert check.box == (20.0, 10.0, 40.0, 20.0)
    assert "Read as percent of width and height" in check.why
    assert next(one for one in audit.boxes if one.row == 9).suggested == check.suggested


def test_exchanged_boxes_get_the_boxes_that_people_drew(data, found, relabel):
    first, second = (10.0, 10.0, 60.0, 40.0), (110.0, 50.0, 190.0, 95.0)
    found.boxes[4], found.boxes[11] = (0.06, 0.1, 0.3, 0.4), (0.55, 0.5, 0.94, 0.95)
    wrong = relabel(relabel(data, 4, box=second), 11, box=first)
    audit = find(wrong, found, 0.1)
    checks = {finding.row: finding for finding in audit.checks}
    assert {row: check.kind for row, check in checks.items()} == {
        4: "other image",
        11: "other image",
    }
    assert (checks[4].box, checks[11].box) == (first, second)
    assert "images/11.jpg" in checks[4].why
    assert "has this image's box" in checks[4].why


def test_a_box_with_two_explanations_has_the_first(data, found, relabel):
    # as percent it is the predicted box of its image; as it is, that of the next
    given = (20.0, 20.0, 60.0, 60.0)
    found.boxes[4] = (0.2, 0.2, 0.6, 0.6)
    found.boxes[5] = (0.1, 0.2, 0.3, 0.6)
    wrong = relabel(relabel(data, 4, box=given), 5, box=given)
    checks = [check for check in find(wrong, found, 0.1).checks if check.row == 4]
    assert [check.kind for check in checks] == ["reading"]
    assert checks[0].box == (40.0, 20.0, 120.0, 60.0)


def test_a_box_that_is_the_whole_image_is_checked_where_the_prediction_is_not(data, found, relabel):
    wrong = relabel(data, 2, box=(0.0, 1.0, 200.0, 100.0))
    assert kinds(find(wrong, found, 0.1), 2)["checks"] == "whole image"
    found.boxes[2] = (0.0, 0.0, 1.0, 1.0)
    assert kinds(find(wrong, found, 0.1), 2) == {}


@pytest.mark.parametrize(
    ("rows", "change", "kind"),
    [
        pytest.param((1, 5), {}, "copy across splits", id="splits"),
        pytest.param((1, 2), {}, "copy, class", id="class"),
        pytest.param((1, 3), {"box": (100.0, 50.0, 150.0, 90.0)}, "copy, box", id="box"),
        pytest.param((1, 3), {"box": None, "label": None}, "copy, subject", id="subject"),
    ],
)
def test_copies_in_two_splits_or_with_other_labels_are_checked(
    rows, change, kind, data, found, relabel
):
    same = relabel(data, rows[1], box=data.samples[rows[0]].box)
    copied = dataclasses.replace(found, copies=(Pair(*rows, 0.999),))
    audit = find(relabel(same, rows[1], **change), copied, 0.1)
    (check,) = (finding for finding in audit.checks if finding.kind.startswith("copy"))
    assert (check.row, check.kind, check.suggested) == (rows[1], kind, "")
    assert "looks the same as images/01.jpg" in check.why


def test_copies_in_one_split_with_one_label_are_nothing_to_look_at(data, found, relabel):
    same = relabel(data, 3, box=data.samples[1].box)
    found.boxes[3] = found.boxes[1]
    audit = find(same, dataclasses.replace(found, copies=(Pair(1, 3, 1.0),)), 0.1)
    assert list(audit.checks) == []


def test_exchanged_keypoints_are_checked(data, found, relabel):
    corners = ((20.0, 20.0, 2), (80.0, 20.0, 2), (20.0, 60.0, 2), (80.0, 60.0, 2))
    pairs = ((0, 1), (2, 3))
    named = dataclasses.replace(data, keypoints=KeypointSet(("a", "b", "c", "d"), (), pairs))
    wrong = relabel(named, 3, keypoints=corners, box=(20.0, 20.0, 80.0, 60.0))
    points = np.zeros((40, 4, 2))
    points[3] = np.array(corners)[[1, 0, 3, 2], :2] / [200, 100] + 0.01
    found.boxes[3] = (0.1, 0.2, 0.4, 0.6)
    audit = find(wrong, dataclasses.replace(found, keypoints=points), 0.1)
    (check,) = audit.checks
    assert (check.row, check.kind, check.swaps_keypoints) == (3, "left and right", True)


def test_an_image_labelled_without_the_subject_that_shows_it_is_checked(data, found, relabel):
    empty = relabel(relabel(data, 3, box=None, label=None), 4, box=None, label=None)
    present = np.full(40, 0.99)
    present[4] = 0.5
    audit = find(empty, dataclasses.replace(found, present=present), 0.1)
    assert [(check.row, check.kind) for check in audit.checks] == [(3, "subject")]
    assert len(audit.boxes) == len(audit.classes) == 38
