"""Trials compared, and the files that show them."""

import csv
from html.parser import HTMLParser

import pytest

from onebox.distributed.tuning.charts import by_setting, learning_curves, progress_of_search
from onebox.distributed.tuning.comparison import compare, metric_at, setting_values
from onebox.distributed.tuning.dimensions import Choices, Range
from onebox.distributed.tuning.records import Found, Outcome, Point, Question, TuneFiles
from onebox.distributed.tuning.results import best_recipe, count_by_status, write_results
from onebox.distributed.tuning.space import as_tables
from onebox.recipes.loading import read_recipe
from onebox.recipes.recipe import Recipe

SPACE = {
    "train.learning_rate": Range(1e-4, 1e-2, log=True),
    "model.size": Choices((128, 160)),
}
TRIALS = (
    {},
    {"train.learning_rate": 1e-3, "model.size": 128},
    {"train.learning_rate": 1e-4, "model.size": 160},
    {"train.learning_rate": 1e-2, "model.size": 128},
    {"train.learning_rate": 5e-3, "model.size": 160},
)


def curve(*values):
    return tuple(Point(progress, value, progress / 10) for progress, value in values)


def found_of(*outcomes):
    recipe = Recipe().model_dump(mode="json", exclude_none=True)
    question = Question(recipe, as_tables(SPACE), None, 0, TRIALS, {})
    return Found(question, SPACE, outcomes)


ENDED = Outcome(0, "ended", curve((25, 0.3), (100, 0.6)))
BEST = Outcome(1, "ended", curve((25, 0.4), (100, 0.7)))
STOPPED = Outcome(2, "stopped", curve((25, 0.1)))
FAILED = Outcome(3, "failed", (), "no <memory>")
EQUAL = Outcome(4, "ended", curve((25, 0.35), (100, 0.7)))
FOUND = found_of(BEST, ENDED, STOPPED, FAILED, EQUAL)


def test_the_best_is_the_best_that_ended_and_of_equals_the_first_drawn():
    assert FOUND.best is BEST
    assert FOUND.unchanged is ENDED
    luckier = Outcome(2, "stopped", curve((25, 0.9)))
    assert found_of(ENDED, luckier).best is ENDED
    assert found_of(FAILED).best is None
    assert count_by_status(FOUND) == {"ended": 3, "stopped": 1, "failed": 1}


def test_trials_are_compared_at_the_progress_that_all_of_them_reached():
    comparison = compare(FOUND)
    assert comparison.progress == 25
    rate = next(one for one in comparison.settings if one.name == "train.learning_rate")
    # the first trial has the recipe's own rate; the failed one has no metric
    assert rate.pairs == ((1e-3, 0.4), (2e-3, 0.3), (1e-4, 0.1), (5e-3, 0.35))
    # ranks of the rates 2 3 1 4 and of the metric 4 2 1 3: d^2 = 4 + 1 + 0 + 1, rho = 0.4
    assert rate.importance.explained == pytest.approx(0.16)
    assert compare(found_of(BEST, ENDED)).progress == 100


def test_the_metric_at_a_progress_is_that_of_the_latest_validation_until_then():
    assert metric_at(BEST, 60) == 0.4
    assert metric_at(BEST, 100) == 0.7
    assert metric_at(BEST, 10) is None


def test_the_settings_of_the_first_trial_are_those_of_the_recipe():
    assert setting_values(FOUND, 0) == {"train.learning_rate": 2e-3, "model.size": 192}


def test_the_best_recipe_says_where_it_comes_from_and_can_be_read(tmp_path):
    recipe = best_recipe(FOUND, "cats")
    assert recipe.model.size == 128
    assert recipe.train.learning_rate == 1e-3
    assert recipe.source == (
        "The best of 5 trials of onebox tune on cats: trial 1, val mean IoU 0.7000."
    )
    write_results(FOUND, TuneFiles(tmp_path), {"Data": "cats"})
    assert read_recipe(tmp_path / "best.toml") == recipe


def test_the_table_has_a_row_for_every_trial(tmp_path):
    write_results(FOUND, TuneFiles(tmp_path), {})
    with (tmp_path / "trials.csv").open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert rows[2] == {
        "trial": "2", "status": "stopped", "val_mean_iou": "0.100000", "progress": "25",
        "seconds": "2.5", "train.learning_rate": "0.0001", "model.size": "160", "error": "",
    }  # fmt: skip
    assert rows[3]["error"] == "no <memory>"


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in {"src", "href"}]

    def handle_data(self, data):
        self.text.append(data.strip())


def test_the_page_shows_every_trial_works_offline_and_escapes_what_it_inserts(tmp_path):
    write_results(FOUND, TuneFiles(tmp_path), {"Data": "<cats>"})
    text = (tmp_path / "tuning.html").read_text("utf-8")
    page = Page(text)
    assert page.addresses == []
    assert "no &lt;memory&gt;" in text
    assert "<cats>" in page.text
    # two curves and two settings; dots: four trials in the first and in each setting
    assert page.tags.count("svg") == 4
    assert page.tags.count("circle") == 4 + 2 * 4


def test_a_p_value_that_would_be_shown_as_zero_is_shown_as_a_bound(tmp_path):
    # Of 8! orders, only two rank the trials as their learning rates do, or the other way round.
    rates = [{"train.learning_rate": 1e-4 * (number + 1)} for number in range(8)]
    question = Question(FOUND.question.recipe, as_tables(SPACE), None, 0, tuple(rates), {})
    outcomes = [
        Outcome(number, "ended", curve((100, 0.1 + number / 10))) for number in range(len(rates))
    ]
    write_results(Found(question, SPACE, tuple(outcomes)), TuneFiles(tmp_path), {})
    text = (tmp_path / "tuning.html").read_text("utf-8")
    assert "<td>&lt; 0.001</td>" in text
    assert "<td>0.000</td>" not in text


def test_a_search_in_which_everything_failed_has_a_page_and_no_recipe(tmp_path):
    write_results(found_of(FAILED), TuneFiles(tmp_path), {})
    assert "No trial has trained to the end yet." in (tmp_path / "tuning.html").read_text("utf-8")
    assert not (tmp_path / "best.toml").exists()


def test_the_best_so_far_rises_with_trials_that_ended_alone():
    chart = progress_of_search(found_of(ENDED, STOPPED, BEST))
    # three places of 428 / 3 from 60: 131.3, 274, 416.7; the axis runs from 0.1 to 0.7
    assert [dot.x for dot in chart.dots] == [131.3, 274.0, 416.7]
    assert [dot.y for dot in chart.dots] == [53.3, 220.0, 20.0]
    assert [dot.kind for dot in chart.dots] == ["first", "stopped", "ended"]
    assert chart.lines[0].points == "131.3,53.3 274,53.3 416.7,53.3 416.7,20"


def test_the_curve_of_the_best_lies_on_top():
    kinds = [line.kind for line in learning_curves(FOUND).lines]
    assert kinds == ["other", "other", "baseline", "model"]


def test_the_values_of_a_log_range_are_placed_by_factors():
    rate = next(one for one in by_setting(compare(FOUND)) if one.title == "train.learning_rate")
    # 1e-3 is halfway from 1e-4 to 1e-2: (44 + 504) / 2
    assert rate.dots[0].x == 274.0
    assert [text for _, text in rate.x_ticks] == ["0.0001", "0.001", "0.01"]


def test_the_recipes_own_value_has_a_place_beside_the_choices():
    size = next(one for one in by_setting(compare(FOUND)) if one.title == "model.size")
    assert [text for _, text in size.x_ticks] == ["128", "160", "192"]
