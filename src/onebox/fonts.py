"""Letters for what is drawn on images, and text that fits the room there is."""

from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_ELLIPSIS = "..."


@cache
def font(size_px: int) -> Font:
    """The letters that Pillow brings, of one size."""
    return ImageFont.load_default(size_px)


def height(letters: Font) -> int:
    """Pixels from the top of a line of text to the foot of its longest letter."""
    return int(letters.getbbox("Ăgjpqy|")[3])


def cut(text: str, letters: Font, width: int) -> str:
    """As much of a text as a width has room for; empty where not even one letter fits."""
    if letters.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        if letters.getlength(text[:kept] + _ELLIPSIS) <= width:
            return text[:kept] + _ELLIPSIS
    return ""
