"""The cat: scikit-image's portrait of Chelsea, cut out along a hand-drawn outline."""

from pathlib import Path

from PIL import Image, ImageDraw

# (x, y) in pixels of chelsea.png (451 x 300), clockwise from the left ear. The photograph cuts off
# the ears and the crown; the outline dips between the ears so that it still looks like a head.
OUTLINE = (
    *((46, 0), (63, 0), (77, 9), (88, 20), (104, 14), (128, 8), (156, 4), (186, 2), (216, 2)),
    *((246, 3), (272, 6), (294, 11), (311, 19), (327, 11), (348, 5), (374, 0), (397, 0)),
    *((390, 17), (382, 38), (372, 55), (359, 72), (352, 80), (356, 92), (360, 106), (362, 124)),
    *((360, 142), (359, 156), (356, 168), (350, 180), (341, 192), (331, 203), (322, 214)),
    *((317, 226), (314, 240), (308, 254), (299, 266), (287, 276), (272, 283), (255, 287)),
    *((236, 288), (216, 287), (198, 283), (182, 277), (165, 269), (148, 261), (132, 251)),
    *((117, 238), (103, 225), (90, 213), (78, 202), (67, 190), (58, 177), (51, 163), (46, 149)),
    *((41, 135), (37, 120), (34, 104), (32, 88), (31, 72), (32, 54), (34, 36), (38, 18)),
)

_SUPERSAMPLING = 4  # the mask is drawn this much larger, then averaged: a smooth edge; not tuned


def cut_out_cat(portrait: Path) -> Image.Image:
    """Cut the cat out of scikit-image's ``chelsea.png``: RGBA, antialiased along the outline."""
    with Image.open(portrait) as opened:
        cat = opened.convert("RGB")
    mask = Image.new("L", (cat.width * _SUPERSAMPLING, cat.height * _SUPERSAMPLING))
    ImageDraw.Draw(mask).polygon(
        [(x * _SUPERSAMPLING, y * _SUPERSAMPLING) for x, y in OUTLINE], fill=255
    )
    cat.putalpha(mask.reduce(_SUPERSAMPLING))
    return cat
