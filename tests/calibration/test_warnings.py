"""What weakens a calibration is said in words, and nothing else is."""

import dataclasses

import pytest

from onebox.calibration.warnings import find_warnings
from onebox.confidence.records import Calibration, IouModel, SideScores

CLASSES = ("cat", "dog")


def new_calibration(images=60, *, wrong=3, spread=1.0):
    return Calibration(
        images=images,
        temperature=1.0,
        iou=IouModel(0.0, 1.0, 0.5),
        sides=SideScores((), ()),
        is_wrong=tuple(number < wrong for number in range(images)),
        spreads=tuple(spread * number / images for number in range(images)),
    )


@pytest.fixture
def both(greys):
    return greys(60, labels=CLASSES)


def test_enough_images_of_every_kind_have_no_warning(both):
    calibration = new_calibration()
    assert find_warnings(calibration, None, both, CLASSES) == ()
    assert find_warnings(calibration, calibration, both, CLASSES) == ()


@pytest.mark.parametrize(("images", "is_warned"), [(49, True), (50, False)])
def test_fewer_than_50_images_are_few(images, is_warned, both):
    found = find_warnings(new_calibration(images), None, both, CLASSES)
    assert (found != ()) is is_warned
    if is_warned:
        assert found[0].startswith("49 calibration images are few")
        assert "Give 50 or more." in found[0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(0, "no calibration image has a wrong label"), (60, "every calibration image has a wrong")],
)
def test_all_right_and_all_wrong_are_suspicious(wrong, words, both):
    [found] = find_warnings(new_calibration(wrong=wrong), None, both, CLASSES)
    assert found.startswith(words)
    assert "Check" in found


def test_images_of_one_class_say_nothing_of_the_others(greys):
    cats = greys(60, labels=("cat",))
    [found] = find_warnings(new_calibration(), None, cats, CLASSES)
    assert found.startswith("all calibration images show 'cat', one of 2 classes")
    assert find_warnings(new_calibration(), None, cats, ("cat",)) == ()


def test_images_without_a_label_show_no_class(greys):
    data = greys(60)
    samples = [dataclasses.replace(sample, label=None) for sample in data]
    unlabelled = dataclasses.replace(data, samples=tuple(samples))
    assert find_warnings(new_calibration(), None, unlabelled, CLASSES) == ()


def test_images_unlike_those_of_the_earlier_calibration_are_named(both):
    before = new_calibration()
    [found] = find_warnings(new_calibration(spread=3.0), before, both, CLASSES)
    # Two of three new spreads lie beyond all old ones.
    assert found.startswith("these images differ from those of the earlier calibration (p = ")
    # A quarter of the new ones does: p is 0.03, as in one set of thirty by chance.
    assert find_warnings(new_calibration(spread=1.35), before, both, CLASSES) == ()
