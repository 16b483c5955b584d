"""Videos and cameras → upright RGB frames, one at a time.

Frames come in the order in which they are shown, numbered from 0, with the seconds since the first
one. Each is decoded when it is asked for, so memory does not grow with the length. Rotation and
mirroring are applied as players do; transparency is laid over white, as in images. What comes
after damage is not given: decoders fill it with guesses.

PyAV (``onebox[video]``) reads them, and is imported when the first frame is asked for.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int32, UInt8
from numpy import ndarray

from onebox import images
from onebox.errors import ImageError
from onebox.files import is_empty
from onebox.prediction import cameras
from onebox.prediction.cameras import pyav

if TYPE_CHECKING:
    import av
    import av.container

SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
    }
)
"""What is taken for a video, by the end of its name."""

# These say at their beginning how long they are, and end without an error where they were cut.
_STATE_THEIR_LENGTH = frozenset({"asf", "flv", "matroska,webm"})
_LAST_FRAME_S, _LAST_SHARE = 1.0, 0.05  # of it may lack: nobody says how long a last frame stays

_FAILURES: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file. Correct the path.",
    NotADirectoryError: "there is no such file: it is looked for below a file. Correct the path.",
    IsADirectoryError: "is a folder, not a video. Name the videos in it.",
    PermissionError: "may not be read. Change its permissions.",
}
_USUAL_RATE = 25.0  # FFmpeg's, where neither frames nor container know a time
_UNIT = 2**16  # of a display matrix


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video or camera.

    Attributes:
        number: Frames that are given before it.
        time_s: Seconds since the first frame.
        pixels: Upright RGB, as stored: pixels that are not square are not stretched.
    """

    number: int
    time_s: float
    pixels: UInt8[ndarray, "height width 3"]


class _DamageError(Exception):
    """What a decoder would pass over in silence."""


def is_video(path: Path) -> bool:
    """Whether a path is taken for a video, by its suffix; the file is not opened."""
    return path.suffix.lower() in SUFFIXES


def frames(source: Path | int, *, threads: int = 1) -> Iterator[Frame]:
    """Decode a video, or what a camera sees, frame by frame.

    Whoever stops early closes the iterator, and with it the file or camera.

    Args:
        source: A video file, or the number of a camera, from 0; a camera has no last frame.
        threads: That the decoder may use; 0 for one a core.

    Yields:
        Frames in the order in which they are shown.

    Raises:
        OneboxError: If PyAV is missing, or reads no cameras on this platform.
        ImageError: If the file or camera cannot be opened, or is damaged: then after the frames
            before the damage.
        ValueError: If the number of a camera is negative.
    """
    av = pyav()
    name = f"camera:{source}" if isinstance(source, int) else str(source)
    given = 0
    try:
        with cameras.opened(source) if isinstance(source, int) else _opened(source) as container:
            stream = _stream(container, name)
            stream.codec_context.thread_count = threads
            stream.codec_context.thread_type = "AUTO"
            read = cameras.packets if isinstance(source, int) else _recorded
            for frame in _shown(_decoded(read(container), stream), stream):
                yield frame
                given = frame.number + 1
    except (av.FFmpegError, _DamageError) as error:
        raise ImageError(f"{name}: {_sentence(source, error, given)}") from error
    if not given:
        raise ImageError(f"{name}: holds no frame. Replace or remove it.")


# --- files --------------------------------------------------------------------------------


def _opened(path: Path) -> "av.container.InputContainer":
    # As a file, whatever its name looks like: FFmpeg takes some names for addresses.
    return pyav().open(f"file:{path}")


def _stream(container: "av.container.InputContainer", name: str) -> "av.VideoStream":
    """The first stream of moving images; the cover of a song is none.

    Raises:
        ImageError: If there is none, or one of frames that are too large.
    """
    cover = pyav().stream.Disposition.attached_pic
    stream = next((one for one in container.streams.video if not one.disposition & cover), None)
    if stream is None:
        raise ImageError(
            f"{name}: holds no video, but sound or data, or was cut short. Replace or remove it."
        )
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > images.MAX_PIXELS:
        raise ImageError(
            f"{name}: has {width} x {height} pixels a frame, more than the {images.MAX_PIXELS} "
            "that are decoded. Shrink it, or remove it if it is not what it claims to be."
        )
    return stream


# --- packets -------------------------------------------------------------------------------


def _recorded(container: "av.container.InputContainer") -> Iterator[Any]:
    """Packets of all streams; a file that ends before its stated length is damaged.

    Raises:
        _DamageError: If it does.
    """
    end_s = 0.0
    for packet in container.demux():
        if packet.pts is not None:
            end_s = max(end_s, (packet.pts + (packet.duration or 0)) * float(packet.time_base))
        yield packet
    stated_s = (container.duration or 0) / pyav().time_base
    is_short = end_s < stated_s - max(_LAST_FRAME_S, _LAST_SHARE * stated_s)
    if is_short and container.format.name in _STATE_THEIR_LENGTH:
        raise _DamageError(f"it ends after {end_s:.1f} s and states {stated_s:.1f} s")


def _decoded(packets: Iterable[Any], stream: "av.VideoStream") -> Iterator["av.VideoFrame"]:
    """Frames of a stream, up to the first packet that is damaged.

    Raises:
        _DamageError: If one is.
    """
    av = pyav()
    try:
        for packet in packets:
            if packet.stream_index == stream.index:
                yield from _within(packet)
    except (av.FFmpegError, _DamageError):
        # What came whole before the damage, the decoder may still hold: to be shown in order.
        with suppress(av.FFmpegError):
            yield from stream.decode(None)
        raise


def _within(packet: Any) -> list["av.VideoFrame"]:  # noqa: ANN401 - PyAV's
    if packet.is_corrupt:
        raise _DamageError("a packet is incomplete")
    return packet.decode()


# --- frames --------------------------------------------------------------------------------


def _shown(decoded: Iterable["av.VideoFrame"], stream: "av.VideoStream") -> Iterator[Frame]:
    """Frames with number, time and pixels.

    Raises:
        _DamageError: If the decoder made no more than a part of one.
    """
    reformatter = pyav().video.reformatter.VideoReformatter()  # keeps its tables between frames
    first = None
    for number, frame in enumerate(decoded):
        if frame.is_corrupt:
            raise _DamageError("a frame is incomplete")
        first = frame.pts if first is None else first
        time_s = _seconds(frame.pts, first, stream)
        if time_s is None:
            time_s = number / float(stream.guessed_rate or _USUAL_RATE)
        yield Frame(number, time_s, _upright(frame, reformatter))


def _seconds(pts: int | None, first: int | None, stream: "av.VideoStream") -> float | None:
    """Seconds since the first frame; None where the container does not know them."""
    # AVI keeps the order of decoding alone: of frames that point ahead, it has no right times.
    is_unordered = stream.container.format.name == "avi" and stream.codec_context.has_b_frames
    if pts is None or first is None or is_unordered or not stream.time_base:
        return None
    return (pts - first) * stream.time_base.numerator / stream.time_base.denominator


def _upright(frame: "av.VideoFrame", reformatter: Any) -> images.Pixels:  # noqa: ANN401 - PyAV's
    has_alpha = any(component.is_alpha for component in frame.format.components)
    wanted = "rgba" if has_alpha else "rgb24"
    stored = reformatter.reformat(frame, format=wanted, threads=1).to_ndarray()
    pixels = images.load(stored).pixels if has_alpha else stored
    return np.ascontiguousarray(_turned(pixels, _display_matrix(frame)))


def _display_matrix(frame: "av.VideoFrame") -> Int32[ndarray, "2 2"]:
    """Where a step right (first row) and a step down of the stored frame go when it is shown."""
    try:
        side_data: Any = frame.side_data
        data = bytes(side_data["DISPLAYMATRIX"])
    except (KeyError, ValueError):
        # There is none; or PyAV 18 stumbled over other side data (EXIF), and knows the angle still.
        angle = np.deg2rad(frame.rotation)
        sine, cosine = np.sin(angle) * _UNIT, np.cos(angle) * _UNIT
        return np.array([[cosine, -sine], [sine, cosine]]).round().astype(np.int32)
    return np.frombuffer(data, dtype=np.int32).reshape(3, 3)[:2, :2]


def _turned(
    pixels: images.Pixels, matrix: Int32[ndarray, "2 2"]
) -> UInt8[ndarray, "turned_height turned_width 3"]:
    """Turn and mirror, by the quarter turn that is nearest to the matrix."""
    (right_to_x, right_to_y), (down_to_x, down_to_y) = matrix.astype(np.int64).tolist()
    across, down = right_to_x, down_to_y
    if abs(right_to_y) + abs(down_to_x) > abs(right_to_x) + abs(down_to_y):
        pixels, across, down = pixels.transpose(1, 0, 2), down_to_x, right_to_y
    return pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


# --- errors --------------------------------------------------------------------------------


def _sentence(source: Path | int, error: Exception, given: int) -> str:
    """What went wrong, and the repair."""
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(source, int):
        return cameras.sentence(reason, given)
    for kind, sentence in _FAILURES.items():
        if isinstance(error, kind):
            return sentence
    if is_empty(source):
        return "is empty (0 bytes). Replace or remove it."
    if not given:
        return (
            f"cannot be decoded as a video ({reason}). Replace it, or convert it with: "
            "ffmpeg -i FILE converted.mp4"
        )
    return (
        f"is damaged behind its first {given} frames ({reason}). Get the file again, or keep what "
        "can be saved with: ffmpeg -i FILE saved.mp4"
    )
