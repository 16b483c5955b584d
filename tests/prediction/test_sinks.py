"""Sinks: names in a results file, and drawings under names of their own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onebox.errors import ImageError
from onebox.prediction.sinks import DrawingSink, JournalSink
from onebox.prediction.sources import SourceItem
from onebox.prediction.writers import KINDS, Journal, Layout
from onebox.structures import Prediction

CAT = Prediction("cat", 0.5, (2.0, 3.0, 20.0, 15.0), (1.0,))
PIXELS = np.full((20, 30, 3), 90, np.uint8)


class Collected:
    def __init__(self):
        self.written, self.unreadable = [], []

    def has(self, item):
        return item.name == "known.png"

    def write(self, item, prediction):
        self.written.append(item.name)

    def write_unreadable(self, item):
        self.unreadable.append(item.name)


def test_a_file_gets_the_name_that_its_path_has_there_and_a_url_its_own(tmp_path):
    url = SourceItem("https://a/b.jpg", b"")
    frame = SourceItem("clip.mp4", PIXELS, 3, 0.12, Path("clip.mp4"))
    layout = Layout(("cat",), has_frames=True)
    with Journal(KINDS["csv"], tmp_path / "p.csv", layout) as journal:
        sink = JournalSink(journal, lambda path: f"../{path}")
        sink.write(url, CAT)
        sink.write(frame, CAT)
        journal.finish()
    with Journal(KINDS["csv"], tmp_path / "p.csv", layout, resume=True) as journal:
        assert journal.has("https://a/b.jpg")
        assert journal.has("../clip.mp4", 3)
        sink = JournalSink(journal, lambda path: f"../{path}")
        assert (sink.has(url), sink.has(frame)) == (True, True)
        assert not sink.has(SourceItem("clip.mp4", PIXELS, 4, 0.16, Path("clip.mp4")))


@pytest.mark.parametrize(
    ("item", "names"),
    [
        (SourceItem("in/a.jpg", PIXELS, path=Path("in/a.jpg")), ["a.png", "a-2.png"]),
        (SourceItem("https://a/b/c.jpg?size=1", PIXELS), ["c.png", "c-2.png"]),
        (SourceItem("https://a/", PIXELS), ["image.png", "image-2.png"]),
        (
            SourceItem("s.tar:x/a\0b.jpg", PIXELS, path=Path("s.tar"), member="x/a\0b.jpg"),
            ["a-b.png", "a-b-2.png"],
        ),
        (SourceItem("camera:0", PIXELS, 7, 0.2), ["camera-0-000007.png", "camera-0-000007-2.png"]),
    ],
)
def test_a_drawing_has_the_name_of_its_image_or_the_next_free_one(item, names, tmp_path):
    collected = Collected()
    sink = DrawingSink(tmp_path, None, collected)
    sink.write(item, CAT)
    sink.write(item, CAT)
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    with Image.open(tmp_path / names[0]) as drawn:
        assert drawn.size == (30, 20)
    assert collected.written == [item.name] * 2


LETTERS = "é" * 150  # of 2 bytes each


@pytest.mark.parametrize(
    ("item", "names"),
    [
        # 255 bytes: a stem of 251 and ".png", a stem of 249 and "-2.png"
        (SourceItem(f"https://a/{'z' * 300}", PIXELS), ["z" * 251, "z" * 249 + "-2"]),
        (SourceItem("i.png", PIXELS, path=Path(f"{'z' * 250}.png")), ["z" * 250, "z" * 249 + "-2"]),
        # 125 letters are 250 bytes, and 126 are one too many beside ".png"
        (SourceItem(f"https://a/{LETTERS}.jpg", PIXELS), ["é" * 125, "é" * 124 + "-2"]),
        # "-000007.png" leaves 244 bytes, "-000007-2.png" leaves 242
        (
            SourceItem("clip.mp4", PIXELS, 7, 0.2, Path("z" * 251)),
            [f"{'z' * 244}-000007", f"{'z' * 242}-000007-2"],
        ),
    ],
)
def test_a_drawing_whose_name_is_too_long_for_the_disk_has_the_beginning_of_it(
    item, names, tmp_path
):
    sink = DrawingSink(tmp_path, None, Collected())
    sink.write(item, CAT)
    sink.write(item, CAT)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.png" for name in names}


def test_an_image_that_cannot_be_drawn_is_not_passed_on(tmp_path):
    collected = Collected()
    sink = DrawingSink(tmp_path, None, collected)
    gone = SourceItem("gone.png", tmp_path / "gone.png", path=tmp_path / "gone.png")
    with pytest.raises(ImageError, match="there is no such file"):
        sink.write(gone, CAT)
    sink.write_unreadable(gone)
    assert (collected.written, collected.unreadable) == ([], ["gone.png"])
    assert sink.has(SourceItem("known.png", PIXELS))
    assert not sink.has(gone)
