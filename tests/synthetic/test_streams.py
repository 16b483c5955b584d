"""What holds for every stream: its random numbers, its names, and images without the subject."""

import hashlib
import itertools
import pickle

import numpy as np
import pytest

from onebox.errors import SettingError
from onebox.structures import SPLITS
from onebox.synthetic import blobs


def first(samples, count=1):
    return list(itertools.islice(samples, count))


def pixels(sample):
    return np.asarray(sample.image)


def test_an_image_is_the_same_each_time_it_is_drawn_and_after_pickling(stream):
    for sample in first(stream(size=48, seed=9), 5):
        again = pickle.loads(pickle.dumps(sample))  # noqa: S301 - bytes of our own
        assert (again, hash(again)) == (sample, hash(sample))
        np.testing.assert_array_equal(pixels(again), pixels(sample))
        assert np.asarray(sample.image, dtype=np.float32).dtype == np.float32


def test_a_stream_repeats_itself_and_another_seed_or_split_has_other_images(stream):
    here = [pixels(s) for s in first(stream(size=64, seed=1), 20)]
    again = [pixels(s) for s in first(stream(size=64, seed=1), 20)]
    np.testing.assert_array_equal(here, again)
    seen = {drawn.tobytes() for drawn in here}
    for other in (stream(size=64, seed=2), *(stream(size=64, seed=1, split=s) for s in SPLITS[1:])):
        assert not seen & {pixels(s).tobytes() for s in first(other, 20)}


EARLIER = {
    "train": "18c2425d9f521193",
    "val": "ee2bf505afc551e8",
    "test": "9bf0f1deb8bd0131",
}


@pytest.mark.parametrize("split", EARLIER)
def test_the_images_of_a_split_are_those_of_versions_with_fewer_splits(split):
    drawn = first(blobs(size=32, split=split, absent=0.3), 8)
    content = b"".join(pixels(sample).tobytes() for sample in drawn)
    assert hashlib.blake2b(content, digest_size=8).hexdigest() == EARLIER[split]


def test_names_contain_kind_seed_split_and_index(kind, stream):
    names = {
        sample.name
        for seed in (7, 8)
        for split in SPLITS
        for sample in first(stream(size=32, seed=seed, split=split), 3)
    }
    assert len(names) == 2 * 4 * 3
    assert f"synth:{kind}/7/val#2" in names


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 15}, "size must be at least 16 pixels, got 15."),
        ({"seed": -1}, "seed must be 0 or more, got -1."),
    ],
)
def test_numbers_out_of_range_are_refused_before_the_first_sample(stream, wrong, words):
    with pytest.raises(SettingError) as caught:
        stream(**wrong)
    assert str(caught.value) == words


def test_a_fraction_of_the_images_has_no_subject_and_the_others_do_not_change(stream):
    whole, thinned = first(stream(size=32), 60), first(stream(size=32, absent=0.3), 60)
    absent = [not sample.has_subject for sample in thinned]
    assert 8 <= sum(absent) <= 28  # 18 expected, with a standard deviation of 3.5
    for before, after, is_absent in zip(whole, thinned, absent, strict=True):
        assert (before.name, before.size_wh) == (after.name, after.size_wh)
        if is_absent:
            assert (after.label, after.box) == (None, None)
        else:
            assert (after.label, after.box) == (before.label, before.box)
            np.testing.assert_array_equal(pixels(after), pixels(before))


def test_an_image_without_the_subject_shows_the_background_behind_it(stream):
    whole, bare = first(stream(size=48), 8), first(stream(size=48, absent=1.0), 8)
    for before, after in zip(whole, bare, strict=True):
        left, top, right, bottom = (int(edge) for edge in before.box)
        different = (pixels(before) != pixels(after)).any(axis=2)
        assert different[top:bottom, left:right].mean() > 0.5
        different[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = False
        assert not different.any()


def test_a_larger_fraction_also_leaves_out_the_subjects_of_a_smaller_one():
    few, many = (
        {sample.name for sample in first(blobs(size=16, absent=fraction), 500) if not sample.box}
        for fraction in (0.2, 0.5)
    )
    assert few < many
    assert len(few) == pytest.approx(100, abs=35)
    assert len(many) == pytest.approx(250, abs=45)
