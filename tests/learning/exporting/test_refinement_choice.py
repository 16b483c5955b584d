"""Refinement: what the runtime does with it, and when training turns it on."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import onebox
from onebox import images
from onebox.learning.exporting import refinement_choice
from onebox.learning.exporting.refinement_choice import choose_refinement, is_worthwhile
from onebox.metrics import Outcome
from onebox.refinement import crop_around
from onebox.structures import Dataset, Prediction, Sample


@pytest.fixture(scope="module")
def localizer(exported_file):
    return onebox.load(exported_file)


@pytest.fixture(scope="module")
def wide(discs):
    """A disc in a corner of a wide image, so that most of the image is not the subject."""
    pixels = images.load(discs.part("test").samples[0].image).pixels
    image = np.zeros((160, 240, 3), dtype=np.uint8)
    image[90:154, 10:74] = pixels
    return image


@pytest.mark.train
def test_refinement_predicts_from_the_crop_in_pixels_of_the_image(localizer, wide):
    first = localizer.predict(wide)
    part = crop_around(first.box, (240, 160), 1.5)
    assert part is not None
    left, top, right, bottom = part
    again = localizer.predict(np.ascontiguousarray(wide[top:bottom, left:right]))
    found = localizer.with_refinement(1.5).predict(wide)
    moved = np.add(again.box, [left, top, left, top])
    assert found.box == pytest.approx(moved.tolist(), abs=1e-3)
    assert found.box != pytest.approx(first.box, abs=1e-3)
    assert found.sigma == pytest.approx(again.sigma, abs=1e-3)
    assert found.score == pytest.approx(again.score)


@pytest.mark.train
def test_without_a_margin_there_is_no_refinement(localizer, wide):
    assert localizer.card.refine_margin is None
    twice = localizer.with_refinement(1.5)
    assert twice.with_refinement(None).predict(wide) == localizer.predict(wide)


@pytest.mark.train
def test_a_subject_that_fills_the_frame_is_not_refined(localizer, wide):
    everything = localizer.with_refinement(100.0)  # any crop of that size is the whole image
    found, first = everything.predict(wide), localizer.predict(wide)
    assert (found.label, found.box, found.sigma) == (first.label, first.box, first.sigma)


@pytest.mark.train
def test_the_margin_is_read_back_from_the_card(localizer):
    card = dataclasses.replace(localizer.card, refine_margin=1.4)
    assert type(card).from_json(card.as_json()) == card


# --- the choice --------------------------------------------------------------------------------


@pytest.fixture
def measured(bright_file, monkeypatch):
    """Choose for a model whose IoU of each image is given per margin; lists what was evaluated."""

    def choose(setting, ious, val):
        evaluated = []

        def evaluate(localizer, data):
            evaluated.append(data)
            outcomes = [
                iou if isinstance(iou, Outcome) else outcome(iou)
                for iou in ious[localizer.card.refine_margin]
            ]
            return SimpleNamespace(outcomes=outcomes[: len(data)])

        monkeypatch.setattr(refinement_choice, "evaluate", evaluate)
        return choose_refinement(onebox.load(bright_file), val, setting), evaluated

    return choose


def outcome(iou, errors=None):
    sample = Sample(np.zeros((8, 8, 3), np.uint8), "disc", (1.0, 1.0, 5.0, 5.0))
    prediction = Prediction("disc", 1.0, (1.0, 1.0, 5.0, 5.0), (1.0,))
    iou = None if iou is None else float(iou)
    return Outcome(sample, prediction, (8, 8), iou, None, errors and tuple(errors))


def dataset(count, box=(1.0, 1.0, 5.0, 5.0)):
    image = np.zeros((8, 8, 3), np.uint8)
    samples = tuple(Sample(image, "disc", box, size_wh=(8, 8)) for _ in range(count))
    return Dataset(samples, ("disc",))


def ious(plain, first, second):
    """IoUs of twenty images without refinement, with margin 1.4, and with margin 1.7."""
    return {
        margin: np.broadcast_to(values, 20)
        for margin, values in zip((None, 1.4, 1.7), (plain, first, second), strict=True)
    }


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        (0.504, 0.502, 1.4),
        (0.502, 0.504, 1.7),
        (0.9, 0.8, 1.4),
        (0.5031, 0.4, 1.4),  # 0.003 is worth the time
        (0.5029, 0.5, None),  # less is not
        (0.5, 0.5, None),
        (0.4, 0.3, None),
    ],
)
def test_auto_takes_the_better_margin_if_its_mean_iou_gains_0_003(measured, first, second, chosen):
    assert measured("auto", ious(0.5, first, second), dataset(20))[0] == chosen


def test_where_keypoints_are_labelled_those_that_are_found_count_and_not_the_iou(measured):
    # Of two labelled keypoints, none, both and one are found; 0.2 is found.
    plain, first, second = ([error, None, 0.9] for error in (0.3, 0.1, 0.2))
    first[2] = 0.15
    outcomes = {
        margin: [outcome(iou, errors)] * 20
        for margin, iou, errors in ((None, 0.9, plain), (1.4, 0.5, first), (1.7, 0.99, second))
    }
    assert measured("auto", outcomes, dataset(20))[0] == 1.4


def test_auto_refuses_a_gain_below_twice_its_standard_error(measured):
    # Both gain 0.01; deviations of 0.03 and 0.012 over √19 are standard errors of 0.007 and 0.003.
    noisy, steady = np.array([0.54, 0.48] * 10), np.array([0.522, 0.498] * 10)
    assert measured("auto", ious(0.5, noisy, 0.5), dataset(20))[0] is None
    assert measured("auto", ious(0.5, steady, 0.5), dataset(20))[0] == 1.4


def test_auto_needs_ten_images_with_a_box(measured):
    large = ious(0.5, 0.9, 0.5)
    assert measured("auto", large, dataset(9))[0] is None
    assert measured("auto", large, dataset(10))[0] == 1.4


def test_always_takes_the_better_margin_even_if_both_lose(measured):
    assert measured("always", ious(0.5, 0.3, 0.4), dataset(20))[0] == 1.7


def test_never_evaluates_nothing(measured):
    assert measured("never", {}, dataset(20)) == (None, [])


def test_only_images_with_a_box_are_evaluated_and_three_hundred_at_most(measured):
    boxed, empty = dataset(310).samples, dataset(5, box=None).samples
    many = {margin: np.full(310, 0.5) for margin in (None, 1.4, 1.7)}
    _, evaluated = measured("auto", many, Dataset((*empty, *boxed), ("disc",)))
    assert [part.samples for part in evaluated] == [boxed[:300]] * 3


@pytest.mark.train
def test_the_choice_for_a_trained_model_follows_from_its_validation_images(localizer, discs):
    val = discs.part("val")
    plain, *refined = (
        np.array([one.iou for one in onebox.evaluate(localizer.with_refinement(m), val).outcomes])
        for m in (None, 1.4, 1.7)
    )
    gains = {margin: each - plain for margin, each in zip((1.4, 1.7), refined, strict=True)}
    best = max(gains, key=lambda margin: gains[margin].mean())
    assert choose_refinement(localizer, val, "always") == best
    expected = best if is_worthwhile(gains[best]) else None
    assert choose_refinement(localizer, val, "auto") == expected


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.01, 0.03] * 5, True),  # 0.02, with a standard error of 0.0033
        ([0.002] * 10, False),  # certain, and not worth it
        # 0.01 on average, with standard errors of 0.0167 and 0.004
        ([0.06, -0.04] * 5, False),
        ([0.022, -0.002] * 5, True),
        ([-0.01] * 10, False),
        ([0.05] * 9, False),  # too few to tell
    ],
)
def test_a_gain_is_worthwhile_if_it_is_worth_the_time_and_not_chance(gains, expected):
    assert is_worthwhile(np.array(gains)) is expected
