"""The rank of an image's novelty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebox.confidence.familiarity import LEAST_IMAGES, is_familiar, rank

NUMBERS = st.floats(-5, 5)


@pytest.mark.parametrize(
    ("novelty", "expected"),
    [(0.5, 5 / 5), (1.0, 5 / 5), (1.5, 4 / 5), (4.0, 3 / 5), (4.5, 1 / 5), (9.0, 1 / 5)],
)
def test_the_rank_counts_the_image_and_those_at_least_as_novel(novelty, expected):
    assert rank((1.0, 2.0, 4.0, 4.0), novelty) == expected


def test_without_calibration_images_every_image_is_familiar():
    assert rank((), 3.0) == 1
    assert is_familiar((), 3.0) is None


def test_a_verdict_takes_19_images():
    novelties = tuple(float(each) for each in range(LEAST_IMAGES))
    assert is_familiar(novelties[:-1], 99.0) is None
    # 1 of 20 is not above 0.05, 2 of 20 are
    assert is_familiar(novelties, 99.0) is False
    assert is_familiar(novelties, 17.5) is True


@given(novelties=st.lists(NUMBERS, max_size=30).map(sorted), low=NUMBERS, high=NUMBERS)
def test_a_more_novel_image_never_ranks_higher(novelties, low, high):
    low, high = sorted([low, high])
    assert 0 < rank(novelties, high) <= rank(novelties, low) <= 1


def test_of_images_like_the_calibration_images_5_percent_are_unfamiliar():
    rng = np.random.default_rng(0)
    verdicts = [
        is_familiar(np.sort(rng.normal(size=59)).tolist(), float(rng.normal())) for _ in range(4000)
    ]
    # ranks up to 3/60 fail
    assert np.mean(verdicts) == pytest.approx(0.95, abs=0.012)
