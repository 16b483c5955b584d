"""A camera → packets for the video decoder, as long as the camera is connected.

FFmpeg reads cameras through another interface on each platform. PyAV (``onebox[video]``) brings
FFmpeg, and is imported when the first frame is asked for.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from onebox.errors import ImageError, OneboxError
from onebox.optional import require

if TYPE_CHECKING:
    import av.container

_WAIT_S = 0.005  # between questions for a packet; not tuned: far below the time of one frame


import_pyav = partial(require, "av", extra="video", purpose="videos and cameras")
"""Import PyAV; see `onebox.optional.require`."""


@dataclass(frozen=True, slots=True)
class Devices:
    """How FFmpeg reads the cameras of a platform: its interface, and the address of a camera."""

    format: str
    address: Callable[[int], str]
    options: dict[str, str] = field(default_factory=dict)


def _directshow_address(number: int) -> str:
    # DirectShow knows cameras by name only.
    devices = import_pyav().enumerate_input_devices("dshow")
    names = [device.name for device in devices if "video" in device.media_types]
    if number >= len(names):
        raise ImageError(
            f"camera:{number}: there are {len(names)} cameras, counted from 0. Connect one, or "
            "name another number."
        )
    return f"video={names[number]}"


DEVICES = {
    "linux": Devices("v4l2", "/dev/video{}".format),
    # Most Macs refuse the frame rate that FFmpeg asks for by default.
    "darwin": Devices("avfoundation", str, {"framerate": "30"}),
    "win32": Devices("dshow", _directshow_address),
}


def open_camera(number: int) -> "av.container.InputContainer":
    """Open a camera by its number, from 0.

    Raises:
        OneboxError: If PyAV is missing, or reads no cameras on this platform.
        ImageError: If the platform has fewer cameras.
        ValueError: If the number is negative.
    """
    if number < 0:
        raise ValueError(f"the number of a camera must not be negative, got {number}.")
    av, devices = import_pyav(), DEVICES.get(sys.platform)
    formats = {name for names in av.formats_available for name in names.split(",")}
    if devices is None or devices.format not in formats:
        raise OneboxError(
            f"camera:{number}: this PyAV reads no cameras on {sys.platform}. Install a wheel of it "
            "for Linux, macOS or Windows, or record a video and name its file."
        )
    return av.open(devices.address(number), format=devices.format, options=dict(devices.options))


def packets(container: "av.container.InputContainer") -> Iterator[Any]:
    """The packets of a camera; waits while the camera has none yet."""
    while True:
        try:
            yield from container.demux()
        except BlockingIOError:
            time.sleep(_WAIT_S)
        else:
            return


def describe_failure(reason: str, frames: int) -> str:
    """What went wrong with a camera after a number of frames, and the repair."""
    if frames:
        return f"stopped after {frames} frames ({reason}). Connect it again."
    return (
        f"cannot be opened ({reason}). Connect a camera, close other programs that use it, or name "
        "another number."
    )
