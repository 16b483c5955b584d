import numpy as np

from onebox.labelling.ordering import (
    PATTERN,
    Rank,
    is_of_sample,
    most_different,
    most_doubtful,
    shuffled,
    without_copies,
)

KEYS = [f"image {number}" for number in range(5000)]


def test_of_ten_images_two_are_of_the_sample_four_doubtful_two_different_and_two_random():
    counts = {kind: PATTERN.count(kind) for kind in PATTERN}
    assert counts == {"sample": 2, "doubtful": 4, "different": 2, "random": 2}


def test_the_order_depends_on_the_seed_alone():
    assert shuffled(KEYS, 1) == shuffled(reversed(KEYS), 1)
    assert shuffled(KEYS, 1) != shuffled(KEYS, 2)
    assert sorted(shuffled(KEYS, 1)) == sorted(KEYS)


def test_chance_puts_one_image_in_five_into_the_sample():
    share = sum(is_of_sample(key, 3) for key in KEYS) / len(KEYS)
    # The standard deviation is sqrt(0.2 * 0.8 / 5000) = 0.0057.
    assert abs(share - 0.2) < 0.02


def test_the_sample_says_nothing_about_the_order():
    first = shuffled(KEYS, 3)[:2500]
    share = sum(is_of_sample(key, 3) for key in first) / len(first)
    assert abs(share - 0.2) < 0.03


def test_the_lowest_expected_iou_is_the_most_doubtful():
    ranks = {"a": Rank(0.7, 0.1), "b": Rank(0.3, 0.0), "c": Rank(0.5, 0.9)}
    assert most_doubtful(ranks) == ["b", "c", "a"]


def test_without_a_calibration_the_largest_spread_is_the_most_doubtful():
    ranks = {"a": Rank(spread=0.1), "b": Rank(spread=0.4), "c": Rank()}
    assert most_doubtful(ranks) == ["b", "a"]


def test_the_largest_novelty_is_the_most_different():
    ranks = {"a": Rank(novelty=-1.0), "b": Rank(novelty=2.0), "c": Rank()}
    assert most_different(ranks) == ["b", "a"]


def test_no_image_has_no_order():
    assert most_doubtful({}) == most_different({}) == shuffled([], 0) == []


def test_near_copies_of_an_earlier_image_come_last():
    # b is a in other words: their correlation is 0.96; c is at a right angle to both.
    looks = np.array([[1.0, 0.0, 0.0], [0.96, 0.28, 0.0], [0.0, 0.0, 1.0]])
    assert without_copies(["a", "b", "c"], looks, 0.95) == ["a", "c", "b"]
    assert without_copies(["a", "b", "c"], looks, 0.97) == ["a", "b", "c"]
    assert without_copies([], looks[:0], 0.95) == []
