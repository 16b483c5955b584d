"""The novelty of an image: three signs, made comparable and added up."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.novelty import fit, novelty, signs

SIGNS = st.tuples(*[st.floats(-10, 2)] * 3)


def test_the_signs_are_logarithms_of_distance_spread_and_error_of_the_label():
    found = signs(0.2, 0.05, 0.9)
    assert found == pytest.approx((log(0.2), log(0.05 + 1e-4), log(0.1 + 0.01)))


def test_a_distance_of_0_and_a_certain_label_have_signs():
    assert signs(0.0, 0.0, 1.0) == pytest.approx((log(1e-6), log(1e-4), log(0.01)))
    assert signs(-1e-9, 0.0, 1.0 + 1e-9) == signs(0.0, 0.0, 1.0)  # as rounding may leave them


def test_each_sign_counts_in_its_own_standard_deviations():
    images = np.array([[-1.0, 10.0, 0.0], [1.0, 30.0, 0.5]])
    found = fit(images)
    assert found.means == (0, 20, 0.25)
    assert found.weights == pytest.approx((1, 1 / 10, 4))
    # 2 + 3 - 1 deviations
    assert novelty(found, (2.0, 50.0, 0.0)) == pytest.approx(4)


def test_a_sign_that_never_differs_does_not_count():
    found = fit(np.array([[0.0, 3.0, log(0.01)], [2.0, 5.0, log(0.01)]]))
    assert novelty(found, (1.0, 4.0, 0.0)) == 0


def test_one_image_has_no_sign_that_differs():
    assert novelty(fit(np.ones((1, 3))), (9.0, 9.0, 9.0)) == 0


def test_no_image_is_refused():
    with pytest.raises(ValueError, match="at least one image"):
        fit(np.zeros((0, 3)))


@given(st.lists(SIGNS, min_size=1, max_size=20))
def test_calibration_images_have_the_novelty_0_on_average(images):
    found = fit(np.array(images))
    assert np.mean([novelty(found, each) for each in images]) == pytest.approx(0, abs=1e-6)


@given(st.lists(SIGNS, min_size=2, max_size=20), SIGNS, st.integers(0, 2), st.floats(0, 5))
def test_a_stronger_sign_never_makes_an_image_less_novel(images, of_image, sign, more):
    stronger = list(of_image)
    stronger[sign] += more
    found = fit(np.array(images))
    assert novelty(found, of_image) <= novelty(found, tuple(stronger))


def test_a_sign_that_hardly_differs_does_not_drown_the_others():
    nearly_sure = np.array([[0.0, 3.0, -4.60], [2.0, 5.0, -4.58]])
    assert fit(nearly_sure).weights == pytest.approx((1, 1, 10))  # not 1 / 0.01
