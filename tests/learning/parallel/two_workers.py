"""One of two workers: ``python two_workers.py RANK FOLDER``; leaves what it found as RANK.pt."""

import dataclasses
import os
import sys
from pathlib import Path

import torch
from torch import distributed, nn

from onebox import synthetic
from onebox.learning.data.dataloader import RowsInOrder, batches
from onebox.learning.data.decoded_cache import decode
from onebox.learning.fitting.feature_cache import to_planes
from onebox.learning.fitting.fit import FitLimits, fit
from onebox.learning.fitting.shared_losses import shared_parts
from onebox.learning.losses.objective import compute_loss, total
from onebox.learning.network_runs.job import part_of
from onebox.learning.networks.network import Network
from onebox.learning.parallel import process_group
from onebox.learning.parallel.batch_norm import synchronize
from onebox.learning.parallel.placement import ALONE, Placement
from onebox.progress import Silent, StopTraining
from onebox.recipes.recipe import check_recipe

FROZEN = {
    "train.epochs": 8,
    "train.freeze_backbone_fraction": 0.5,
    "train.feature_cache_views": 2,
    "train.frozen_stages": 1,
    "train.ema_decay": 0.0,
}
"""The backbone learns from the fifth step on, and its first stage never."""


class Diary(Silent):
    """Keeps the epochs, and asks to stop after one of them."""

    def __init__(self, last=None):
        self.epochs, self._last = [], last

    def epoch(self, metrics):
        self.epochs.append(metrics)
        if metrics.epoch == self._last:
            raise StopTraining


def make_data():
    """Eight training images and five validation images; the second worker has no validation box."""
    data = synthetic.dataset("synth:blobs", size=64, counts={"train": 8, "val": 5})
    without = [(split, row) for split, row in (("train", 3), ("val", 1), ("val", 3))]
    samples = list(data)
    for split, row in without:
        at = samples.index(data.part(split).samples[row])
        samples[at] = dataclasses.replace(samples[at], box=None)
    return dataclasses.replace(data, samples=tuple(samples))


def make_recipe():
    """Every step sees all images, unchanged, so that the number of workers makes no difference."""
    model = {"backbone": "test_byobnet", "pretrained": False, "size": 64, "width": 16}
    train = {"epochs": 4, "batch_size": 8, "ema_decay": 0.5, "backbone_lr_scale": 1.0}
    train |= {"freeze_backbone_fraction": 0.0, "validate_every": 1, "learning_rate": 1e-3}
    augment = {"geometric_probability": 0, "flip": 0, "brightness": 0, "contrast": 0}
    augment |= {"saturation": 0, "grayscale": 0}
    settings = {"model": model, "train": train, "augment": augment}
    return check_recipe(settings, place="recipe")


def decoded_parts(placement):
    part = part_of(make_data(), placement)
    return {split: decode(part.part(split), 64, placement=placement) for split in ("train", "val")}


def gradients(placement=ALONE):
    """The gradient of every parameter in a step on all training images."""
    recipe, train = make_recipe(), decoded_parts(placement)["train"]
    torch.manual_seed(0)
    network = Network(recipe, classes=1)
    synchronize(network)
    (batch,) = batches(train, RowsInOrder(len(train), len(train)))
    settings, layout = recipe.loss, recipe.model.layout
    parts = compute_loss(network(to_planes(batch.pixels)), batch, settings, layout)
    total(shared_parts(parts, batch)).backward()
    return {
        name: process_group.sum_over_workers(each.grad) / placement.workers
        for name, each in network.named_parameters()
    }


def run(folder, placement=ALONE, *, resume=None, last=None, changes=None):
    """Train; the epochs that were reported and the network at the end."""
    recipe = make_recipe().changed(changes or {})
    decoded = decoded_parts(placement)
    torch.manual_seed(0)
    network = Network(recipe, classes=1)
    diary = Diary(last if placement.is_first else None)
    limits = FitLimits(resume, placement=placement)
    fitted = fit(network, recipe, decoded, Path(folder), diary, limits)
    return diary.epochs, network.state_dict(), fitted


def normalize(layer, inputs, weights):
    """Outputs and all gradients of a batch normalization, and its running statistics."""
    inputs = inputs.clone().requires_grad_()
    outputs = layer(inputs)
    (outputs * weights).sum().backward()
    inner = layer[0]
    return {
        "outputs": outputs.detach(),
        "inputs_grad": inputs.grad,
        "weight_grad": inner.weight.grad,
        "bias_grad": inner.bias.grad,
        "mean": inner.running_mean,
        "var": inner.running_var,
        "count": inner.num_batches_tracked,
    }


def make_layer():
    """A batch normalization that neither begins nor ends at zero and one."""
    layer = nn.Sequential(nn.BatchNorm2d(3))
    with torch.no_grad():
        layer[0].weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer[0].bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    return layer


def make_inputs():
    """A batch whose halves have different means, far from zero, and weights of its outputs."""
    noise = torch.Generator().manual_seed(0)
    inputs = torch.randn(8, 3, 5, 4, generator=noise) * 2 + 30
    inputs[4:] += 1
    return inputs, torch.randn(8, 3, 5, 4, generator=noise)


def main(rank, folder):
    placement = Placement(rank, 2, rank, device="cpu")
    found = {}
    with process_group.joined(placement, folder / "store"):
        inputs, weights = make_inputs()
        half = slice(4 * rank, 4 * rank + 4)
        layer = make_layer()
        synchronize(layer)
        found["normalized"] = normalize(layer, inputs[half], weights[half])
        found["all"] = process_group.from_all(f"worker {rank}")
        found["first"] = process_group.from_first(3.5 + rank)
        found["counts"] = process_group.count_over_workers(rank + 1, 10)
        found["anywhere"] = [
            process_group.is_true_anywhere(is_true=rank == 1),
            process_group.is_true_anywhere(is_true=False),
        ]
        epochs, weights, fitted = run(folder / "two", placement, last=2)
        found |= {"epochs": epochs, "weights": weights, "steps": fitted.steps}
        resumed, _, _ = run(
            folder / "resumed", placement, resume=folder / "alone" / "last.safetensors"
        )
        found["resumed"] = resumed
        found["gradients"] = gradients(placement)
        frozen, found["frozen"], _ = run(folder / "frozen", placement, changes=FROZEN)
        found["frozen_epochs"] = [each.epoch for each in frozen]
        distributed.barrier()
    torch.save(found, folder / f"{rank}.pt")


if __name__ == "__main__":
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    main(int(sys.argv[1]), Path(sys.argv[2]))
