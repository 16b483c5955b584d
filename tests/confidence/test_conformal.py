"""Outer and inner boxes with coverage: signs, quantiles, the law of the coverage."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.conformal import (
    coverage_interval,
    grow,
    least_images,
    quantile,
    shrink,
    side_scores,
    uncovered_share_quantile,
)

stats = pytest.importorskip("scipy.stats")

TRUE_BOX = (100.0, 100.0, 200.0, 180.0)
SIGMA = (2.0, 4.0, 5.0, 8.0)
SIZE_WH = (400, 300)
COVERAGES = st.floats(0.01, 0.99)
BOXES = st.tuples(
    st.floats(0, 100), st.floats(0, 100), st.floats(101, 300), st.floats(101, 300)
)  # fmt: skip
SIGMAS = st.tuples(*[st.floats(0, 20)] * 4)


def arrays(*rows):
    return [np.array([row], dtype=float) for row in rows]


def first(images):
    """The scores 1, 2 and so on."""
    return [float(score) for score in range(1, images + 1)]


def widened(boxes, pixels):
    """Boxes that are larger by so many pixels on each side."""
    return boxes + pixels * np.array([-1, -1, 1, 1])


def contains(outer, inner):
    """Whether each row of one array of boxes contains that of the other."""
    return (outer[:, :2] <= inner[:, :2]).all(1) & (outer[:, 2:] >= inner[:, 2:]).all(1)


def biased(rng, images):
    """Boxes 3 px too small on each side, with 2 px of noise; true boxes; sigmas of 2 px."""
    corners = rng.uniform(50, 150, (images, 2))
    true = np.concatenate([corners, corners + rng.uniform(60, 120, (images, 2))], axis=1)
    found = widened(true, -3) + rng.normal(0, 2, true.shape)
    return found, true, np.full_like(true, 2.0)


@pytest.mark.parametrize(
    ("side", "inwards", "outer"),
    [(0, +6, 3.0), (1, +6, 1.5), (2, -6, 1.2), (3, -6, 0.75)],
    ids=["left", "top", "right", "bottom"],
)
def test_a_box_6_px_too_small_on_one_side_must_grow_6_px_there(side, inwards, outer):
    box = np.array(TRUE_BOX)
    box[side] += inwards
    scores = side_scores(*arrays(box, TRUE_BOX, SIGMA))
    assert scores[0][0] == pytest.approx(outer)  # 6 px over that side's sigma
    assert scores[1][0] == 0  # the other three sides already touch
    grown = grow(tuple(box), SIGMA, outer, SIZE_WH)
    assert grown[side] == pytest.approx(TRUE_BOX[side])


@pytest.mark.parametrize(
    ("side", "outwards", "inner"),
    [(0, -6, 3.0), (1, -6, 1.5), (2, +6, 1.2), (3, +6, 0.75)],
    ids=["left", "top", "right", "bottom"],
)
def test_a_box_6_px_too_large_on_one_side_must_shrink_6_px_there(side, outwards, inner):
    box = np.array(TRUE_BOX)
    box[side] += outwards
    scores = side_scores(*arrays(box, TRUE_BOX, SIGMA))
    assert scores[0][0] == 0
    assert scores[1][0] == pytest.approx(inner)
    shrunk = shrink(tuple(box), SIGMA, inner, SIZE_WH)
    assert shrunk[side] == pytest.approx(TRUE_BOX[side])


def test_the_largest_of_the_four_sides_counts():
    # left 2 px inside (1 sigma), top 2 px outside (-0.5), right 10 px inside (2), bottom exact
    box = (102.0, 98.0, 190.0, 180.0)
    outer, inner = side_scores(*arrays(box, TRUE_BOX, SIGMA))
    assert (outer[0], inner[0]) == (2, 0.5)


def test_a_box_that_is_too_large_everywhere_may_shrink():
    box = (96.0, 92.0, 210.0, 196.0)  # two sigmas on each side
    outer, inner = side_scores(*arrays(box, TRUE_BOX, SIGMA))
    assert (outer[0], inner[0]) == (-2, 2)
    assert grow(box, SIGMA, -2.0, SIZE_WH) == TRUE_BOX == shrink(box, SIGMA, 2.0, SIZE_WH)


def test_a_sigma_of_0_counts_as_a_thousandth_of_a_pixel():
    box, none = (101.0, 100.0, 200.0, 180.0), (0.0, 0.0, 0.0, 0.0)
    outer, inner = side_scores(*arrays(box, TRUE_BOX, none))
    assert (outer[0], inner[0]) == (pytest.approx(1000), 0)
    assert grow(box, none, 1000.0, SIZE_WH) == pytest.approx((100, 99, 201, 181))


@given(box=BOXES, true_box=BOXES, sigma=SIGMAS)
def test_a_box_that_grows_by_its_score_just_contains_the_true_box(box, true_box, sigma):
    scores = [float(each[0]) for each in side_scores(*arrays(box, true_box, sigma))]
    outer, inner = grow(box, sigma, scores[0], SIZE_WH), shrink(box, sigma, scores[1], SIZE_WH)
    assert contains(widened(np.array([outer]), 1e-6), np.array([true_box]))[0]
    if inner is not None:
        assert contains(widened(np.array([true_box]), 1e-6), np.array([inner]))[0]


def test_90_percent_of_9_images_is_the_largest_score_and_of_8_is_infinite():
    assert quantile(first(9), 0.9) == 9
    assert quantile(first(8), 0.9) == inf


@pytest.mark.parametrize(
    ("images", "coverage", "rank"),
    [
        (18, 0.9, 18),  # 17.1
        (19, 0.9, 18),  # 18.0
        (20, 0.9, 19),  # 18.9
        (99, 0.55, 55),  # 100 x 0.55 is 55.00000000000001 in float64
        (1, 0.5, 1),
        (1000, 0.001, 2),  # 1.001
    ],
)
def test_the_quantile_is_the_score_of_this_rank(images, coverage, rank):
    assert quantile(first(images), coverage) == rank


@pytest.mark.parametrize(
    ("coverage", "images"),
    [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999), (0.9999, 9999)],
)
def test_so_many_images_are_enough_and_one_less_is_not(coverage, images):
    assert least_images(coverage) == images
    assert quantile(first(images), coverage) < inf
    assert quantile(first(images - 1), coverage) == inf


@given(coverage=COVERAGES)
def test_the_least_number_of_images_is_the_first_with_a_finite_quantile(coverage):
    images = least_images(coverage)
    assert quantile(first(images), coverage) < inf
    assert quantile(first(images - 1), coverage) == inf


@given(scores=st.lists(st.floats(-5, 5), min_size=0, max_size=60), low=COVERAGES, high=COVERAGES)
def test_the_quantile_grows_with_the_coverage(scores, low, high):
    low, high = sorted([low, high])
    assert quantile(sorted(scores), low) <= quantile(sorted(scores), high)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.5, 90.0])
def test_a_coverage_out_of_range_is_refused(coverage):
    for call in (
        lambda: quantile([1.0], coverage),
        lambda: least_images(coverage),
        lambda: coverage_interval(9, coverage),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            call()


def test_the_interval_of_the_coverage_is_that_of_the_beta_law():
    low, high = coverage_interval(200, 0.9)
    # rank ceil(201 x 0.9) = 181
    assert (low, high) == pytest.approx(stats.beta.ppf([0.025, 0.975], 181, 20), abs=1e-9)
    assert (round(low, 3), round(high, 3)) == (0.856, 0.938)


def test_90_percent_with_18_images_is_somewhere_in_81_to_100():
    low, high = coverage_interval(18, 0.9)
    # Beta(18, 1): the distribution function is x^18
    assert (low, high) == pytest.approx((0.025 ** (1 / 18), 0.975 ** (1 / 18)))
    assert (round(low, 2), round(high, 2)) == (0.81, 1.0)


def test_too_few_images_cover_everything():
    assert coverage_interval(8, 0.9) == (1, 1)


def test_the_coverage_follows_the_beta_law_over_calibration_sets():
    rng = np.random.default_rng(0)
    coverages = []
    for _ in range(2000):
        q = quantile(np.sort(rng.normal(size=40)).tolist(), 0.9)
        coverages.append(stats.norm.cdf(q))
    # rank ceil(41 x 0.9) = 37, so Beta(37, 4), with the mean 37/41
    assert np.mean(coverages) == pytest.approx(37 / 41, abs=0.004)
    assert stats.kstest(coverages, stats.beta(37, 4).cdf).pvalue > 0.01
    low, high = coverage_interval(40, 0.9)
    assert np.mean([low <= each <= high for each in coverages]) == pytest.approx(0.95, abs=0.015)


def test_boxes_3_px_too_small_are_covered_as_promised():
    rng = np.random.default_rng(0)
    outer_hits, inner_hits = [], []
    for _ in range(100):
        outer, inner = (np.sort(each) for each in side_scores(*biased(rng, 200)))
        boxes, true, sigmas = biased(rng, 200)
        rows = list(zip(boxes.tolist(), sigmas.tolist(), strict=True))
        q_outer, q_inner = quantile(outer.tolist(), 0.9), quantile(inner.tolist(), 0.9)
        grown = np.array([grow(tuple(b), tuple(s), q_outer, SIZE_WH) for b, s in rows])
        shrunk = np.array([shrink(tuple(b), tuple(s), q_inner, SIZE_WH) for b, s in rows])
        outer_hits.append(contains(grown, true).mean())
        inner_hits.append(contains(true, shrunk).mean())
    # the promise is 181/201 on average over calibration sets
    assert np.mean(outer_hits) == pytest.approx(0.9, abs=0.01)
    assert np.mean(inner_hits) == pytest.approx(0.9, abs=0.01)


def test_with_one_sign_for_all_sides_hardly_any_true_box_would_be_contained():
    # What a known library does: the quantile of "predicted minus true" of each coordinate, at
    # 1 - 0.1 / 4, is taken from the left and the top, and added to the right and the bottom.
    rng = np.random.default_rng(0)
    boxes, true, _ = biased(rng, 2000)
    q = [quantile(column, 0.975) for column in np.sort(boxes - true, axis=0).T.tolist()]
    boxes, true, _ = biased(rng, 2000)
    assert contains(widened(boxes, np.array(q)), true).mean() < 0.05


def test_an_infinite_score_gives_the_whole_image_and_no_inner_box():
    none = (0.0, 0.0, 0.0, 0.0)
    for sigma in (SIGMA, none):
        assert grow(TRUE_BOX, sigma, inf, SIZE_WH) == (0, 0, 400, 300)
        assert shrink(TRUE_BOX, sigma, inf, SIZE_WH) is None


def test_sides_that_would_pass_each_other_stop_where_they_meet():
    # across, 100 px at 2 and 5 px for each step: after 100 / 7 steps, at 100 + 2 x 100 / 7
    # down, 80 px at 4 and 8 px: after 80 / 12 steps, at 100 + 4 x 80 / 12
    x, y = 100 + 200 / 7, 100 + 320 / 12
    assert grow(TRUE_BOX, SIGMA, -20.0, SIZE_WH) == pytest.approx((x, y, x, y))
    assert shrink(TRUE_BOX, SIGMA, 20.0, SIZE_WH) is None


def test_boxes_end_at_the_border_of_the_image():
    assert grow((1.0, 1.0, 399.0, 299.0), SIGMA, 1.0, SIZE_WH) == (0, 0, 400, 300)
    assert shrink((1.0, 1.0, 399.0, 299.0), SIGMA, -1.0, SIZE_WH) == (0, 0, 400, 300)


def test_a_box_without_a_size_grows_and_has_no_inner_box():
    point = (50.0, 50.0, 50.0, 50.0)
    assert grow(point, SIGMA, 1.0, SIZE_WH) == (48, 46, 55, 58)
    assert shrink(point, SIGMA, 0.0, SIZE_WH) is None


@given(box=BOXES, sigma=SIGMAS, q=st.floats(-10, 10), more=st.floats(0, 10))
def test_a_larger_score_gives_an_outer_box_around_and_an_inner_box_within(box, sigma, q, more):
    outer, larger = (np.array([grow(box, sigma, each, SIZE_WH)]) for each in (q, q + more))
    assert contains(widened(larger, 1e-9), outer)[0]
    inner, smaller = (shrink(box, sigma, each, SIZE_WH) for each in (q, q + more))
    if smaller is not None:
        assert contains(np.array([inner]), np.array([smaller]))[0]


def test_a_box_that_leaves_a_tenth_outside_needs_no_growth_for_a_tenth():
    # 100 x 80 px, 10 px missing at the right: 10 % is outside, on each of 999 images
    rows = arrays((0, 0, 90, 80), (0, 0, 100, 80), (10, 1, 10, 1))
    images = [np.tile(row, (999, 1)) for row in rows]
    # (999 share + 1) / 1000 <= 0.1, so share <= 99/999, and q = 1 - 10 x 99/999 sigmas of 10 px
    assert uncovered_share_quantile(*images, 0.1) == pytest.approx(1 - 990 / 999, abs=1e-6)


def test_boxes_that_are_too_large_may_shrink_under_risk_control():
    rows = arrays((90, 90, 110, 110), (95, 95, 105, 105), (5, 5, 5, 5))
    found = uncovered_share_quantile(*[np.tile(row, (99, 1)) for row in rows], 0.1)
    # (99 share + 1) / 100 = 0.1: share 1/11 = 1 - side^2 / 100
    side = 10 * np.sqrt(10 / 11)
    assert found == pytest.approx((side - 20) / 10)


def test_too_few_images_for_risk_control_give_infinity():
    row = arrays(TRUE_BOX, TRUE_BOX, SIGMA)
    eight, nine = ([np.tile(each, (images, 1)) for each in row] for images in (8, 9))
    assert uncovered_share_quantile(*eight, 0.1) == inf
    assert uncovered_share_quantile(*nine, 0.1) == pytest.approx(0, abs=1e-9)
    none = np.zeros((0, 4))
    assert uncovered_share_quantile(none, none, none, 0.1) == inf


def test_risk_control_takes_sigmas_of_0_and_boxes_without_a_size():
    boxes = np.tile([50.0, 50.0, 50.0, 50.0], (30, 1))
    true = widened(boxes, 1)
    found = uncovered_share_quantile(boxes, true, np.zeros((30, 4)), 0.1)
    assert 900 < found <= 1000  # thousandths of a pixel: nearly all of 1 px
    assert uncovered_share_quantile(boxes, boxes, np.ones((30, 4)), 0.1) < inf


def test_risk_control_keeps_the_expected_share_and_grows_less_than_coverage():
    rng = np.random.default_rng(0)
    shares, steps, coverage_steps = [], [], []
    for _ in range(100):
        calibration, (boxes, true, sigmas) = biased(rng, 60), biased(rng, 60)
        q = uncovered_share_quantile(*calibration, 0.05)
        grown = widened(boxes, q * sigmas)
        low, high = np.maximum(grown[:, :2], true[:, :2]), np.minimum(grown[:, 2:], true[:, 2:])
        areas = (true[:, 2:] - true[:, :2]).prod(axis=1)
        shares.append((1 - np.maximum(high - low, 0).prod(axis=1) / areas).mean())
        steps.append(q)
        coverage_steps.append(quantile(np.sort(side_scores(*calibration)[0]).tolist(), 0.95))
    # at most 0.05, and at least that less 2 / (n + 1)
    assert 0.05 - 2 / 61 < np.mean(shares) < 0.05
    assert np.mean(steps) < np.mean(coverage_steps) - 1


@pytest.mark.parametrize("most", [0.0, 1.0, 5.0])
def test_a_share_out_of_range_is_refused(most):
    with pytest.raises(ValueError, match="most must be between 0 and 1"):
        uncovered_share_quantile(*arrays(TRUE_BOX, TRUE_BOX, SIGMA), most)
