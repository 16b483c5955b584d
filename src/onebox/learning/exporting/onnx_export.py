"""Network → ``model.onnx``: pixels of any size in, boxes in those pixels out.

The exported graph resizes, normalizes, runs the network and decodes the box. The file is written
only if ONNX Runtime computes the boxes that PyTorch computes.
"""

from collections.abc import Sequence
from pathlib import Path

import onnxruntime
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional

from onebox.files import replacing
from onebox.learning.networks.box_features import sum_in_box
from onebox.learning.networks.head_outputs import Outputs
from onebox.learning.networks.keypoint_heads import HeatmapKeypoints
from onebox.learning.networks.mirroring import mean_with_mirrored
from onebox.learning.networks.network import Network
from onebox.learning.networks.spread import edge_sigmas
from onebox.learning.quiet import quiet
from onebox.model_bytes import read_model_bytes
from onebox.model_card import ModelCard, write_card
from onebox.outputs import (
    FEATURES_OUTPUT,
    INPUT,
    KEYPOINTS_OUTPUT,
    PRESENCE_OUTPUT,
    SIGMA_OUTPUT,
    Arrays,
    output_names,
)
from onebox.parity import PARITY_IMAGES, PARITY_PX, check_parity, largest_difference_px

_WHITE = 255.0  # divided by while normalizing, which saves a pass over the pixels
_OPSET = 18


class Deployed(nn.Module):
    """The network as it is shipped, from uint8 pixels to boxes in pixels."""

    def __init__(
        self, network: Network, size: int, flip_pairs: Sequence[tuple[int, int]] = ()
    ) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.flip_pairs = flip_pairs
        heads = {KEYPOINTS_OUTPUT: network.keypoint_head, PRESENCE_OUTPUT: network.presence_head}
        there = {name for name, head in heads.items() if head is not None}
        self.output_names = [*output_names({*there, SIGMA_OUTPUT}), FEATURES_OUTPUT]

    def forward(self, image: UInt8[Tensor, "n height width 3"]) -> tuple[Tensor, ...]:
        """Localize the subjects.

        Returns:
            ``xyxy`` boxes (n, 4) in pixels of the images, class probabilities (n, classes),
            scores (n,) and, where the network has them, keypoints as ``(x, y, confidence)``
            (n, keypoints, 3) and probabilities (n,) that the image shows the subject. Then standard
            deviations (n, 4) of the edges in pixels, and features (n, channels).
        """
        height, width = image.shape[1], image.shape[2]
        planes = image.permute(0, 3, 1, 2).float()
        images = functional.interpolate(
            planes, size=(self.size, self.size), mode="bilinear", align_corners=False
        )
        outputs, cells = self._run(images)
        edges = outputs.box.boxes.clamp(0, 1)
        low = torch.minimum(edges[:, :2], edges[:, 2:])
        high = torch.maximum(edges[:, :2], edges[:, 2:])
        sigmas = _in_order(edge_sigmas(outputs), edges)
        one = torch.ones_like(low[:, :1])
        sides = torch.cat([one * width, one * height], dim=1)
        boxes = torch.cat([low, high], dim=1)
        found = {"box": boxes * sides.repeat(1, 2)}
        found[SIGMA_OUTPUT] = sigmas * sides.repeat(1, 2)
        found[FEATURES_OUTPUT] = sum_in_box(cells, boxes)
        found["probability"] = outputs.class_logits.softmax(dim=1)
        score = found["probability"].amax(dim=1)
        if outputs.iou_logit is not None:
            score = score * outputs.iou_logit.sigmoid()
        if outputs.keypoints is not None:
            points = outputs.keypoints.points.clamp(0, 1) * sides[:, None]
            confidence = outputs.keypoints.confidence.sigmoid()[..., None]
            found[KEYPOINTS_OUTPUT] = torch.cat([points, confidence], dim=2)
        if outputs.presence_logit is not None:
            found[PRESENCE_OUTPUT] = outputs.presence_logit.sigmoid()
            score = score * found[PRESENCE_OUTPUT]
        found["score"] = score
        return tuple(found[name] for name in self.output_names)

    def _run(self, images: Float[Tensor, "n 3 side side"]) -> tuple[Outputs, Tensor]:
        """The network's outputs, and the finer of the two deepest maps."""
        head = self.network.keypoint_head
        if not (self.network.flip_test and isinstance(head, HeatmapKeypoints)):
            maps = self.network.backbone(images, _WHITE)
            return self.network.forward_heads(maps), maps[-2:][0]
        maps = self.network.backbone(torch.cat([images, images.flip(3)]), _WHITE)
        outputs = self.network.forward_heads(maps)
        cells = maps[-2:][0][: images.shape[0]]
        return mean_with_mirrored(outputs, head, self.flip_pairs), cells


def _in_order(sigmas: Float[Tensor, "n 4"], edges: Float[Tensor, "n 4"]) -> Tensor:
    """The deviations of edges that are put in order: a left edge may lie right of the other."""
    is_swapped = edges[:, :2] > edges[:, 2:]
    low = torch.where(is_swapped, sigmas[:, 2:], sigmas[:, :2])
    high = torch.where(is_swapped, sigmas[:, :2], sigmas[:, 2:])
    return torch.cat([low, high], dim=1)


def export(
    network: Network,
    card: ModelCard,
    path: Path,
    images: Sequence[UInt8[ndarray, "_ _ 3"]],
    *,
    limit_px: float = PARITY_PX,
) -> float:
    """Write ``model.onnx``, if its outputs agree with the network's on some images.

    Returns:
        The largest difference of a box edge, in pixels of the training size.

    Raises:
        ModelError: If the two differ by more than ``limit_px``.
        OneboxError: If the file cannot be written.
        ValueError: If there are fewer than ``PARITY_IMAGES`` images to compare.
    """
    if len(images) < PARITY_IMAGES:
        raise ValueError(f"parity needs {PARITY_IMAGES} images, got {len(images)}.")
    pairs = () if card.keypoints is None else card.keypoints.flip_pairs
    deployed = Deployed(network.cpu().eval(), card.size, pairs).eval()
    with replacing(path) as temporary:
        _to_onnx(deployed, temporary)
        difference = parity(deployed, temporary, images)
        check_parity(difference, limit_px)
        write_card(temporary, card)
    return difference


def parity(deployed: Deployed, file: Path, images: Sequence[ndarray]) -> float:
    """As `largest_difference_px`, between PyTorch's and ONNX Runtime's outputs.

    Raises:
        ModelError: If the file cannot be read.
    """
    # ONNX Runtime would not name the file that it cannot read.
    session = onnxruntime.InferenceSession(
        read_model_bytes(file), providers=["CPUExecutionProvider"]
    )
    names = deployed.output_names

    def run_eager(pixels: ndarray) -> Arrays:
        with torch.inference_mode():
            tensors = deployed(torch.from_numpy(pixels[None].copy()))
        return {name: each.numpy() for name, each in zip(names, tensors, strict=True)}

    def run_exported(pixels: ndarray) -> Arrays:
        return dict(zip(names, session.run(names, {INPUT: pixels[None]}), strict=True))

    return largest_difference_px(run_eager, run_exported, images, size=deployed.size)


def _to_onnx(deployed: Deployed, path: Path) -> None:
    example = torch.zeros(2, deployed.size, deployed.size + 8, 3, dtype=torch.uint8)
    with quiet("torch.onnx"), torch.no_grad():
        torch.onnx.export(
            deployed,
            (example,),
            path,
            input_names=[INPUT],
            output_names=deployed.output_names,
            dynamic_shapes=({0: "n", 1: "height", 2: "width"},),
            opset_version=_OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
