"""A search on a local cluster: resumed without repeating a trial, it trains the best."""

import csv
import json
import time
import tomllib
from pathlib import Path

import pytest

from onebox.distributed.cluster import Cluster
from onebox.distributed.tuning import job
from onebox.distributed.tuning.early_stopping import make_scheduler
from onebox.distributed.tuning.records import Outcome, Point, TuneFiles, TuneOptions
from onebox.distributed.tuning.search import Shares, divide
from onebox.errors import SettingError
from onebox.progress import StopTraining
from onebox.recipes.loading import read_recipe

pytestmark = pytest.mark.train

SPACE = (
    '"train.learning_rate" = { low = 1e-3, high = 1e-2, log = true }\n'
    '"loss.box.mse" = { choices = [0.0, 1.0] }\n'
)


@pytest.fixture(scope="module")
def short_recipe(tiny_recipe):
    return tiny_recipe.changed({"train.epochs": 4})


@pytest.fixture(scope="module")
def few_discs(discs, shortened):
    return shortened(discs, train=32, val=12, cal=0, test=6)


def read_lines(folder):
    text = TuneFiles(folder).journal.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def options(**more):
    return TuneOptions(time.monotonic(), "ray", **more)


def test_a_search_that_is_stopped_goes_on_without_repeating_a_trial_and_trains_the_best(
    local_cluster, few_discs, short_recipe, new_diary, tmp_path
):
    space = tmp_path / "space.toml"
    space.write_text(SPACE)
    folder = tmp_path / "search"

    def stop():
        raise StopTraining

    diary = new_diary(stop_at_step=1, stop_in="Running 3 trials, 1 at once", stop=stop)
    request = job.Request(short_recipe, 3, space)
    with pytest.raises(KeyboardInterrupt):
        job.start(few_discs, request, folder, options(), diary)
    assert f"Continue with --resume {folder}." in diary.notes[-1]
    before = read_lines(folder)
    assert [line["number"] for line in before[1:]] == [0]  # the recipe itself runs first

    tuned = job.resume(few_discs, folder, space, options(), new_diary())
    after = read_lines(folder)
    assert after[:2] == before
    assert sorted(line["number"] for line in after[2:-2]) == [1, 2]
    best = tuned.found.best.number
    assert after[-2:] == [{"trained": best}, {"trained": best, "finished": True}]
    check_results(tuned, short_recipe)

    again = job.resume(few_discs, folder, None, options(), new_diary())
    assert read_lines(folder) == after
    assert again.trained.metrics == tuned.trained.metrics


def check_results(tuned, recipe):
    found, files = tuned.found, tuned.files
    best, first = found.best, found.unchanged
    assert first.status == "ended"
    assert best.value >= first.value
    chosen = read_recipe(files.recipe)
    for name, value in found.question.trials[best.number].items():
        assert tomllib.loads(f"v = {json.dumps(value)}")["v"] == pytest.approx(
            {"train.learning_rate": chosen.train.learning_rate}.get(
                name, chosen.loss.box.get("mse", 0.0)
            )
        )
    assert chosen.train.epochs == recipe.train.epochs
    with files.table.open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert float(rows[0]["train.learning_rate"]) == recipe.train.learning_rate
    page = files.page.read_text("utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert "train.learning_rate" in page
    assert tuned.trained.model.is_file()
    assert tuned.trained.metrics.keys() == {"val", "test"}


def test_other_data_and_another_space_are_refused(
    few_discs, short_recipe, shortened, new_diary, tmp_path
):
    space = tmp_path / "space.toml"
    space.write_text(SPACE)
    folder = tmp_path / "search"
    written = job.Journal(
        TuneFiles(folder).journal,
        job.Question(
            recipe=short_recipe.model_dump(mode="json", exclude_none=True),
            space=tomllib.loads(SPACE),
            weights=None,
            seed=0,
            trials=({},),
            digests={"train": "other", "val": "other"},
        ),
    )
    written.close()
    with pytest.raises(SettingError, match="images or labels have changed since"):
        job.resume(few_discs, folder, space, options(), new_diary())
    space.write_text('"model.size" = { choices = [64, 96] }')
    with pytest.raises(SettingError, match="is not the space of the search"):
        job.resume(few_discs, folder, space, options(), new_diary())


def test_settings_that_the_weights_decide_are_refused_in_a_space_of_ones_own(
    few_discs, short_recipe, new_diary, tmp_path
):
    space = tmp_path / "space.toml"
    space.write_text('"train.frozen_stages" = { choices = [0, 2] }')
    request = job.Request(short_recipe, 3, space)
    with pytest.raises(
        SettingError, match=r"train\.frozen_stages: cannot be searched: the initial"
    ):
        job.start(few_discs, request, tmp_path / "search", options(), new_diary())


@pytest.mark.parametrize(
    ("cluster", "trials", "workers", "shares"),
    [
        (Cluster(2, 0, 1, is_local=True), 12, None, Shares(2, 1, 0)),
        (Cluster(2, 0, 1, is_local=True), 3, None, Shares(1, 2, 0)),
        (Cluster(2, 0, 1, is_local=True), 12, 5, Shares(5, 1, 0)),
        (Cluster(64, 0, 1, is_local=True), 12, None, Shares(3, 21, 0)),
        (Cluster(16, 0, 8, is_local=False), 12, 4, Shares(4, 2, 0)),  # machines of two cores
        (Cluster(32, 4, 1, is_local=True), 40, None, Shares(4, 8, 1)),
    ],
)
def test_a_cluster_is_divided_among_trials(cluster, trials, workers, shares):
    assert divide(cluster, trials, workers) == shares


class Trial:
    def __init__(self, number):
        self.trial_id, self.config = str(number), {"number": number}


def decisions(scheduler, trial, points):
    scheduler.on_trial_add(None, trial)
    return [
        scheduler.on_trial_result(None, trial, {"progress": progress, "value": value})
        for progress, value in points
    ]


def test_a_trial_below_the_median_of_earlier_ones_is_stopped_but_never_the_first():
    earlier = [
        Outcome(number, "ended", (Point(25, value, 1.0), Point(100, value, 2.0)))
        for number, value in ((1, 0.4), (2, 0.6))
    ]
    scheduler = make_scheduler(earlier)
    # the median of 0.4 and 0.6 at a quarter is 0.5
    assert decisions(scheduler, Trial(3), [(20, 0.1), (25, 0.49)]) == ["CONTINUE", "STOP"]
    assert decisions(scheduler, Trial(4), [(25, 0.55)]) == ["CONTINUE"]
    assert decisions(scheduler, Trial(0), [(25, 0.01), (50, 0.01)]) == ["CONTINUE", "CONTINUE"]


def test_without_earlier_trials_the_first_at_a_rung_goes_on():
    assert decisions(make_scheduler([]), Trial(5), [(25, 0.01)]) == ["CONTINUE"]


def test_paths_of_trials_are_absolute_and_no_test_image_is_sent(few_discs, tmp_path, monkeypatch):
    from onebox import synthetic
    from onebox.distributed.tuning.preflight import data_of_trials
    from onebox.structures import Dataset

    monkeypatch.chdir(tmp_path)
    saved = synthetic.save(few_discs, Path("saved"), 50)
    sent = data_of_trials(Dataset(tuple(saved), few_discs.classes))
    assert all(sample.image.is_absolute() for sample in sent)
    assert {sample.split for sample in sent} == {"train", "val"}
