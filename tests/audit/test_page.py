"""audit.html: one page that works offline, with the suggestions drawn."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from onebox.audit.copies import Pair
from onebox.audit.find import find
from onebox.audit.page import MOST_LISTED, NEXT, write_page
from onebox.errors import ImageError
from onebox.images import LoadedImage
from onebox.visualization import PREDICTED, TRUE

CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def load_plain(image):
    return LoadedImage(np.full((100, 200, 3), 90, dtype=np.uint8), (200, 100))


@pytest.fixture
def page(tmp_path):
    def write(data, found, rate=0.1, load_image=load_plain):
        path = tmp_path / "audit.html"
        facts = {"Data": "<labels>.csv"}
        write_page(find(data, found, rate), data, found, path, facts=facts, load_image=load_image)
        return path.read_text("utf-8")

    return write


def images_of(text):
    urls = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url)))) for url in urls]


def has_colour(pixels, colour):
    return (np.abs(pixels.astype(int) - colour).max(axis=2) < 30).any()


def test_the_page_is_whole_and_fetches_nothing(page, data, found):
    text = page(data, found)
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert f'content="{CSP}"' in text
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", text)
    assert "<script" not in text


def test_text_from_outside_is_escaped(page, data, found):
    text = page(data, found)
    assert "&lt;labels&gt;.csv" in text
    assert "<labels>" not in text


def test_a_wrong_box_is_drawn_with_the_suggested_one(page, data, found, relabel):
    text = page(relabel(data, 7, box=(0.0, 0.0, 30.0, 20.0)), found)
    first = images_of(text)[0]
    assert has_colour(first, TRUE)
    assert has_colour(first, PREDICTED)
    assert "<strong>1</strong> of 40 boxes seem wrong" in re.sub(r"\s+", " ", text)
    assert "far off" in text


def test_a_wrong_class_is_shown_with_the_suggested_one(page, data, found, relabel):
    text = page(relabel(data, 6, label="cat"), found, rate=0.2)
    assert "cat → dog" in text


def test_lists_that_are_empty_say_so_and_show_what_comes_next(page, data, found):
    text = page(data, found, rate=0.001)
    assert "None of the boxes is in the list." in text
    assert text.count("Next in rank, not in the list") == 2
    assert len(images_of(text)) == 2 * NEXT


def test_checks_are_listed_with_their_reason(page, data, found, relabel):
    copied = relabel(data, 5, box=data.samples[1].box)
    found.boxes[5] = found.boxes[1]
    found = type(found)(
        found.boxes, found.sigmas, found.probabilities, None, None, (Pair(1, 5, 1.0),)
    )
    text = page(copied, found, rate=0.001)
    assert "copy across splits" in text
    assert "has the same bytes as images/01.jpg" in text


def test_an_image_that_can_no_longer_be_read_is_grey(page, data, found):
    def fail(image):
        raise ImageError("gone")

    first = images_of(page(data, found, load_image=fail))[0]
    assert first.shape == (160, 320, 3)
    assert not has_colour(first, (90, 90, 90))


def test_a_long_list_is_cut_and_the_page_says_where_the_rest_is(
    page, data, found, relabel, monkeypatch
):
    monkeypatch.setattr("onebox.audit.page.MOST_LISTED", 2)
    assert MOST_LISTED == 60
    wrong = data
    for row in (3, 8, 12):
        wrong = relabel(wrong, row, box=(0.0, 0.0, 20.0, 20.0))
    text = page(wrong, found)
    assert "The first 2 of 3; audit.csv has all." in text
