"""Views that are kept: a resting backbone looks at each once, and the heads learn the same."""

import dataclasses
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from onebox.learning import views
from onebox.learning.backbones import Backbone
from onebox.learning.batches import DecodedRows, RowsInOrder, batches
from onebox.learning.cache import decode
from onebox.learning.network import Network
from onebox.learning.progress import Silent
from onebox.learning.rates import rest
from onebox.learning.recipe import AugmentSettings
from onebox.learning.training import Bounds, fit
from onebox.learning.views import find_room, keep_views, recall, vary

STILL = AugmentSettings(geometry=0, flip=0, brightness=0, contrast=0, saturation=0, grey=0)


@pytest.fixture(scope="module")
def decoded(discs):
    rows = {split: discs.part(split) for split in ("train", "val")}
    few = dataclasses.replace(rows["train"], samples=rows["train"].samples[:20])
    return {"train": decode(few, 64), "val": decode(rows["val"], 64)}


@pytest.fixture
def backbone(tiny_recipe):
    torch.manual_seed(0)
    made = Backbone(tiny_recipe.model, None)
    rest(made, is_resting=True)
    return made


def shown(batch, settings=STILL, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return vary(batch, settings, size=64, flip_pairs=(), generator=generator)


# --- what is kept ------------------------------------------------------------------------------


def test_a_kept_view_has_the_maps_and_the_boxes_of_its_rows(backbone, decoded):
    rows = list(batches(decoded["train"], RowsInOrder(20, 8)))
    mirrored = AugmentSettings(geometry=0, flip=1, brightness=0, contrast=0, saturation=0, grey=0)
    kept = keep_views(backbone, rows, [shown, partial(shown, settings=mirrored)])
    batch = DecodedRows(decoded["train"])[[17, 3, 9]]
    for view, settings in zip(kept, (STILL, mirrored), strict=True):
        maps, truth = recall(view, batch)
        looked_at = shown(batch, settings)
        assert_close(maps, backbone(looked_at.pictures))
        assert torch.equal(truth.boxes, looked_at.truth.boxes)
        assert torch.equal(truth.labels, batch.labels)
    assert not torch.equal(kept[0].boxes, kept[1].boxes)


def test_joints_move_with_the_view_too(backbone, decoded):
    batch = DecodedRows(decoded["train"])[[0, 1]]
    marked = batch._replace(joints=torch.tensor([[[0.25, 0.5, 2.0]], [[0.5, 0.5, 2.0]]]))
    flip = AugmentSettings(geometry=0, flip=1)
    [kept] = keep_views(backbone, [marked], [partial(shown, settings=flip)])
    _, truth = recall(kept, marked._replace(rows=torch.tensor([1, 0])))
    assert_close(truth.joints[:, 0, :2], torch.tensor([[0.5, 0.5], [0.75, 0.5]]))


def test_a_gigabyte_has_room_for_so_many_looks(backbone):
    [fine, deep] = backbone.shapes
    assert fine[1:] == (4, 4)
    assert deep[1:] == (2, 2)
    looks = 2**30 // (4 * (16 * fine[0] + 4 * deep[0]))
    assert find_room(backbone, looks)
    assert not find_room(backbone, looks + 1)


# --- training with them ------------------------------------------------------------------------


class Looks(Silent):
    """Counts how many pictures the backbone has looked at in training, step by step."""

    def __init__(self, network):
        self.pictures, self.seen, self._network = 0, [], network
        network.backbone.register_forward_hook(self._look)

    def _look(self, backbone, given, maps):
        if self._network.training:  # and not validated
            self.pictures += len(given[0])

    def advance(self, done, total):
        self.seen.append(self.pictures)


def trained(recipe, decoded, folder, **train):
    changed = recipe.model_copy(update={"train": recipe.train.model_copy(update=train)})
    torch.manual_seed(0)
    network = Network(changed, classes=1)
    looks = Looks(network)
    fit(network, changed, decoded, folder, looks, Bounds())
    return network, looks


def test_a_resting_backbone_looks_at_each_kept_view_once(tiny_recipe, decoded, tmp_path):
    # 20 pictures in batches of 8 make 3 steps a pass. Of 6 passes the backbone rests in 4.
    settings = {"epochs": 6, "head_first": 12 / 18, "head_views": 2}
    _, looks = trained(tiny_recipe, decoded, tmp_path, **settings)
    assert looks.seen == [40] * 12 + [40 + 8 * step for step in range(1, 7)]


def test_no_more_views_are_kept_than_there_are_passes_at_rest(tiny_recipe, decoded, tmp_path):
    settings = {"epochs": 3, "head_first": 4 / 9, "head_views": 50}  # two passes, one broken off
    _, looks = trained(tiny_recipe, decoded, tmp_path, **settings)
    assert looks.seen[:5] == [40, 40, 40, 40, 48]


def test_where_not_all_views_find_room_each_step_is_looked_at(
    tiny_recipe, decoded, tmp_path, monkeypatch
):
    looks = 2 * 20 - 1  # one too few
    shapes = Backbone(tiny_recipe.model, None).shapes
    room = looks * 4 * sum(channels * rows * columns for channels, rows, columns in shapes)
    monkeypatch.setattr(views, "_MOST_BYTES", room)
    settings = {"epochs": 4, "head_first": 0.5, "head_views": 2}
    _, looks = trained(tiny_recipe, decoded, tmp_path, **settings)
    assert looks.seen == list(range(8, 97, 8))


def test_pictures_that_stay_as_they_are_teach_the_same_from_kept_views(
    tiny_recipe, decoded, tmp_path
):
    still = tiny_recipe.model_copy(update={"augment": STILL})
    rest_alone = {"epochs": 2, "head_first": 0.5, "ema_decay": 0.0}
    fresh, _ = trained(still, decoded, tmp_path / "fresh", **rest_alone)
    kept, looks = trained(still, decoded, tmp_path / "kept", **rest_alone, head_views=1)
    assert looks.seen[:3] == [20] * 3
    theirs = fresh.state_dict()
    for name, tensor in kept.state_dict().items():
        assert_close(tensor, theirs[name], msg=name)


def test_each_pass_is_shown_another_view(tiny_recipe, decoded, tmp_path):
    # With one view, the heads see the same picture twice; with two, another one.
    settings = {"epochs": 3, "head_first": 0.67, "ema_decay": 0.0}
    one, _ = trained(tiny_recipe, decoded, tmp_path / "one", **settings, head_views=1)
    two, _ = trained(tiny_recipe, decoded, tmp_path / "two", **settings, head_views=2)
    weight = "vectorizer.fine.0.weight"
    assert not torch.allclose(one.state_dict()[weight], two.state_dict()[weight])
