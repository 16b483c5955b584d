"""The second look: what the runtime does with it, and when training turns it on."""

import dataclasses

import numpy as np
import pytest

import onebox
from onebox import images
from onebox.learning.exporting.refinement_choice import _pays, choose_refinement
from onebox.refinement import part_around


@pytest.fixture(scope="module")
def localizer(model_file):
    return onebox.load(model_file)


@pytest.fixture(scope="module")
def wide(discs):
    """A disc in a corner of a wide image, so that most of the image is not the subject."""
    pixels = images.load(discs.part("test").samples[0].image).pixels
    image = np.zeros((160, 240, 3), dtype=np.uint8)
    image[90:154, 10:74] = pixels
    return image


def test_the_second_look_answers_for_the_part_in_pixels_of_the_image(localizer, wide):
    first = localizer.predict(wide)
    part = part_around(first.box, (240, 160), 1.5)
    assert part is not None
    left, top, right, bottom = part
    again = localizer.predict(np.ascontiguousarray(wide[top:bottom, left:right]))
    found = localizer.with_refinement(1.5).predict(wide)
    moved = np.add(again.box, [left, top, left, top])
    assert found.box == pytest.approx(moved.tolist(), abs=1e-3)
    assert found.box != pytest.approx(first.box, abs=1e-3)
    assert found.score == pytest.approx(again.score)


def test_without_a_margin_there_is_one_look(localizer, wide):
    assert localizer.card.refinement is None
    twice = localizer.with_refinement(1.5)
    assert twice.with_refinement(None).predict(wide) == localizer.predict(wide)


def test_a_subject_that_fills_the_frame_is_looked_at_once(localizer, wide):
    everything = localizer.with_refinement(100.0)  # any part of that size is the whole image
    assert everything.predict(wide) == localizer.predict(wide)


def test_the_margin_stands_in_the_file(localizer):
    facts = dataclasses.replace(localizer.card, refinement=1.4)
    assert type(facts).from_json(facts.as_json()) == facts


def test_never_and_always_ask_no_figure(localizer, discs):
    val = discs.part("val")
    assert choose_refinement(localizer, val, "never") is None
    assert choose_refinement(localizer, val, "always") in {1.4, 1.7}


def test_auto_takes_it_only_where_the_overlap_gains(localizer, discs):
    val = discs.part("val")
    means = {
        margin: onebox.evaluate(localizer.with_refinement(margin), val).overall.mean_iou
        for margin in (None, 1.4, 1.7)
    }
    chosen = choose_refinement(localizer, val, "auto")
    if chosen is None:
        assert max(means[1.4], means[1.7]) < means[None] + 0.1
    else:
        assert means[chosen] == max(means.values())


@pytest.mark.parametrize(
    ("gains", "pays"),
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
def test_a_gain_pays_where_it_is_worth_the_time_and_no_chance(gains, pays):
    assert _pays(np.array(gains)) is pays
