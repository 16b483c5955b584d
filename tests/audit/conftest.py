"""Hand-made audits of a small data set on disk; labels of 40 images, and predictions for them."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.audit.records import Audit, Finding, OutOfFold
from onebox.structures import Dataset, Sample, as_box

SIZE = (200, 100)
COUNT = 40
HEADER = "image,label,x_min,y_min,x_max,y_max,split\n"
ROWS = (
    "images/a.png,cat,10,10,50,60,train\n"
    "images/b.png,dog,20,5,90,70,train\n"
    "images/c.png,cat,0,0,100,80,val\n"
    "images/d.png,dog,30,30,60,60,test\n"
    "images/e.png,,,,,,train\n"
)


@pytest.fixture
def label_file(tmp_path):
    """Labels of four subjects and one image without one, 100 x 80 pixels each."""
    folder = tmp_path / "pets"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in "abcde":
        pixels = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((100, 80))
        image.save(folder / "images" / f"{name}.png")
    path = folder / "labels.csv"
    path.write_text(HEADER + ROWS)
    return path


@pytest.fixture
def pets(label_file):
    """The data set of `label_file`."""
    return onebox.read(label_file)


@pytest.fixture
def make_finding():
    """Make a finding: ``make_finding(0, "boxes", box=(1, 2, 3, 4))``."""
    blank = Finding(
        row=0, list="boxes", rank=1, score=4.25, p_value=0.00125, q_value=0.005, is_listed=True,
        kind="far off", side="", given="10, 10, 50, 60", suggested="", why="It is far off.",
    )  # fmt: skip
    return lambda row, in_list, **facts: replace(blank, row=row, list=in_list, **facts)


@pytest.fixture
def audited(make_finding):
    """Two boxes of which one is listed, two classes likewise, and a check."""
    return Audit(
        boxes=[
            make_finding(0, "boxes", box=(12.5, 10.0, 70.0, 60.0), side="right"),
            make_finding(1, "boxes", rank=2, is_listed=False, kind="", box=(20.0, 5.0, 88.0, 70.0)),
        ],
        classes=[
            make_finding(3, "classes", label="cat", kind="class", given="dog", suggested="cat"),
            make_finding(0, "classes", rank=2, label="dog", kind="", given="cat", is_listed=False),
        ],
        checks=[
            make_finding(
                2, "checks", kind="whole image", box=(20.0, 20.0, 80.0, 70.0), p_value=None,
                q_value=None,
            ),
        ],
        rate=0.1,
    )  # fmt: skip


@pytest.fixture
def boxes():
    """Right boxes, in pixels."""
    rng = np.random.default_rng(0)
    low = rng.uniform([10, 5], [80, 30], (COUNT, 2))
    return np.concatenate([low, low + rng.uniform([40, 30], [90, 60], (COUNT, 2))], axis=1).round()


@pytest.fixture
def data(boxes):
    """Cats and dogs in turn, every fifth a test image."""
    samples = [
        Sample(
            Path(f"images/{row:02d}.jpg"),
            "cat" if row % 2 else "dog",
            as_box(box.tolist()),
            "test" if row % 5 == 0 else "train",
            size_wh=SIZE,
        )
        for row, box in enumerate(boxes)
    ]
    return Dataset(tuple(samples), ("cat", "dog"), name="labels.csv")


@pytest.fixture
def found(boxes):
    """Predictions near the right labels: two pixels off, with a class probability of 0.9."""
    rng = np.random.default_rng(1)
    near = boxes + rng.normal(0, 2, boxes.shape)
    is_cat = np.arange(COUNT) % 2 == 1
    probabilities = np.where(is_cat[:, None], [0.9, 0.1], [0.1, 0.9])
    sides = np.array([*SIZE, *SIZE], np.float64)
    return OutOfFold(
        near / sides, np.full((COUNT, 4), 2.0) / sides, probabilities, None, None, copies=()
    )


@pytest.fixture
def relabel():
    """Change the label of one sample: ``relabel(data, 3, label="dog")``."""

    def change(data, row, **facts):
        samples = list(data.samples)
        samples[row] = dataclasses.replace(samples[row], **facts)
        return dataclasses.replace(data, samples=tuple(samples))

    return change
