"""Cached features: a frozen backbone sees each view once, and the heads learn the same."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from onebox.learning.data.dataloader import DecodedRows, RowsInOrder, batches
from onebox.learning.data.decoded_cache import decode
from onebox.learning.fitting.feature_cache import (
    augment_batch,
    cache_features,
    count_views,
    read_features,
)
from onebox.learning.fitting.fit import fit
from onebox.learning.fitting.freezing import freeze
from onebox.learning.networks.backbones import Backbone
from onebox.learning.networks.network import Network
from onebox.progress import Silent
from onebox.recipes.sections import AugmentSettings

STILL = AugmentSettings(
    geometric_probability=0, flip=0, brightness=0, contrast=0, saturation=0, grayscale=0
)

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def decoded(discs, shortened):
    few = shortened(discs, train=20)
    return {"train": decode(few, 64), "val": decode(discs.part("val"), 64)}


@pytest.fixture
def backbone(tiny_recipe):
    torch.manual_seed(0)
    made = Backbone(tiny_recipe.model, None)
    freeze(made, is_whole=True)
    return made


def augmented(batch, settings=STILL, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return augment_batch(batch, settings, size=64, flip_pairs=(), generator=generator)


# --- what is cached ------------------------------------------------------------------------------


def test_a_cached_view_has_the_feature_maps_and_the_boxes_of_its_rows(backbone, decoded):
    rows = list(batches(decoded["train"], RowsInOrder(20, 8)))
    mirrored = AugmentSettings(
        geometric_probability=0, flip=1, brightness=0, contrast=0, saturation=0, grayscale=0
    )
    cached = cache_features(backbone, rows, [augmented, partial(augmented, settings=mirrored)])
    batch = DecodedRows(decoded["train"])[[3, 9, 17]]
    for number, settings in enumerate((STILL, mirrored, STILL)):  # from the first again
        maps, truth = read_features(cached, batch, number)
        view = augmented(batch, settings)
        assert_close(maps, backbone(view.images))
        assert torch.equal(truth.boxes, view.truth.boxes)
        assert torch.equal(truth.labels, batch.labels)
    assert not torch.equal(cached.boxes[0], cached.boxes[1])


def test_a_row_that_occurs_again_in_a_batch_gets_the_next_view(backbone, decoded):
    rows = DecodedRows(decoded["train"])
    views = [partial(augmented, settings=AugmentSettings(), seed=seed) for seed in range(3)]
    cached = cache_features(backbone, [rows[[0, 1]]], views)
    maps, truth = read_features(cached, rows[[0, 0, 0, 1, 1]], 1)
    views = [1, 2, 0, 1, 2]
    assert torch.equal(truth.boxes, cached.boxes[views, [0, 0, 0, 1, 1]])
    assert torch.equal(maps[1], cached.maps[1][views, [0, 0, 0, 1, 1]])
    assert len({tuple(box) for box in truth.boxes.tolist()}) == 5


def test_keypoints_move_with_the_view_too(backbone, decoded):
    batch = DecodedRows(decoded["train"])[[0, 1]]
    marked = batch._replace(keypoints=torch.tensor([[[0.25, 0.5, 2.0]], [[0.5, 0.5, 2.0]]]))
    flip = AugmentSettings(geometric_probability=0, flip=1)
    cached = cache_features(backbone, [marked], [partial(augmented, settings=flip)])
    _, truth = read_features(cached, marked, 0)
    assert_close(truth.keypoints[:, 0, :2], torch.tensor([[0.75, 0.5], [0.5, 0.5]]))


# --- training with them ------------------------------------------------------------------------


class SeenImages(Silent):
    """Counts how many images the backbone has looked at in training, step by step."""

    def __init__(self, network):
        self.images, self.seen, self._network = 0, [], network
        network.backbone.register_forward_hook(self._count)

    def _count(self, backbone, given, maps):
        if self._network.training:  # and not validated
            self.images += len(given[0])

    def advance(self, done, total):
        self.seen.append(self.images)


def trained(recipe, decoded, folder, **train):
    changed = recipe.changed({f"train.{name}": value for name, value in train.items()})
    torch.manual_seed(0)
    network = Network(changed, classes=1)
    watcher = SeenImages(network)
    fit(network, changed, decoded, folder, watcher)
    return network, watcher


def test_a_frozen_backbone_sees_each_cached_view_once(tiny_recipe, decoded, tmp_path):
    # 20 images in batches of 8 make 3 steps an epoch. Of 6 epochs the backbone is frozen in 4.
    settings = {"epochs": 6, "freeze_backbone_fraction": 12 / 18, "feature_cache_views": 2}
    _, watcher = trained(tiny_recipe, decoded, tmp_path, **settings)
    assert watcher.seen == [40] * 12 + [40 + 8 * step for step in range(1, 7)]


@pytest.mark.parametrize("feature_cache_views", [0, 2, 50])
def test_if_no_epochs_would_share_a_view_the_backbone_sees_every_step(
    tiny_recipe, decoded, tmp_path, feature_cache_views
):
    settings = {
        "epochs": 4,
        "freeze_backbone_fraction": 0.5,
        "feature_cache_views": feature_cache_views,
    }  # two epochs
    _, watcher = trained(tiny_recipe, decoded, tmp_path, **settings)
    assert watcher.seen == list(range(8, 97, 8))


def test_training_copies_no_images(tiny_recipe, decoded, tmp_path):
    class Uncopied(np.ndarray):
        """The moving average copies the module, and all that it holds."""

        def __deepcopy__(self, memo):
            raise AssertionError

    pixels = np.asarray(decoded["train"].pixels).view(Uncopied)
    rows = {**decoded, "train": dataclasses.replace(decoded["train"], pixels=pixels)}
    trained(
        tiny_recipe, rows, tmp_path, epochs=2, freeze_backbone_fraction=0.5, feature_cache_views=1
    )


def test_without_augmentation_cached_features_teach_the_same(tiny_recipe, decoded, tmp_path):
    still = tiny_recipe.changed(
        {f"augment.{name}": value for name, value in STILL.model_dump().items()}
    )
    frozen = {"epochs": 4, "freeze_backbone_fraction": 0.5, "ema_decay": 0.0}
    fresh, _ = trained(still, decoded, tmp_path / "fresh", **frozen, feature_cache_views=0)
    cached, watcher = trained(still, decoded, tmp_path / "kept", **frozen, feature_cache_views=1)
    assert watcher.seen[:6] == [20] * 6
    theirs = fresh.state_dict()
    for name, tensor in cached.state_dict().items():
        assert_close(tensor, theirs[name], msg=name)


def test_each_epoch_gets_another_view(tiny_recipe, decoded, tmp_path):
    # With one view, the heads see the same image in each; with two, another one.
    settings = {"epochs": 6, "freeze_backbone_fraction": 0.5, "ema_decay": 0.0}  # three epochs
    one, _ = trained(tiny_recipe, decoded, tmp_path / "one", **settings, feature_cache_views=1)
    two, _ = trained(tiny_recipe, decoded, tmp_path / "two", **settings, feature_cache_views=2)
    weight = "vectorizer.fine.0.weight"
    assert not torch.allclose(one.state_dict()[weight], two.state_dict()[weight])


# --- how many views ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "steps", "views"),
    [
        (27, 300, 20),  # 90 frozen epochs of a step each
        (60, 300, 20),  # 45 epochs, and 1200 views: the most
        (61, 300, 0),
        (27, 70, 20),  # 21 epochs
        (27, 66, 0),  # 20 epochs: each has a view of its own
    ],
)
def test_views_are_cached_if_epochs_share_them_and_they_are_few(tiny_recipe, images, steps, views):
    changes = {"batch_size": 32, "freeze_backbone_fraction": 0.3, "feature_cache_views": 20}
    recipe = tiny_recipe.changed({f"train.{name}": value for name, value in changes.items()})
    assert count_views(steps, images, recipe) == views


@pytest.mark.parametrize(
    "changes",
    [
        {"freeze_backbone_fraction": None},
        {"freeze_backbone_fraction": 0.0},
        {"feature_cache_views": 0},
    ],
)
def test_no_views_are_cached_without_a_frozen_backbone_or_if_none_are_asked_for(
    tiny_recipe, changes
):
    settings = {
        "batch_size": 32,
        "freeze_backbone_fraction": 0.3,
        "feature_cache_views": 20,
        **changes,
    }
    recipe = tiny_recipe.changed({f"train.{name}": value for name, value in settings.items()})
    assert count_views(300, 27, recipe) == 0
