"""``onebox tune``: what it refuses before anything trains."""

import pytest

pytest.importorskip("ray", reason="needs onebox[ray]")


def refused(run, *words):
    code, out, error = run("tune", "synth:blobs", *words)
    assert code == 2
    assert not out
    return " ".join(error.split())


def test_a_hog_recipe_is_refused(run):
    assert "--recipe hog-svm: onebox tune searches the settings of networks" in refused(
        run, "--recipe", "hog-svm"
    )


def test_a_time_budget_in_the_recipe_is_refused(run):
    assert "train.minutes is 5: all trials have the same number of steps" in refused(
        run, "--set", "train.minutes=5"
    )


def test_a_folder_that_holds_something_is_refused(run, tmp_path):
    (tmp_path / "file").touch()
    assert f"continue the search in it with --resume {tmp_path}" in refused(run, "--out", tmp_path)


def test_a_folder_without_a_search_cannot_be_resumed(run, tmp_path):
    assert "holds no search to resume" in refused(run, "--resume", tmp_path)


def test_a_resumed_search_keeps_its_question(run, tmp_path):
    error = refused(run, "--resume", tmp_path, "--trials", "5", "--seed", "1")
    assert "as it began; leave out --trials, --seed." in error


def test_a_wrong_cluster_or_time_is_refused(run):
    assert "--on spark: must be ray" in refused(run, "--on", "spark")
    assert "--minutes must be above 0, got 0." in refused(run, "--minutes", "0")


def test_one_trial_is_no_search(run):
    assert "--trials" in refused(run, "--trials", "1")


def test_weights_and_no_weights_exclude_each_other(run):
    assert "exclude each other" in refused(run, "--weights", "a", "--no-pretrained")


@pytest.mark.train
def test_a_wrong_space_is_refused_by_file_and_setting(run, tmp_path):
    space = tmp_path / "space.toml"
    space.write_text('"model.sise" = { choices = [64, 96] }')
    error = refused(run, "--no-pretrained", "--space", space, "--out", tmp_path / "search")
    assert f"{space}: [model] has no setting 'sise'. Did you mean size?" in error
