"""Training on shards is training on the loose images."""

import dataclasses

import numpy as np
import pytest

import onebox
from onebox import synthetic
from onebox.errors import DataError, ImageError
from onebox.formats import read, write
from onebox.image_digests import content_digest
from onebox.learning.data.decoded_cache import decode
from onebox.packed.image_in_tar import TarImage
from onebox.structures import Dataset, Sample

pytestmark = pytest.mark.train


def test_squares_and_digests_are_those_of_the_loose_images(pairs, loose):
    for sample, packed in pairs:
        assert content_digest(packed) == content_digest(sample)
    theirs = decode(loose, 16)
    ours = decode(dataclasses.replace(loose, samples=tuple(one for _, one in pairs)), 16)
    assert ours.digest == theirs.digest  # so a run on shards maps the squares of the other


def test_drawn_images_that_differ_in_one_pixel_have_different_digests():
    black = np.zeros((64, 64, 3), np.uint8)  # too large to be written out whole by NumPy
    other = black.copy()
    other[32, 32] = 255
    assert content_digest(Sample(black)) != content_digest(Sample(other))
    assert content_digest(Sample(black)) == content_digest(Sample(black.copy()))


def test_squares_are_equal_when_they_are_decoded_anew(pairs, loose, tmp_path, monkeypatch):
    theirs = np.array(decode(loose, 16).pixels)
    monkeypatch.setenv("ONEBOX_CACHE", str(tmp_path))
    ours = decode(dataclasses.replace(loose, samples=tuple(one for _, one in pairs)), 16)
    np.testing.assert_array_equal(np.array(ours.pixels), theirs)


def test_an_unreadable_image_is_reported_with_the_origin_of_its_label(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"none")
    image = TarImage(str(tmp_path / "a.tar"), "a.jpg", 0, 4)
    sample = Sample(image, "cat", (1.0, 2.0, 3.0, 4.0), origin="a.tar:a")
    with pytest.raises(ImageError, match="gone"):
        content_digest(dataclasses.replace(sample, image=TarImage("gone", "a", 0, 4)))
    with pytest.raises(DataError, match=r"a.tar:a: .*a.tar:a.jpg: is not an image"):
        decode(Dataset((sample,), ("cat",)), 16)


def test_a_run_on_shards_has_the_metrics_of_the_run_on_files(
    discs, shortened, tiny_recipe, tmp_path
):
    few = shortened(discs, train=16, val=4, cal=0, test=4)
    saved = synthetic.save(few, tmp_path / "loose", len(few))
    loose = dataclasses.replace(few, samples=saved)
    brief = tiny_recipe.train.model_copy(update={"epochs": 1})
    short = tiny_recipe.model_copy(update={"train": brief})
    write(loose, tmp_path / "shards", "parquet")
    found = []
    for name, data in (("files", loose), ("in-shards", read(tmp_path / "shards"))):
        metrics = onebox.train(data, short, out=tmp_path / name).metrics
        for of_split in metrics.values():
            for one in of_split["worst"]:
                del one["image"]
        found.append(metrics)
    assert found[0] == found[1]
