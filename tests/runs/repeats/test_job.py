"""Repeated training: which runs are trained, what failures leave, what all say together."""

import dataclasses
import json
import time

import pytest

from onebox.errors import DataError, OneboxError, SettingError, StoppedError
from onebox.recipes.loading import read_recipe
from onebox.runs.options import RunOptions
from onebox.runs.repeats.job import RepeatOptions, train_repeatedly
from onebox.tasks import IN_ORDER


@pytest.fixture
def recipe():
    return read_recipe("default").with_seed(1)


@pytest.fixture
def repeat(tmp_path, recipe, new_diary):
    """Repeat training, and return what it says."""

    def train(data, kind="seeds", count=3, *, runner=IN_ORDER, diary=None, changes=None, **run):
        options = RunOptions(time.monotonic(), **{"out": tmp_path / "all", **run})
        settings = recipe if changes is None else recipe.changed(changes)
        listener = diary or new_diary()
        return train_repeatedly(
            data, settings, RepeatOptions(kind, count, options), runner, listener
        )

    return train


def test_each_seed_has_a_run_of_its_own_on_the_same_images(pets, trained, repeat, tmp_path):
    repeat(pets)
    assert trained.folders() == ["seed-1", "seed-2", "seed-3"]
    assert [recipe.train.seed for _, recipe, _ in trained.asked] == [1, 2, 3]
    assert all(data.samples == pets.samples for data, _, _ in trained.asked)
    assert all((tmp_path / "all" / name / "result.json").is_file() for name in trained.folders())


def test_the_summary_of_seeds_is_worked_out_by_hand(pets, trained, repeat, tmp_path):
    found = repeat(pets)
    # Four test images: 0.5 + s/10 less 0, 0.05, 0.1, 0.15, so the mean is 0.425 + s / 10.
    mean = found.over_runs["mean_iou"]
    assert [run.metrics["mean_iou"] for run in found.runs] == pytest.approx([0.525, 0.625, 0.725])
    assert mean.value == pytest.approx(0.625)
    # Standard deviation 0.1; 4.3027 * 0.1 / sqrt(3) = 0.2484.
    assert (mean.low, mean.high) == (
        pytest.approx(0.625 - 0.2484, abs=1e-4),
        pytest.approx(0.625 + 0.2484, abs=1e-4),
    )
    assert found.over_images == {}
    written = json.loads((tmp_path / "all/repeats.json").read_text())
    assert written == json.loads(json.dumps(found.as_json()))
    assert written["over_runs"]["mean_iou"]["count"] == 3


def test_folds_measure_every_image_once_and_pool_what_they_measured(pets, trained, repeat):
    found = repeat(pets, "folds", 4)
    assert trained.folders() == ["fold-0", "fold-1", "fold-2", "fold-3"]
    assert {recipe.train.seed for _, recipe, _ in trained.asked} == {1}
    # Each fold has four images: 0.6, 0.55, 0.5, 0.45.
    assert found.over_images["mean_iou"].value == pytest.approx(0.525)
    assert found.over_images["mean_iou"].count == 16
    # All are predicted to be cats, as half of them are.
    assert found.over_images["class_accuracy"].value == 0.5
    assert [run.images for run in found.runs] == [4, 4, 4, 4]


def test_the_listener_hears_that_the_test_images_are_dealt_too(pets, trained, repeat, new_diary):
    diary = new_diary()
    repeat(pets, "folds", 2, diary=diary)
    assert "one row was skipped." in diary.notes
    assert any(
        "the 4 test images of the label file train the other folds" in n for n in diary.notes
    )
    assert len([note for note in diary.notes if note == "one row was skipped."]) == 1


def test_a_failed_run_does_not_cost_the_others_and_is_trained_at_a_resume(
    pets, trained, repeat, tmp_path
):
    def fail(number):
        if number == 1:
            raise RuntimeError("out of memory")

    trained.fail = fail
    found = repeat(pets)
    assert [run.name for run in found.failed] == ["seed-2"]
    assert "RuntimeError: out of memory" in found.failed[0].error
    assert "RuntimeError" in (tmp_path / "all/seed-2/error.txt").read_text()
    assert found.over_runs["mean_iou"].count == 2
    trained.asked.clear()
    again = repeat(pets, out=None, resume=tmp_path / "all")
    assert trained.folders() == ["seed-2"]
    assert trained.asked[0][2].resume == tmp_path / "all/seed-2"
    assert again.failed == []
    assert again.over_runs["mean_iou"].value == pytest.approx(0.625)


def test_a_run_that_is_stopped_before_its_first_epoch_stops_those_after_it(
    pets, trained, repeat, tmp_path, new_diary
):
    def stop(number):
        if number == 1:
            raise StoppedError("training was stopped before its first epoch ended.")

    trained.fail, diary = stop, new_diary()
    with pytest.raises(KeyboardInterrupt):
        repeat(pets, diary=diary)
    assert trained.folders() == ["seed-1", "seed-2"]
    assert diary.notes[-1].endswith(f"Continue with --resume {tmp_path / 'all'}.")


def test_a_command_that_is_killed_resumes_with_the_runs_that_are_left(
    pets, trained, repeat, tmp_path
):
    class KilledError(BaseException):
        pass

    def kill(number):
        if number == 1:
            raise KilledError

    trained.fail = kill
    with pytest.raises(KilledError):
        repeat(pets, "folds", 4)
    dealt = json.loads((tmp_path / "all/plan.json").read_text())["folds"]
    (tmp_path / "all/fold-1/checkpoints/last.safetensors").unlink()  # killed before the first
    trained.asked.clear()
    trained.fail = lambda number: None
    found = repeat(pets, "folds", 4, out=None, resume=tmp_path / "all")
    assert trained.folders() == ["fold-1", "fold-2", "fold-3"]
    assert trained.asked[0][2].resume is None
    tested = [one.split == "test" for one in trained.asked[0][0]]
    assert tested == [fold == 1 for fold in dealt]
    assert found.over_images["mean_iou"].count == 16


def test_an_interrupted_run_ends_all_and_is_not_finished(
    pets, trained, repeat, tmp_path, monkeypatch, new_diary
):
    from onebox.runs.repeats import one_run

    real, diary = one_run.run, new_diary()
    monkeypatch.setattr(
        one_run, "run", lambda *words: dataclasses.replace(real(*words), is_interrupted=True)
    )
    with pytest.raises(KeyboardInterrupt):
        repeat(pets, diary=diary)
    assert trained.folders() == ["seed-1"]
    assert not (tmp_path / "all/seed-1/result.json").exists()
    assert f"Continue with --resume {tmp_path / 'all'}." in diary.notes[-1]


def test_if_all_runs_fail_the_error_is_that_of_the_first(pets, trained, repeat):
    def fail(number):
        raise SettingError(f"run {number} cannot be.")

    trained.fail = fail
    with pytest.raises(SettingError, match=r"run 0 cannot be\."):
        repeat(pets)


def test_the_minutes_are_those_of_all_runs_together(pets, trained, repeat):
    repeat(pets, changes={"train.minutes": 30})
    minutes = [recipe.train.minutes for _, recipe, _ in trained.asked]
    # Nothing takes time here, so what a run leaves is for the runs after it: 30 / 3, 30 / 2, 30.
    assert minutes == pytest.approx([10, 15, 30], abs=0.2)


def test_runs_at_once_have_the_time_of_all_that_follow_each_other(pets, trained, repeat):
    @dataclasses.dataclass
    class TwoAtOnce:
        at_once: int = 2
        start_s: float = 6.0

        def map(self, function, items, listeners):
            return IN_ORDER.map(function, items, listeners)

    repeat(pets, count=4, runner=TwoAtOnce(), changes={"train.minutes": 20})
    minutes = [recipe.train.minutes for _, recipe, _ in trained.asked]
    # Two rounds: 20 / 2 less 0.1 for the start of a process. Then one: 20 less 0.1.
    assert minutes == pytest.approx([9.9, 9.9, 19.9, 19.9], abs=0.2)


def test_no_time_at_all_is_an_error(pets, trained, repeat):
    with pytest.raises(SettingError, match="is for all runs together"):
        repeat(pets, changes={"train.minutes": 0.01})
    assert trained.asked == []


def test_a_resume_refuses_other_labels_and_a_damaged_plan(pets, trained, repeat, tmp_path):
    repeat(pets, count=2)
    changed = dataclasses.replace(pets, samples=pets.samples[1:])
    with pytest.raises(SettingError, match="images or labels have changed"):
        repeat(changed, out=None, resume=tmp_path / "all")
    endless = '{"kind": "folds", "count": Infinity, "seed": 0, "folds": [], "digest": ""}'
    for text in ('{"kind": "seeds"}', endless):
        (tmp_path / "all/plan.json").write_text(text)
        with pytest.raises(SettingError, match=r"plan\.json: cannot be read"):
            repeat(pets, out=None, resume=tmp_path / "all")


def test_data_that_cannot_be_trained_on_is_refused_before_any_folder_is_made(
    pets, trained, repeat, tmp_path
):
    none = tuple(dataclasses.replace(one, box=None, label=None) for one in pets)
    for kind in ("seeds", "folds"):
        with pytest.raises(DataError, match="box"):
            repeat(dataclasses.replace(pets, samples=none), kind, 2)
    with pytest.raises(SettingError, match=r"between 2 and .* here 8; got 9"):
        repeat(pets, "folds", 9)
    assert not (tmp_path / "all").exists()
    assert issubclass(SettingError, OneboxError)


def test_the_page_shows_runs_intervals_and_failures_and_loads_nothing(
    pets, trained, repeat, tmp_path
):
    def fail(number):
        if number == 2:
            raise OneboxError("the <disk> is full.")

    trained.fail = fail
    repeat(pets, "folds", 4)
    page = " ".join((tmp_path / "all/report.html").read_text("utf-8").split())
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert "1 of 4 runs failed." in page
    assert "failed: the &lt;disk&gt; is full." in page
    assert 'href="fold-0/report.html"' in page
    assert "fold-2/report.html" not in page
    assert "Bengio and Grandvalet" in page
    assert '<th scope="row">Mean IoU</th><td>0.525</td>' in page
    assert "over 12 images" in page


@pytest.mark.parametrize(
    "change",
    [
        {"predictions": [1, 2, 3, 4]},
        {"predictions": [{"keypoints": None}] * 4},
        {"predictions": []},
        {"predictions": 0.5},
        {"metrics": {}},
        {"metrics": None},
    ],
)
def test_a_damaged_result_is_an_error_that_says_how_to_go_on(
    change, pets, trained, repeat, tmp_path
):
    repeat(pets, "folds", 4, out=tmp_path / "all")
    file = tmp_path / "all/fold-0/result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(SettingError, match=r"all: the result\.json of a run in it is damaged"):
        repeat(pets, out=None, resume=tmp_path / "all")
