"""Videos and cameras: which frames come, when, how they are rotated, and where they end."""

import gc
import inspect
import io
import re
import sys
import weakref
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from onebox import images
from onebox.errors import ImageError, OneboxError
from onebox.prediction import cameras, videos
from onebox.prediction.videos import Frame, frames, is_video

WIDE = (64, 48)
LIMITED, FULL = 1, 2  # FFmpeg's ranges of colour
BT709, BT601 = 1, 6  # FFmpeg's spaces of colour


def grey(level, size_wh=WIDE):
    return np.full((*size_wh[::-1], 3), level, dtype=np.uint8)


def noise(seed, size_wh=WIDE):
    shape = (*size_wh[::-1], 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def quarters(size_wh=WIDE):
    """Red, green, blue and yellow: which corner is which shows how an image was turned."""
    width, height = size_wh
    pixels = grey(0, size_wh)
    pixels[: height // 2, : width // 2] = (200, 30, 40)
    pixels[: height // 2, width // 2 :] = (20, 180, 60)
    pixels[height // 2 :, : width // 2] = (30, 50, 190)
    pixels[height // 2 :, width // 2 :] = (210, 200, 30)
    return pixels


def write_video(path, images, *, codec="mpeg4", rate=25, pts=None, turn=None, **settings):
    """Encode arrays of RGB or RGBA; `pts` in milliseconds, else one after another."""
    kind = settings.get("pixel_format", "yuv420p")
    with av.open(str(path), "w", options=settings.get("muxing", {})) as container:
        stream = container.add_stream(codec, rate=rate, options=settings.get("coding", {}))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.thread_count = kind, 1
        stream.codec_context.time_base = Fraction(1, 1000 if pts else rate)
        for name in ("colorspace", "color_range"):
            if name in settings:
                setattr(stream.codec_context, name, settings[name])
        if turn is not None:
            stream.set_display_rotation(*turn)
        for number, pixels in enumerate(images):
            frame = as_frame(pixels, kind, settings)
            frame.pts = pts[number] if pts else number
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def as_frame(pixels, kind, settings):
    frame = av.VideoFrame.from_ndarray(pixels, format={3: "rgb24", 4: "rgba"}[pixels.shape[2]])
    space = {BT709: "ITU709"}.get(settings.get("colorspace"), "ITU601")
    return frame.reformat(
        format=kind, dst_colorspace=space, dst_color_range=settings.get("color_range"), threads=1
    )


def until_error(source):
    """The frames before an error, and the error's message."""
    given = []
    with pytest.raises(ImageError) as caught:
        given.extend(frames(source))
    assert caught.value.problems == (str(caught.value),)
    return given, str(caught.value)


# --- which frames, and when ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.MOV", "b/a.webm", "a.b.mkv", "a.avi", "clip.MTS"])
def test_a_video_is_recognized_by_its_suffix(name):
    assert is_video(Path(name))


@pytest.mark.parametrize("name", ["a.jpg", "a.gif", "mp4", ".mp4", "a.mp4.txt", "a.wav", "a"])
def test_other_files_are_not_videos(name):
    assert not is_video(Path(name))


def test_no_suffix_means_both_an_image_and_a_video():
    assert not videos.SUFFIXES & images.SUFFIXES


def test_the_page_of_sources_lists_every_suffix():
    page = (Path(__file__).parents[2] / "docs/sources.md").read_text("utf-8")
    (listed,) = re.findall(r"read as a video if its name ends in (.*?)PyAV", page, re.DOTALL)
    assert set(re.findall(r"`(.*?)`", listed)) == videos.SUFFIXES


def test_frame_10_at_25_frames_a_second_is_shown_at_0_4_s(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(100)] * 12)
    given = list(frames(path))
    assert [frame.number for frame in given] == list(range(12))
    assert given[10].time_s == 0.4  # 10 / 25, to the last bit
    assert given[0].time_s == 0.0
    assert all(frame.pixels.shape == (48, 64, 3) for frame in given)
    assert all(frame.pixels.dtype == np.uint8 for frame in given)


KINDS = [
    ("a.mp4", "libx264"),
    ("a.mp4", "mpeg4"),
    ("a.mov", "mjpeg"),
    ("a.mkv", "libx264"),
    ("a.webm", "libvpx-vp9"),
    ("a.avi", "mpeg4"),
    ("a.avi", "libx264"),
    ("a.ts", "libx264"),
    ("a.mpg", "mpeg2video"),
    ("a.flv", "flv"),
    ("a.wmv", "wmv2"),
]


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_frames_come_in_presentation_order_whatever_the_format(tmp_path, name, codec):
    # x264 stores frames out of order (B-frames); some files begin later than 0 s.
    kind = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    images = [grey(20 + 15 * number) for number in range(14)]
    path = write_video(tmp_path / name, images, codec=codec, pixel_format=kind)
    given = list(frames(path))
    levels = np.array([frame.pixels.mean() for frame in given])
    np.testing.assert_allclose(levels, [20 + 15 * number for number in range(14)], atol=4)
    times = [frame.time_s for frame in given]
    # Matroska and Flash count milliseconds: 40, 80, ... hold exactly.
    assert times == pytest.approx([number / 25 for number in range(14)], abs=1e-9)


def test_times_of_a_variable_rate_are_those_of_the_frames(tmp_path):
    pts = [500, 540, 700, 1500, 1510]
    path = write_video(tmp_path / "a.mkv", [grey(90)] * 5, pts=pts, rate=1000)
    # Since the first: 0, 40, 200, 1000 and 1010 ms
    assert [frame.time_s for frame in frames(path)] == [0.0, 0.04, 0.2, 1.0, 1.01]


def test_dropped_frames_leave_a_gap_in_the_times_but_not_in_the_numbers(tmp_path):
    # AVI has an empty packet for each frame of the gap.
    path = write_video(
        tmp_path / "a.avi", [grey(level) for level in (40, 90, 140)], pts=[0, 40, 400]
    )
    assert path.read_bytes().count(b"00dc") > 2 * 3
    given = list(frames(path))
    assert [(frame.number, frame.time_s) for frame in given] == [(0, 0.0), (1, 0.04), (2, 0.4)]
    assert given[-1].pixels.mean() == pytest.approx(140, abs=4)


def test_packets_without_times_are_timed_by_the_rate(tmp_path):
    path = write_video(tmp_path / "a.h264", [grey(90)] * 4, codec="libx264")
    assert [frame.time_s for frame in frames(path)] == [0.0, 0.04, 0.08, 0.12]


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_the_number_of_decoder_threads_changes_no_frame(tmp_path, threads):
    path = write_video(tmp_path / "a.mp4", [noise(seed) for seed in range(8)], codec="libx264")
    expected = list(frames(path))
    given = list(frames(path, threads=threads))
    assert [frame.time_s for frame in given] == [frame.time_s for frame in expected]
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


# --- colours -------------------------------------------------------------------------------


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("colorspace", [BT601, BT709])
def test_colours_survive_encoding_and_decoding(tmp_path, colorspace, color_range):
    # Decoded with the matrix of the other standard, green is 16 levels off.
    path = write_video(
        *(tmp_path / "a.mp4", [quarters()] * 2),
        codec="libx264",
        coding={"crf": "2"},
        colorspace=colorspace,
        color_range=color_range,
    )
    pixels = next(frames(path)).pixels
    for row, column in ((12, 16), (12, 48), (36, 16), (36, 48)):
        np.testing.assert_allclose(pixels[row, column], quarters()[row, column], atol=5)


def test_transparent_pixels_are_composited_on_white(tmp_path):
    half = np.full((16, 16, 4), (255, 0, 0, 128), dtype=np.uint8)
    path = write_video(tmp_path / "a.mov", [half], codec="qtrle", pixel_format="argb")
    # 0 x 128 / 255 + 255 x 127 / 255 = 127
    assert next(frames(path)).pixels[8, 8].tolist() == [255, 127, 127]


# --- rotation ------------------------------------------------------------------------------


def test_a_phone_held_upright_gives_upright_frames(tmp_path):
    # Stored 64 x 48 and rotated clockwise for display: the stored left edge becomes the top.
    path = write_video(tmp_path / "a.mp4", [quarters()], coding={"qscale": "2"}, turn=(-90,))
    pixels = next(frames(path)).pixels
    assert pixels.shape == (64, 48, 3)
    assert pixels.flags.c_contiguous
    blue, red = (30, 50, 190), (200, 30, 40)
    np.testing.assert_allclose(pixels[16, 12], blue, atol=16)  # stored below on the left
    np.testing.assert_allclose(pixels[16, 36], red, atol=16)


@pytest.fixture(scope="module")
def plain_pixels(tmp_path_factory):
    """The only frame of a video that is shown as it is stored."""
    return next(
        frames(write_video(tmp_path_factory.mktemp("plain") / "a.mp4", [quarters()]))
    ).pixels


@pytest.fixture(scope="module")
def upright_pixels(tmp_path_factory):
    """The only frame of a video that is shown rotated by a quarter."""
    path = tmp_path_factory.mktemp("upright") / "a.mp4"
    return next(frames(write_video(path, [quarters()], turn=(-90,)))).pixels


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("is_upside_down", [False, True])
def test_frames_are_rotated_and_mirrored(
    tmp_path, plain_pixels, degrees, is_mirrored, is_upside_down
):
    turn = (degrees, is_mirrored, is_upside_down)
    turned = write_video(tmp_path / "turned.mp4", [quarters()], turn=turn)
    expected = np.rot90(plain_pixels, degrees // 90)  # counter-clockwise, as FFmpeg's
    expected = expected[:, ::-1] if is_mirrored else expected
    expected = expected[::-1] if is_upside_down else expected
    np.testing.assert_array_equal(next(frames(turned)).pixels, expected)


@pytest.mark.parametrize("degrees", [-80, -100])
def test_any_other_angle_is_rounded_to_a_quarter_turn(tmp_path, upright_pixels, degrees):
    slanted = write_video(tmp_path / "slanted.mp4", [quarters()], turn=(degrees,))
    np.testing.assert_array_equal(next(frames(slanted)).pixels, upright_pixels)


def test_frames_that_are_jpegs_are_rotated_by_their_exif(tmp_path):
    jpeg, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(quarters()).save(jpeg, "JPEG", quality=95, exif=exif)
    path = tmp_path / "camera.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        (stream.width, stream.height), stream.pix_fmt = WIDE, "yuvj420p"
        packet = av.Packet(jpeg.getvalue())
        packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), True
        packet.pts = packet.dts = 0
        container.mux(packet)
    pixels, expected = next(frames(path)).pixels, images.load(jpeg.getvalue()).pixels
    assert pixels.shape == (64, 48, 3)
    for row, column in ((16, 12), (16, 36), (48, 12), (48, 36)):
        np.testing.assert_allclose(pixels[row, column], expected[row, column].astype(int), atol=4)


# --- memory and files ----------------------------------------------------------------------


def test_no_frame_is_kept_in_memory_once_the_next_is_asked_for(tmp_path):
    path = write_video(tmp_path / "a.mp4", [noise(seed) for seed in range(10)], codec="libx264")
    pixels = []
    for frame in frames(path):
        pixels.append(weakref.ref(frame.pixels))
        del frame
    gc.collect()
    assert len(pixels) == 10
    assert [one() for one in pixels[:-1]] == [None] * 9


def test_the_file_is_closed_with_the_iterator(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [grey(90)] * 5)
    opened = []
    monkeypatch.setattr(
        videos, "_open", lambda path: opened.append(av.open(str(path))) or opened[0]
    )
    given = frames(path)
    assert opened == []  # nothing is opened before a frame is asked for
    next(given)
    assert opened[0].streams.video[0].codec_context.is_open
    given.close()
    with pytest.raises(AssertionError, match="not open"):
        next(opened[0].demux())


def test_a_file_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(Path("a.mp4"), [grey(90)] * 3).rename("concat:http:a.mp4")
    assert len(list(frames(Path("concat:http:a.mp4")))) == 3


# --- damage --------------------------------------------------------------------------------


def cut(path, fraction):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    return path


EARLY_INDEX = {"movflags": "+faststart"}  # the index of the frames comes first


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mp4", "libx264"),
        ("a.mkv", "mpeg4"),
        ("a.avi", "mpeg4"),
        ("a.flv", "flv"),
        ("a.wmv", "wmv2"),
        ("a.webm", "libvpx-vp9"),
    ],
)
def test_frames_before_the_cut_are_given_and_then_an_error(tmp_path, name, codec):
    path = tmp_path / name
    images = [noise(seed) for seed in range(40)]
    write_video(
        path, images, codec=codec, rate=4, muxing=EARLY_INDEX if path.suffix == ".mp4" else {}
    )
    whole = list(frames(path))
    given, message = until_error(cut(path, 0.5))
    assert 5 < len(given) < 35
    shown = {frame.time_s: frame.pixels for frame in whole}
    for frame in given:
        np.testing.assert_array_equal(frame.pixels, shown[frame.time_s])
    assert message.startswith(f"{path}: is damaged after its first {len(given)} frames (")
    assert "ffmpeg -i FILE saved.mp4" in message


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "mjpeg"])
def test_a_file_without_its_last_bytes_loses_only_its_last_frame(tmp_path, codec, threads):
    kind = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(
        *(tmp_path / "a.mp4", [noise(seed) for seed in range(12)]),
        codec=codec,
        pixel_format=kind,
        muxing=EARLY_INDEX,
    )
    path.write_bytes(path.read_bytes()[:-8])
    given = []
    with pytest.raises(ImageError, match="after its first 11 frames"):
        given.extend(frames(path, threads=threads))
    assert [frame.number for frame in given] == list(range(11))


def test_the_error_has_both_the_stated_length_and_the_actual_one(tmp_path):
    path = write_video(tmp_path / "a.mkv", [noise(seed) for seed in range(40)], rate=4)
    given, message = until_error(cut(path, 0.5))
    # A frame stays for 0.25 s, of 10 s
    assert f"(it ends after {len(given) / 4:.1f} s and states 10.0 s)" in message


def test_sound_after_the_last_frame_is_not_damage(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video, sound = (
            container.add_stream("mpeg4", rate=25),
            container.add_stream("pcm_s16le", 8000),
        )
        (video.width, video.height), video.pix_fmt = WIDE, "yuv420p"
        container.mux(video.encode(av.VideoFrame.from_ndarray(grey(90), format="rgb24")))
        container.mux(video.encode())
        for second in range(5):
            silence = np.zeros((1, 8000), dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, 8000 * second
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    assert len(list(frames(path))) == 1


def write_song_with_cover(path):
    with av.open(str(path), "w") as container:
        sound, cover = container.add_stream("aac", 8000), container.add_stream("mjpeg", rate=25)
        (cover.width, cover.height), cover.pix_fmt = WIDE, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(quarters(), format="rgb24")))
        silence = np.zeros((1, 1024), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux([*cover.encode(), *sound.encode(frame), *sound.encode()])


def bad_file(folder, what):
    path = folder / f"{what}.mp4"
    contents = {
        "empty": b"",
        "text": b"this is no video\n" * 20,
        "header-only": b"\x00\x00\x00\x20ftypisom" + bytes(20),
    }
    if what == "folder":
        path.mkdir()
    elif what == "sound":
        with av.open(str(path), "w", format="wav") as container:
            stream = container.add_stream("pcm_s16le", 8000)
            silence = np.zeros((1, 8000), dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux([*stream.encode(frame), *stream.encode()])
    elif what == "song":
        write_song_with_cover(path)
    elif what == "no-frame":
        with av.open(str(path), "w", options={"movflags": "empty_moov"}) as container:
            stream = container.add_stream("mpeg4", rate=25)
            (stream.width, stream.height), stream.pix_fmt = WIDE, "yuv420p"
            container.start_encoding()
    elif what == "late-index":
        cut(write_video(path, [noise(seed) for seed in range(10)]), 0.8)
    elif what == "cut-index":
        path.write_bytes(write_video(path, [grey(90)], muxing=EARLY_INDEX).read_bytes()[:100])
    elif what in contents:
        path.write_bytes(contents[what])
    return path


BAD = {
    "missing": "there is no such file. Correct the path.",
    "folder": "is a folder, not a video. Name the videos in it.",
    "empty": "is empty (0 bytes). Replace or remove it.",
    "text": "cannot be decoded as a video (Invalid data found",
    "late-index": "cannot be decoded as a video (Invalid data found",
    "header-only": "cannot be decoded as a video (Invalid data found",
    "cut-index": "holds no video, but sound or data, or was cut short. Replace or remove it.",
    "no-frame": "holds no frame. Replace or remove it.",
    "song": "holds no video, but sound or data, or was cut short. Replace or remove it.",
    "sound": "holds no video, but sound or data, or was cut short. Replace or remove it.",
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_named_with_its_rule_and_repair(tmp_path, what):
    path = bad_file(tmp_path, what)
    given, message = until_error(path)
    assert given == []
    assert message.startswith(f"{path}: {BAD[what]}")


def test_a_video_below_a_file_is_missing(tmp_path):
    (tmp_path / "a.mp4").touch()
    given, message = until_error(tmp_path / "a.mp4/b.mp4")
    assert given == []
    assert message.endswith(
        "there is no such file: it is looked for below a file. Correct the path."
    )


def test_frames_that_are_too_large_are_not_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [grey(90)])
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48)
    assert len(list(frames(path))) == 1
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48 - 1)
    given, message = until_error(path)
    assert given == []
    assert message.startswith(f"{path}: has 64 x 48 pixels a frame, more than the 3071 ")


def test_without_pyav_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(OneboxError, match=r"need PyAV.*pip install 'onebox\[video\]'") as caught:
        next(frames(tmp_path / "a.mp4"))
    assert not isinstance(caught.value, ImageError)  # the file is not at fault


# --- cameras -------------------------------------------------------------------------------


@pytest.fixture
def pattern(monkeypatch):
    """A camera that shows FFmpeg's test pattern, as many seconds as its number, 25 a second."""
    devices = cameras.Devices("lavfi", "testsrc=size=64x48:rate=25:duration={}".format)
    monkeypatch.setitem(cameras.DEVICES, sys.platform, devices)


def test_a_camera_gives_frames_as_a_video_does(pattern):
    given = list(frames(1))
    assert [frame.number for frame in given] == list(range(25))
    assert given[10].time_s == pytest.approx(0.4)
    assert given[0].pixels.shape == (48, 64, 3)
    assert isinstance(given[0], Frame)


def test_a_camera_is_read_only_as_far_as_asked(pattern):
    assert [frame.number for frame in islice(frames(10**6), 3)] == [0, 1, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems ask for leave to look")
def test_a_missing_camera_is_named():
    given, message = until_error(987)
    assert given == []
    assert message.startswith("camera:987: cannot be opened (No such file")
    assert "Connect a camera" in message


def test_the_error_of_an_unplugged_camera_has_the_number_of_frames(pattern, monkeypatch):
    def unplugged(container):
        yield from islice(container.demux(), 4)
        raise av.OSError(19, "No such device")

    monkeypatch.setattr(cameras, "packets", unplugged)
    given, message = until_error(1)
    assert (
        message
        == f"camera:1: stopped after {len(given)} frames (No such device). Connect it again."
    )
    assert len(given) == 4


def test_a_platform_without_cameras_gives_the_repair(monkeypatch):
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(OneboxError, match="camera:0: this PyAV reads no cameras on plan9"):
        next(frames(0))


def test_a_negative_number_is_a_wrong_call():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        next(frames(-1))


def test_directshow_numbers_cameras_without_microphones(monkeypatch):
    devices = [
        av.device.DeviceInfo("mic", "Microphone", False, ["audio"]),
        av.device.DeviceInfo("front", "Front", False, ["video"]),
        av.device.DeviceInfo("rear", "Rear", False, ["video", "audio"]),
    ]
    monkeypatch.setattr(av, "enumerate_input_devices", lambda name: {"dshow": devices}[name])
    assert cameras.DEVICES["win32"].address(1) == "video=rear"
    with pytest.raises(ImageError, match="camera:2: there are 2 cameras, counted from 0"):
        cameras.DEVICES["win32"].address(2)


def test_a_camera_that_has_no_frame_yet_is_asked_again():
    class Camera:
        calls = 0

        def demux(self):
            self.calls += 1
            yield self.calls
            if self.calls < 3:
                raise av.BlockingIOError(11, "Resource temporarily unavailable")

    assert list(inspect.unwrap(cameras.packets)(Camera())) == [1, 2, 3]
