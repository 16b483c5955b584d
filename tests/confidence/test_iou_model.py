"""The distribution of the IoU given the spread."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.iou_model import expected_iou, fit, probability_at_least
from onebox.confidence.records import IouModel

MODELS = st.builds(
    IouModel,
    intercept=st.floats(-3, 3),
    slope=st.floats(0, 2),
    deviation=st.floats(0.1, 2),
)
SPREADS = st.floats(0, 10)


def integrated(model, spread):
    """The expected IoU by numerical integration over the normal variable."""
    deviations = np.linspace(-12, 12, 400_001)
    density = np.exp(-(deviations**2) / 2) / np.sqrt(2 * np.pi)
    mean = model.intercept + model.slope * np.log(spread + 1e-4)
    ious = np.clip(1.003 - np.exp(mean + model.deviation * deviations), 0, 1)
    return np.trapezoid(ious * density, deviations)


def drawn(model, images, seed=0):
    """Spreads around 0.04 and IoUs that follow a model."""
    rng = np.random.default_rng(seed)
    spreads = np.exp(rng.normal(-3.2, 0.5, images))
    noise = rng.normal(0, model.deviation, images)
    logs = model.intercept + model.slope * np.log(spreads + 1e-4) + noise
    return spreads, np.clip(1.003 - np.exp(logs), 0, 1)


def test_half_of_the_boxes_exceed_the_median_iou():
    model = IouModel(intercept=log(0.253), slope=0.0, deviation=0.4)
    # the median of 1 - IoU + 0.003 is 0.253
    assert probability_at_least(model, 0.1, 0.75) == pytest.approx(0.5)


def test_one_deviation_from_the_median_is_exceeded_by_84_percent():
    # a median error of 0.253 / e at deviation 1, so that 0.253 is one deviation above it
    model = IouModel(intercept=log(0.253) - 1, slope=0.0, deviation=1.0)
    assert probability_at_least(model, 0.1, 0.75) == pytest.approx(0.841345, abs=1e-6)


def test_every_iou_is_at_least_0_and_none_exceeds_1():
    model = IouModel(0.0, 1.0, 0.7)
    assert probability_at_least(model, 0.1, 0.0) == 1
    assert probability_at_least(model, 0.1, 1.001) == 0
    assert 0 < probability_at_least(model, 0.001, 1.0) < 1


@pytest.mark.parametrize("intercept", [-3.0, 0.0, 2.0])
@pytest.mark.parametrize("deviation", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("spread", [0.0, 0.003, 0.05, 0.5, 5.0])
def test_the_expected_iou_is_the_integral_of_the_cut_off_iou(intercept, deviation, spread):
    model = IouModel(intercept, 1.0, deviation)
    assert expected_iou(model, spread) == pytest.approx(integrated(model, spread), abs=1e-7)


def test_the_expected_iou_is_the_mean_of_draws():
    model = IouModel(0.5, 1.0, 0.8)
    spreads, ious = drawn(model, 20_000)
    expected = np.mean([expected_iou(model, spread) for spread in spreads.tolist()])
    assert expected == pytest.approx(ious.mean(), abs=0.003)


@given(model=MODELS, spread=SPREADS, more=st.floats(0, 5))
def test_a_larger_spread_never_raises_what_is_expected(model, spread, more):
    assert expected_iou(model, spread + more) <= expected_iou(model, spread) + 1e-12
    for threshold in (0.5, 0.75):
        surer = probability_at_least(model, spread, threshold)
        assert probability_at_least(model, spread + more, threshold) <= surer


@given(model=MODELS, spread=SPREADS)
def test_an_iou_of_three_quarters_is_never_more_probable_than_of_one_half(model, spread):
    p_iou50, p_iou75 = (probability_at_least(model, spread, at) for at in (0.5, 0.75))
    assert 0 <= p_iou75 <= p_iou50 <= 1
    # Markov: E >= t P(IoU >= t), and E <= 1 only where all exceed
    assert 0.75 * p_iou75 - 1e-12 <= expected_iou(model, spread) <= 0.5 + 0.5 * p_iou50 + 1e-12


@given(model=MODELS, spread=st.floats(1e3, 1e300))
def test_a_huge_spread_gives_a_number(model, spread):
    assert 0 <= expected_iou(model, spread) <= 1
    assert 0 <= probability_at_least(model, spread, 0.5) <= 1


def test_a_fit_finds_the_numbers_that_made_many_images():
    truth = IouModel(0.4, 1.2, 0.6)
    found = fit(*drawn(truth, 5000))
    assert found.slope == pytest.approx(1.2, abs=0.03)
    assert found.intercept == pytest.approx(0.4, abs=0.1)
    assert found.deviation == pytest.approx(0.6, abs=0.02)


def test_a_fit_to_constant_spreads_keeps_the_slope_1():
    spreads, ious = np.full(30, 0.05), np.linspace(0.6, 0.95, 30)
    found = fit(spreads, ious)
    assert found.slope == 1
    mean = np.log(1.003 - ious).mean()
    assert found.intercept == pytest.approx(mean - np.log(0.05 + 1e-4))


def test_a_spread_that_falls_with_the_error_is_ignored():
    # error and spread in inverse proportion: least squares would give the slope -1
    spreads = np.geomspace(0.01, 1.0, 200)
    found = fit(spreads, 1 - 0.001 / spreads)
    assert found.slope == 0


def test_few_images_pull_the_slope_from_1_only_a_little():
    # two images, a hundredfold spread with the same error: least squares gives the slope 0
    found = fit(np.array([0.01, 0.02]), np.array([0.8, 0.8]))
    half = (log(0.0201) - log(0.0101)) / 2
    # sums of squares: 2 half^2 of the images, 8 of the prior
    assert found.slope == pytest.approx(8 / (2 * half**2 + 8))


def test_one_image_gives_the_prior_through_that_image():
    found = fit(np.array([0.05]), np.array([0.9]))
    assert (found.slope, found.deviation) == (1, pytest.approx(0.7))
    assert probability_at_least(found, 0.05, 0.9) == pytest.approx(0.5)


@pytest.mark.parametrize("images", [1, 8, 9, 500])
@pytest.mark.parametrize("iou", [0.0, 1.0])
def test_images_that_are_all_perfect_or_all_missed_give_a_sensible_model(images, iou):
    found = fit(np.linspace(0.02, 0.06, images), np.full(images, iou))
    assert found.deviation >= 0.1
    assert expected_iou(found, 0.04) == pytest.approx(iou, abs=0.25)
    assert probability_at_least(found, 0.04, 0.5) == pytest.approx(iou, abs=0.25)


def test_spreads_of_0_are_as_good_as_any():
    found = fit(np.zeros(10), np.full(10, 0.95))
    assert expected_iou(found, 0.0) == pytest.approx(0.95, abs=0.02)


def test_ious_that_rounding_took_out_of_range_count_as_the_end():
    found = fit(np.array([0.01, 0.02]), np.array([1.0 + 1e-3, -1e-3]))
    assert found == fit(np.array([0.01, 0.02]), np.array([1.0, 0.0]))


def test_a_fit_to_no_image_says_so():
    with pytest.raises(ValueError, match="at least one image"):
        fit(np.zeros(0), np.zeros(0))
