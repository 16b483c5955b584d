"""Network → ``model.onnx``: pixels of any size in, boxes in those pixels out.

The exported graph resizes, normalizes, runs the network and decodes the box. The file is written
only if ONNX Runtime computes the boxes that PyTorch computes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional

from onebox.errors import ModelError
from onebox.files import replacing
from onebox.learning.networks.network import Network
from onebox.learning.quiet import quiet
from onebox.model_card import METADATA_KEY, ModelCard
from onebox.outputs import INPUT, KEYPOINTS_OUTPUT, PRESENCE_OUTPUT, outputs_of

PARITY_PX = 0.1
"""Largest difference of a box edge that export accepts, in pixels of the training size."""

PARITY_IMAGES = 32
_WHITE = 255.0  # divided by while normalizing, which saves a pass over the pixels
_OPSET = 18
# What is compared → shares of the image's width and height.
_SHARES: dict[str, Callable[[ndarray, ndarray], ndarray]] = {
    "box": lambda boxes, sides_wh: boxes.reshape(-1, 2) / sides_wh,
    KEYPOINTS_OUTPUT: lambda keypoints, sides_wh: keypoints[..., :2] / sides_wh,
    PRESENCE_OUTPUT: lambda presence, _: presence,
}


class Deployed(nn.Module):
    """The network as it is shipped, from uint8 pixels to boxes in pixels."""

    def __init__(self, network: Network, size: int) -> None:
        super().__init__()
        self.network = network
        self.size = size

    def forward(self, image: UInt8[Tensor, "n height width 3"]) -> tuple[Tensor, ...]:
        """Localize the subjects.

        Returns:
            ``xyxy`` boxes (n, 4) in pixels of the images, class probabilities (n, classes),
            scores (n,) and, where the network has them, keypoints as ``(x, y, confidence)``
            (n, keypoints, 3) and probabilities (n,) that the image shows the subject.
        """
        height, width = image.shape[1], image.shape[2]
        planes = image.permute(0, 3, 1, 2).float()
        images = functional.interpolate(
            planes, size=(self.size, self.size), mode="bilinear", align_corners=False
        )
        outputs = self.network(images, _WHITE)
        edges = outputs.box.boxes.clamp(0, 1)
        low = torch.minimum(edges[:, :2], edges[:, 2:])
        high = torch.maximum(edges[:, :2], edges[:, 2:])
        one = torch.ones_like(low[:, :1])
        sides = torch.cat([one * width, one * height], dim=1)
        boxes = torch.cat([low * sides, high * sides], dim=1)
        probability = outputs.class_logits.softmax(dim=1)
        score = probability.amax(dim=1)
        if outputs.iou_logit is not None:
            score = score * outputs.iou_logit.sigmoid()
        more = []
        if outputs.keypoints is not None:
            points = outputs.keypoints.points.clamp(0, 1) * sides[:, None]
            confidence = outputs.keypoints.confidence.sigmoid()[..., None]
            more.append(torch.cat([points, confidence], dim=2))
        if outputs.presence_logit is not None:
            more.append(outputs.presence_logit.sigmoid())
            score = score * more[-1]
        return boxes, probability, score, *more

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs in the file."""
        heads = self.network.keypoint_head, self.network.presence_head
        keypoints, presence = (head is not None for head in heads)
        return list(outputs_of(keypoints=keypoints, presence=presence))


def export(
    network: Network,
    card: ModelCard,
    path: Path,
    images: Sequence[UInt8[ndarray, "_ _ 3"]],
    *,
    limit_px: float = PARITY_PX,
) -> float:
    """Write ``model.onnx``, if its outputs agree with the network's.

    Args:
        network: On any device.
        card: Written into the file's metadata.
        path: Appears as a whole, in place of an earlier file.
        images: At least ``PARITY_IMAGES``, on which the two are compared.
        limit_px: The largest difference that is accepted.

    Returns:
        The largest difference of a box edge, in pixels of the training size.

    Raises:
        ModelError: If the two differ by more than ``limit_px``.
        OneboxError: If the file cannot be written.
        ValueError: If there are too few images to compare.
    """
    if len(images) < PARITY_IMAGES:
        raise ValueError(f"parity needs {PARITY_IMAGES} images, got {len(images)}.")
    deployed = Deployed(network.cpu().eval(), card.size).eval()
    with replacing(path) as temporary:
        _to_onnx(deployed, temporary)
        difference = parity(deployed, temporary, images)
        check_parity(difference, limit_px)
        write_card(temporary, card)
    return difference


def parity(deployed: Deployed, file: Path, images: Sequence[ndarray]) -> float:
    """The largest difference of a box edge, a keypoint or a presence between PyTorch and ONNX Runtime.

    A presence, which has no pixels, counts as an edge does: its whole range is a side.

    Returns:
        Pixels of the training size; no number where either has no number.
    """
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = deployed.output_names
    differences = [0.0]
    for image in images:
        sides_wh = np.array(image.shape[1::-1])
        with torch.inference_mode():
            eager = deployed(torch.from_numpy(image[None].copy()))
        exported = session.run(names, {INPUT: image[None]})
        differences += [
            np.abs(_SHARES[name](ours.numpy() - theirs, sides_wh)).max()
            for name, ours, theirs in zip(names, eager, exported, strict=False)
            if name in _SHARES
        ]
    return float(np.max(differences)) * deployed.size


def check_parity(difference: float, limit: float) -> None:
    """See that an export holds.

    Args:
        difference: What `parity` found, in pixels of the training size.
        limit: The largest difference accepted.

    Raises:
        ModelError: If the difference is larger, or not a number; the message has both numbers.
    """
    if not difference <= limit:
        raise ModelError(
            f"the exported model's outputs differ from the network's by {difference:.3f} px, more "
            f"than the {limit:.3f} px allowed; nothing was written. Keep the checkpoint and report "
            "the recipe."
        )


def write_card(path: Path, facts: ModelCard) -> None:
    """Put facts into an ONNX file's metadata, in place of what stood there.

    Raises:
        OneboxError: If the file cannot be written.
    """
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: facts.as_json()})
    for entity in (*model.graph.node, *model.graph.value_info, *model.graph.input):
        del entity.metadata_props[:]  # the exporter's call stacks, with the machine's paths
        entity.doc_string = ""
    with replacing(path) as temporary:
        onnx.save(model, temporary)


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
