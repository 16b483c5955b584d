"""An image in a shard is the image that its loose file is, wherever samples are used."""

import dataclasses
import pickle

import numpy as np
import pytest

from onebox import evaluation, images
from onebox.audit.csv_list import read_corrections, write_list
from onebox.audit.records import Audit, Finding
from onebox.errors import ImageError, SettingError
from onebox.folds.datasets import group_by_copies
from onebox.formats.rows import Row
from onebox.formats.splitting import choose_splits, hold_out_calibration, split_of_bytes
from onebox.formats.writing import image_file
from onebox.image_sizes import size_of
from onebox.loading import load
from onebox.packed.image_in_parquet import ParquetImage
from onebox.packed.image_in_tar import TarImage
from onebox.report import write_report
from onebox.runs.repeats.plan import digest_labels
from onebox.structures import Dataset, PackedImage
from onebox.variants.inputs import network_inputs


def test_labels_and_bytes_are_those_of_the_files(pairs):
    for sample, packed in pairs:
        facts = dataclasses.replace(packed, image=sample.image)
        assert facts == sample
        assert packed.image.open().read() == sample.image.read_bytes()


@pytest.mark.parametrize("at_least", [None, 4])
def test_pixels_are_those_of_the_file_whole_and_shrunk(pairs, at_least):
    for sample, packed in pairs:
        ours, theirs = (images.load(one.image, at_least=at_least) for one in (packed, sample))
        np.testing.assert_array_equal(ours.pixels, theirs.pixels)
        assert (ours.size_wh, ours.scale_xy) == (theirs.size_wh, theirs.scale_xy)


def test_the_header_of_a_rotated_image_says_so(pairs):
    sample, packed = pairs[0]
    header = images.read_header(packed.image)
    assert header == images.read_header(sample.image)
    assert (header.stored_wh, header.size_wh) == ((24, 16), (16, 24))
    assert size_of(dataclasses.replace(packed, size_wh=None)) == (16, 24)


def test_a_record_is_hashable_and_survives_the_way_to_another_process(in_shards):
    records = [sample.image for sample in in_shards]
    assert len(set(records)) == len(records)
    assert pickle.loads(pickle.dumps(records)) == records  # noqa: S301
    assert all(isinstance(record, PackedImage) for record in records)
    assert len({str(record) for record in records}) == len(records)


def test_the_hash_of_the_bytes_chooses_the_split_of_the_loose_file(pairs):
    for sample, packed in pairs:
        rows = [Row("", one.image) for one in (sample, packed)]
        assert choose_splits(rows) == [split_of_bytes(sample.image.read_bytes())] * 2


def test_the_same_images_are_held_out_for_calibration(loose, pairs):
    def all_val(samples):
        changed = tuple(dataclasses.replace(one, split="val") for one in samples)
        return hold_out_calibration(Dataset(changed, loose.classes, loose.keypoints))

    ours = all_val(packed for _, packed in pairs)
    theirs = all_val(dataclasses.replace(sample) for sample, _ in pairs)
    assert [one.split for one in ours] == [one.split for one in theirs]
    assert {one.split for one in ours} == {"val", "cal"}


def test_evaluation_and_report_see_the_same_images(pairs, bright_file, tmp_path):
    localizer = load(bright_file)
    reports = []
    for index in (0, 1):
        samples = tuple(
            dataclasses.replace(pair[index], label="disc" if pair[index].box else None)
            for pair in pairs
        )
        reports.append(evaluation.evaluate(localizer, Dataset(samples, ("disc",))))
        write_report(reports[-1], tmp_path / f"{index}.html")
    loose, packed = (report.as_json() for report in reports)
    for report in (loose, packed):
        for one in report["worst"]:
            del one["image"]
    assert packed == loose
    name = pairs[1][1].file_name
    assert "/" not in name
    assert name in (tmp_path / "1.html").read_text("utf-8")


def test_a_network_sees_the_same_pixels_when_it_is_exported(pairs, bright_file):
    localizer = load(bright_file)
    seen = [network_inputs(localizer, [pair[index] for pair in pairs]) for index in (0, 1)]
    for theirs, ours in zip(*seen, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_audit_list_names_an_image_in_a_shard_and_is_read_back(in_shards, tmp_path):
    row = next(row for row, sample in enumerate(in_shards) if sample.box)
    one = Finding(
        row=row, list="classes", rank=1, score=0.5, p_value=None, q_value=0.05, is_listed=True,
        kind="class", side="", given="dog", suggested="cat", why="It is one.", label="cat",
    )  # fmt: skip
    write_list(Audit((), (one,), (), 0.1, None), in_shards, tmp_path / "audit.csv")
    assert in_shards.samples[row].name in (tmp_path / "audit.csv").read_text("utf-8")
    [found] = read_corrections(tmp_path / "audit.csv", in_shards)
    assert (found.row, found.label) == (row, "cat")


def test_formats_of_image_files_refuse_it_and_name_the_option(in_shards):
    with pytest.raises(SettingError, match=r"lies in a shard.*--images DIR"):
        image_file(in_shards.samples[0])


def test_a_shard_that_is_gone_is_an_image_error(tmp_path):
    gone = TarImage(str(tmp_path / "gone.tar"), "a.jpg", 512, 10)
    for read in (images.load, images.read_header):
        with pytest.raises(ImageError, match=r"gone.tar:a.jpg: .*does not exist"):
            read(gone)


def test_an_image_that_is_cut_short_is_an_image_error(tmp_path):
    (tmp_path / "short.tar").write_bytes(bytes(100))
    with pytest.raises(ImageError, match="ends after 60 of its 80 bytes"):
        TarImage(str(tmp_path / "short.tar"), "a.jpg", 40, 80).read()


def test_bytes_that_are_no_image_are_named_by_shard_and_member(tmp_path):
    (tmp_path / "shard.tar").write_bytes(b"no image at all")
    for size, message in (
        (15, "is not an image in a supported format"),
        (0, r"is empty \(0 bytes\)"),
    ):
        image = TarImage(str(tmp_path / "shard.tar"), "a.jpg", 0, size)
        with pytest.raises(ImageError, match=rf"shard.tar:a.jpg: {message}"):
            images.load(image)


def test_reading_labels_of_own_shards_reads_no_image(loose, tmp_path, monkeypatch):
    from onebox.formats import read, write

    for name in ("parquet", "webdataset"):
        write(loose, tmp_path / name, name)

    def refuse(*_):
        raise AssertionError("an image was read")

    for record in (TarImage, ParquetImage):
        monkeypatch.setattr(record, "read", refuse)
        monkeypatch.setattr(record, "open", refuse)
    for name in ("parquet", "webdataset"):
        assert len(read(tmp_path / name)) == len(loose)


def test_an_image_and_its_copy_in_a_shard_come_into_one_fold_and_have_one_digest(pairs, loose):
    pair = [dataclasses.replace(sample, split="train") for sample in pairs[1]]
    groups = group_by_copies(Dataset((*pair, pairs[2][0]), loose.classes, loose.keypoints))
    assert groups[0] == groups[1] != groups[2]
    ours, theirs = (
        Dataset(tuple(pair[index] for pair in pairs), loose.classes, loose.keypoints)
        for index in (1, 0)
    )
    assert digest_labels(ours) == digest_labels(theirs)
