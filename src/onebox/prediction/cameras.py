"""A camera → packets for the decoder of videos, as long as it is connected.

FFmpeg reads cameras by another interface on each platform; PyAV (``onebox[video]``) brings it, and
is imported when the first frame is asked for.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onebox.errors import ImageError, OneboxError
from onebox.optional import require

if TYPE_CHECKING:
    import av.container

_WAIT_S = 0.005


def pyav() -> Any:  # noqa: ANN401 - a module that the light install lacks
    """PyAV.

    Raises:
        OneboxError: If it is not installed.
    """
    return require("av", extra="video", purpose="videos and cameras")


@dataclass(frozen=True, slots=True)
class Devices:
    """FFmpeg's name for the cameras of a platform, what each is called, what it must be told."""

    format: str
    address: Callable[[int], str]
    options: dict[str, str] = field(default_factory=dict)


def _directshow_address(number: int) -> str:
    """The address of a camera, which DirectShow knows by name alone.

    Raises:
        ImageError: If there is none of that number.
    """
    devices = pyav().enumerate_input_devices("dshow")
    names = [device.name for device in devices if "video" in device.media_types]
    if number >= len(names):
        raise ImageError(
            f"camera:{number}: there are {len(names)} cameras, counted from 0. Connect one, or "
            "name another number."
        )
    return f"video={names[number]}"


DEVICES = {
    "linux": Devices("v4l2", "/dev/video{}".format),
    # The rate that FFmpeg asks for where none is named is one that most Macs refuse.
    "darwin": Devices("avfoundation", str, {"framerate": "30"}),
    "win32": Devices("dshow", _directshow_address),
}


def opened(number: int) -> "av.container.InputContainer":
    """A camera, by its number from 0.

    Raises:
        OneboxError: If PyAV is missing, or reads no cameras on this platform.
        ImageError: If the platform counts fewer cameras.
        ValueError: If the number is negative.
    """
    if number < 0:
        raise ValueError(f"the number of a camera must not be negative, got {number}.")
    av, devices = pyav(), DEVICES.get(sys.platform)
    formats = {name for names in av.formats_available for name in names.split(",")}
    if devices is None or devices.format not in formats:
        raise OneboxError(
            f"camera:{number}: this PyAV reads no cameras on {sys.platform}. Install a wheel of it "
            "for Linux, macOS or Windows, or record a video and name its file."
        )
    return av.open(devices.address(number), format=devices.format, options=dict(devices.options))


def packets(container: "av.container.InputContainer") -> Iterator[Any]:
    """Packets of a camera, which may have none yet."""
    while True:
        try:
            yield from container.demux()
        except BlockingIOError:
            time.sleep(_WAIT_S)
        else:
            return


def sentence(reason: str, given: int) -> str:
    """What went wrong with a camera that has given so many frames, and the repair."""
    if given:
        return f"stopped after {given} frames ({reason}). Connect it again."
    return (
        f"cannot be opened ({reason}). Connect a camera, end what else uses it, or name another "
        "number."
    )
