"""Two workers do what one does: the same statistics, gradients, losses and checkpoints."""

import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

SCRIPT = Path(__file__).with_name("two_workers.py")

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("two_workers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def alone(script, folder):
    """The epochs of one worker, which was stopped after the second, and of an unbroken run."""
    stopped, _, _ = script.run(folder / "alone", last=2)
    unbroken, _, _ = script.run(folder / "unbroken")
    assert [each.epoch for each in stopped] == [1, 2]
    return unbroken


@pytest.fixture(scope="module")
def both(folder, alone):
    """What each of two workers found."""
    words = [sys.executable, str(SCRIPT)]
    processes = [subprocess.Popen([*words, str(rank), str(folder)]) for rank in (0, 1)]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


def test_workers_agree_on_sums_on_the_firsts_number_and_on_objects(both):
    for found in both:
        assert found["all"] == ["worker 0", "worker 1"]
        assert found["first"] == 3.5
        assert found["counts"] == [1 + 2, 10 + 10]
        assert found["anywhere"] == [True, False]


def test_batch_normalization_over_two_halves_is_that_of_the_whole_batch(script, both):
    whole = script.normalize(script.make_layer(), *script.make_inputs())
    first, second = (found["normalized"] for found in both)
    for name in ("outputs", "inputs_grad"):
        assert_close(torch.cat([first[name], second[name]]), whole[name], rtol=1e-4, atol=1e-5)
    for name in ("weight_grad", "bias_grad"):
        assert_close(first[name] + second[name], whole[name], rtol=1e-4, atol=1e-4)
    for name in ("mean", "var", "count"):
        assert_close(first[name], whole[name])
        assert torch.equal(first[name], second[name])


def test_the_mean_gradient_of_two_halves_is_that_of_the_whole_batch(script, both):
    whole = script.gradients()
    for name, expected in whole.items():
        for found in both:
            scale = float(expected.abs().max())
            ours = found["gradients"][name]
            assert_close(ours, expected, rtol=1e-3, atol=1e-4 * scale + 1e-7, msg=name)


def test_a_backbone_that_is_frozen_at_first_learns_alike_on_all_workers(script, both):
    torch.manual_seed(0)
    recipe = script.make_recipe().changed(script.FROZEN)
    before = script.Network(recipe, classes=1).state_dict()
    first, second = (found["frozen"] for found in both)
    assert both[0]["frozen_epochs"] == [*range(1, 9)]
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
    learnt = [name for name in before if not torch.equal(before[name], first[name])]
    assert any(name.startswith("backbone.") and name.endswith("weight") for name in learnt)


def assert_same_epochs(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.epoch == theirs.epoch
        assert ours.losses.keys() == theirs.losses.keys()
        for name, value in theirs.losses.items():
            assert ours.losses[name] == pytest.approx(value, rel=5e-3, abs=1e-5), name
        assert ours.loss == pytest.approx(theirs.loss, rel=2e-3)
        assert ours.val_mean_iou == pytest.approx(theirs.val_mean_iou, abs=2e-3)
        assert ours.learning_rate == theirs.learning_rate


def test_two_workers_have_the_losses_and_the_validation_metric_of_one(both, alone):
    epochs = both[0]["epochs"]
    assert_same_epochs(epochs, alone[:2])
    # before the first update the numbers differ by rounding alone
    assert epochs[0].loss == pytest.approx(alone[0].loss, rel=1e-5)
    assert not math.isnan(epochs[0].val_mean_iou)


def test_all_workers_stop_when_the_first_is_asked_to(both):
    assert [found["steps"] for found in both] == [2, 2]


def test_workers_end_with_identical_weights_and_buffers(both):
    first, second = (found["weights"] for found in both)
    assert any(name.endswith("running_var") for name in first)
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_a_run_of_two_workers_is_resumed_by_one(script, both, alone, folder):
    resumed, _, _ = script.run(folder / "rest", resume=folder / "two" / "last.safetensors")
    assert_same_epochs(resumed, alone[2:])


def test_a_run_of_one_worker_is_resumed_by_two(both, alone):
    assert_same_epochs(both[0]["resumed"], alone[2:])
