"""``audit.html``: an audit as one HTML file that works offline."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from onebox.audit.records import Audit, Finding
from onebox.errors import ImageError
from onebox.files import write_atomically
from onebox.image_sizes import size_of
from onebox.images import LoadedImage, load
from onebox.pages import grey_image, image_url, template
from onebox.structures import Dataset, PackedImage, Rendered, Sample
from onebox.visualization import draw_correction, resize_longer_side

TILE_SIDE = 256
"""Longer side of an image in the page, in pixels."""

MOST_TILES = 60
"""Maximum number of images of each list."""

UNLISTED_TILES = 12
"""Maximum number of images that are not listed, after those that are."""

# Looks only, not tuned. Two lists and the checks together keep the page below about 4 MB.
_LIST_BYTES = 1_250_000
_UNKNOWN_WH = (4, 3)  # of an image that can no longer be read

Load = Callable[[Path | PackedImage | Rendered], LoadedImage]
_load = partial(load, at_least=TILE_SIDE)


@dataclass(frozen=True, slots=True)
class Tile:
    """One finding with its image."""

    url: str  # a data URL of the image with its boxes drawn
    name: str  # file name, for the caption
    full_name: str  # whole path, for the tooltip
    finding: Finding


@dataclass(frozen=True, slots=True)
class Group:
    """What the page shows of one list."""

    listed: Sequence[Tile]
    next: Sequence[Tile]  # not listed
    left_out: int  # listed, and only in audit.csv


def write_page(
    audit: Audit,
    data: Dataset,
    path: str | os.PathLike[str],
    *,
    facts: Mapping[str, str] | None = None,
    load_image: Load = _load,
) -> None:
    """Write an audit as one HTML file of at most about 4 MB.

    Args:
        audit: What was found.
        data: The data set that was audited.
        path: The file to write; its folder must exist.
        facts: Names and values about the audit (data, recipe, folds, ...), in order.
        load_image: Reads the image of a sample. An image that can no longer be read is grey.

    Raises:
        OneboxError: If the file cannot be written.
    """
    make_tile = partial(_tile, data, load_image)
    page = template("audit.html.jinja").render(
        audit=audit,
        data=data,
        facts=dict(facts or {}),
        boxes=_group(audit.boxes, make_tile),
        classes=_group(audit.classes, make_tile),
        checks=_group(audit.checks, make_tile),
        listed_boxes=count_listed(audit.boxes),
        listed_classes=count_listed(audit.classes),
    )
    write_atomically(Path(path), page.encode("utf-8", errors="replace"))


def count_listed(findings: Iterable[Finding]) -> int:
    """Number of findings that are in their list at its false-discovery rate."""
    return sum(one.is_listed for one in findings)


def _group(findings: Sequence[Finding], make_tile: Callable[[Finding], Tile]) -> Group:
    """Tiles of the listed findings, then of the next ones, as many as the page has room for."""
    listed = [one for one in findings if one.is_listed]
    others = [one for one in findings if not one.is_listed]
    following = min(UNLISTED_TILES, MOST_TILES - min(len(listed), MOST_TILES))
    chosen = [*listed[:MOST_TILES], *others[:following]]
    tiles = _fitting(map(make_tile, chosen))
    shown = [tile for tile in tiles if tile.finding.is_listed]
    rest = [tile for tile in tiles if not tile.finding.is_listed]
    return Group(shown, rest, len(listed) - len(shown))


def _fitting(tiles: Iterable[Tile]) -> list[Tile]:
    """The first tiles, up to the bytes of a list."""
    kept: list[Tile] = []
    room = _LIST_BYTES
    for tile in tiles:
        room -= len(tile.url)
        if room < 0:
            break
        kept.append(tile)
    return kept


def _tile(data: Dataset, load_image: Load, finding: Finding) -> Tile:
    sample = data.samples[finding.row]
    url = image_url(_drawn(sample, finding, load_image))
    return Tile(url, sample.file_name, sample.name, finding)


def _drawn(sample: Sample, finding: Finding, load_image: Load) -> Image.Image:
    try:
        image = load_image(sample.image)
    except ImageError:
        # It was readable when it was audited; an image that moved since must not fail the page.
        image = grey_image(_size(sample), TILE_SIDE)
    small = resize_longer_side(image, TILE_SIDE)
    return draw_correction(
        small.pixels, sample, box=finding.box, label=finding.label, scale_xy=small.scale_xy
    )


def _size(sample: Sample) -> tuple[int, int]:
    try:
        return size_of(sample)
    except ImageError:
        return _UNKNOWN_WH
