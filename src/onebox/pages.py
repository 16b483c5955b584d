"""HTML pages that work offline: their templates, and images as data URLs.

A page contains its style sheet, charts (inline SVG) and images (JPEG in data URLs); its content
security policy forbids it to fetch anything. Text from outside, such as file names, is escaped.
"""

import base64
import io
from functools import cache

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image

from onebox.images import LoadedImage

_JPEG_QUALITY = 82  # looks only, not tuned
_GREY = 160  # of an image that can no longer be read


@cache
def template(name: str) -> Template:
    """Return a template of the package; what it inserts is escaped, and must be defined."""
    environment = Environment(
        loader=PackageLoader("onebox"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _format_number,
        "percent": _format_percent,
        "whole_percent": lambda fraction: f"{100 * fraction:.0f}\N{NO-BREAK SPACE}%",
    }
    return environment.get_template(name)


def image_url(image: Image.Image) -> str:
    """Return a data URL of an image, as JPEG."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def grey_image(size_wh: tuple[int, int], side: int) -> LoadedImage:
    """Return a grey image in place of one of that size; its longer side is ``side`` pixels."""
    scale = max(size_wh) / side
    width, height = (max(1, round(length / scale)) for length in size_wh)
    scale_xy = (size_wh[0] / width, size_wh[1] / height)
    return LoadedImage(np.full((height, width, 3), _GREY, dtype=np.uint8), size_wh, scale_xy)


def _format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _format_percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}\N{NO-BREAK SPACE}%"
