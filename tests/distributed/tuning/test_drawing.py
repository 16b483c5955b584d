"""Trials drawn from a space: seeded, in range, evenly spread."""

import numpy as np

from onebox.distributed.tuning.dimensions import Choices, Range
from onebox.distributed.tuning.drawing import draw

SPACE = {
    "train.learning_rate": Range(1e-4, 1e-2, log=True),
    "train.batch_size": Range(8, 32, step=8),
    "model.size": Choices((128, 160, 192)),
}


def test_the_first_trial_changes_nothing_and_all_differ():
    trials = draw(SPACE, 12, seed=0)
    assert len(trials) == 12
    assert trials[0] == {}
    assert len({str(trial) for trial in trials}) == 12
    assert all(trial.keys() == SPACE.keys() for trial in trials[1:])


def test_the_same_seed_draws_the_same_trials_and_another_seed_others():
    assert draw(SPACE, 8, seed=3) == draw(SPACE, 8, seed=3)
    assert draw(SPACE, 8, seed=3) != draw(SPACE, 8, seed=4)


def test_every_value_lies_in_its_range():
    for trial in draw(SPACE, 200, seed=1)[1:]:
        assert 1e-4 <= trial["train.learning_rate"] <= 1e-2
        assert trial["train.batch_size"] in {8, 16, 24, 32}
        assert trial["model.size"] in {128, 160, 192}


def test_log_uniform_numbers_have_as_many_in_each_equal_factor():
    rates = [trial["train.learning_rate"] for trial in draw(SPACE, 101, seed=2)[1:]]
    # 100 drawn numbers over two decades: a hypercube has 50 in each
    assert np.histogram(rates, bins=[1e-4, 1e-3, 1e-2])[0].tolist() == [50, 50]


def test_a_dozen_trials_cover_each_third_of_a_range():
    rates = np.log10([trial["train.learning_rate"] for trial in draw(SPACE, 13, seed=5)[1:]])
    thirds = np.histogram(rates, bins=[-4, -4 + 2 / 3, -4 + 4 / 3, -2])[0]
    assert thirds.tolist() == [4, 4, 4]


def test_a_space_with_few_values_gives_fewer_trials():
    trials = draw({"model.size": Choices((128, 160))}, 12, seed=0)
    assert sorted(str(trial) for trial in trials) == [
        "{'model.size': 128}", "{'model.size': 160}", "{}",
    ]  # fmt: skip
