"""Disks that are full, and disks that cannot be written: a message, and earlier results intact."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.train

KINDS = ("jsonl", "csv", "coco", "parquet")


@pytest.fixture
def pictures(tmp_path):
    """A folder of two images."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(2):
        grey = np.full((40, 60, 3), 100 * number, np.uint8)
        Image.fromarray(grey).save(folder / f"{number}.png")
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "ballast"}


def fill(folder):
    """Fill a disk to the last byte."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 12)):
                pass
        except OSError:
            return


@pytest.fixture
def read_only(small_disk):
    """Make the small disk one that can only be read."""

    def change():
        words = [shutil.which("mount"), "-o", "remount,ro", str(small_disk)]
        if subprocess.run(words, check=False, capture_output=True).returncode:
            pytest.skip("this system remounts no tmpfs")

    return change


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_on_a_full_disk_end_with_a_message_and_keep_the_earlier_file(
    run, bright_file, pictures, small_disk, kind
):
    line = ("predict", bright_file, pictures, f"--{kind}", small_disk / f"p.{kind}")
    assert run(*line)[0] == 0
    before = contents(small_disk)
    fill(small_disk)
    code, _, said = run(*line)
    assert code == 1
    assert "cannot be written (No space left on device)" in said
    assert str(small_disk) in said
    assert contents(small_disk) == before
    (small_disk / "ballast").unlink()
    assert run(*line, "--continue")[0] == 0
    assert contents(small_disk) == before


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_on_a_disk_that_cannot_be_written_keep_the_earlier_file(
    run, bright_file, pictures, read_only, small_disk, kind
):
    line = ("predict", bright_file, pictures, f"--{kind}", small_disk / f"p.{kind}")
    assert run(*line)[0] == 0
    before = contents(small_disk)
    read_only()
    code, _, said = run(*line)
    assert code == 1
    assert "cannot be written (Read-only file system)" in said
    assert contents(small_disk) == before


def test_a_converted_file_that_does_not_fit_leaves_nothing(run, pictures, small_disk):
    labels = pictures / "labels.csv"
    labels.write_text("image,label,x_min,y_min,x_max,y_max\n0.png,a,1,2,3,4\n1.png,a,1,2,3,4\n")
    fill(small_disk)
    code, _, said = run("convert", labels, small_disk / "new.json", "--to", "coco")
    assert code == 1
    assert "new.json: cannot be written (No space left on device)" in said
    assert contents(small_disk) == {}


@pytest.fixture
def labels(discs, tmp_path):
    """A label file of the calibration images."""
    import onebox
    from onebox import formats, synthetic

    saved = synthetic.save(discs.part("cal").samples, tmp_path / "discs", 12)
    file = tmp_path / "discs" / "labels.csv"
    formats.write(onebox.Dataset(saved, discs.classes), file, "csv")
    return file


@pytest.mark.parametrize("change", ["fill", "read-only"])
def test_a_model_that_cannot_be_replaced_stays_as_it_was(
    run, model_file, labels, small_disk, read_only, change
):
    model = small_disk / "model.onnx"
    shutil.copyfile(model_file, model)
    before = contents(small_disk)
    if change == "fill":
        fill(small_disk)
    else:
        read_only()
    code, _, said = run("calibrate", model, labels)
    assert code == 1
    assert "model.onnx: cannot be written (" in said
    assert contents(small_disk) == before
