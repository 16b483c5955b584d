"""Parts of HTML pages that work offline: templates, and images in data URLs."""

import base64
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image

from onebox.errors import ImageError
from onebox.images import LoadedImage
from onebox.structures import Rendered

Load = Callable[[Path | Rendered], LoadedImage]

_JPEG_QUALITY = 82  # looks only, not tuned; 36 tiles of 320 pixels keep a page below about 2 MB
_GREY = 160  # of an image that can no longer be read


def template(name: str) -> Template:
    """A template of the package; text from outside, such as file names, is escaped."""
    return _environment().get_template(name)


def data_url(image: Image.Image) -> str:
    """An image as JPEG in a data URL."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def load_or_grey(
    load_image: Load, source: Path | Rendered, size_wh: tuple[int, int], side: int
) -> LoadedImage:
    """An image, or a grey one with ``side`` pixels if it can no longer be read.

    It was readable when it was predicted; an image that moved since must not fail the page.
    """
    try:
        return load_image(source)
    except ImageError:
        scale = max(size_wh) / side
        width, height = (max(1, round(length / scale)) for length in size_wh)
        scale_xy = (size_wh[0] / width, size_wh[1] / height)
        return LoadedImage(np.full((height, width, 3), _GREY, dtype=np.uint8), size_wh, scale_xy)


@cache
def _environment() -> Environment:
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
    return environment


def _format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _format_percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}\N{NO-BREAK SPACE}%"
