"""Images laid out on one sheet."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from onebox import fonts

_WHITE = (255, 255, 255)
_GREY = (96, 96, 96)
_GAP = 8
_CAPTION_PX = 13


def contact_sheet(
    tiles: Sequence[Image.Image],
    *,
    columns: int,
    tile_side: int,
    captions: Sequence[str] | None = None,
) -> Image.Image:
    """Lay images out in rows on grey, each centred in a square tile, with or without captions.

    Args:
        tiles: The images; an image larger than its tile is shrunk.
        columns: Maximum number of images per row.
        tile_side: Width and height of a tile, in pixels.
        captions: One line of text below each image, cut if it is too long.

    Returns:
        The sheet, with no empty columns.

    Raises:
        ValueError: If there is no image, or not one caption per image.
    """
    if not tiles:
        raise ValueError("a contact sheet needs at least one image.")
    if captions is not None and len(captions) != len(tiles):
        raise ValueError(f"{len(tiles)} images cannot have {len(captions)} captions.")
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    row_height = tile_side + (0 if captions is None else 2 * _CAPTION_PX)
    sheet_wh = (_GAP + columns * (tile_side + _GAP), _GAP + rows * (row_height + _GAP))
    sheet = Image.new("RGB", sheet_wh, _GREY)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        corner = (_GAP + column * (tile_side + _GAP), _GAP + row * (row_height + _GAP))
        _paste(sheet, tile, corner, tile_side)
        if captions is not None:
            _write_caption(sheet, captions[index], (corner[0], corner[1] + tile_side), tile_side)
    return sheet


def _paste(sheet: Image.Image, tile: Image.Image, corner: tuple[int, int], side: int) -> None:
    image = tile.convert("RGB")
    image.thumbnail((side, side))
    left, top = (corner[axis] + (side - image.size[axis]) // 2 for axis in range(2))
    sheet.paste(image, (left, top))


def _write_caption(sheet: Image.Image, caption: str, corner: tuple[int, int], width: int) -> None:
    font = fonts.font(_CAPTION_PX)
    text = fonts.cut(" ".join(caption.split()), font, width)
    left = corner[0] + (width - round(font.getlength(text))) // 2
    ImageDraw.Draw(sheet).text((left, corner[1] + 4), text, fill=_WHITE, font=font)
