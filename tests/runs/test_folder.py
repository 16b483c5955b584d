"""The folder of a run: which one a new run takes, and which ones can be resumed."""

from pathlib import Path

import pytest

from onebox.errors import SettingError
from onebox.runs.folder import check_folder, check_resumable, choose_folder, last_checkpoint

# --- a new run


def test_a_missing_or_an_empty_folder_of_the_user_is_taken(tmp_path):
    assert choose_folder(tmp_path / "new", "labels.csv") == tmp_path / "new"
    assert choose_folder(tmp_path, "labels.csv") == tmp_path


@pytest.mark.parametrize("taken", ["folder", "file"])
def test_a_folder_with_content_is_refused_and_the_message_says_what_to_do(tmp_path, taken):
    out = tmp_path / "out"
    if taken == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "thesis.tex").write_text("mine")
    with pytest.raises(SettingError) as caught:
        choose_folder(out, "labels.csv")
    assert f"--out {out}: exists and is not an empty folder" in str(caught.value)
    assert f"--resume {out}" in str(caught.value)


NAMED = [
    ("synth:blobs", "synth-blobs-1"),
    ("some where/raccoon/labels.csv", "raccoon-1"),
    ("raccoon/", "raccoon-1"),
    ("my data", "my-data-1"),
    ("", "run-1"),
]


@pytest.mark.parametrize(("name", "folder"), NAMED)
def test_a_run_is_named_after_its_data(tmp_path, monkeypatch, name, folder):
    monkeypatch.chdir(tmp_path)
    assert choose_folder(None, name) == Path("runs") / folder


def test_a_new_run_takes_the_next_free_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/synth-blobs-1").mkdir(parents=True)
    assert choose_folder(None, "synth:blobs") == Path("runs/synth-blobs-2")


# --- a resumed run


@pytest.fixture
def resumable(tmp_path):
    """A folder with what a resumed run reads first."""
    (tmp_path / "checkpoints").mkdir()
    last_checkpoint(tmp_path).touch()
    (tmp_path / "recipe.toml").touch()
    return tmp_path


def test_a_folder_with_a_checkpoint_and_a_recipe_can_be_resumed(resumable):
    check_resumable(resumable)


@pytest.mark.parametrize("missing", ["checkpoints/last.safetensors", "recipe.toml"])
def test_a_folder_without_checkpoint_or_recipe_is_refused_with_what_is_missing(resumable, missing):
    (resumable / missing).unlink()
    with pytest.raises(SettingError, match=rf"--resume {resumable}: holds no {missing}"):
        check_resumable(resumable)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(
        SettingError, match=r"holds no checkpoints/last\.safetensors to resume from"
    ):
        check_resumable(tmp_path / "nowhere")


def test_a_hog_run_is_refused(resumable):
    (resumable / "model.npz").touch()
    with pytest.raises(SettingError, match=r"have no checkpoints to resume from\. Start a new run"):
        check_resumable(resumable)


# --- both


def test_without_a_folder_there_is_nothing_to_check():
    check_folder(None, None)


def test_both_the_new_folder_and_the_resumed_one_are_checked(resumable, tmp_path):
    check_folder(None, resumable)
    with pytest.raises(SettingError, match=f"--out {resumable}: exists"):
        check_folder(resumable, None)
    with pytest.raises(SettingError, match=f"--resume {tmp_path / 'new'}: holds no"):
        check_folder(None, tmp_path / "new")
