"""How much a setting matters: hand-worked cases and laws."""

import numpy as np
import pytest

from onebox.distributed.tuning.importance import (
    PERMUTATIONS,
    eta_squared,
    of_choices,
    of_numbers,
    ranks_of,
)


def test_equal_values_share_the_mean_of_their_ranks():
    np.testing.assert_allclose(ranks_of(np.array([3.0, 1.0, 3.0, 2.0, 3.0])), [4, 1, 4, 2, 4])


def test_a_monotonic_relation_explains_everything_whatever_its_shape():
    values = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0])
    found = of_numbers(values, np.array([0.9, 0.8, 0.5, 0.3, 0.2, 0.1, 0.0]))
    assert found.explained == pytest.approx(1.0)
    assert found.trials == 7
    # two of 7! = 5040 orders are monotonic, so next to no reordering explains as much
    assert found.p_value < 0.005


def test_spearman_squared_of_a_hand_worked_case():
    # ranks 1 2 3 4 and 2 1 4 3: differences of 1, rho = 1 - 6 * 4 / (4 * 15) = 0.6
    found = of_numbers(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.2, 0.1, 0.4, 0.3]))
    assert found.explained == pytest.approx(0.36)
    # of the 24 orders, rho is 1 in one, 0.8 in three and 0.6 in one, and as often the negative
    assert found.p_value == pytest.approx(10 / 24, abs=0.04)


def test_eta_squared_of_a_hand_worked_case():
    # groups 1, 2 and 3, 6; means 1.5 and 4.5, of all 3: between 2 * 1.5^2 * 2 = 9
    # total 4 + 1 + 0 + 9 = 14
    groups = np.array([0, 0, 1, 1])
    assert eta_squared(groups, np.array([1.0, 2.0, 3.0, 6.0])) == pytest.approx(9 / 14)


def test_choices_without_a_difference_explain_nothing():
    found = of_choices(["a", "b", "a", "b"], np.array([1.0, 1.0, 2.0, 2.0]))
    assert found.explained == 0
    assert found.p_value == 1


@pytest.mark.parametrize(
    ("values", "metric"),
    [([], []), ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), ([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]),
     ([1.0, 2.0, 3.0, 4.0], [0.5] * 4)],
)  # fmt: skip
def test_too_few_trials_or_no_differences_cannot_be_measured(values, metric):
    assert of_numbers(np.array(values), np.array(metric)) is None


def test_choices_that_were_tried_once_each_or_never_changed_cannot_be_measured():
    metric = np.array([0.1, 0.2, 0.3, 0.4])
    assert of_choices(["a", "b", "c", "d"], metric) is None
    assert of_choices(["a"] * 4, metric) is None


def test_a_setting_that_does_nothing_explains_a_share_of_one_in_n_minus_one_on_average():
    rng = np.random.default_rng(0)
    found = [of_numbers(rng.random(12), rng.random(12)) for _ in range(60)]
    assert np.mean([one.explained for one in found]) == pytest.approx(1 / 11, abs=0.05)
    # p-values of nothing are uniform: half lie below one half
    assert np.mean([one.p_value < 0.5 for one in found]) == pytest.approx(0.5, abs=0.2)


def test_a_p_value_is_never_zero_and_the_same_seed_gives_the_same():
    values = np.arange(12.0)
    assert of_numbers(values, values).p_value >= 1 / (1 + PERMUTATIONS)
    assert of_numbers(values, values[::-1], seed=1) == of_numbers(values, values[::-1], seed=1)
