"""Images of a session as JPEGs for the page: upright, scaled down, kept in memory for a while."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from onebox import images

SIDES = (64, 4096)
"""Smallest and largest longer side of a preview, in pixels."""

_QUALITY = 88  # looks only, not tuned
_SHRINKS = (8, 4, 2)  # of the JPEG decoder
_WIDE = 2  # aspect ratio from which `images.load` would average blocks of unequal sides
_MOST_BYTES = 96 * 2**20  # some 300 previews of a large screen; not tuned


def preview(path: Path, size_wh: tuple[int, int], side: int) -> bytes:
    """Scale an image down to a JPEG; it is never enlarged.

    Args:
        path: The image file.
        size_wh: Width and height of the upright image.
        side: The longer side of the preview, in pixels.

    Raises:
        ImageError: If the image cannot be read.
    """
    target = _target(size_wh, side)
    loaded = images.load(path, at_least=_at_least(size_wh, target))
    shown = Image.fromarray(loaded.pixels)
    if shown.size != target:
        shown = shown.resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0)
    encoded = io.BytesIO()
    shown.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def _target(size_wh: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size_wh))
    width, height = (max(1, round(length * scale)) for length in size_wh)
    return width, height


def _at_least(size_wh: tuple[int, int], target: tuple[int, int]) -> int | None:
    """What to ask of `images.load`, so that a JPEG is shrunk while it decodes, and no more."""
    if max(size_wh) >= _WIDE * min(size_wh):
        return None
    across, down = (whole // small for whole, small in zip(size_wh, target, strict=True))
    shrink = next((one for one in _SHRINKS if one <= min(across, down)), 1)
    return None if shrink == 1 else min(size_wh) // shrink


@dataclass(slots=True)
class PreviewCache:
    """The newest previews, up to a number of bytes; threads may share it."""

    most_bytes: int = _MOST_BYTES
    _kept: OrderedDict[Hashable, bytes] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The preview of a key, made if it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._bytes += len(made)
            while self._bytes > self.most_bytes and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return made
