"""Augmentation of whole batches: images together with their boxes and keypoints.

One affine map per image crops, zooms, stretches, rotates and mirrors; the same numbers transform
its box and keypoints, so that they stay exact. A window is the part of an image that the result
shows, as normalized ``xyxy``. It may reach beyond the image, which zooms out.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from onebox.recipes.sections import AugmentSettings
from onebox.refinement import MIN_LENGTH
from onebox.structures import mirrored_order

Images = Float[Tensor, "n 3 height width"]
Boxes = Float[Tensor, "n 4"]
Pairs = Sequence[tuple[int, int]]

SQUARE_MARGINS = (1.1, 1.6)
"""Side of a square window over the longer edge of the box; up to 2 was worse on validation
images."""

_OFF_CENTRE = 0.15  # of the box's width and height: a first box is not exact, either; not tuned
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, section 2.5.1


class Targets(NamedTuple):
    """Boxes and keypoints of a batch of images.

    Attributes:
        boxes: Normalized ``xyxy``.
        keypoints: Normalized ``(x, y)`` and visibility, which is 0 for an unlabelled keypoint.
        aspects: Width over height of each image before it became a square.
    """

    boxes: Boxes
    keypoints: Float[Tensor, "n keypoints 3"]
    aspects: Float[Tensor, " n"]


def augment(
    images: Images,
    targets: Targets,
    settings: AugmentSettings,
    *,
    size: int,
    flip_pairs: Pairs,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n 3 size size"], Targets]:
    """Crop or zoom, rotate, mirror and recolour each image at random.

    Images have values in [0, 1], and targets lie on the CPU; ``size`` is in pixels. A box that the
    window cuts keeps its visible part, and a keypoint outside the window is no longer labelled.
    Mirroring an image swaps the keypoints of ``flip_pairs``.
    """
    if settings.square_crops:
        windows = square_windows(targets.boxes, targets.aspects, settings, generator)
    else:
        windows = random_windows(targets.boxes, settings, generator)
    is_flipped = _chance(len(windows), settings.flip, generator)
    angles = _random_angles(len(windows), settings, generator)
    shown = warp(images, windows, is_flipped, size, angles)
    keypoints = transform_keypoints(targets.keypoints, windows, is_flipped, flip_pairs, angles)
    boxes = transform_boxes(targets.boxes, windows, is_flipped)
    # A rotated box is no longer tight; the hull of the rotated keypoints is.
    if angles is not None:
        has_hull = (keypoints[..., 2] > 0).sum(dim=1, keepdim=True) > 1
        rotated = _around_rotated(targets.boxes, windows, is_flipped, angles)
        boxes = torch.where(has_hull, hulls(keypoints), rotated)
    return jitter_colours(shown, settings, generator), Targets(boxes, keypoints, targets.aspects)


def _random_angles(
    count: int, settings: AugmentSettings, generator: torch.Generator
) -> Float[Tensor, " n"] | None:
    """One clockwise angle per image, in radians; None if the settings rotate no image."""
    if not settings.rotate:
        return None
    return (2 * _uniform((count,), generator) - 1) * math.radians(settings.rotate)


def _around_rotated(
    boxes: Boxes,
    windows: Boxes,
    is_flipped: Bool[Tensor, " n"],
    angles: Float[Tensor, " n"],
) -> Boxes:
    """Boxes around the rotated corners of boxes, cut off at the windows."""
    corners = boxes[:, [0, 1, 0, 3, 2, 1, 2, 3]].reshape(-1, 4, 2)
    labelled = torch.cat([corners, torch.ones_like(corners[..., :1])], dim=2)
    moved = transform_keypoints(labelled, windows, is_flipped, (), angles)[..., :2]
    return torch.cat([moved.amin(dim=1), moved.amax(dim=1)], dim=1).clamp(0, 1)


def hulls(keypoints: Float[Tensor, "n keypoints 3"]) -> Boxes:
    """``xyxy`` boxes around the labelled keypoints; inverted for an image without any."""
    is_labelled = keypoints[..., 2:] > 0
    low = keypoints[..., :2].where(is_labelled, torch.inf).amin(dim=1)
    high = keypoints[..., :2].where(is_labelled, -torch.inf).amax(dim=1)
    return torch.cat([low, high], dim=1)


def random_windows(boxes: Boxes, settings: AugmentSettings, generator: torch.Generator) -> Boxes:
    """Draw a window per image that contains its box, except for what truncation cuts off.

    Width and height are log-uniform and the position is uniform. A window smaller than the image
    lies inside it, a larger one contains it. It is the whole image where nothing is cropped.
    """
    count = len(boxes)
    boxes = _with_borrowed_boxes(boxes, generator)
    size_wh = boxes[:, 2:] - boxes[:, :2]
    cut = _uniform((count, 4), generator) * settings.max_truncation * size_wh.repeat(1, 2)
    low, high = boxes[:, :2] + cut[:, :2], boxes[:, 2:] - cut[:, 2:]
    smallest = (high - low).clamp(settings.min_scale, 1.0).log()
    largest = torch.full_like(smallest, settings.max_scale).log()
    zoom = _uniform((count, 1), generator)
    widest = torch.tensor(settings.max_aspect_change).log()
    stretch = (_uniform((count, 1), generator) - 0.5) * widest
    wanted = smallest + (largest - smallest) * zoom + torch.cat([stretch, -stretch], dim=1)
    window_wh = wanted.clamp(min=smallest, max=largest).exp()
    # Inside the image if it fits, around the image otherwise.
    first = torch.where(window_wh <= 1, (high - window_wh).clamp(min=0.0), 1 - window_wh)
    last = torch.where(window_wh <= 1, torch.minimum(low, 1 - window_wh), torch.zeros_like(low))
    corner = first + (last - first) * _uniform((count, 2), generator)
    return _some(torch.cat([corner, corner + window_wh], dim=1), settings, generator)


def square_windows(
    boxes: Boxes,
    aspects: Float[Tensor, " n"],
    settings: AugmentSettings,
    generator: torch.Generator,
) -> Boxes:
    """Draw a window around each box that is a square of pixels, up to the change of aspect.

    ``aspects`` are width over height of the images. The square is 1.1 to 1.6 times as long as the
    longer edge of the box, and at least as long as a refinement crop. It need not lie inside the
    image. It is the whole image where nothing is cropped.
    """
    count = len(boxes)
    boxes = _with_borrowed_boxes(boxes, generator)
    size_wh = boxes[:, 2:] - boxes[:, :2]
    unit = torch.stack([aspects, torch.ones_like(aspects)], dim=1)  # of the image, in its heights
    least, most = SQUARE_MARGINS
    margin = least + (most - least) * _uniform((count, 1), generator)
    widest = torch.tensor(settings.max_aspect_change).log()
    stretch = ((_uniform((count, 1), generator) - 0.5) * widest).exp()
    shortest = MIN_LENGTH * unit.amin(dim=1, keepdim=True)
    side = ((size_wh * unit).amax(dim=1, keepdim=True) * margin).clamp(min=shortest)
    half = side * torch.cat([stretch, 1 / stretch], dim=1) / unit / 2
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    centre = centre + size_wh * _OFF_CENTRE * (2 * _uniform((count, 2), generator) - 1)
    return _some(torch.cat([centre - half, centre + half], dim=1), settings, generator)


def _some(windows: Boxes, settings: AugmentSettings, generator: torch.Generator) -> Boxes:
    """The window of each image that is cropped or zoomed, and the whole of every other image."""
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand_as(windows)
    is_changed = _chance(len(windows), settings.geometric_probability, generator)
    return torch.where(is_changed[:, None], windows, whole)


def _with_borrowed_boxes(boxes: Boxes, generator: torch.Generator) -> Boxes:
    """Boxes, with another image's box, drawn at random, for each image that has none.

    So a window does not reveal whether the image shows the subject. If no image of the batch has
    a box, each window has to contain a random point.
    """
    is_empty = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1)
    if not is_empty.any():
        return boxes
    donors = boxes[~is_empty]
    if not len(donors):
        return _uniform((len(boxes), 2), generator).repeat(1, 2)
    drawn = (_uniform((len(boxes),), generator) * len(donors)).long()
    return torch.where(is_empty[:, None], donors[drawn], boxes)


def warp(
    images: Images,
    windows: Boxes,
    is_flipped: Bool[Tensor, " n"],
    size: int,
    angles: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n 3 size size"]:
    """Resample each image's window to ``size`` x ``size``, with mid-grey beyond the image.

    ``angles``, in radians, rotate the resulting square clockwise about its centre.
    """
    windows, is_flipped = windows.to(images.device), is_flipped.to(images.device)
    extent = windows[:, 2:] - windows[:, :2]
    centre = windows[:, 2:] + windows[:, :2] - 1  # in coordinates from -1 to 1
    mirror = 1 - 2 * is_flipped.to(extent.dtype)
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    angles = torch.zeros_like(mirror) if angles is None else angles.to(mirror)
    cosine, sine = angles.cos(), angles.sin()
    # The map goes from the result to the image, so it rotates the opposite way.
    theta[:, 0, 0], theta[:, 0, 1] = extent[:, 0] * cosine * mirror, extent[:, 0] * sine
    theta[:, 1, 0], theta[:, 1, 1] = -extent[:, 1] * sine * mirror, extent[:, 1] * cosine
    theta[:, :, 2] = centre
    grid = functional.affine_grid(theta, [len(images), 3, size, size], align_corners=False)
    # Sampling fills the outside with zeros: shift mid-grey to zero and back.
    return functional.grid_sample(images - 0.5, grid, align_corners=False) + 0.5


def transform_boxes(boxes: Boxes, windows: Boxes, is_flipped: Bool[Tensor, " n"]) -> Boxes:
    """Boxes in normalized coordinates of their windows, clipped, and mirrored as the image is."""
    extent = windows[:, 2:] - windows[:, :2]
    corners = ((boxes - windows[:, :2].repeat(1, 2)) / extent.repeat(1, 2)).clamp(0, 1)
    mirrored = torch.stack(
        [1 - corners[:, 2], corners[:, 1], 1 - corners[:, 0], corners[:, 3]], dim=1
    )
    return torch.where(is_flipped[:, None], mirrored, corners)


def transform_keypoints(
    keypoints: Float[Tensor, "n keypoints 3"],
    windows: Boxes,
    is_flipped: Bool[Tensor, " n"],
    flip_pairs: Pairs,
    angles: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n keypoints 3"]:
    """Keypoints in normalized coordinates of their windows; mirroring swaps left and right."""
    extent = (windows[:, 2:] - windows[:, :2])[:, None]
    points = (keypoints[..., :2] - windows[:, None, :2]) / extent
    points = points if angles is None else _rotated(points, angles)
    is_inside = ((points >= 0) & (points <= 1)).all(dim=2)
    moved = torch.cat([points, (keypoints[..., 2] * is_inside)[..., None]], dim=2)
    order = mirrored_order(keypoints.shape[1], flip_pairs)
    mirrored = moved[:, order] * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([1.0, 0.0, 0.0])
    return torch.where(is_flipped[:, None, None], mirrored, moved)


def _rotated(
    points: Float[Tensor, "n keypoints 2"], angles: Float[Tensor, " n"]
) -> Float[Tensor, "n keypoints 2"]:
    """Points rotated about the centre of the window, as `warp` rotates the image."""
    cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
    x, y = (points - 0.5).unbind(dim=2)
    return torch.stack([x * cosine - y * sine, x * sine + y * cosine], dim=2) + 0.5


def jitter_colours(images: Images, settings: AugmentSettings, generator: torch.Generator) -> Images:
    """Change saturation, contrast and brightness of each image; make some grayscale."""
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


def _chance(count: int, probability: float, generator: torch.Generator) -> Bool[Tensor, " n"]:
    return torch.rand(count, generator=generator) < probability
