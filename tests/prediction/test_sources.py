"""Sources: which images they name, in which order, and when they are read."""

import os
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from onebox.errors import DataError, ImageError, OneboxError, SettingError
from onebox.prediction import sources, targets
from onebox.prediction.sources import SourceItem, Sources, UnreadableSource


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder, and the working one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def names(words, listed=()):
    return [
        one.name if isinstance(one, SourceItem) else one.message for one in Sources(words, listed)
    ]


class Videos:
    """Stands in for the module of videos: each has three frames, 25 per second."""

    def __init__(self):
        self.opened = []

    def is_video(self, path):
        return path.suffix == ".mp4"

    def frames(self, source):
        self.opened.append(source)
        for number in count() if isinstance(source, int) else range(3):
            if source == Path("damaged.mp4") and number == 2:
                raise ImageError("damaged.mp4: breaks off. Replace it.")
            pixels = np.full((4, 6, 3), number, np.uint8)
            yield SimpleNamespace(number=number, time_s=number / 25, pixels=pixels)


@pytest.fixture
def videos(monkeypatch):
    stand_in = Videos()
    monkeypatch.setattr(sources, "videos", stand_in)
    return stand_in


@pytest.fixture
def network(monkeypatch):
    """Stands in for the module of downloads; keeps the addresses that were asked for."""
    asked = []

    def fetch(url):
        asked.append(url)
        if url.endswith("missing.jpg"):
            raise ImageError(f"{url}: the server answered 404. Correct the address.")
        return b"content"

    fake = SimpleNamespace(is_url=lambda word: word.startswith("http"), fetch=fetch, asked=asked)
    monkeypatch.setattr("onebox.prediction.downloads", fake, raising=False)
    monkeypatch.setitem(__import__("sys").modules, "onebox.prediction.downloads", fake)
    return fake


# --- images


def test_a_file_is_one_image_under_its_name(place):
    [item] = Sources(["a.png"])
    assert (item.name, item.source, item.path) == ("a.png", Path("a.png"), Path("a.png"))
    assert (item.frame, item.time_s) == (None, None)


def test_a_folder_is_searched_recursively_in_the_order_of_names(place):
    touch("in/b.PNG", "in/deep/c.jpg", "in/notes.txt", "in/a.webp", "in/z/y/x.tif", "in/deep.png")
    assert names(["in"]) == [
        "in/a.webp",
        "in/b.PNG",
        "in/deep/c.jpg",
        "in/deep.png",
        "in/z/y/x.tif",
    ]
    assert names(["in"]) == [str(path) for path in sorted(map(Path, names(["in"])))]


def test_links_to_images_are_followed_and_links_to_folders_are_not(place):
    touch("in/a.png", "other/b.png")
    Path("in/round").symlink_to(place / "in")
    Path("in/link.png").symlink_to(place / "other/b.png")
    assert names(["in"]) == ["in/a.png", "in/link.png"]


def test_links_that_lead_nowhere_are_images_that_cannot_be_read(place):
    touch("in/a.png")
    Path("in/gone.png").symlink_to(place / "nowhere.png")
    Path("in/round.png").symlink_to("round.png")
    Path("in/round").symlink_to("round")
    assert names(["in"]) == ["in/a.png", "in/gone.png", "in/round.png"]


def test_a_folder_is_read_no_further_than_needed(place, monkeypatch):
    touch("in/a/1.png", "in/b/2.png")
    scanned = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(str(path)) or scan(path))
    assert next(Sources(["in"])).name == "in/a/1.png"
    assert scanned == ["in", "in/a"]


def test_each_image_comes_once_however_often_it_is_named(place):
    touch("in/a.png", "in/b.png")
    words = ["in/b.png", "in", "./in/a.png", "in/*.png", "-"]
    assert names(words, ["in/a.png", "c.png", "c.png"]) == ["in/b.png", "in/a.png", "c.png"]


def test_a_name_that_exists_is_not_a_glob(place):
    touch("a[1].png", "a1.png")
    assert names(["a[1].png"]) == ["a[1].png"]
    assert names(["a[0-9].png"]) == ["a1.png"]


def test_a_folder_that_cannot_be_listed_does_not_stop_the_others(place, monkeypatch):
    touch("in/a.png", "in/closed/b.png", "in/z.png")
    scan = os.scandir

    def refused(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert names(["in"]) == [
        "in/a.png",
        "in/closed: cannot be listed (Permission denied). Change its permissions.",
        "in/z.png",
    ]


def test_a_name_that_is_too_long_is_taken_for_an_image(place):
    name = f"{'a' * 300}.png"
    assert names([name, "-"], [name[1:]]) == [name, name[1:]]
    [problem] = Sources([f"{'a' * 300}[1].png"])
    assert "holds no image" in problem.message


def test_names_separated_by_nul_are_reported_once(place):
    [problem] = Sources(["-"], ["in/a.png\0in/b.png\0"])
    assert problem.message.startswith(
        "in/a.png, in/b.png, : names are separated by NUL characters."
    )
    assert "without -print0" in problem.message


def test_a_source_without_images_is_reported_in_its_turn(place):
    touch("a.png", "empty/notes.txt")
    first, second, third = Sources(["empty", "a.png", "*.jpg"])
    assert isinstance(first, UnreadableSource)
    assert first.message.startswith("empty: holds no image (files that end in .bmp, ")
    assert second.name == "a.png"
    assert third.message.startswith("*.jpg: holds no image")


def test_an_empty_source_is_refused():
    with pytest.raises(SettingError, match="SOURCE is empty"):
        Sources(["a.png", ""])


# --- lists


def test_a_list_names_anything_except_globs(place, videos, network):
    touch("in/a.png", "b[1].png", "b1.png")
    listed = ["in", "b[1].png", "*.png", "clip.mp4", "https://example.org/c.jpg"]
    assert names(["-"], listed) == [
        *("in/a.png", "b[1].png", "*.png"),
        *["clip.mp4"] * 3,
        "https://example.org/c.jpg",
    ]


def test_an_endless_list_is_read_no_further_than_needed(place):
    asked = []

    def listed():
        for number in count():
            asked.append(number)
            yield f"{number}.png"

    assert [one.name for one in islice(Sources(["-"], listed()), 3)] == ["0.png", "1.png", "2.png"]
    assert asked == [0, 1, 2]


# --- videos and cameras


def test_frames_have_the_name_of_their_video_with_number_and_time(place, videos):
    first, _, last = Sources(["clip.mp4"])
    assert (first.name, first.frame, first.time_s) == ("clip.mp4", 0, 0)
    assert (last.name, last.frame, last.time_s) == ("clip.mp4", 2, 0.08)  # 2 / 25
    assert last.path == Path("clip.mp4")
    assert (last.source == 2).all()


def test_a_video_is_opened_once_and_only_when_it_is_its_turn(place, videos):
    found = Sources(["one.mp4", "two.mp4", "./one.mp4"])
    next(found)
    assert videos.opened == [Path("one.mp4")]
    assert len(list(found)) == 5
    assert videos.opened == [Path("one.mp4"), Path("two.mp4")]


def test_a_glob_is_expanded_once_whatever_is_asked(place, monkeypatch):
    touch("a1.png", "a2.png")
    expanded, expand = [], targets.glob.glob

    def counted(pattern, **options):
        expanded.append(pattern)
        return expand(pattern, **options)

    monkeypatch.setattr(targets.glob, "glob", counted)
    found = Sources(["a*.png"])
    assert (found.has_frames(), found.count(), len(list(found))) == (False, 2, 2)
    assert expanded == ["a*.png"]


def test_the_first_image_of_a_list_decides_on_frames_and_still_comes_first(place, videos):
    for listed, has_frames in ((["clip.mp4", "a.png"], True), (["a.png", "clip.mp4"], False)):
        found = Sources(["-"], listed)
        assert found.has_frames() is has_frames
        assert next(found).name == listed[0]
        assert len(list(found)) == 3  # 4 in all


def test_a_folder_s_videos_are_left_out(place, videos):
    touch("in/a.png", "in/clip.mp4")
    assert names(["in"]) == ["in/a.png"]
    assert names(["in/*"]) == ["in/a.png", *["in/clip.mp4"] * 3]


def test_a_damaged_video_gives_its_first_frames_and_does_not_stop_the_others(place, videos):
    assert names(["damaged.mp4", "a.png"]) == [
        *("damaged.mp4", "damaged.mp4"),
        "damaged.mp4: breaks off. Replace it.",
        "a.png",
    ]


def test_a_camera_has_a_number_and_is_endless(place, videos):
    frames = list(islice(Sources(["camera:1"]), 50))
    assert videos.opened == [1]
    assert {frame.name for frame in frames} == {"camera:1"}
    assert (frames[-1].frame, frames[-1].path) == (49, None)


def test_a_number_or_an_existing_file_is_not_a_camera(place, videos):
    touch("camera:0")
    assert names(["0", "camera:0", "camera:x"]) == ["0", "camera:0", "camera:x"]
    assert videos.opened == []


def test_a_missing_package_is_an_error_and_no_unreadable_source(place, videos, monkeypatch):
    def frames(source):
        raise OneboxError("pip install 'onebox[video]'")

    monkeypatch.setattr(videos, "frames", frames)
    with pytest.raises(OneboxError, match="pip install"):
        list(Sources(["clip.mp4"]))


# --- URLs


def test_a_url_is_fetched_when_it_is_its_turn(place, network):
    found = Sources(
        ["a.png", "https://example.org/b.jpg?size=[1]", "https://example.org/missing.jpg"]
    )
    next(found)
    assert network.asked == []
    item = next(found)
    assert (item.name, item.source, item.path) == (
        "https://example.org/b.jpg?size=[1]",
        b"content",
        None,
    )
    assert next(found).message.startswith("https://example.org/missing.jpg: the server answered")


def test_files_and_folders_need_no_network(place, network):
    touch("in/a.png")
    assert names(["in", "b.png"]) == ["in/a.png", "b.png"]
    assert network.asked == []


# --- before anything is read


def test_images_are_counted_without_being_opened(place, videos, network):
    touch("in/a.png", "in/deep/b.png", "c.png")
    assert Sources(["in", "*.png", "missing.png", "https://example.org/d.jpg"]).count() == 5
    assert Sources(["in", "-"]).count() is None
    assert Sources(["in", "clip.mp4"]).count() is None
    assert Sources(["camera:0"]).count() is None
    assert network.asked == videos.opened == []


def test_sources_with_frames_are_known_beforehand(place, videos):
    touch("in/clip.mp4")
    assert Sources(["a.png", "clip.mp4"]).has_frames()
    assert Sources(["in/*"]).has_frames()
    assert Sources(["camera:0"]).has_frames()
    assert not Sources(["a.png", "in", "-"]).has_frames()


def test_errors_of_data_are_reported_and_wrong_calls_are_raised(place, videos, monkeypatch):
    def wrong(error):
        def frames(source):
            raise error
            yield

        monkeypatch.setattr(videos, "frames", frames)
        return list(Sources(["clip.mp4"]))

    [problem] = wrong(DataError("clip.mp4: has no images."))
    assert problem.message == "clip.mp4: has no images."
    with pytest.raises(TypeError):
        wrong(TypeError("wrong call"))
