"""Images that lie, and images that are none."""

import io
import random
import struct
import zlib

import numpy as np
from PIL import Image


def jpeg(rng: random.Random, side: int = 96) -> bytes:
    """A whole JPEG of noise."""
    pixels = np.frombuffer(rng.randbytes(side * side * 3), np.uint8).reshape(side, side, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "jpeg")
    return file.getvalue()


def cut_jpeg(rng: random.Random) -> bytes:
    """A JPEG that ends too early."""
    whole = jpeg(rng)
    return whole[: rng.randrange(1, len(whole) // 2)]


def png_bomb(rng: random.Random) -> bytes:
    """A small PNG that says it has billions of pixels."""
    return png(rng.randrange(20_000, 2**31 - 1), rng.randrange(20_000, 2**31 - 1), b"\0" * 1000)


def deep_png(rng: random.Random) -> bytes:
    """A small PNG within the limit of pixels that decodes to 147 MB."""
    side = 7000
    row = b"\0" + bytes([rng.randrange(256)]) * (3 * side)
    return png(side, side, row * side)


def scan_bomb(_: random.Random) -> bytes:
    """A JPEG of 16 megapixels with 2000 empty scans."""
    file = io.BytesIO()
    Image.new("RGB", (4000, 4000)).save(file, "jpeg", progressive=True)
    whole = file.getvalue()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * 2000 + whole[-2:]


def png(width: int, height: int, raw: bytes) -> bytes:
    """An RGB PNG with these compressed rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def bmp_bomb(rng: random.Random) -> bytes:
    """A BMP of a few bytes that says it has billions of pixels."""
    width, height = (rng.randrange(20_000, 2**31 - 1) for _ in range(2))
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + about


def gif_bomb(rng: random.Random) -> bytes:
    """A GIF of a few bytes with the largest frame there is."""
    width, height = (rng.randrange(40_000, 65_536) for _ in range(2))
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\0;"


def no_image(rng: random.Random) -> bytes:
    """Bytes of another kind; some would start a program in a careless decoder."""
    return rng.choice(
        [
            rng.randbytes(rng.randrange(1, 5000)),
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
            b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n",
            b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
            b"PK\x03\x04" + rng.randbytes(200),
            b"push graphic-context\nimage over 0,0 0,0 'https://example.org/x'\n",
        ]
    )
