"""Views that are kept: a resting backbone looks at each once, and the heads learn the same."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from onebox.learning.data.dataloader import DecodedRows, RowsInOrder, batches
from onebox.learning.data.decoded_cache import decode
from onebox.learning.fitting.feature_cache import keep_views, recall, vary
from onebox.learning.fitting.module import Bounds, fit
from onebox.learning.fitting.param_groups import rest
from onebox.learning.networks.backbones import Backbone
from onebox.learning.networks.network import Network
from onebox.progress import Silent
from onebox.recipes.sections import AugmentSettings

STILL = AugmentSettings(
    geometric_probability=0, flip=0, brightness=0, contrast=0, saturation=0, grayscale=0
)


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


def test_kept_views_have_the_maps_and_the_boxes_of_their_rows(backbone, decoded):
    rows = list(batches(decoded["train"], RowsInOrder(20, 8)))
    mirrored = AugmentSettings(
        geometric_probability=0, flip=1, brightness=0, contrast=0, saturation=0, grayscale=0
    )
    kept = keep_views(backbone, rows, [shown, partial(shown, settings=mirrored)])
    batch = DecodedRows(decoded["train"])[[3, 9, 17]]
    for number, settings in enumerate((STILL, mirrored, STILL)):  # from the first again
        maps, truth = recall(kept, batch, number)
        looked_at = shown(batch, settings)
        assert_close(maps, backbone(looked_at.images))
        assert torch.equal(truth.boxes, looked_at.truth.boxes)
        assert torch.equal(truth.labels, batch.labels)
    assert not torch.equal(kept.boxes[0], kept.boxes[1])


def test_a_row_that_comes_again_in_a_batch_comes_in_the_next_view(backbone, decoded):
    rows = DecodedRows(decoded["train"])
    ways = [partial(shown, settings=AugmentSettings(), seed=seed) for seed in range(3)]
    kept = keep_views(backbone, [rows[[0, 1]]], ways)
    maps, truth = recall(kept, rows[[0, 0, 0, 1, 1]], 1)
    views = [1, 2, 0, 1, 2]
    assert torch.equal(truth.boxes, kept.boxes[views, [0, 0, 0, 1, 1]])
    assert torch.equal(maps[1], kept.maps[1][views, [0, 0, 0, 1, 1]])
    assert len({tuple(box) for box in truth.boxes.tolist()}) == 5


def test_keypoints_move_with_the_view_too(backbone, decoded):
    batch = DecodedRows(decoded["train"])[[0, 1]]
    marked = batch._replace(keypoints=torch.tensor([[[0.25, 0.5, 2.0]], [[0.5, 0.5, 2.0]]]))
    flip = AugmentSettings(geometric_probability=0, flip=1)
    kept = keep_views(backbone, [marked], [partial(shown, settings=flip)])
    _, truth = recall(kept, marked, 0)
    assert_close(truth.keypoints[:, 0, :2], torch.tensor([[0.75, 0.5], [0.5, 0.5]]))


# --- training with them ------------------------------------------------------------------------


class Looks(Silent):
    """Counts how many images the backbone has looked at in training, step by step."""

    def __init__(self, network):
        self.images, self.seen, self._network = 0, [], network
        network.backbone.register_forward_hook(self._look)

    def _look(self, backbone, given, maps):
        if self._network.training:  # and not validated
            self.images += len(given[0])

    def advance(self, done, total):
        self.seen.append(self.images)


def trained(recipe, decoded, folder, **train):
    changed = recipe.model_copy(update={"train": recipe.train.model_copy(update=train)})
    torch.manual_seed(0)
    network = Network(changed, classes=1)
    looks = Looks(network)
    fit(network, changed, decoded, folder, looks, Bounds())
    return network, looks


def test_a_resting_backbone_looks_at_each_kept_view_once(tiny_recipe, decoded, tmp_path):
    # 20 images in batches of 8 make 3 steps a pass. Of 6 passes the backbone rests in 4.
    settings = {"epochs": 6, "freeze_backbone_fraction": 12 / 18, "feature_cache_views": 2}
    _, looks = trained(tiny_recipe, decoded, tmp_path, **settings)
    assert looks.seen == [40] * 12 + [40 + 8 * step for step in range(1, 7)]


@pytest.mark.parametrize("feature_cache_views", [0, 2, 50])
def test_where_no_pass_would_share_a_view_each_step_is_looked_at(
    tiny_recipe, decoded, tmp_path, feature_cache_views
):
    settings = {
        "epochs": 4,
        "freeze_backbone_fraction": 0.5,
        "feature_cache_views": feature_cache_views,
    }  # two passes
    _, looks = trained(tiny_recipe, decoded, tmp_path, **settings)
    assert looks.seen == list(range(8, 97, 8))


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


def test_images_that_stay_as_they_are_teach_the_same_from_kept_views(
    tiny_recipe, decoded, tmp_path
):
    still = tiny_recipe.model_copy(update={"augment": STILL})
    rest_alone = {"epochs": 4, "freeze_backbone_fraction": 0.5, "ema_decay": 0.0}
    fresh, _ = trained(still, decoded, tmp_path / "fresh", **rest_alone, feature_cache_views=0)
    kept, looks = trained(still, decoded, tmp_path / "kept", **rest_alone, feature_cache_views=1)
    assert looks.seen[:6] == [20] * 6
    theirs = fresh.state_dict()
    for name, tensor in kept.state_dict().items():
        assert_close(tensor, theirs[name], msg=name)


def test_each_pass_is_shown_another_view(tiny_recipe, decoded, tmp_path):
    # With one view, the heads see the same image in each; with two, another one.
    settings = {"epochs": 6, "freeze_backbone_fraction": 0.5, "ema_decay": 0.0}  # three passes
    one, _ = trained(tiny_recipe, decoded, tmp_path / "one", **settings, feature_cache_views=1)
    two, _ = trained(tiny_recipe, decoded, tmp_path / "two", **settings, feature_cache_views=2)
    weight = "vectorizer.fine.0.weight"
    assert not torch.allclose(one.state_dict()[weight], two.state_dict()[weight])
