"""One suite that every pair of vectorizer and box head joins, and the loss of what they answer."""

import itertools
import math

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from onebox.errors import SettingError
from onebox.learning.batches import Batch
from onebox.learning.cache import NO_LABEL
from onebox.learning.checkpoints import save_weights
from onebox.learning.export import PARITY_PX, Deployed, export
from onebox.learning.heads import BOX_HEADS, BoxOutput
from onebox.learning.losses import BOX_LOSSES, distribution, paired_iou
from onebox.learning.network import Network, Outputs, total_loss
from onebox.learning.recipe import LossSettings, check_recipe
from onebox.learning.vectorizers import VECTORIZERS
from onebox.runtime import INPUT, OUTPUTS, ModelFacts

SIZE, CLASSES = 64, ("cat", "dog", "owl")


def recipe_of(vectorizer, head):
    box = {"l1": 5.0, "giou": 2.0} | ({"distribution": 0.5} if head == "marginal" else {})
    settings = {
        "model": {
            "backbone": "test_byobnet",
            "pretrained": False,
            "size": SIZE,
            "vectorizer": vectorizer,
            "box_head": head,
            "width": 16,
            "hidden": [32],
            "bins_per_cell": 4,
        },
        "loss": {"box": box},
        "train": {"learning_rate": 0.01, "backbone_rate": 0.1, "weight_decay": 0.05},
    }
    return check_recipe(settings, place="pair")


def is_possible(pair):
    """Whether a recipe allows the pair; so that a new part joins without a word."""
    try:
        recipe_of(*pair)
    except SettingError:
        return False
    return True


PAIRS = [pair for pair in itertools.product(VECTORIZERS, BOX_HEADS) if is_possible(pair)]


@pytest.fixture(params=PAIRS, ids="-".join)
def recipe(request):
    return recipe_of(*request.param)


def made(recipe, seed=0):
    torch.manual_seed(seed)
    return Network(recipe, classes=len(CLASSES))


@pytest.fixture
def network(recipe):
    return made(recipe)


def four_pictures():
    """White rectangles on black in four places, and what is to be found in them."""
    boxes = torch.tensor(
        [
            [0.125, 0.25, 0.5, 0.5],
            [0.5, 0.125, 0.875, 0.875],
            [0.25, 0.5, 0.75, 0.875],
            [0, 0, 0.5, 1],
        ]
    )
    pictures = torch.zeros(4, 3, SIZE, SIZE)
    for picture, box in zip(pictures, (boxes * SIZE).int().tolist(), strict=True):
        picture[:, box[1] : box[3], box[0] : box[2]] = 1
    labels = torch.tensor([0, 1, 2, 0])
    return pictures, Batch(torch.zeros(4), boxes, torch.ones(4, dtype=torch.bool), labels)


# --- the suite ---------------------------------------------------------------------------------


def test_the_pairs_are_all_that_can_be_combined():
    assert set(PAIRS) == {
        ("gap", "direct"),
        ("flatten", "direct"),
        ("pyramid", "direct"),
        ("pyramid", "marginal"),
    }


def test_answers_have_a_row_for_each_picture(network):
    outputs = network(torch.rand(5, 3, SIZE, SIZE))
    assert outputs.box.boxes.shape == (5, 4)
    assert outputs.class_logits.shape == (5, len(CLASSES))
    assert outputs.overlap_logit.shape == (5,)


def test_rows_do_not_meddle_once_trained(network):
    network.eval()
    pictures, _ = four_pictures()
    with torch.no_grad():
        whole, alone = network(pictures), network(pictures[2:3])
    assert_close(whole.box.boxes[2:3], alone.box.boxes)
    assert_close(whole.class_logits[2:3], alone.class_logits)


def test_a_recipe_without_overlap_makes_no_such_head(recipe):
    loss = recipe.loss.model_copy(update={"overlap": 0.0})
    network = made(recipe.model_copy(update={"loss": loss}))
    assert network.overlap_head is None
    assert network(torch.rand(2, 3, SIZE, SIZE)).overlap_logit is None


def test_a_step_down_the_slope_lowers_the_loss(network, recipe):
    pictures, batch = four_pictures()
    before = total_loss(network(pictures), batch, recipe.loss)
    before.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.sub_(1e-3 * parameter.grad)
    assert total_loss(network(pictures), batch, recipe.loss) < before


def test_slopes_reach_every_parameter_down_to_the_first_of_the_backbone(network, recipe):
    pictures, batch = four_pictures()
    total_loss(network(pictures), batch, recipe.loss).backward()
    first = next(network.backbone.parameters())
    assert first.grad.abs().max() > 0
    without = [name for name, one in network.named_parameters() if one.grad is None]
    assert without == []


def test_four_pictures_can_be_learned_by_heart(network, recipe):
    pictures, batch = four_pictures()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(150):
        outputs = network(pictures)
        optimizer.zero_grad()
        total_loss(outputs, batch, recipe.loss).backward()
        optimizer.step()
        is_boxed = paired_iou(outputs.box.boxes, batch.boxes).min() > 0.8
        if is_boxed and torch.equal(outputs.class_logits.argmax(dim=1), batch.labels):
            return
    raise AssertionError("150 steps did not do")


def test_saved_weights_loaded_into_another_network_answer_the_same(network, recipe, tmp_path):
    file = tmp_path / "weights.safetensors"
    save_weights(network.state_dict(), file, {})
    other = made(recipe, seed=1)
    pictures, _ = four_pictures()
    with torch.no_grad():
        expected = network.eval()(pictures)
        assert not torch.allclose(other.eval()(pictures).class_logits, expected.class_logits)
        other.load_state_dict(load_file(file))
        loaded = other.eval()(pictures)
    assert torch.equal(loaded.box.boxes, expected.box.boxes)
    assert torch.equal(loaded.class_logits, expected.class_logits)
    assert torch.equal(loaded.overlap_logit, expected.overlap_logit)


def test_the_exported_file_answers_as_the_network_does(network, tmp_path):
    file = tmp_path / "model.onnx"
    random = np.random.default_rng(0)
    pictures = [
        random.integers(0, 256, (40 + 3 * number, 90 - number, 3), dtype=np.uint8)
        for number in range(32)
    ]
    difference = export(network, ModelFacts(CLASSES, SIZE), file, pictures)
    assert difference <= PARITY_PX
    batch = random.integers(0, 256, (3, 50, 70, 3), dtype=np.uint8)
    exported = onnxruntime.InferenceSession(file).run(OUTPUTS, {INPUT: batch})
    with torch.no_grad():
        eager = Deployed(network.eval(), SIZE)(torch.from_numpy(batch))
    for ours, theirs in zip(eager, exported, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-3)


def test_every_parameter_is_in_one_group_with_its_own_rate_and_decay(network, recipe):
    groups = network.parameter_groups(recipe)
    names = {id(one): name for name, one in network.named_parameters()}
    grouped = [names[id(one)] for group in groups for one in group["params"]]
    assert sorted(grouped) == sorted(names.values())
    for group in groups:
        for parameter in group["params"]:
            is_backbone = names[id(parameter)].startswith("backbone.")
            assert group["lr"] == pytest.approx(0.001 if is_backbone else 0.01)
            assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0.0)


def test_the_same_seed_makes_the_same_network_and_another_another(recipe):
    first, again, other = made(recipe).state_dict(), made(recipe).state_dict(), made(recipe, seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    weight = "class_head.logits.weight"
    assert not torch.equal(first[weight], other.state_dict()[weight])


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [33, 100])
def test_flatten_foresees_the_length_of_its_vector_at_any_size(size):
    recipe = recipe_of("flatten", "direct")
    model = recipe.model.model_copy(update={"size": size})
    network = made(recipe.model_copy(update={"model": model})).eval()
    assert network(torch.rand(1, 3, size, size)).box.boxes.shape == (1, 4)


# --- the loss ----------------------------------------------------------------------------------

BINS, PLACES = torch.randn(3, 4, 6), torch.linspace(-0.1, 1.1, 6)
FOUND = torch.tensor([[0.1, 0.1, 0.6, 0.6], [0.2, 0.3, 0.7, 0.9], [0.0, 0.0, 1.0, 1.0]])
TRUTH = torch.tensor([[0.2, 0.1, 0.6, 0.6], [0.2, 0.2, 0.8, 0.9], [0.0, 0.0, 0.0, 0.0]])
LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])


def answered(**changes):
    """Answers for three pictures whose slopes can be asked for."""
    parts = {"boxes": FOUND, "bins": BINS, "logits": LOGITS, "overlap": torch.zeros(3)} | changes
    parts = {name: None if one is None else one.clone() for name, one in parts.items()}
    for part in parts.values():
        if part is not None:
            part.requires_grad_()
    box = BoxOutput(parts["boxes"], parts["bins"], PLACES)
    return Outputs(box, parts["logits"], parts["overlap"]), parts


def batch_of(has_box, labels):
    return Batch(torch.zeros(3), TRUTH, torch.tensor(has_box), torch.tensor(labels))


def test_the_total_is_the_weighted_sum_of_means_over_the_pictures_that_can_tell():
    outputs, _ = answered(overlap=torch.tensor([1.0, -1.0, 5.0]))
    settings = LossSettings(
        box={"l1": 3.0, "giou": 2.0, "distribution": 0.5},
        label=0.7,
        label_smoothing=0.0,
        overlap=0.4,
    )
    total = total_loss(outputs, batch_of([True, True, False], [0, NO_LABEL, 1]), settings)
    found, truth = FOUND[:2], TRUTH[:2]
    # The class is known of the first picture, e² against 1 and 1, and of the last, 1 against e³.
    label = (math.log(1 + 2 * math.exp(-2)) + math.log(2 + math.exp(3))) / 2
    iou = paired_iou(found, truth)
    share = torch.sigmoid(torch.tensor([1.0, -1.0]))
    overlap = -(iou * share.log() + (1 - iou) * (1 - share).log()).mean()
    expected = (
        0.7 * label
        + 3.0 * BOX_LOSSES["l1"](found, truth).mean()
        + 2.0 * BOX_LOSSES["giou"](found, truth).mean()
        + 0.5 * distribution(BINS[:2], PLACES, truth).mean()
        + 0.4 * overlap
    )
    assert_close(total, expected)


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_every_loss_of_the_table_can_be_the_only_one(name):
    outputs, parts = answered(bins=None, overlap=None)
    settings = LossSettings(box={name: 2.0}, label=0.0)
    total = total_loss(outputs, batch_of([True, True, False], [0, 1, 2]), settings)
    assert_close(total, 2 * BOX_LOSSES[name](FOUND[:2], TRUTH[:2]).mean())
    total.backward()
    assert parts["boxes"].grad[:2].abs().sum() > 0


def test_pictures_without_a_box_teach_no_box_and_pictures_without_a_label_no_class():
    outputs, parts = answered()
    batch = batch_of([True, False, True], [0, 1, NO_LABEL])
    total_loss(outputs, batch, LossSettings()).backward()
    for name in ("boxes", "bins", "overlap"):
        slopes = parts[name].grad.reshape(3, -1).abs().sum(dim=1)
        assert slopes[1] == 0
        assert slopes[0] > 0
    slopes = parts["logits"].grad.abs().sum(dim=1)
    assert slopes[2] == 0
    assert slopes[:2].min() > 0


def test_the_estimate_of_the_overlap_does_not_move_the_box():
    outputs, parts = answered(overlap=torch.tensor([1.0, -1.0, 2.0]))
    settings = LossSettings(box={"l1": 0.0}, label=0.0, overlap=1.0)
    total_loss(outputs, batch_of([True] * 3, [0] * 3), settings).backward()
    assert parts["overlap"].grad.abs().sum() > 0
    assert parts["boxes"].grad is None or not parts["boxes"].grad.any()


@pytest.mark.parametrize("classes", [1, 3])
def test_a_batch_that_can_tell_nothing_teaches_nothing_and_does_not_fail(classes):
    outputs, parts = answered(logits=LOGITS[:, :classes])
    total = total_loss(outputs, batch_of([False] * 3, [NO_LABEL] * 3), LossSettings())
    total.backward()
    assert total == 0
    for part in parts.values():
        assert part.grad is None or not part.grad.any()


def test_a_single_class_has_nothing_to_learn():
    with_one, _ = answered(logits=LOGITS[:, :1])
    settings = LossSettings(box={"l1": 1.0}, overlap=0.0)
    total = total_loss(with_one, batch_of([True, True, False], [0, 0, 0]), settings)
    assert_close(total, BOX_LOSSES["l1"](FOUND[:2], TRUTH[:2]).mean())


def test_the_distribution_loss_refuses_a_head_without_bins():
    outputs, _ = answered(bins=None)
    with pytest.raises(ValueError, match="needs a box head with bins"):
        total_loss(outputs, batch_of([True] * 3, [0] * 3), LossSettings())


def test_label_smoothing_leaves_a_share_of_the_target_to_all_classes():
    outputs, _ = answered(logits=torch.zeros(3, 3))
    certain = answered(logits=torch.eye(3) * 50)[0]
    settings = LossSettings(box={"l1": 0.0}, label_smoothing=0.3, overlap=0.0)
    batch = batch_of([False] * 3, [0, 1, 2])
    # Even logits: log 3. Certain ones: a fifth of the target (0.3 x 2/3) lies 50 too low.
    assert_close(total_loss(outputs, batch, settings), torch.tensor(math.log(3)))
    assert_close(total_loss(certain, batch, settings), torch.tensor(0.2 * 50))
