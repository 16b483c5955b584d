"""The law of all editors: reading gives the edited labels, and the same labels of other images."""

import itertools
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from onebox.formats import FORMATS, write
from onebox.formats.editing import EDITORS
from onebox.formats.edits import Edits
from onebox.formats.validation import check_row
from onebox.images import Header
from onebox.structures import SPLITS, Dataset, Sample

SIZE = (40, 30)
CLASSES = ("cat", 'dög & <co>; "x", y')
BOX = st.tuples(
    *(st.integers(low, high) for low, high in [(0, 150), (0, 90), (160, 400), (99, 300)])
)
LABEL = st.just((None, None)) | st.tuples(
    st.sampled_from(CLASSES), BOX.map(lambda box: tuple(edge / 10 for edge in box))
)
STEPS = st.lists(st.dictionaries(st.sampled_from("abcd"), st.none() | LABEL), max_size=3)
PLACES = {"csv": "labels.csv", "voc": "voc", "coco": "labels.json", "yolo": "yolo"}
numbered = itertools.count()


def test_every_editor_is_that_of_a_format():
    assert EDITORS.keys() <= FORMATS.keys()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number, name in enumerate("abcd"):
        Image.new("RGB", SIZE, (number, 0, 0)).save(folder / f"{name}.png")
    return folder


def apply(path, name, samples):
    edited = EDITORS[name].edit(path, Edits(samples, CLASSES))
    assert not edited.refused
    for one in edited.replacements:
        assert one.old == (one.path.read_bytes() if one.path.is_file() else None)
        if one.new is not None:
            one.path.write_bytes(one.new)
        elif one.path.exists():
            one.path.unlink()


def labels_in(path, name):
    """Image → its label and box, in pixels."""
    labels = EDITORS[name].parse(path)
    assert labels.problems == ()
    rows = [check_row(row, Header(SIZE, 1)).row for row in labels.rows]
    assert len({row.image for row in rows}) == len(rows)
    return {row.image.stem: (row.label, row.box and pytest.approx(row.box)) for row in rows}


@pytest.mark.parametrize("name", EDITORS)
@given(start=st.lists(LABEL, min_size=3, max_size=3), split=st.sampled_from(SPLITS), steps=STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_edits_are_read_back_and_leave_the_other_labels_equal(
    images, tmp_path, name, start, split, steps
):
    root = tmp_path / str(next(numbered))
    root.mkdir()
    expected = dict(zip("abc", start, strict=True))
    made = [
        Sample(images / f"{stem}.png", *label, split, size_wh=SIZE)
        for stem, label in expected.items()
    ]
    write(Dataset(tuple(made), CLASSES), root / PLACES[name], name)
    path = {"voc": root / "voc/Annotations", "yolo": root / "yolo/data.yaml"}.get(
        name, root / PLACES[name]
    )
    folder = root / "yolo/images" / split if name == "yolo" else images
    if name == "yolo":
        shutil.copyfile(images / "d.png", folder / "d.png")
    for step in steps:
        files = {stem: folder / f"{stem}.png" for stem in step}
        apply(
            path,
            name,
            {
                files[stem]: label and Sample(files[stem], *label, split, size_wh=SIZE)
                for stem, label in step.items()
            },
        )
        expected |= step
        expected = {stem: label for stem, label in expected.items() if label is not None}
        assert labels_in(path, name) == expected
