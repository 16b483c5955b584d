"""audit.html works offline, shows the listed first, and stays small."""

import base64
import io
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onebox.audit.page import MOST_TILES, UNLISTED_TILES, write_page
from onebox.audit.records import Audit
from onebox.errors import OneboxError
from onebox.images import LoadedImage
from onebox.structures import Dataset, Sample
from onebox.visualization import PREDICTED, TRUE


@pytest.fixture
def page_of(tmp_path):
    """Write an audit and return the page."""

    def write(audit, data, **options):
        write_page(audit, data, tmp_path / "audit.html", **options)
        return (tmp_path / "audit.html").read_text("utf-8")

    return write


def images_in(page):
    urls = [part.split('"')[0] for part in page.split('src="')[1:]]
    assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
    return [Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) for url in urls]


def black(source):
    return LoadedImage(np.zeros((80, 100, 3), np.uint8), (100, 80))


def has_colour(image, colour):
    pixels = np.asarray(image.convert("RGB")).astype(int)
    return bool((np.abs(pixels - colour).sum(axis=2) < 60).any())


def test_the_head_has_the_numbers_and_the_rate_with_its_assumption(audited, pets, page_of):
    page = " ".join(page_of(audited, pets, facts={"Folds": "4"}).split())
    assert "1 box of 2, 1 class of 2" in page
    assert "<dt>Folds</dt><dd>4</dd>" in page
    assert "10 % or fewer are expected to be right after all" in page
    assert "assumes that most labels are right" in page


def test_the_page_loads_nothing_and_every_finding_has_its_image(audited, pets, page_of):
    page = page_of(audited, pets)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert len(images_in(page)) == 5
    assert all(max(image.size) == 256 for image in images_in(page))


def test_the_label_is_blue_and_the_suggestion_orange(audited, pets, page_of):
    audited = replace(audited, classes=[], checks=[], boxes=audited.boxes[:1])
    (tile,) = images_in(page_of(audited, pets, load_image=black))
    assert has_colour(tile, TRUE)
    assert has_colour(tile, PREDICTED)
    # 100 x 80 pixels are drawn 2.56 times as large: the suggested right edge is at 70 x 2.56 = 179.
    column = np.asarray(tile.convert("RGB"))[90, 170:190].astype(int)
    assert abs(int(np.abs(column - PREDICTED).sum(axis=1).argmin()) + 170 - 179) <= 2


def test_a_class_is_shown_without_a_suggested_box(audited, pets, page_of):
    audited = replace(audited, boxes=[], checks=[], classes=audited.classes[:1])
    page = page_of(audited, pets, load_image=black)
    assert "dog → cat" in page
    (tile,) = images_in(page)
    # The plate of the suggestion is left of the box's right edge, at 60 x 2.56 = 154.
    assert not has_colour(tile.crop((150, 60, 158, 154)), PREDICTED)
    assert has_colour(tile, PREDICTED)


def test_what_is_not_listed_comes_after_and_is_marked(audited, pets, page_of):
    page = page_of(audited, pets)
    listed, _, unlisted = page.partition("Not listed: the next in rank")
    assert "1. far off: right" in listed
    assert "2. not listed" not in listed
    assert "2. not listed" in unlisted


def test_names_labels_and_reasons_are_escaped(make_finding, page_of, tmp_path):
    evil = "<script>alert('&')</script>"
    name = "<img src=x>.png"
    Image.new("RGB", (100, 80)).save(tmp_path / name)
    data = Dataset(
        (Sample(tmp_path / name, evil, (1.0, 2.0, 30.0, 40.0)),), (evil, "dog"), name=evil
    )
    finding = make_finding(0, "classes", label="dog", kind=evil, given=evil, why=evil)
    page = page_of(Audit([], [finding], [], 0.1), data, facts={evil: evil})
    assert "<script" not in page
    assert "<img src=x" not in page
    assert unescape(page).count(evil) >= 5


def test_an_image_that_is_gone_is_grey(audited, pets, page_of):
    for sample in pets:
        sample.image.unlink()
    tiles = images_in(page_of(audited, pets))
    assert len(tiles) == 5
    assert np.asarray(tiles[0])[100, 128].tolist() == pytest.approx([160] * 3, abs=6)


def test_no_list_of_classes_and_empty_lists_are_said_in_words(make_finding, pets, page_of):
    unlisted = make_finding(0, "boxes", is_listed=False, kind="")
    page = page_of(Audit([unlisted], [], [], 0.05), pets)
    assert "At a false-discovery rate of 5\N{NO-BREAK SPACE}%, no box is listed." in page
    assert "There is no list of classes" in page
    assert ">Checks</h2>" not in page


def test_many_findings_fill_sixty_tiles_and_the_rest_is_counted(make_finding, pets, page_of):
    found = [make_finding(0, "boxes", rank=rank) for rank in range(1, 71)]
    page = page_of(Audit(found, [], [], 0.1), pets, load_image=black)
    assert len(images_in(page)) == MOST_TILES == 60
    assert "10 more are listed in <code>audit.csv</code>" in page


def test_after_a_few_listed_come_twelve_that_are_not(make_finding, pets, page_of):
    found = [make_finding(0, "boxes", rank=rank, is_listed=rank < 4) for rank in range(1, 71)]
    page = page_of(Audit(found, [], [], 0.1), pets, load_image=black)
    assert len(images_in(page)) == 3 + UNLISTED_TILES


def test_the_page_stays_below_four_megabytes_even_for_noise(make_finding, pets, page_of):
    def noise(source):
        rng = np.random.default_rng(0)
        return LoadedImage(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8), (256, 256))

    lists = {
        name: [make_finding(0, name, rank=rank) for rank in range(1, 81)]
        for name in ("boxes", "classes", "checks")
    }
    page = page_of(Audit(**lists, rate=0.1), pets, load_image=noise)
    shown = len(images_in(page))
    assert 3 <= shown < 180
    assert len(page) < 4_000_000
    left_out = re.findall(r"(\d+) more are listed in", page)
    assert sum(map(int, left_out)) + shown == 240


def test_a_page_that_cannot_be_written_is_an_error(audited, pets, tmp_path):
    with pytest.raises(OneboxError, match="cannot be written"):
        write_page(audited, pets, Path(tmp_path / "nowhere" / "audit.html"))
