"""Memory of a process after it decoded large images, with and without the setting."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.train

_PROGRAM = """
import io, sys, threading
import psutil
from PIL import Image
from onebox.serving.model_api.memory import return_large_blocks

if sys.argv[1] == "with":
    return_large_blocks()
file = io.BytesIO()
Image.new("RGB", (4000, 4000)).save(file, "png")

def decode():
    Image.open(io.BytesIO(file.getvalue())).load()

def resident():
    return psutil.Process().memory_info().rss

before = resident()
for _ in range(3):
    thread = threading.Thread(target=decode)
    thread.start()
    thread.join()
print((resident() - before) / 1e6)
"""


def kept_mb(word):
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, word], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_large_images_leave_no_memory_behind():
    # An image takes 4000 x 4000 x 4 bytes = 64 MB while it is decoded.
    assert kept_mb("with") < 10
