"""`onebox label`: its end."""

import pytest
from PIL import Image

from onebox.errors import OneboxError
from onebox.labelling.label_file import LabelFile
from onebox.labelling.records import Action, Label, image_id
from onebox.serving.label_api import job

pytestmark = pytest.mark.train


@pytest.fixture
def folder(tmp_path):
    """A folder with one image."""
    Image.new("RGB", (40, 30), "grey").save(tmp_path / "0.png")
    return tmp_path


@pytest.fixture
def labelled(monkeypatch):
    """In place of the page: one label, and the end."""

    def serve(session, *words):
        label = Label("cat", (1.0, 2.0, 30.0, 20.0))
        session.apply(Action("an-action", image_id("0.png"), 0, label, "drawn"))

    monkeypatch.setattr(job, "serve", serve)


@pytest.mark.usefixtures("labelled")
def test_a_last_save_that_fails_is_an_error_and_the_next_session_writes_the_label(
    run, folder, monkeypatch
):
    line = ("label", folder, "--classes", "cat", "--no-train", "--no-browser")
    with monkeypatch.context() as patch:

        def refuse(*words, **names):
            raise OneboxError("labels.csv: cannot be written (No space left on device).")

        patch.setattr(LabelFile, "save", refuse)
        code, _, said = run(*line)
    assert code == 1
    assert "labels.csv: does not have all labels: " in said
    assert "No space left on device" in said
    assert f"They are in {folder / 'labels.onebox'}; the same command goes on with them." in said
    monkeypatch.setattr(job, "serve", lambda *words: None)
    assert run(*line)[0] == 0
    assert "0.png,cat,1,2,30,20" in (folder / "labels.csv").read_text("utf-8")
