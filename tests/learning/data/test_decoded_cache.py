"""The cache: a data set is decoded once, again after any change, and never by half."""

import dataclasses
import errno
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from onebox import images
from onebox.errors import DataError, OneboxError
from onebox.image_digests import content_digest
from onebox.learning.data import decoded_cache
from onebox.learning.data.decoded_cache import NO_LABEL, decode
from onebox.structures import Dataset, KeypointSet, Sample

CLASSES = ("cat", "dog")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache folder for each test."""
    path = tmp_path / "cache"
    monkeypatch.setenv("ONEBOX_CACHE", str(path))
    return path


def draw(path, colour, size_wh=(50, 40), **options):
    Image.new("RGB", size_wh, colour).save(path, **options)
    return path


@pytest.fixture
def data(tmp_path):
    """Two labelled images and one without a subject."""
    return Dataset(
        (
            Sample(
                draw(tmp_path / "red.png", "red"), "dog", (5.0, 10.0, 25.0, 40.0), size_wh=(50, 40)
            ),
            Sample(
                draw(tmp_path / "blue.png", "blue"), "cat", (0.0, 0.0, 50.0, 40.0), size_wh=(50, 40)
            ),
            Sample(draw(tmp_path / "black.png", "black"), size_wh=(50, 40)),
        ),
        CLASSES,
        name="labels.csv",
    )


def changed(data, row, **changes):
    samples = list(data.samples)
    samples[row] = dataclasses.replace(samples[row], **changes)
    return dataclasses.replace(data, samples=tuple(samples))


def files(folder):
    return sorted(folder.iterdir()) if folder.exists() else []


# --- what is decoded ---------------------------------------------------------------------------


def test_images_become_squares_of_the_side_asked_for(data):
    decoded = decode(data, 40)
    assert decoded.pixels.shape == (3, 40, 40, 3)
    np.testing.assert_array_equal(decoded.pixels[0, 0, 0], (255, 0, 0))
    np.testing.assert_array_equal(decoded.pixels[1, 39, 39], (0, 0, 255))
    assert not decoded.pixels[2].any()


def test_targets_are_normalized_boxes_and_indices_of_classes(data):
    decoded = decode(data, 40)
    np.testing.assert_allclose(
        decoded.boxes, [[5 / 50, 10 / 40, 25 / 50, 1], [0, 0, 1, 1], [0, 0, 0, 0]], rtol=1e-6
    )
    assert decoded.has_box.tolist() == [True, True, False]
    assert decoded.labels.tolist() == [1, 0, NO_LABEL]
    assert len(decoded) == 3


def test_samples_that_do_not_state_their_size_keep_their_boxes_and_keypoints(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored 50 x 40, upright 40 x 50
    turned = draw(tmp_path / "turned.jpg", "red", exif=exif)
    drawn = np.zeros((20, 10, 3), np.uint8)
    samples = (
        Sample(turned, "dog", (10.0, 5.0, 20.0, 50.0), keypoints=((10.0, 25.0, 2),)),
        Sample(drawn, "cat", (1.0, 5.0, 10.0, 10.0), keypoints=((5.0, 5.0, 1),)),
    )
    decoded = decode(Dataset(samples, CLASSES, KeypointSet(("nose",))), 40)
    assert decoded.has_box.tolist() == [True, True]
    np.testing.assert_allclose(
        decoded.boxes,
        [[10 / 40, 5 / 50, 20 / 40, 1], [1 / 10, 5 / 20, 1, 10 / 20]],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        decoded.keypoints, [[[10 / 40, 25 / 50, 2]], [[5 / 10, 5 / 20, 1]]], rtol=1e-6
    )


def test_an_image_rotated_by_exif_is_decoded_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: the stored left column is the upright top row
    stored = Image.new("RGB", (60, 40), "black")
    stored.paste("white", (0, 0, 30, 40))
    stored.save(tmp_path / "turned.png", exif=exif)
    sample = Sample(tmp_path / "turned.png", "cat", (0.0, 0.0, 40.0, 30.0), size_wh=(40, 60))
    decoded = decode(Dataset((sample,), CLASSES), 40)
    np.testing.assert_allclose(decoded.boxes, [[0, 0, 1, 0.5]])
    assert decoded.pixels[0, :18].min() == 255
    assert decoded.pixels[0, 22:].max() == 0


def test_an_image_shrunk_by_whole_blocks_is_resized_up_to_its_true_edge(tmp_path):
    # 401 columns are averaged by tens: the last of 41 covers one column only.
    ramp = np.broadcast_to(np.linspace(0, 255, 401)[None, :, None], (401, 401, 3))
    Image.fromarray(np.rint(ramp).astype(np.uint8)).save(tmp_path / "ramp.png")
    decoded = decode(Dataset((Sample(tmp_path / "ramp.png", size_wh=(401, 401)),), CLASSES), 40)
    centres = (np.arange(40) + 0.5) / 40 * 255
    np.testing.assert_allclose(decoded.pixels[0, 20, :, 0], centres, atol=3)


def test_generated_images_are_decoded_like_files(discs):
    data = dataclasses.replace(discs, samples=discs.samples[:4])
    decoded = decode(data, 80)
    for sample, square, box in zip(data, decoded.pixels, decoded.boxes, strict=True):
        rows, columns = np.nonzero(square[:, :, 0] > 127)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(found, box * 80, atol=1.0)
        np.testing.assert_allclose(box * 64, sample.box, rtol=1e-6)


# --- decoded once, and again after a change ----------------------------------------------------


def test_an_unchanged_data_set_is_not_decoded_again(data, monkeypatch):
    first = decode(data, 40)

    def refuse(source, **options):
        raise AssertionError("decoded again")

    monkeypatch.setattr(images, "load", refuse)
    again = decode(data, 40)
    assert again.digest == first.digest
    np.testing.assert_array_equal(again.pixels, first.pixels)


def test_the_same_images_in_another_folder_are_not_decoded_again(data, tmp_path, folder):
    decode(data, 40)
    moved = tmp_path / "moved"
    moved.mkdir()
    copies = tuple(
        dataclasses.replace(one, image=shutil.copy(one.image, moved / one.image.name))
        for one in data
    )
    decode(dataclasses.replace(data, samples=copies), 40)
    assert len(files(folder)) == 1


CHANGES = {
    "label": lambda data: changed(data, 0, label="cat"),
    "box": lambda data: changed(data, 0, box=(5.0, 10.0, 25.0, 39.0)),
    "no box": lambda data: changed(data, 0, box=None),
    "classes": lambda data: dataclasses.replace(data, classes=("cat", "dog", "owl")),
    "order": lambda data: dataclasses.replace(data, samples=data.samples[::-1]),
    "one less": lambda data: dataclasses.replace(data, samples=data.samples[:2]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_the_labels_makes_a_new_file(data, folder, change):
    before = decode(data, 40)
    after = decode(change(data), 40)
    assert after.digest != before.digest
    assert len(files(folder)) == 2


def test_a_change_of_one_images_bytes_makes_a_new_file(data, folder):
    before = decode(data, 40)
    draw(data.samples[0].image, "lime")
    after = decode(data, 40)
    assert after.digest != before.digest
    np.testing.assert_array_equal(before.pixels[0, 0, 0], (255, 0, 0))
    np.testing.assert_array_equal(after.pixels[0, 0, 0], (0, 255, 0))


def test_another_size_makes_a_new_file(data, folder):
    assert decode(data, 40).digest != decode(data, 80).digest
    assert len(files(folder)) == 2


def test_only_the_latest_eight_data_sets_stay_on_disk(data, folder):
    for number in range(10):
        decode(changed(data, 0, box=(0.0, 0.0, 1.0 + number, 1.0)), 40)
    assert len(files(folder)) == 8
    assert (
        folder / f"{decode(changed(data, 0, box=(0.0, 0.0, 10.0, 1.0)), 40).digest}.npy"
        in files(folder)
    )


def test_progress_counts_every_image(data):
    heard = []
    decode(data, 40, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


# --- what goes wrong ---------------------------------------------------------------------------


def truncate(path):
    path.write_bytes(path.read_bytes()[:60])


def test_all_images_that_cannot_be_decoded_are_named_and_no_half_cache_is_left(data, folder):
    truncate(data.samples[0].image)
    data.samples[2].image.write_text("no image")
    data = changed(changed(data, 0, origin="labels.csv:2"), 2, origin="labels.csv:4")
    with pytest.raises(DataError) as caught:
        decode(data, 40)
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].startswith("labels.csv:2: ")
    assert "red.png: cannot be decoded" in caught.value.problems[0]
    assert caught.value.problems[1].startswith("labels.csv:4: ")
    assert "black.png: is not an image" in caught.value.problems[1]
    assert files(folder) == []


def test_an_image_deleted_since_the_labels_were_read_is_named(data, folder):
    data.samples[1].image.unlink()
    data = changed(data, 1, origin="labels.csv:3")
    with pytest.raises(DataError, match=r"labels\.csv:3: .*blue\.png: there is no such file"):
        decode(data, 40)
    assert files(folder) == []


def test_an_interrupted_decoding_leaves_no_half_cache(data, folder):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(data, 40, progress=interrupt)
    assert files(folder) == []


def test_a_full_disk_is_reported_before_anything_is_decoded(data, folder, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    heard = []
    with pytest.raises(OneboxError) as caught:
        decode(data, 40, progress=lambda done, total: heard.append(done))
    # 3 images of 40 x 40 x 3 bytes are far below a MiB; 64 MiB stay free beside them
    assert "the decoded images need 64 MiB and 1 MiB are free" in str(caught.value)
    assert "ONEBOX_CACHE" in str(caught.value)
    assert heard == []
    assert files(folder) == []


def test_a_disk_that_fills_up_meanwhile_ends_with_a_message_and_leaves_nothing(
    data, small_disk, monkeypatch
):
    monkeypatch.setenv("ONEBOX_CACHE", str(small_disk))
    monkeypatch.setattr(decoded_cache, "check_space", lambda *words, **names: None)
    # 3 images of 640 x 640 x 3 bytes are more than 1 MiB
    with pytest.raises(OneboxError, match=r"\.npy: cannot be written \(No space left on device\)"):
        decode(data, 640)
    assert files(small_disk) == []


@pytest.mark.parametrize("kept", [0, 100, 200])
def test_a_file_that_a_power_failure_cut_short_is_made_anew(data, folder, kept):
    pixels = decode(data, 40).pixels.copy()
    [file] = files(folder)
    file.write_bytes(file.read_bytes()[:kept])
    assert np.array_equal(decode(data, 40).pixels, pixels)


def test_an_image_that_can_be_decoded_and_could_not_be_read_before_is_a_problem(
    data, folder, monkeypatch
):
    # The digest of the data would be wrong, and the run could not be resumed.
    def read_all_but_blue(sample):
        if sample.image.stem == "blue":
            sample = dataclasses.replace(sample, image=sample.image.parent / "gone" / "blue.png")
        return content_digest(sample)

    monkeypatch.setattr(decoded_cache, "content_digest", read_all_but_blue)
    with pytest.raises(DataError, match=r"blue\.png: cannot be read \(No such file or directory\)"):
        decode(data, 40)
    assert files(folder) == []


def test_a_file_that_cannot_be_mapped_is_named(data, folder, monkeypatch):
    def refuse(*words, **names):
        raise PermissionError(errno.EACCES, "Permission denied")  # as mmap does: without a name

    decode(data, 40)
    [file] = files(folder)
    monkeypatch.setattr(np, "memmap", refuse)
    with pytest.raises(PermissionError) as caught:
        decode(data, 40)
    assert caught.value.filename == str(file)


def test_a_folder_that_cannot_be_written_is_named(data, folder):
    folder.write_text("a file where the folder should be")
    with pytest.raises(OneboxError, match=r"cache: cannot be written"):
        decode(data, 40)


def test_without_onebox_cache_the_users_cache_folder_is_used(monkeypatch):
    monkeypatch.delenv("ONEBOX_CACHE")
    assert decoded_cache.cache_folder().name == "onebox"
