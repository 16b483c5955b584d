"""fit: the same numbers for the same seed, interrupted or not."""

import math
import shutil
import signal

import pytest
import torch
from torch.testing import assert_close

from onebox.errors import OneboxError
from onebox.learning.data.dataloader import RowsInOrder, batches
from onebox.learning.data.decoded_cache import decode
from onebox.learning.fitting import module, training_progress
from onebox.learning.fitting.callbacks import warm_average
from onebox.learning.fitting.checkpoint_io import load_checkpoint
from onebox.learning.fitting.fit import FitLimits, fit
from onebox.learning.fitting.module import TrainingModule
from onebox.learning.fitting.training_progress import TrainingProgress
from onebox.learning.losses.primitives import paired_iou
from onebox.learning.networks.network import Network
from onebox.learning.parallel.placement import Placement
from onebox.progress import Listeners, Silent, StopTraining
from onebox.recipes.sections import MOST_SEED

pytestmark = pytest.mark.train


def interrupt():
    raise KeyboardInterrupt


def stop_training():
    raise StopTraining


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def decoded(discs, shortened):
    few = shortened(discs, train=20)
    return {"train": decode(few, 64), "val": decode(discs.part("val"), 64)}


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    return tiny_recipe.changed(
        {
            "train.epochs": 4,
            "train.batch_size": 8,
            "train.validate_every": 1,
            "train.checkpoint": "best",
        }
    )


def run(recipe, decoded, folder, diary=None, resume=None, budget_s=None):
    torch.manual_seed(recipe.train.seed)
    network = Network(recipe, classes=1)
    return fit(network, recipe, decoded, folder, diary or Silent(), FitLimits(resume, budget_s))


def trained(folder):
    """Everything that two runs of the same numbers share."""
    last, best = (load_checkpoint(folder / f"{name}.safetensors") for name in ("last", "best"))
    return last, best


def assert_same_numbers(folder, other):
    for ours, theirs in zip(trained(folder), trained(other), strict=True):
        assert ours["global_step"] == theirs["global_step"]
        for part in ("state_dict", "current_model_state", "averaging_state"):
            assert ours[part].keys() == theirs[part].keys()
            for name, tensor in ours[part].items():
                assert torch.equal(tensor, theirs[part][name]), f"{part} {name}"
        assert repr(ours["optimizer_states"]) == repr(theirs["optimizer_states"])


@pytest.fixture(scope="module")
def unbroken(recipe, decoded, tmp_path_factory, new_diary):
    """The folder and the epochs of one whole run."""
    folder, diary = tmp_path_factory.mktemp("unbroken"), new_diary()
    fitted = run(recipe, decoded, folder, diary)
    assert fitted.checkpoint == folder / "best.safetensors"
    assert fitted.epochs == 4
    assert not fitted.is_interrupted
    return folder, diary


# --- worked by hand ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_the_optimizer_and_the_schedule_are_those_of_the_recipe(recipe, optimizer, kind):
    slowing = recipe.changed(
        {
            "train.optimizer": optimizer,
            "train.schedule": "exponential",
            "train.decay_rate": 0.5,
            "train.decay_steps": 2,
        }
    )
    module = TrainingModule(Network(slowing, classes=1), slowing, progress=TrainingProgress(9))
    [made], [schedule] = module.configure_optimizers()
    assert type(made) is kind
    assert {group["weight_decay"] for group in made.param_groups} == {0.0, 0.05}
    made.step()
    schedule["scheduler"].step()
    # half every second step
    expected = recipe.train.learning_rate * 0.5**0.5
    assert made.param_groups[0]["lr"] == pytest.approx(expected)
    assert schedule["interval"] == "step"


def test_the_first_steps_of_an_average_weigh_the_latest_and_later_ones_the_past():
    averaged, current = torch.tensor([1.0]), torch.tensor([2.0])
    update = warm_average(0.99)
    update([averaged], [current], torch.tensor(0))
    # decay 1/10: nine tenths of the way to the latest
    assert_close(averaged, torch.tensor([1.9]))
    update([averaged], [current], torch.tensor(90))
    # decay 91/100
    assert_close(averaged, torch.tensor([1.909]))
    update([averaged], [current], torch.tensor(10_000))
    assert_close(averaged, torch.tensor([1.909 + 0.01 * 0.091]))


def test_counters_are_copied_and_not_averaged():
    averaged = torch.tensor([3])
    warm_average(0.99)([averaged], [torch.tensor([8])], torch.tensor(50))
    assert averaged.tolist() == [8]


# --- what a run reports ---------------------------------------------------------------------------


def test_a_run_reports_every_step_and_epoch(unbroken):
    _, diary = unbroken
    # 20 images in batches of 8: three steps an epoch
    assert diary.steps == [(step, 12) for step in range(1, 13)]
    assert [(one.epoch, one.epochs) for one in diary.epochs] == [(k, 4) for k in (1, 2, 3, 4)]
    assert all(math.isfinite(one.loss) and one.loss > 0 for one in diary.epochs)
    assert all(0 <= one.val_mean_iou <= 1 for one in diary.epochs)
    assert diary.epochs[-1].loss < diary.epochs[0].loss


def test_the_metric_of_an_epoch_is_that_of_the_averaged_weights_in_its_checkpoint(
    unbroken, recipe, decoded
):
    folder, diary = unbroken
    last = load_checkpoint(folder / "last.safetensors")

    def val_metric(state):
        module = TrainingModule(Network(recipe, classes=1), recipe, progress=TrainingProgress(1))
        module.load_state_dict(state)
        module.eval()
        module.log = lambda name, value, **_: found.append(float(value))
        found = []
        rows = decoded["val"]
        with torch.no_grad():
            for batch in batches(rows, RowsInOrder(len(rows), len(rows))):
                module.validation_step(batch, 0)
        return found[0]

    assert val_metric(last["state_dict"]) == pytest.approx(diary.epochs[-1].val_mean_iou, abs=1e-4)
    assert val_metric(last["current_model_state"]) != pytest.approx(
        diary.epochs[-1].val_mean_iou, abs=1e-4
    )


def test_validation_logs_the_mean_iou_of_the_images_with_a_box(recipe, decoded):
    module = TrainingModule(Network(recipe, classes=1), recipe, progress=TrainingProgress(1)).eval()
    logged = []
    module.log = lambda name, value, **_: logged.append((name, value))
    rows = decoded["val"]
    (batch,) = batches(rows, RowsInOrder(len(rows), len(rows)))
    batch = batch._replace(has_box=torch.arange(len(rows)) < 3)
    pixels = batch.pixels.permute(0, 3, 1, 2).float() / 255
    small = torch.nn.functional.interpolate(pixels, (64, 64), mode="bilinear")
    with torch.no_grad():
        module.validation_step(batch, 0)
        boxes = module.network(small).box.boxes
    [(name, value)] = logged
    assert name == "val_mean_iou"
    assert_close(value, paired_iou(boxes, batch.boxes)[:3].mean(), atol=1e-4, rtol=0)


# --- the same numbers --------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    unbroken, recipe, decoded, tmp_path, new_diary
):
    folder, diary = unbroken
    again = new_diary()
    torch.rand(7)  # random numbers drawn before do not matter
    run(recipe, decoded, tmp_path / "again", again)
    assert_same_numbers(tmp_path / "again", folder)
    assert again.epochs == diary.epochs
    other = new_diary()
    run(recipe.changed({"train.seed": 1}), decoded, tmp_path / "other", other)
    assert [one.loss for one in other.epochs] != [one.loss for one in diary.epochs]


def test_the_seed_also_chooses_the_order_and_the_variations(
    unbroken, recipe, decoded, tmp_path, new_diary
):
    _, diary = unbroken
    other = new_diary()
    torch.manual_seed(recipe.train.seed)  # the same network to start with
    network = Network(recipe, classes=1)
    fit(network, recipe.changed({"train.seed": 1, "train.epochs": 1}), decoded, tmp_path, other)
    assert other.epochs[0].loss != diary.epochs[0].loss


@pytest.mark.parametrize("stop_at_epoch", [2, 4])
def test_a_resumed_run_ends_with_the_numbers_of_an_unbroken_one(
    unbroken, recipe, decoded, tmp_path, stop_at_epoch, new_diary
):
    folder, diary = unbroken
    broken, resumed = new_diary(stop_at_epoch=stop_at_epoch), new_diary()
    fitted = run(recipe, decoded, tmp_path, broken)
    assert fitted.is_interrupted
    # An epoch that is stopped while it is reported has no checkpoint yet.
    assert fitted.epochs == stop_at_epoch - 1
    fitted = run(recipe, decoded, tmp_path, resumed, resume=tmp_path / "last.safetensors")
    assert not fitted.is_interrupted
    assert fitted.epochs == 4
    assert resumed.epochs == diary.epochs[stop_at_epoch - 1 :]
    assert_same_numbers(tmp_path, folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"model.shared": (16,), "model.dropout": 0.5},
        {"model.backbone_options": {"drop_path_rate": 0.5}},
    ],
)
def test_a_resumed_run_drops_the_same_as_an_unbroken_one(
    recipe, decoded, tmp_path, changes, new_diary
):
    dropping = recipe.changed({**changes, "train.epochs": 2})
    run(dropping, decoded, tmp_path / "whole")
    broken = tmp_path / "broken"
    run(dropping, decoded, broken, new_diary(stop_at_epoch=2))
    run(dropping, decoded, broken, resume=broken / "last.safetensors")
    assert_same_numbers(broken, tmp_path / "whole")


def test_a_run_stopped_amid_an_epoch_goes_on_from_the_last_whole_one(
    unbroken, recipe, decoded, tmp_path, new_diary
):
    folder, diary = unbroken
    resumed = new_diary()
    assert run(recipe, decoded, tmp_path, new_diary(stop_at_step=8)).epochs == 2
    run(recipe, decoded, tmp_path, resumed, resume=tmp_path / "last.safetensors")
    assert resumed.epochs == diary.epochs[2:]
    assert_same_numbers(tmp_path, folder)


def test_a_run_that_its_listener_stops_amid_an_epoch_takes_all_steps_when_it_is_resumed(
    recipe, decoded, tmp_path, new_diary
):
    # 20 images in batches of 8 are 3 steps an epoch: it stops after 8 of 12 steps.
    stopping, resumed = new_diary(stop_at_step=8, stop=stop_training), new_diary()
    assert run(recipe, decoded, tmp_path, stopping).steps == 8
    fitted = run(recipe, decoded, tmp_path, resumed, resume=tmp_path / "last.safetensors")
    assert (fitted.steps, fitted.epochs) == (12, 4)
    assert [one.epoch for one in resumed.epochs] == [4, 4]  # after 11 steps, and after all
    assert trained(tmp_path)[0]["global_step"] == 12


def test_a_run_can_also_go_on_from_its_best_epoch(recipe, decoded, tmp_path, new_diary):
    run(recipe.changed({"train.patience": 1}), decoded, tmp_path, new_diary(stop_at_epoch=3))
    diary = new_diary()
    with pytest.warns(UserWarning, match="callbacks used to create the checkpoint"):
        run(recipe, decoded, tmp_path, diary, resume=tmp_path / "best.safetensors")
    assert [one.epoch for one in diary.epochs][-1] == 4
    assert trained(tmp_path)[0]["epoch"] == 3


def test_a_run_whose_folder_was_moved_goes_on_the_same(
    unbroken, recipe, decoded, tmp_path, new_diary
):
    folder, _ = unbroken
    run(recipe, decoded, tmp_path / "here", new_diary(stop_at_epoch=4))
    (tmp_path / "here").rename(tmp_path / "there")
    fitted = run(
        recipe, decoded, tmp_path / "there", resume=tmp_path / "there" / "last.safetensors"
    )
    assert fitted.checkpoint == tmp_path / "there" / "best.safetensors"
    assert_same_numbers(tmp_path / "there", folder)
    assert not (tmp_path / "here").exists()


def test_a_moved_run_remembers_how_good_its_best_was(
    recipe, decoded, tmp_path, monkeypatch, new_diary
):
    metrics = iter([0.2, 0.6, 0.4, 0.5])

    def made_up(module, batch, batch_index):
        module.log("val_mean_iou", next(metrics), on_epoch=True, batch_size=12)

    monkeypatch.setattr(TrainingModule, "validation_step", made_up)
    changed = recipe.changed({"train.batch_size": 20})
    run(changed, decoded, tmp_path, new_diary(stop_at_epoch=4))
    assert trained(tmp_path)[1]["epoch"] == 1
    moved = tmp_path.with_name("moved")
    tmp_path.rename(moved)
    metrics = iter([0.5])
    run(changed, decoded, moved, resume=moved / "last.safetensors")
    last, best = trained(moved)
    assert (last["epoch"], best["epoch"]) == (3, 1)


def test_last_is_the_checkpoint_of_the_last_epoch_though_an_earlier_one_was_better(
    recipe, decoded, tmp_path, monkeypatch
):
    metrics = iter([0.5, 0.9, 0.3, 0.2])

    def made_up(module, batch, batch_index):
        module.log("val_mean_iou", next(metrics), on_epoch=True, batch_size=12)

    monkeypatch.setattr(TrainingModule, "validation_step", made_up)
    run(recipe.changed({"train.batch_size": 20}), decoded, tmp_path)
    last, best = trained(tmp_path)
    assert (last["epoch"], best["epoch"]) == (3, 1)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "best.safetensors",
        "last.safetensors",
    ]


def test_a_run_that_had_ended_is_left_as_it_is_when_resumed(recipe, decoded, tmp_path, new_diary):
    run(recipe, decoded, tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "again")
    diary = new_diary()
    last = tmp_path / "again" / "last.safetensors"
    fitted = run(recipe, decoded, tmp_path / "again", diary, resume=last)
    assert (fitted.epochs, fitted.is_interrupted, diary.epochs) == (4, False, [])
    assert_same_numbers(tmp_path / "again", tmp_path / "first")


def test_a_run_that_ended_for_want_of_improvement_is_left_as_it_is_when_resumed(
    recipe, decoded, tmp_path, monkeypatch, new_diary
):
    metrics = iter([0.5, 0.4, 0.6])

    def made_up(module, batch, batch_index):
        module.log("val_mean_iou", next(metrics), on_epoch=True, batch_size=12)

    monkeypatch.setattr(TrainingModule, "validation_step", made_up)
    impatient = recipe.changed({"train.patience": 1, "train.batch_size": 20})
    assert run(impatient, decoded, tmp_path / "first").epochs == 2
    shutil.copytree(tmp_path / "first", tmp_path / "again")
    diary = new_diary()
    last = tmp_path / "again" / "last.safetensors"
    fitted = run(impatient, decoded, tmp_path / "again", diary, resume=last)
    assert (fitted.epochs, fitted.steps, diary.steps, diary.epochs) == (2, 2, [], [])
    assert_same_numbers(tmp_path / "again", tmp_path / "first")


@pytest.mark.parametrize("seed", [0, MOST_SEED])
def test_no_two_of_workers_and_steps_draw_alike(recipe, decoded, monkeypatch, seed):
    drawn = []

    def draw(batch, settings, *, generator, **_):
        drawn.append(float(torch.rand((), generator=generator, dtype=torch.float64)))
        drawn.append(float(torch.rand((), dtype=torch.float64)))  # as a layer does
        raise StopTraining

    monkeypatch.setattr(module, "augment_batch", draw)
    seeded = recipe.changed({"train.seed": seed})
    (batch,) = batches(decoded["val"], RowsInOrder(8, 8))
    for rank in range(4):
        training = TrainingModule(
            Network(seeded, classes=1),
            seeded,
            progress=TrainingProgress(9),
            placement=Placement(rank, 4),
        )
        for step in (0, 1, 10**6):
            monkeypatch.setattr(TrainingModule, "global_step", step)
            for _ in range(2):
                with pytest.raises(StopTraining):
                    training.training_step(batch, 0)
    # each step twice, and two numbers each time
    assert drawn[0::4] == drawn[2::4]
    assert drawn[1::4] == drawn[3::4]
    assert len(set(drawn)) == len(drawn) // 2


# --- stopping ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [interrupt, press_ctrl_c])
def test_ctrl_c_ends_a_run_and_leaves_the_signal_as_it_was(
    recipe, decoded, tmp_path, stop, new_diary
):
    before = signal.getsignal(signal.SIGINT)
    fitted = run(recipe, decoded, tmp_path, new_diary(stop_at_step=4, stop=stop))
    assert signal.getsignal(signal.SIGINT) is before
    assert fitted.is_interrupted
    assert fitted.epochs == 1
    assert fitted.checkpoint == tmp_path / "best.safetensors"
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_a_run_stopped_before_its_first_epoch_has_no_best(recipe, decoded, tmp_path, new_diary):
    fitted = run(recipe, decoded, tmp_path, new_diary(stop_at_step=1))
    assert fitted.is_interrupted
    assert fitted.checkpoint is None
    assert fitted.epochs == 0


def test_an_error_of_the_listener_is_not_taken_for_ctrl_c(recipe, decoded, tmp_path, new_diary):
    def fail():
        raise RuntimeError("the bar broke")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="the bar broke"):
        run(recipe, decoded, tmp_path, new_diary(stop_at_step=1, stop=fail))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_ends_early_when_the_metric_stays_the_same(recipe, decoded, tmp_path, new_diary):
    still = recipe.changed(
        {
            "train.epochs": 9,
            "train.patience": 2,
            "train.learning_rate": 1e-12,
            "train.batch_size": 20,
        }
    )
    diary = new_diary()
    fitted = run(still, decoded, tmp_path, diary)
    # The first epoch sets the metric, and two more do not improve it.
    assert fitted.epochs == len(diary.epochs) == 3
    assert not fitted.is_interrupted


def test_without_an_average_a_checkpoint_has_the_latest_weights(recipe, decoded, tmp_path):
    run(recipe.changed({"train.ema_decay": 0.0, "train.epochs": 1}), decoded, tmp_path)
    assert "current_model_state" not in load_checkpoint(tmp_path / "last.safetensors")


def test_every_epochs_checkpoint_stays_if_the_recipe_says_so(recipe, decoded, tmp_path):
    run(recipe.changed({"train.save_every_epoch": True, "train.epochs": 3}), decoded, tmp_path)
    files = sorted(tmp_path.glob("epoch-*.safetensors"))
    assert [load_checkpoint(file)["epoch"] for file in files] == [0, 1, 2]


# --- the heads first ---------------------------------------------------------------------------


class Watcher(Silent):
    """Keeps a copy of the network after each step."""

    def __init__(self, network):
        self._network, self.seen = network, []
        self.advance(0, 0)

    def advance(self, done, total):
        state = self._network.state_dict()
        self.seen.append({name: tensor.clone() for name, tensor in state.items()})

    def changed(self, step):
        """Names of what the step has changed."""
        before, after = self.seen[step - 1], self.seen[step]
        return {name for name in before if not torch.equal(before[name], after[name])}


def test_the_backbone_is_frozen_in_the_first_fraction_of_the_steps_and_learns_in_the_others(
    recipe, decoded, tmp_path
):
    changed = recipe.changed(
        {"train.freeze_backbone_fraction": 0.5, "train.epochs": 2, "train.ema_decay": 0.0}
    )
    torch.manual_seed(0)
    network = Network(changed, classes=1)
    watcher = Watcher(network)
    fit(network, changed, decoded, tmp_path, watcher)
    # three steps an epoch, and a validation after the third, after which the backbone learns
    for step in (1, 2, 3):
        names = watcher.changed(step)
        assert not any(name.startswith("backbone.") for name in names)
        assert {"box_head.axes.along_x.bins.weight", "vectorizer.fine.1.running_mean"} <= names
    assert "backbone.features.stem.conv.weight" in watcher.changed(4)
    # Branches that end in a factor of zero learn a step later.
    learned = watcher.changed(4) | watcher.changed(5) | watcher.changed(6)
    assert {f"backbone.{name}" for name, _ in network.backbone.named_parameters()} <= learned
    assert {name for name in watcher.seen[0] if name.endswith("running_mean")} <= learned


def test_frozen_stages_never_learn_and_those_after_them_do(recipe, decoded, tmp_path):
    changed = recipe.changed({"train.frozen_stages": 2, "train.epochs": 2, "train.ema_decay": 0.0})
    torch.manual_seed(0)
    network = Network(changed, classes=1)
    watcher = Watcher(network)
    fit(network, changed, decoded, tmp_path, watcher)
    names = set().union(*(watcher.changed(step) for step in range(1, 7)))
    # the stem is the first stage
    frozen = ("backbone.features.stem", "backbone.features.stages_0")
    assert not [name for name in names if name.startswith(frozen)]
    assert any(name.startswith("backbone.features.stages_1") for name in names)


@pytest.mark.parametrize("freeze_backbone_fraction", [0.2, 0.7])
def test_a_run_resumed_with_a_frozen_backbone_or_after_it_ends_with_the_numbers_of_an_unbroken_one(
    recipe, decoded, tmp_path, freeze_backbone_fraction, new_diary
):
    # Of six steps, one or four; the run is broken off in the second epoch, after the third.
    changed = recipe.changed(
        {"train.freeze_backbone_fraction": freeze_backbone_fraction, "train.epochs": 2}
    )
    run(changed, decoded, tmp_path / "whole")
    run(changed, decoded, tmp_path / "broken", new_diary(stop_at_step=4))
    last = tmp_path / "broken" / "last.safetensors"
    run(changed, decoded, tmp_path / "broken", resume=last)
    assert_same_numbers(tmp_path / "broken", tmp_path / "whole")


# --- a time budget -----------------------------------------------------------------------------


class TickingClock:
    """A second passes whenever someone asks for the time: after each step and validation."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 1.0
        return self.now


@pytest.fixture
def ticking(monkeypatch):
    monkeypatch.setattr(training_progress, "time", TickingClock())


@pytest.fixture(scope="module")
def long_recipe(recipe):
    """Forty epochs of three steps, validated once, at the end."""
    return recipe.changed(
        {"train.epochs": 40, "train.validate_every": 40, "train.initial_scale": 0.5}
    )


def test_a_run_out_of_time_ends_at_the_lowest_rate_and_the_whole_size(
    long_recipe, decoded, tmp_path, monkeypatch, ticking, new_diary
):
    sizes = []
    augment_batch = module.augment_batch
    monkeypatch.setattr(
        module,
        "augment_batch",
        lambda *_, size, **more: sizes.append(size) or augment_batch(*_, size=size, **more),
    )
    diary = new_diary()
    fitted = run(long_recipe, decoded, tmp_path, diary, budget_s=30.0)
    # The clock ticks once a step: 30 of 120 steps, each of which counts for four.
    assert (fitted.steps, fitted.epochs) == (30, 10)
    assert (fitted.is_out_of_time, fitted.is_interrupted) == (True, False)
    assert diary.steps[:2] == [(4, 120), (8, 120)]
    assert diary.steps[-1] == (120, 120)
    assert sizes == [32] * 16 + [64] * 14  # the size grows beyond half of the progress
    [last] = diary.epochs
    assert (last.epoch, last.epochs) == (10, 40)
    # The cosine at 116 of 120 steps, the first 12 of which are the warm-up.
    cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * 104 / 108)) / 2
    assert last.learning_rate == pytest.approx(8e-3 * cosine)
    assert math.isfinite(last.val_mean_iou)
    assert fitted.checkpoint == tmp_path / "best.safetensors"


def test_a_run_that_is_in_time_has_the_numbers_of_one_without_a_budget(
    unbroken, recipe, decoded, tmp_path, new_diary
):
    folder, whole = unbroken
    diary = new_diary()
    fitted = run(recipe, decoded, tmp_path, diary, budget_s=1e9)
    assert not fitted.is_out_of_time
    assert (diary.epochs, diary.steps) == (whole.epochs, whole.steps)
    for ours, theirs in zip(trained(tmp_path), trained(folder), strict=True):
        assert all(
            torch.equal(ours["state_dict"][k], each) for k, each in theirs["state_dict"].items()
        )


def test_time_that_a_broken_run_used_counts_when_it_is_resumed(
    recipe, decoded, tmp_path, ticking, new_diary
):
    # Three steps take 3 s and their validation 3 s, 1 s of which is reserved for the last one:
    # 3 + 3 + 3 + 3 + 3 and the reserve make 16 s in the ninth step.
    whole = run(recipe, decoded, tmp_path / "whole", budget_s=16.0)
    assert (whole.steps, whole.is_out_of_time) == (9, True)
    run(recipe, decoded, tmp_path / "broken", new_diary(stop_at_step=5), budget_s=16.0)
    last = tmp_path / "broken" / "last.safetensors"
    resumed = run(recipe, decoded, tmp_path / "broken", resume=last)
    assert (resumed.steps, resumed.is_out_of_time) == (whole.steps, True)


def test_a_run_that_spent_its_budget_does_nothing_when_it_is_resumed(
    recipe, decoded, tmp_path, ticking
):
    spent = run(recipe, decoded, tmp_path, budget_s=4.0)
    before = load_checkpoint(tmp_path / "last.safetensors")["global_step"]
    resumed = run(recipe, decoded, tmp_path, resume=tmp_path / "last.safetensors")
    assert (resumed.steps, resumed.epochs) == (spent.steps, spent.epochs)
    assert before == spent.steps < 12


# --- a full disk -------------------------------------------------------------------------------


def test_a_disk_that_fills_during_training_is_an_error_and_leaves_no_part(
    recipe, decoded, small_disk
):
    with pytest.raises(OneboxError) as caught:
        run(recipe, decoded, small_disk / "checkpoints")
    message = str(caught.value)
    assert message.startswith(str(small_disk / "checkpoints"))
    assert "No space left on device" in message
    assert "Free space on the disk" in message
    left = [path.name for path in small_disk.rglob("*") if path.is_file()]
    assert not [name for name in left if name.endswith(".part")]


# --- listeners ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [{"stop_at_step": 4}, {"stop_at_epoch": 2}])
def test_a_listener_stops_a_run_and_the_run_ends_as_it_would_have(
    recipe, decoded, tmp_path, at, new_diary
):
    diary = new_diary(**at, stop=stop_training)
    fitted = run(recipe, decoded, tmp_path, diary)
    assert not fitted.is_interrupted
    # After the fourth step, the second epoch is validated and saved though it is not complete.
    assert fitted.steps == (4 if "stop_at_step" in at else 6)
    assert diary.epochs[-1].epoch == 2
    assert load_checkpoint(tmp_path / "last.safetensors")["global_step"] == fitted.steps


def test_each_part_of_the_loss_is_reported_and_they_add_up(unbroken, recipe):
    _, diary = unbroken
    for metrics in diary.epochs:
        # Every image has a box and a label, so every step has every part.
        names = {f"box/{name}" for name in recipe.loss.box} | {"label", "iou"}
        assert set(metrics.losses) == names
        assert sum(metrics.losses.values()) == pytest.approx(metrics.loss, rel=1e-5)
        assert all(value >= 0 for value in metrics.losses.values())


def test_several_listeners_hear_the_same_and_the_last_of_them_can_stop(
    recipe, decoded, tmp_path, new_diary
):
    first, second = new_diary(), new_diary(stop_at_epoch=1, stop=stop_training)
    fitted = run(recipe, decoded, tmp_path, Listeners([second, first]))
    assert first.epochs == second.epochs
    assert (first.steps, fitted.steps) == (second.steps, 3)


# --- keypoints in a batch -------------------------------------------------------------------------


def test_a_training_step_varies_keypoints_with_their_image(recipe, decoded, monkeypatch):
    """The keypoints that the loss gets are the corners of the box that it gets."""
    told = []
    monkeypatch.setattr(
        "onebox.learning.fitting.module.compute_loss",
        lambda outputs, batch, *_: told.append(batch) or {"box": outputs.box.boxes.sum()},
    )
    augmentation = recipe.augment.model_copy(
        update={"geometric_probability": 1.0, "flip": 1.0, "max_truncation": 0.0}
    )
    varied = recipe.model_copy(update={"augment": augmentation})
    module = TrainingModule(
        Network(varied, classes=1), varied, progress=TrainingProgress(1), flip_pairs=((0, 1),)
    )
    module.log = lambda *_, **__: None
    (batch,) = batches(decoded["val"], RowsInOrder(12, 12))
    corners = batch.boxes.unflatten(1, (2, 2))
    visible = torch.tensor([1.0, 2.0]).expand(12, 2)[..., None]
    module.training_step(batch._replace(keypoints=torch.cat([corners, visible], dim=2)), 0)
    [seen] = told
    # A mirror takes the left corner to the right; its keypoint is then the other of the pair.
    keypoints, boxes = seen.keypoints, seen.boxes
    is_inside = (keypoints[..., 2] > 0).all(dim=1)
    assert is_inside.sum() > 6
    assert_close(keypoints[is_inside, 0, 0], boxes[is_inside, 0], atol=1e-5, rtol=0)
    assert_close(keypoints[is_inside, 1, 0], boxes[is_inside, 2], atol=1e-5, rtol=0)
    assert keypoints[is_inside, 0, 2].unique().tolist() == [2.0]
    assert not torch.allclose(boxes, batch.boxes, atol=0.05)
