"""A trial: what it reports, how it is stopped, and what it leaves alone."""

from pathlib import Path

import pytest

from onebox.learning.network_runs.trial import TrialPlace, run_trial, settings_of_weights
from onebox.progress import StopTraining
from onebox.structures import Dataset, Sample

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def short_recipe(tiny_recipe):
    return tiny_recipe.changed({"train.epochs": 4})


@pytest.fixture(scope="module")
def few_discs(discs, shortened):
    return shortened(discs, train=32, val=12)


@pytest.fixture
def place(tmp_path):
    return TrialPlace(tmp_path / "trial", 1)


def test_each_validation_is_reported_with_the_best_so_far(few_discs, short_recipe, place):
    reports = []
    run_trial(few_discs, short_recipe, place, lambda *report: reports.append(report))
    assert [fraction for fraction, _ in reports] == [0.25, 0.5, 0.75, 1.0]
    values = [value for _, value in reports]
    assert values == sorted(values)  # the recipe keeps the best epoch
    assert 0 < values[-1] < 1


def test_the_same_seed_gives_the_same_trial(few_discs, short_recipe, tmp_path):
    runs = []
    for name in ("first", "second"):
        reports = []
        place = TrialPlace(tmp_path / name, 1)
        run_trial(few_discs, short_recipe, place, lambda *report, to=reports: to.append(report))
        runs.append(reports)
    assert runs[0] == runs[1]


def test_a_stopped_trial_reports_nothing_more(few_discs, short_recipe, place):
    reports = []

    def stop_at_the_second(*report):
        reports.append(report)
        if len(reports) == 2:
            raise StopTraining

    run_trial(few_discs, short_recipe, place, stop_at_the_second)
    assert [fraction for fraction, _ in reports] == [0.25, 0.5]


def test_a_schedule_that_ends_early_is_reported_as_whole(few_discs, short_recipe, place):
    # From scratch with a learning rate of next to nothing, no epoch is better than the first.
    flat = short_recipe.changed({"train.patience": 1, "train.learning_rate": 1e-9})
    reports = []
    run_trial(few_discs, flat, place, lambda *report: reports.append(report))
    assert reports[-1][0] == 1.0
    assert reports[-2][0] < 1.0


def test_a_trial_reads_no_test_image(few_discs, short_recipe, place):
    missing = Sample(Path("missing.jpg"), "disc", (1.0, 1.0, 5.0, 5.0), split="test")
    data = Dataset((*few_discs.samples, missing), few_discs.classes)
    reports = []
    run_trial(data, short_recipe, place, lambda *report: reports.append(report))
    assert len(reports) == 4


def test_a_network_from_scratch_decides_the_frozen_stages_alone(few_discs, short_recipe):
    changes = {"train.frozen_stages": 2, "model.width": 48}
    decided = settings_of_weights(few_discs, short_recipe, None, changes)
    assert decided == {"train.frozen_stages": 0}
