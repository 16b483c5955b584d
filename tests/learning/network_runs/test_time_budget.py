"""The time budget of a run: the reserve for export and evaluation, and the rest to train in."""

import itertools

import pytest
import torch

import onebox
from onebox.errors import SettingError
from onebox.learning.fitting import training_progress
from onebox.learning.network_runs import run as run_module
from onebox.learning.network_runs import time_budget
from onebox.learning.network_runs.finish import PreparedRun
from onebox.learning.networks.network import Network
from onebox.progress import Silent

pytestmark = pytest.mark.train


class TickingClock:
    """A second passes whenever someone asks for the time."""

    def __init__(self):
        self._seconds = itertools.count(1)

    def monotonic(self):
        return float(next(self._seconds))


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, sentence):
        self.notes.append(sentence)


@pytest.fixture
def prepared(tiny_recipe, tmp_path):
    torch.manual_seed(0)
    return PreparedRun(tmp_path, tiny_recipe, Network(tiny_recipe, classes=1), "none")


def test_the_reserve_is_the_rehearsal_and_the_predictions_to_come(prepared, discs, monkeypatch):
    monkeypatch.setattr(time_budget, "time", TickingClock())
    # A second each for the rehearsal and for a prediction. Twelve validation images are predicted
    # four times, twelve calibration images twice, twelve test images once: 84 predictions; 128
    # training images take as long as 32. Four more for the process itself.
    reserve_s = time_budget.measure_reserve_s(prepared, discs)
    assert reserve_s == pytest.approx(4 + 1.15 * (1 + 84 + 32))


def test_the_rehearsal_leaves_the_network_and_the_folder_as_they_were(prepared, discs, tmp_path):
    before = {name: tensor.clone() for name, tensor in prepared.network.state_dict().items()}
    prepared.network.train()
    time_budget.measure_reserve_s(prepared, discs)
    after = prepared.network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert prepared.network.training
    assert list(tmp_path.iterdir()) == []


def test_too_little_time_is_refused_before_anything_is_written(
    discs, tiny_recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_module, "measure_reserve_s", lambda *_: 90.0)
    recipe = tiny_recipe.changed({"train.minutes": 1.0})
    with pytest.raises(SettingError) as caught:
        onebox.train(discs, recipe, out=tmp_path / "run")
    message = str(caught.value)
    assert message.startswith("--minutes 1: preparation, export and evaluation alone take 9")
    seconds = int(message.split(" alone take ")[1].split(maxsplit=1)[0])
    assert 90 <= seconds < 100  # 90, and what came before
    minutes = float(message.removesuffix(" minutes.").rsplit(maxsplit=1)[1])
    assert minutes == pytest.approx(2 * seconds / 60, abs=0.07)  # each is rounded
    assert not (tmp_path / "run").exists()


def test_a_run_out_of_time_says_how_few_steps_it_had(discs, tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "measure_reserve_s", lambda *_: 0.0)
    monkeypatch.setattr(training_progress, "time", TickingClock())
    listener = Notes()
    recipe = tiny_recipe.changed({"train.minutes": 1.0, "train.epochs": 12})
    run = onebox.train(discs, recipe, out=tmp_path / "run", listeners=[listener])
    # 16 steps an epoch take 16 ticks, and a validation three: less than four epochs in 60.
    assert run.epochs in {2, 3}
    [note] = [sentence for sentence in listener.notes if sentence.startswith("only ")]
    assert "training steps fitted into --minutes 1." in note
    assert "--set model.size, now 64" in note


def test_a_run_in_time_has_no_such_note(trained_run, discs, tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "measure_reserve_s", lambda *_: 0.0)
    listener = Notes()
    recipe = tiny_recipe.changed({"train.minutes": 60.0, "train.epochs": 2})
    run = onebox.train(discs, recipe, out=tmp_path / "run", listeners=[listener])
    assert run.epochs == 2
    assert not [sentence for sentence in listener.notes if sentence.startswith("only ")]
