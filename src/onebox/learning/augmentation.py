"""Whole batches of pictures varied together with their boxes.

One affine map a picture does crop, zoom, aspect and mirror at once; the same numbers move the
box, so that nothing leaves it wrong. A window is the part of the picture that is shown, as
``xyxy`` in shares of the picture's sides; it may reach outside, which zooms out.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from onebox.learning.recipe import AugmentSettings

Pictures = Float[Tensor, "n 3 height width"]
Rows = Float[Tensor, "n 4"]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, section 2.5.1


def augment(
    pictures: Pictures,
    boxes: Rows,
    settings: AugmentSettings,
    *,
    size: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n 3 size size"], Rows]:
    """Show each picture through a random window, perhaps mirrored, in other colours.

    Args:
        pictures: Values in [0, 1].
        boxes: ``xyxy`` in shares of the picture's sides.
        settings: How far everything may go.
        size: Side of the pictures that come back, in pixels.
        generator: Where all randomness comes from.

    Returns:
        Square pictures of ``size``, and their boxes; a box that the window cuts keeps its
        visible part.
    """
    windows = random_windows(boxes, settings, generator)
    is_flipped = _chance(len(boxes), settings.flip, generator)
    shown = show(pictures, windows, is_flipped, size)
    return (
        vary_colours(shown, settings, generator),
        move_boxes(boxes, windows, is_flipped),
    )


def random_windows(boxes: Rows, settings: AugmentSettings, generator: torch.Generator) -> Rows:
    """Draw a window for each picture that holds its box, but for a little cut from its sides.

    Width and height are spread evenly in their logarithm, places evenly; a window smaller than
    the picture lies inside it, a larger one holds it.

    Returns:
        ``xyxy`` in shares of the picture's sides; the whole picture for those left alone.
    """
    count = len(boxes)
    is_empty = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1)
    # Where nothing is to be kept, some point of the picture is: windows go anywhere.
    boxes = torch.where(is_empty[:, None], _uniform((count, 2), generator).repeat(1, 2), boxes)
    size_wh = boxes[:, 2:] - boxes[:, :2]
    cut = _uniform((count, 4), generator) * settings.cut * size_wh.repeat(1, 2)
    low, high = boxes[:, :2] + cut[:, :2], boxes[:, 2:] - cut[:, 2:]
    smallest = (high - low).clamp(settings.smallest, 1.0).log()
    largest = torch.full_like(smallest, settings.largest).log()
    zoom = _uniform((count, 1), generator)
    lean = (_uniform((count, 1), generator) - 0.5) * torch.tensor(settings.aspect).log()
    wanted = smallest + (largest - smallest) * zoom + torch.cat([lean, -lean], dim=1)
    window_wh = wanted.clamp(min=smallest, max=largest).exp()
    # Inside the picture where it fits in, around it where it does not.
    first = torch.where(window_wh <= 1, (high - window_wh).clamp(min=0.0), 1 - window_wh)
    last = torch.where(window_wh <= 1, torch.minimum(low, 1 - window_wh), torch.zeros_like(low))
    corner = first + (last - first) * _uniform((count, 2), generator)
    windows = torch.cat([corner, corner + window_wh], dim=1)
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand_as(windows)
    return torch.where(_chance(count, settings.geometry, generator)[:, None], windows, whole)


def show(
    pictures: Pictures, windows: Rows, is_flipped: Bool[Tensor, " n"], size: int
) -> Float[Tensor, "n 3 size size"]:
    """Sample each picture's window at ``size`` x ``size``; outside the picture lies mid-grey."""
    windows, is_flipped = windows.to(pictures.device), is_flipped.to(pictures.device)
    extent = windows[:, 2:] - windows[:, :2]
    centre = windows[:, 2:] + windows[:, :2] - 1  # of [-1, 1] coordinates
    mirror = 1 - 2 * is_flipped.to(extent.dtype)
    theta = torch.zeros(len(pictures), 2, 3, device=pictures.device)
    theta[:, 0, 0] = extent[:, 0] * mirror
    theta[:, 1, 1] = extent[:, 1]
    theta[:, :, 2] = centre
    grid = functional.affine_grid(theta, [len(pictures), 3, size, size], align_corners=False)
    # Zeros fill the outside; around mid-grey they are the least surprising colour.
    return functional.grid_sample(pictures - 0.5, grid, align_corners=False) + 0.5


def move_boxes(boxes: Rows, windows: Rows, is_flipped: Bool[Tensor, " n"]) -> Rows:
    """Boxes in shares of their windows, cut at the frame, mirrored where the picture is."""
    extent = windows[:, 2:] - windows[:, :2]
    corners = (boxes - windows[:, :2].repeat(1, 2)) / extent.repeat(1, 2)
    corners = corners.clamp(0, 1)
    mirrored = torch.stack(
        [1 - corners[:, 2], corners[:, 1], 1 - corners[:, 0], corners[:, 3]], dim=1
    )
    return torch.where(is_flipped[:, None], mirrored, corners)


def vary_colours(
    pictures: Pictures, settings: AugmentSettings, generator: torch.Generator
) -> Pictures:
    """Change saturation, contrast and brightness of each picture; turn some grey."""
    count = len(pictures)

    def factor(spread: float) -> Tensor:
        drawn = 1 + (2 * _uniform((count, 1, 1, 1), generator) - 1) * spread
        return drawn.to(pictures.device)

    saturation = factor(settings.saturation)
    is_grey = _chance(count, settings.grey, generator).to(pictures.device)
    saturation = torch.where(is_grey[:, None, None, None], 0.0, saturation)
    contrast, brightness = factor(settings.contrast), factor(settings.brightness) - 1
    luma = torch.tensor(_LUMA, device=pictures.device).view(1, 3, 1, 1)
    grey = (pictures * luma).sum(dim=1, keepdim=True)
    coloured = grey + (pictures - grey) * saturation
    return ((coloured - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator)


def _chance(count: int, share: float, generator: torch.Generator) -> Bool[Tensor, " n"]:
    return torch.rand(count, generator=generator) < share
