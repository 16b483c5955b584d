"""How long a JPEG takes to decode, before it is decoded.

A progressive JPEG refines all its pixels in one scan after another, usually about ten. Nothing
bounds their number, and an empty scan takes a few bytes: a file of 400 kB with 200 scans of 64
megapixels takes more than a minute.
"""

from onebox.errors import ImageError

_START_OF_SCAN = b"\xff\xda"
_SCANS_OF_LARGEST = 16  # that an image of the most pixels may have; not tuned
_FORMATS = frozenset({"JPEG", "MPO"})


def check_scans(encoded: bytes, kind: str | None, pixels: int, max_pixels: int) -> None:
    """Check that the scans of a JPEG have no more pixels together than are allowed.

    Args:
        encoded: The image.
        kind: Its format, as Pillow names it; others than JPEG have no scans.
        pixels: Its width times its height.
        max_pixels: The most that an image may have.

    Raises:
        ImageError: If they do.
    """
    if kind not in _FORMATS:
        return
    # Compressed data never contains this mark; a preview in the metadata adds a few.
    scans = encoded.count(_START_OF_SCAN)
    if scans * pixels > _SCANS_OF_LARGEST * max_pixels:
        most = _SCANS_OF_LARGEST * max_pixels // pixels
        raise ImageError(
            f"the JPEG has {scans} scans of {pixels} pixels; at most {most} scans of so many "
            "pixels are allowed. Save it anew."
        )
