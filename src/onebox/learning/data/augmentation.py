"""Whole batches of images varied together with their boxes.

One affine map an image does crop, zoom, aspect, turn and mirror at once; the same numbers move
the box and the keypoints, so that nothing leaves them wrong. A window is the part of the image that
is shown, as ``xyxy`` in shares of the image's sides; it may reach outside, which zooms out.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from onebox.recipes.sections import AugmentSettings

Images = Float[Tensor, "n 3 height width"]
Rows = Float[Tensor, "n 4"]
Pairs = Sequence[tuple[int, int]]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, section 2.5.1


class Targets(NamedTuple):
    """What moves with an image.

    Attributes:
        boxes: ``xyxy`` in shares of the image's sides.
        keypoints: ``(x, y, visibility)`` likewise; visibility 0 where a keypoint is not labelled.
    """

    boxes: Rows
    keypoints: Float[Tensor, "n keypoints 3"]


def augment(
    images: Images,
    targets: Targets,
    settings: AugmentSettings,
    *,
    size: int,
    flip_pairs: Pairs,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n 3 size size"], Targets]:
    """Show each image through a random window, perhaps mirrored, in other colours.

    Args:
        images: Values in [0, 1].
        targets: On the CPU.
        settings: How far everything may go.
        size: Side of the images that come back, in pixels.
        flip_pairs: Keypoints that a mirrored image swaps.
        generator: Where all randomness comes from.

    Returns:
        Square images of ``size``, and their targets; a box that the window cuts keeps its
        visible part, and a keypoint outside is no longer labelled.
    """
    windows = random_windows(targets.boxes, settings, generator)
    is_flipped = _chance(len(windows), settings.flip, generator)
    turns = _turns(len(windows), settings, generator)
    shown = show(images, windows, is_flipped, size, turns)
    keypoints = move_keypoints(targets.keypoints, windows, is_flipped, flip_pairs, turns)
    boxes = move_boxes(targets.boxes, windows, is_flipped)
    # A box that is turned is no longer tight; that of the keypoints is.
    boxes = boxes if turns is None else torch.where(_are_seen(keypoints), hulls(keypoints), boxes)
    return vary_colours(shown, settings, generator), Targets(boxes, keypoints)


def _turns(
    count: int, settings: AugmentSettings, generator: torch.Generator
) -> Float[Tensor, " n"] | None:
    """An angle for each image, in radians, clockwise; None where none is turned."""
    if not settings.rotate:
        return None
    return (2 * _uniform((count,), generator) - 1) * math.radians(settings.rotate)


def hulls(keypoints: Float[Tensor, "n keypoints 3"]) -> Rows:
    """The ``xyxy`` boxes around the labelled keypoints; inverted where there are none."""
    is_labelled = keypoints[..., 2:] > 0
    low = keypoints[..., :2].where(is_labelled, torch.inf).amin(dim=1)
    high = keypoints[..., :2].where(is_labelled, -torch.inf).amax(dim=1)
    return torch.cat([low, high], dim=1)


def _are_seen(keypoints: Float[Tensor, "n keypoints 3"]) -> Bool[Tensor, "n 1"]:
    """Whether two keypoints at least span a box."""
    return ((keypoints[..., 2] > 0).sum(dim=1) > 1)[:, None]


def random_windows(boxes: Rows, settings: AugmentSettings, generator: torch.Generator) -> Rows:
    """Draw a window for each image that holds its box, but for a little cut from its sides.

    Width and height are spread evenly in their logarithm, places evenly; a window smaller than
    the image lies inside it, a larger one holds it.

    Returns:
        ``xyxy`` in shares of the image's sides; the whole image for those left alone.
    """
    count = len(boxes)
    boxes = _with_borrowed(boxes, generator)
    size_wh = boxes[:, 2:] - boxes[:, :2]
    cut = _uniform((count, 4), generator) * settings.max_truncation * size_wh.repeat(1, 2)
    low, high = boxes[:, :2] + cut[:, :2], boxes[:, 2:] - cut[:, 2:]
    smallest = (high - low).clamp(settings.min_scale, 1.0).log()
    largest = torch.full_like(smallest, settings.max_scale).log()
    zoom = _uniform((count, 1), generator)
    lean = (_uniform((count, 1), generator) - 0.5) * torch.tensor(settings.max_aspect_change).log()
    wanted = smallest + (largest - smallest) * zoom + torch.cat([lean, -lean], dim=1)
    window_wh = wanted.clamp(min=smallest, max=largest).exp()
    # Inside the image where it fits in, around it where it does not.
    first = torch.where(window_wh <= 1, (high - window_wh).clamp(min=0.0), 1 - window_wh)
    last = torch.where(window_wh <= 1, torch.minimum(low, 1 - window_wh), torch.zeros_like(low))
    corner = first + (last - first) * _uniform((count, 2), generator)
    windows = torch.cat([corner, corner + window_wh], dim=1)
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand_as(windows)
    return torch.where(
        _chance(count, settings.geometric_probability, generator)[:, None], windows, whole
    )


def _with_borrowed(boxes: Rows, generator: torch.Generator) -> Rows:
    """Boxes, where images that have none take another image's, drawn at random.

    So windows say nothing of whether the subject is there. Where no image has a box, windows
    hold a point.
    """
    is_empty = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1)
    if not is_empty.any():
        return boxes
    donors = boxes[~is_empty]
    if not len(donors):
        return _uniform((len(boxes), 2), generator).repeat(1, 2)
    drawn = (_uniform((len(boxes),), generator) * len(donors)).long()
    return torch.where(is_empty[:, None], donors[drawn], boxes)


def show(
    images: Images,
    windows: Rows,
    is_flipped: Bool[Tensor, " n"],
    size: int,
    turns: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n 3 size size"]:
    """Sample each image's window at ``size`` x ``size``; outside the image lies mid-grey.

    ``turns`` are angles in radians by which what is shown is turned about the window's middle, on
    the square that comes back; from x towards y, which is clockwise to the eye.
    """
    windows, is_flipped = windows.to(images.device), is_flipped.to(images.device)
    extent = windows[:, 2:] - windows[:, :2]
    centre = windows[:, 2:] + windows[:, :2] - 1  # of [-1, 1] coordinates
    mirror = 1 - 2 * is_flipped.to(extent.dtype)
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    angles = torch.zeros_like(mirror) if turns is None else turns.to(mirror)
    cosine, sine = angles.cos(), angles.sin()
    # What is shown is turned one way, so that places are looked up the other way.
    theta[:, 0, 0], theta[:, 0, 1] = extent[:, 0] * cosine * mirror, extent[:, 0] * sine
    theta[:, 1, 0], theta[:, 1, 1] = -extent[:, 1] * sine * mirror, extent[:, 1] * cosine
    theta[:, :, 2] = centre
    grid = functional.affine_grid(theta, [len(images), 3, size, size], align_corners=False)
    # Zeros fill the outside; around mid-grey they are the least surprising colour.
    return functional.grid_sample(images - 0.5, grid, align_corners=False) + 0.5


def move_boxes(boxes: Rows, windows: Rows, is_flipped: Bool[Tensor, " n"]) -> Rows:
    """Boxes in shares of their windows, cut at the frame, mirrored where the image is."""
    extent = windows[:, 2:] - windows[:, :2]
    corners = (boxes - windows[:, :2].repeat(1, 2)) / extent.repeat(1, 2)
    corners = corners.clamp(0, 1)
    mirrored = torch.stack(
        [1 - corners[:, 2], corners[:, 1], 1 - corners[:, 0], corners[:, 3]], dim=1
    )
    return torch.where(is_flipped[:, None], mirrored, corners)


def move_keypoints(
    keypoints: Float[Tensor, "n keypoints 3"],
    windows: Rows,
    is_flipped: Bool[Tensor, " n"],
    flip_pairs: Pairs,
    turns: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n keypoints 3"]:
    """Keypoints in shares of their windows; left and right swap where the image is mirrored."""
    extent = (windows[:, 2:] - windows[:, :2])[:, None]
    points = (keypoints[..., :2] - windows[:, None, :2]) / extent
    points = points if turns is None else _turned(points, turns)
    is_inside = ((points >= 0) & (points <= 1)).all(dim=2)
    moved = torch.cat([points, (keypoints[..., 2] * is_inside)[..., None]], dim=2)
    order = list(range(keypoints.shape[1]))
    for left, right in flip_pairs:
        order[left], order[right] = right, left
    mirrored = moved[:, order] * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([1.0, 0.0, 0.0])
    return torch.where(is_flipped[:, None, None], mirrored, moved)


def _turned(
    points: Float[Tensor, "n keypoints 2"], turns: Float[Tensor, " n"]
) -> Float[Tensor, "n keypoints 2"]:
    """Points about the middle of the window, as `show` turns what lies there."""
    cosine, sine = turns.cos()[:, None], turns.sin()[:, None]
    x, y = (points - 0.5).unbind(dim=2)
    return torch.stack([x * cosine - y * sine, x * sine + y * cosine], dim=2) + 0.5


def vary_colours(images: Images, settings: AugmentSettings, generator: torch.Generator) -> Images:
    """Change saturation, contrast and brightness of each image; turn some grey."""
    count = len(images)

    def factor(spread: float) -> Tensor:
        drawn = 1 + (2 * _uniform((count, 1, 1, 1), generator) - 1) * spread
        return drawn.to(images.device)

    saturation = factor(settings.saturation)
    is_grey = _chance(count, settings.grayscale, generator).to(images.device)
    saturation = torch.where(is_grey[:, None, None, None], 0.0, saturation)
    contrast, brightness = factor(settings.contrast), factor(settings.brightness) - 1
    luma = torch.tensor(_LUMA, device=images.device).view(1, 3, 1, 1)
    grey = (images * luma).sum(dim=1, keepdim=True)
    coloured = grey + (images - grey) * saturation
    return ((coloured - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator)


def _chance(count: int, share: float, generator: torch.Generator) -> Bool[Tensor, " n"]:
    return torch.rand(count, generator=generator) < share
