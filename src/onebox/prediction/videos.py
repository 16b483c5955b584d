"""Videos and cameras → upright RGB frames, one at a time.

Frames come in presentation order, numbered from 0, with the seconds since the first one. Each is
decoded when it is asked for, so memory does not grow with the length. Rotation and mirroring are
applied as in players; transparent pixels are composited on white, as in images. Frames after damage
are not given: decoders fill them with guesses.

PyAV (``onebox[video]``) reads videos, and is imported when the first frame is asked for.
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
from onebox.prediction.cameras import import_pyav

if TYPE_CHECKING:
    import av
    import av.container

SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
    }
)
"""The suffixes of files that are read as videos."""

# These formats state their length at the beginning, and end without an error where they are cut.
_STATE_THEIR_LENGTH = frozenset({"asf", "flv", "matroska,webm"})
# How much of the stated length may be missing, since no file says how long its last frame is shown:
# one second, or this fraction of a longer video. Not tuned.
_LAST_FRAME_S, _LAST_FRACTION = 1.0, 0.05

_FAILURES: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file. Correct the path.",
    NotADirectoryError: "there is no such file: it is looked for below a file. Correct the path.",
    IsADirectoryError: "is a folder, not a video. Name the videos in it.",
    PermissionError: "may not be read. Change its permissions.",
}
_DEFAULT_RATE = 25.0  # FFmpeg's, if neither the frames nor the container have times
_UNIT = 2**16  # 1 in the fixed-point numbers of a display matrix


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video or camera.

    Attributes:
        number: The number of frames before it.
        time_s: Seconds since the first frame.
        pixels: Upright RGB at the stored size; pixels that are not square are not stretched.
    """

    number: int
    time_s: float
    pixels: UInt8[ndarray, "height width 3"]


class _DamageError(Exception):
    """Damage that a decoder ignores."""


def is_video(path: Path) -> bool:
    """Whether a file is read as a video, by its suffix; the file is not opened."""
    return path.suffix.lower() in SUFFIXES


def frames(source: Path | int, *, threads: int = 1) -> Iterator[Frame]:
    """Decode the frames of a video or a camera, one by one.

    Closing the iterator early closes the file or camera.

    Args:
        source: A video file, or the number of a camera, from 0; a camera has no last frame.
        threads: Threads that the decoder may use; 0 for one per core.

    Yields:
        Frames in presentation order.

    Raises:
        OneboxError: If PyAV is missing, or reads no cameras on this platform.
        ImageError: If the file or camera cannot be opened; if it is damaged, after the frames
            before the damage.
        ValueError: If the number of a camera is negative.
    """
    av = import_pyav()
    name = f"camera:{source}" if isinstance(source, int) else str(source)
    count = 0
    try:
        with _open(source) as container:
            stream = _stream(container, name)
            stream.codec_context.thread_count = threads
            stream.codec_context.thread_type = "AUTO"
            read = cameras.packets if isinstance(source, int) else _file_packets
            for frame in _upright_frames(_decode(read(container), stream), stream):
                yield frame
                count += 1
    except (av.FFmpegError, _DamageError) as error:
        raise ImageError(f"{name}: {_describe_failure(source, error, count)}") from error
    if not count:
        raise ImageError(f"{name}: holds no frame. Replace or remove it.")


def _open(source: Path | int) -> "av.container.InputContainer":
    if isinstance(source, int):
        return cameras.open_camera(source)
    # With the scheme: FFmpeg reads some file names as addresses.
    return import_pyav().open(f"file:{source}")


def _stream(container: "av.container.InputContainer", name: str) -> "av.VideoStream":
    """The first video stream; the cover image of a song is none.

    Raises:
        ImageError: If there is none, or its frames are too large.
    """
    cover = import_pyav().stream.Disposition.attached_pic
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


def _file_packets(container: "av.container.InputContainer") -> Iterator[Any]:
    end_s = 0.0
    for packet in container.demux():
        if packet.pts is not None:
            end_s = max(end_s, (packet.pts + (packet.duration or 0)) * float(packet.time_base))
        yield packet
    stated_s = (container.duration or 0) / import_pyav().time_base
    is_short = end_s < stated_s - max(_LAST_FRAME_S, _LAST_FRACTION * stated_s)
    if is_short and container.format.name in _STATE_THEIR_LENGTH:
        raise _DamageError(f"it ends after {end_s:.1f} s and states {stated_s:.1f} s")


def _decode(packets: Iterable[Any], stream: "av.VideoStream") -> Iterator["av.VideoFrame"]:
    """The frames of a stream, up to the first damaged packet.

    Raises:
        _DamageError: If a packet is damaged.
    """
    av = import_pyav()
    try:
        for packet in packets:
            if packet.stream_index == stream.index:
                yield from _decode_packet(packet)
    except (av.FFmpegError, _DamageError):
        # The decoder may still hold frames from before the damage.
        with suppress(av.FFmpegError):
            yield from stream.decode(None)
        raise


def _decode_packet(packet: Any) -> list["av.VideoFrame"]:  # noqa: ANN401 - PyAV's
    if packet.is_corrupt:
        raise _DamageError("a packet is incomplete")
    return packet.decode()


def _upright_frames(
    decoded: Iterable["av.VideoFrame"], stream: "av.VideoStream"
) -> Iterator[Frame]:
    reformatter = import_pyav().video.reformatter.VideoReformatter()  # reuses its tables
    first = None
    for number, frame in enumerate(decoded):
        if frame.is_corrupt:
            raise _DamageError("a frame is incomplete")
        first = frame.pts if first is None else first
        time_s = _seconds(frame.pts, first, stream)
        if time_s is None:
            time_s = number / float(stream.guessed_rate or _DEFAULT_RATE)
        yield Frame(number, time_s, _upright_pixels(frame, reformatter))


def _seconds(pts: int | None, first: int | None, stream: "av.VideoStream") -> float | None:
    """Seconds since the first frame; None if the container does not have them."""
    # AVI stores the decoding order only, so the times of reordered frames (B-frames) are wrong.
    is_unordered = stream.container.format.name == "avi" and stream.codec_context.has_b_frames
    if pts is None or first is None or is_unordered or not stream.time_base:
        return None
    return (pts - first) * stream.time_base.numerator / stream.time_base.denominator


def _upright_pixels(frame: "av.VideoFrame", reformatter: Any) -> images.Pixels:  # noqa: ANN401 - PyAV's
    has_alpha = any(component.is_alpha for component in frame.format.components)
    wanted = "rgba" if has_alpha else "rgb24"
    stored = reformatter.reformat(frame, format=wanted, threads=1).to_ndarray()
    pixels = images.load(stored).pixels if has_alpha else stored
    return np.ascontiguousarray(_rotate(pixels, _display_matrix(frame)))


def _display_matrix(frame: "av.VideoFrame") -> Int32[ndarray, "2 2"]:
    """The displayed directions of a step right (first row) and a step down in the stored frame."""
    try:
        side_data: Any = frame.side_data
        data = bytes(side_data["DISPLAYMATRIX"])
    except (KeyError, ValueError):
        # There is none, or PyAV 18 failed on other side data (EXIF) and still has the angle.
        angle = np.deg2rad(frame.rotation)
        sine, cosine = np.sin(angle) * _UNIT, np.cos(angle) * _UNIT
        return np.array([[cosine, -sine], [sine, cosine]]).round().astype(np.int32)
    return np.frombuffer(data, dtype=np.int32).reshape(3, 3)[:2, :2]


def _rotate(
    pixels: images.Pixels, matrix: Int32[ndarray, "2 2"]
) -> UInt8[ndarray, "rotated_height rotated_width 3"]:
    """Rotate and mirror, by the quarter turn that is nearest to the matrix."""
    (right_to_x, right_to_y), (down_to_x, down_to_y) = matrix.astype(np.int64).tolist()
    across, down = right_to_x, down_to_y
    if abs(right_to_y) + abs(down_to_x) > abs(right_to_x) + abs(down_to_y):
        pixels, across, down = pixels.transpose(1, 0, 2), down_to_x, right_to_y
    return pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _describe_failure(source: Path | int, error: Exception, count: int) -> str:
    """What went wrong after a number of frames, and the repair."""
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(source, int):
        return cameras.describe_failure(reason, count)
    for kind, message in _FAILURES.items():
        if isinstance(error, kind):
            return message
    if is_empty(source):
        return "is empty (0 bytes). Replace or remove it."
    if not count:
        return (
            f"cannot be decoded as a video ({reason}). Replace it, or convert it with: "
            "ffmpeg -i FILE converted.mp4"
        )
    return (
        f"is damaged after its first {count} frames ({reason}). Get the file again, or keep what "
        "can be saved with: ffmpeg -i FILE saved.mp4"
    )
