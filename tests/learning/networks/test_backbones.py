"""Backbones: their two feature maps, and weights that fit or are refused."""

import pickle
import socket
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.testing import assert_close

from onebox.errors import OneboxError, SettingError
from onebox.learning.networks import backbones
from onebox.learning.networks.backbones import (
    AlexNetFeatures,
    Backbone,
    check_name,
    find_weights,
    read_weights_file,
)
from onebox.recipes.recipe import Recipe, check_recipe
from onebox.recipes.sections import ModelSettings

pytestmark = pytest.mark.train

RECIPE = check_recipe({"model": {"backbone": "test_byobnet", "size": 64}}, place="tiny")
TINY = RECIPE.model
SHARED = Path(__file__).parents[4] / "shared" / "weights" / "mobilenetv2_100_same.safetensors"


@pytest.fixture(scope="module")
def tensors():
    """Weights of the tiny backbone that differ from its initial ones."""
    state = timm.create_model("test_byobnet").state_dict()
    return {name: torch.rand_like(one) if one.ndim else one for name, one in state.items()}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.safetensors"


# --- feature maps ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["test_byobnet", "test_convnext", "test_mambaout", "test_vit"])
def test_every_backbone_gives_its_two_deepest_maps_the_finer_first(name):
    options = {"img_size": 64} if name == "test_vit" else {}
    backbone = Backbone(ModelSettings(backbone=name, size=64, backbone_options=options), None)
    maps = backbone.eval()(torch.rand(2, 3, 64, 64))
    (_, *fine), (_, *deep) = backbone.shapes
    assert fine >= deep
    assert [tuple(each.shape) for each in maps] == [(2, *shape) for shape in backbone.shapes]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_finer_maps_come_first_and_halve_the_stride(count):
    changes = {"keypoints": True, "finer_maps": count}
    backbone = Backbone(ModelSettings(backbone="test_byobnet", size=96, **changes), None)
    sides = [rows for _, rows, _ in backbone.shapes]
    assert sides == [3 * 2**step for step in range(count + 1, -1, -1)]


def test_a_backbone_without_so_many_maps_is_refused():
    settings = ModelSettings(backbone="test_convnext", size=96, keypoints=True, finer_maps=3)
    with pytest.raises(SettingError, match=r"finer_maps 3 asks for 5 feature maps, and backbone"):
        Backbone(settings, None)


@pytest.mark.parametrize("size", [32, 64, 96, 100, 129])
def test_the_shapes_of_the_maps_are_those_of_the_settings_size(size):
    backbone = Backbone(RECIPE.changed({"model.size": size}).model, None).eval()
    maps = backbone(torch.rand(1, 3, size, size))
    assert [tuple(each.shape[1:]) for each in maps] == backbone.shapes


def test_measuring_the_shapes_leaves_training_mode_and_batch_statistics_as_they_are():
    backbone = Backbone(TINY, None)
    assert backbone.training
    means = [one for name, one in backbone.named_buffers() if name.endswith("running_mean")]
    assert means
    assert not any(mean.any() for mean in means)


def test_alexnet_has_one_map_of_256_channels_over_a_thirty_second_of_the_image():
    backbone = Backbone(ModelSettings(backbone="alexnet", size=224), None).eval()
    [cells] = backbone(torch.zeros(1, 3, 224, 224))
    assert cells.shape == (1, 256, 6, 6)
    assert backbone.shapes == [(256, 6, 6)]


def test_an_image_too_small_for_its_backbone_is_refused_with_the_repair():
    with pytest.raises(SettingError) as caught:
        Backbone(ModelSettings(backbone="alexnet", size=32), None)
    assert "model.size 32 is too small for backbone 'alexnet': no cell is left" in str(caught.value)
    assert "--set model.size=224" in str(caught.value)


def test_images_are_normalized_before_the_first_layer():
    changes = {"model.mean": (0.5, 0.4, 0.3), "model.std": (0.5, 0.25, 0.1)}
    backbone = Backbone(RECIPE.changed(changes).model, None)
    backbone.features = nn.ModuleList([nn.Identity()])
    backbone.features.forward = lambda images: [images]
    pixel = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)
    # 0.5 over 0.5, 0.1 over 0.25, -0.3 over 0.1
    assert_close(backbone(pixel)[0].flatten(), torch.tensor([1.0, 0.4, -3.0]))


def test_a_recipe_without_a_mean_takes_the_backbones():
    backbone = Backbone(TINY, None)
    own = timm.get_pretrained_cfg("test_byobnet")
    assert_close(backbone.mean.flatten(), torch.tensor(own.mean))
    assert_close(backbone.std.flatten(), torch.tensor(own.std))


# --- names -------------------------------------------------------------------------------------


def test_a_misspelt_backbone_is_refused_with_the_closest_name():
    with pytest.raises(SettingError) as caught:
        check_name("resnet81")
    assert "model.backbone 'resnet81' is not a model of timm. Did you mean resnet" in str(
        caught.value
    )
    with pytest.raises(SettingError, match="is not a model of timm"):
        Backbone(ModelSettings(backbone="resnet81"), None)


def test_a_name_with_the_tag_of_its_weights_exists():
    check_name("mobilenetv4_conv_small.e2400_r224_in1k")


def test_a_backbone_that_cannot_be_made_is_named_with_its_options():
    settings = ModelSettings(backbone="test_byobnet", backbone_options={"no_such_option": 1})
    with pytest.raises(SettingError, match=r"'test_byobnet' cannot be made .*'no_such_option': 1"):
        Backbone(settings, None)


# --- weights files -----------------------------------------------------------------------------


def assert_all_loaded(backbone, tensors):
    """Check that every tensor of a backbone is that of the file."""
    # A features-only network calls stages.0 stages_0.
    flat = {name.replace(".", "_"): tensor for name, tensor in tensors.items()}
    loaded = backbone.features.state_dict()
    assert len(loaded) >= 10
    for name, tensor in loaded.items():
        assert torch.equal(tensor, flat[name.replace(".", "_")]), name


def test_every_tensor_of_a_weights_file_is_loaded(file, tensors):
    save_file(tensors, file)
    assert_all_loaded(Backbone(TINY, file), tensors)


def test_a_file_without_metadata_is_for_the_recipes_backbone(file, tensors):
    save_file(tensors, file)
    assert read_weights_file(file, RECIPE).applied_to(RECIPE) == RECIPE


def test_backbone_and_preprocessing_that_a_file_names_replace_the_recipes(file, tensors):
    facts = {"architecture": "test_byobnet", "mean": "0.1,0.2,0.3", "std": "0.4,0.5,0.6"}
    save_file(tensors, file, metadata=facts)
    recipe = RECIPE.changed({"model.backbone": "resnet18", "model.mean": (0, 0, 0)})
    applied = read_weights_file(file, recipe).applied_to(recipe).model
    assert applied.backbone == "test_byobnet"
    assert applied.mean == (0.1, 0.2, 0.3)
    assert applied.std == (0.4, 0.5, 0.6)
    assert applied.size == 64


def test_a_file_for_another_network_is_refused_with_the_number_that_does_not_fit(file, tensors):
    save_file(tensors, file)
    with pytest.raises(SettingError) as caught:
        read_weights_file(file, RECIPE.changed({"model.backbone": "test_resnet"}))
    assert "weights.safetensors: does not fit backbone 'test_resnet'" in str(caught.value)
    assert "tensors are missing" in str(caught.value)
    assert "--set model.backbone=NAME" in str(caught.value)


def test_a_file_with_one_tensor_too_few_or_of_another_shape_is_refused(file, tensors):
    first, *others = [name for name in tensors if not name.startswith("head")]
    save_file({name: tensors[name] for name in others}, file)
    with pytest.raises(SettingError, match=rf"1 of \d+ tensors are missing and 0 .* '{first}'"):
        read_weights_file(file, RECIPE)
    save_file({**tensors, first: torch.zeros(1)}, file)
    with pytest.raises(SettingError, match=f"0 of .* and 1 have another shape, first '{first}'"):
        read_weights_file(file, RECIPE)


def test_a_file_with_a_classifier_of_other_classes_fits(file, tensors):
    other = {name: one[:3] if name.startswith("head") else one for name, one in tensors.items()}
    save_file({name: one.contiguous() for name, one in other.items()}, file)
    read_weights_file(file, RECIPE)
    assert_all_loaded(Backbone(TINY, file), tensors)


def test_a_file_of_torchvisions_alexnet_is_loaded_and_its_classifier_left(file):
    state = {name: torch.rand_like(one) for name, one in AlexNetFeatures().state_dict().items()}
    recipe = RECIPE.changed(
        {
            "model.backbone": "alexnet",
            "model.vectorizer": "gap",
            "model.box_head": "direct",
            "loss.box": {"l1": 1.0},
        }
    )
    save_file({**state, "classifier.1.bias": torch.zeros(4)}, file)
    assert read_weights_file(file, recipe).applied_to(recipe) == recipe
    assert_all_loaded(Backbone(recipe.model, file), state)


def test_a_file_with_wrong_metadata_is_refused(file, tensors):
    for mean in ("grey", "0.5,0.5", "0.5,nan,0.5", "0.5,0.5,inf"):
        save_file(tensors, file, metadata={"mean": mean})
        with pytest.raises(SettingError, match=rf"weights\.safetensors: .*mean '{mean}'"):
            read_weights_file(file, RECIPE)
    save_file(tensors, file, metadata={"architecture": "test_byobnte"})
    with pytest.raises(SettingError, match="Did you mean test_byobnet"):
        read_weights_file(file, RECIPE)


@pytest.mark.parametrize("content", ["missing", "pickle", "text", "folder"])
def test_what_is_no_safetensors_file_is_refused_and_not_executed(file, content):
    if content == "pickle":
        file.write_bytes(pickle.dumps({"weight": [1.0]}))
    elif content == "text":
        file.write_text("weights")
    elif content == "folder":
        file.mkdir()
    with pytest.raises(SettingError, match=r"weights\.safetensors: cannot be read as safetensors"):
        read_weights_file(file, RECIPE)


@pytest.mark.skipif(not SHARED.is_file(), reason="the weights are not beside this checkout")
def test_the_shared_weights_are_loaded_to_the_last_tensor():
    settings = read_weights_file(SHARED, Recipe()).applied_to(Recipe()).model
    assert settings.backbone == "mobilenetv2_100"
    assert settings.backbone_options == {"pad_type": "same"}
    assert settings.mean == settings.std == (0.5, 0.5, 0.5)
    assert_all_loaded(Backbone(settings, SHARED), load_file(SHARED))


# --- the hub -----------------------------------------------------------------------------------


@pytest.fixture
def empty_cache(monkeypatch):
    asked = []
    monkeypatch.setattr(
        backbones, "try_to_load_from_cache", lambda place, name: asked.append((place, name))
    )
    return asked


def assert_names_both_repairs(message):
    assert "--weights FILE" in message
    assert "--no-pretrained" in message


def test_where_the_hub_cannot_be_reached_the_error_names_both_repairs(empty_cache, monkeypatch):
    monkeypatch.setattr(backbones, "_is_reachable", lambda address: False)
    with pytest.raises(OneboxError) as caught:
        find_weights(ModelSettings(backbone="mobilenetv4_conv_small"))
    assert "No pretrained weights for 'mobilenetv4_conv_small'" in str(caught.value)
    assert "cannot be reached" in str(caught.value)
    assert_names_both_repairs(str(caught.value))
    [(repository, name)] = empty_cache
    assert repository.startswith("timm/mobilenetv4_conv_small.")
    assert name == "model.safetensors"


def test_a_failed_download_is_reported_in_one_line_with_both_repairs(empty_cache, monkeypatch):
    def fail(repository, name):
        raise OSError("the hub is on fire\nand here is a long trace")

    monkeypatch.setattr(backbones, "_is_reachable", lambda address: True)
    monkeypatch.setattr(backbones, "hf_hub_download", fail)
    with pytest.raises(OneboxError, match="the hub is on fire") as caught:
        find_weights(ModelSettings(backbone="mobilenetv4_conv_small"))
    assert "trace" not in str(caught.value)
    assert_names_both_repairs(str(caught.value))


@pytest.mark.parametrize("name", ["lcnet_035", "alexnet"])
def test_a_backbone_without_weights_on_the_hub_is_reported(name):
    with pytest.raises(OneboxError, match="timm's hub has none") as caught:
        find_weights(ModelSettings(backbone=name))
    assert_names_both_repairs(str(caught.value))


def test_cached_weights_are_taken_without_the_hub(monkeypatch, file):
    def refuse(address):
        raise AssertionError("asked for the hub")

    monkeypatch.setattr(backbones, "_is_reachable", refuse)
    monkeypatch.setattr(backbones, "try_to_load_from_cache", lambda place, name: str(file))
    assert find_weights(ModelSettings(backbone="mobilenetv4_conv_small")) == file


def test_an_address_is_reachable_if_something_listens_there_or_a_proxy_is_set(monkeypatch):
    monkeypatch.setattr(backbones, "getproxies", dict)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert backbones._is_reachable(address)
    assert not backbones._is_reachable(address)
    monkeypatch.setattr(backbones, "getproxies", lambda: {"https": "http://proxy"})
    assert backbones._is_reachable(address)
