"""FCOS and SSDlite of torchvision on timm's backbone, trained as its reference scripts do.

The scripts' schedules count epochs of COCO; here they count fractions of the budget: the milestones
of FCOS (16 and 22 of 26 epochs) and the cosine of SSDlite. Unless the job gives a learning rate,
theirs is scaled by the batch size. The answer is the top-scoring box of any class.

References:
    ``references/detection`` of pytorch/vision: ``train.py``, ``engine.py``, ``presets.py``.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import timm
import torch
from jobs import Box, Budget, Job, Sample, image, read_job, scaled, write_answer
from timm.layers import freeze_batch_norm_2d
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.fcos import FCOS
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteHead, _extra_block, _normal_init
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes, Image

_MEAN = _STD = (0.5, 0.5, 0.5)  # normalization of the weights
_LEAST_SCORE = 0.001
_FPN = 256  # channels of the feature pyramid
_WARM_UP = 1000  # steps, or an epoch; never more than the fraction below
_MAX_WARM_UP = 0.1  # fraction of the budget
_LOWEST_RATE = 0.001  # fraction of the learning rate, at the first step of the warm-up


@dataclass(frozen=True, slots=True)
class Method:
    """How a detector is made and trained; ``rate`` belongs to ``reference_batch``."""

    network: Callable[[Job], nn.Module]
    augment: tuple[v2.Transform, ...]
    batch: int
    rate: float
    reference_batch: int
    weight_decay: float
    schedule: Callable[[float], float]


class FcosBackbone(nn.Module):
    """Maps of strides 8, 16 and 32, and two coarser ones, fused to one width."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features
        channels = features.feature_info.channels()
        self.fpn = FeaturePyramidNetwork(channels, _FPN, extra_blocks=LastLevelP6P7(_FPN, _FPN))
        self.out_channels = _FPN

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps, finest first."""
        return self.fpn({str(index): each for index, each in enumerate(self.features(images))})


class SsdliteBackbone(nn.Module):
    """The expanded map of stride 16, the last map, and four coarser ones."""

    def __init__(self, network: nn.Module, norm: Callable[..., nn.Module]) -> None:
        super().__init__()
        *early, fifth, last = network.blocks
        step, *others = fifth
        expand = [step.conv_pw, step.bn1]
        rest = [step.conv_dw, step.bn2, step.se, step.conv_pwl, step.bn3, *others, last]
        widths = [network.num_features, 512, 256, 256, 128]
        extra = [_extra_block(*pair, norm) for pair in pairwise(widths)]
        for block in extra:
            _normal_init(block)
        self.out_channels = [step.conv_pw.out_channels, *widths]
        self.steps = nn.ModuleList(
            [
                nn.Sequential(network.conv_stem, network.bn1, *early, *expand),
                nn.Sequential(*rest, network.conv_head, network.bn2),
                *extra,
            ]
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps, finest first."""
        maps = {}
        for index, step in enumerate(self.steps):
            images = step(images)
            maps[str(index)] = images
        return maps


def main() -> None:
    job = read_job()
    random.seed(job.seed)
    torch.manual_seed(job.seed)
    method = _METHODS[job.options["detector"]]
    budget = Budget(job.minutes)
    network = method.network(job)
    steps = _train(network, method, job, budget)
    seconds = budget.spent
    network.eval()
    boxes = [_top(network, sample) for sample in job.part("test")]
    seen = steps * method.batch / len(job.part("train"))
    write_answer(job, boxes, seconds, {"steps": steps, "epochs": round(seen, 2)})


def _train(network: nn.Module, method: Method, job: Job, budget: Budget) -> int:
    """Train until another step would exceed the budget; returns the number of steps."""
    groups = [each for each in network.parameters() if each.requires_grad]
    rate = job.options.get("rate", method.rate * method.batch / method.reference_batch)
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9, weight_decay=method.weight_decay)
    network.train()
    batches = _batches(job, method)
    warm_up = min(_WARM_UP, len(job.part("train")) // method.batch - 1)
    step, last = 0, 0.0
    while budget.spent + last < budget.minutes * 60:
        start = budget.spent
        step += 1
        warm_up_factor = max(step / max(1, warm_up), budget.fraction / _MAX_WARM_UP, _LOWEST_RATE)
        for group in optimizer.param_groups:
            group["lr"] = (
                rate * min(1.0, warm_up_factor) * method.schedule(min(1.0, budget.fraction))
            )
        _step(network, optimizer, *next(batches))
        last = budget.spent - start
    return step


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: list[Tensor],
    targets: list[dict[str, Tensor]],
) -> None:
    loss = sum(network(images, targets).values())
    if not math.isfinite(loss.item()):
        raise RuntimeError(f"the loss is {loss.item()}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _batches(job: Job, method: Method) -> Iterator[tuple[list[Tensor], list[dict[str, Tensor]]]]:
    """Endless augmented images and targets; each epoch in another order."""
    samples = job.part("train")
    images = [v2.functional.pil_to_tensor(image(sample)) for sample in samples]
    augment = v2.Compose([*method.augment, v2.ToDtype(torch.float32, scale=True)])
    order: list[int] = []
    while True:
        if len(order) < method.batch:
            order = random.sample(range(len(samples)), len(samples))
        chosen, order = order[: method.batch], order[method.batch :]
        varied = [augment(*_target(samples[one], images[one], job.labels)) for one in chosen]
        yield [each for each, _ in varied], [target for _, target in varied]


def _target(sample: Sample, pixels: Tensor, labels: list[str]) -> tuple[Image, dict[str, Any]]:
    """The image and its target in the format of the detectors; class 0 is the background."""
    height, width = pixels.shape[-2:]
    box = scaled(sample.box, width / sample.width, height / sample.height)
    boxes = BoundingBoxes([box], format="XYXY", canvas_size=(height, width), dtype=torch.float32)
    return Image(pixels), {
        "boxes": boxes,
        "labels": torch.tensor([labels.index(sample.label) + 1]),
    }


@torch.inference_mode()
def _top(network: nn.Module, sample: Sample) -> Box | None:
    pixels = v2.functional.pil_to_tensor(image(sample)).float() / 255
    height, width = pixels.shape[-2:]
    found = network([pixels])[0]
    if not len(found["scores"]):
        return None
    box = found["boxes"][found["scores"].argmax()].tolist()
    return scaled(box, sample.width / width, sample.height / height)


def _fcos(job: Job) -> nn.Module:
    """As ``fcos_resnet50_fpn``: frozen batch norms, the three deepest stages train."""
    features = _backbone(job.weights, features_only=True, out_indices=(2, 3, 4))
    features = freeze_batch_norm_2d(features)
    for part in (features.conv_stem, features.bn1, *features.blocks[:3]):
        part.requires_grad_(requires_grad=False)
    return FCOS(
        FcosBackbone(features),
        num_classes=len(job.labels) + 1,
        min_size=job.options["size"],
        max_size=2 * job.options["size"],
        image_mean=_MEAN,
        image_std=_STD,
        score_thresh=_LEAST_SCORE,
    )


def _ssdlite(job: Job) -> nn.Module:
    """As ``ssdlite320_mobilenet_v3_large``, but with MobileNetV2; all layers train."""
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    backbone = SsdliteBackbone(_backbone(job.weights), norm)
    anchors = DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
    classes = len(job.labels) + 1
    shapes = anchors.num_anchors_per_location()
    return SSD(
        backbone,
        anchors,
        (job.options["size"], job.options["size"]),
        classes,
        head=SSDLiteHead(backbone.out_channels, shapes, classes, norm),
        score_thresh=_LEAST_SCORE,
        nms_thresh=0.55,
        detections_per_img=300,
        topk_candidates=300,
        image_mean=_MEAN,
        image_std=_STD,
    )


def _backbone(weights: Path, **options: object) -> nn.Module:
    return timm.create_model(
        "mobilenetv2_100",
        pretrained=True,
        pretrained_cfg_overlay={"file": str(weights)},
        pad_type="same",
        **options,
    )


def _milestones(fraction: float) -> float:
    return 0.1 ** sum(fraction >= epoch / 26 for epoch in (16, 22))


def _cosine(fraction: float) -> float:
    return (1 + math.cos(math.pi * fraction)) / 2


_FLIP = v2.RandomHorizontalFlip(0.5)
_METHODS = {
    "fcos": Method(
        network=_fcos,
        augment=(_FLIP,),
        batch=4,
        rate=0.01,
        reference_batch=16,
        weight_decay=1e-4,
        schedule=_milestones,
    ),
    "ssdlite": Method(
        network=_ssdlite,
        augment=(v2.RandomIoUCrop(), _FLIP, v2.SanitizeBoundingBoxes()),
        batch=24,
        rate=0.15,
        reference_batch=192,
        weight_decay=4e-5,
        schedule=_cosine,
    ),
}


if __name__ == "__main__":
    main()
