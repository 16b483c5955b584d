"""The font for text on images, and text cut to a width."""

from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_ELLIPSIS = "..."


@cache
def font(size_px: int) -> Font:
    """Pillow's own font in one size."""
    return ImageFont.load_default(size_px)


def height(font: Font) -> int:
    """Pixels from the top of a line of text to the bottom of its lowest letter."""
    return int(font.getbbox("Ăgjpqy|")[3])


def cut(text: str, font: Font, width: int) -> str:
    """The longest beginning of a text that fits a width in pixels; empty if no letter fits."""
    if font.getlength(text) <= width:
        return text
    for length in range(len(text) - 1, 0, -1):
        if font.getlength(text[:length] + _ELLIPSIS) <= width:
            return text[:length] + _ELLIPSIS
    return ""
