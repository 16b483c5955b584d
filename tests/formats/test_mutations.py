"""Broken JSON label files: whatever is wrong in them, the reader says so in words."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read, write
from onebox.structures import Dataset, KeypointSet, Sample

FILES = {
    "coco": "labels.json",
    "labelstudio": "labels.json",
    "createml": "labels.json",
    "imagefolder": "metadata.jsonl",
    "fiftyone": "labels.json",
}
KEYPOINTS = KeypointSet(("nose", "tail"), ((0, 1),))
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["a.png", "\0", "\ud800", "../" * 9, "x" * 5000, "1e400", [], {}, [[[]]]]),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from(["id", "x", "bbox"]), st.integers(), max_size=2),
)


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Format → its folder, and the document of a good label file in it."""
    root = tmp_path_factory.mktemp("mutations")
    samples = []
    for number, split in enumerate(["train", "train"]):
        path = root / f"{number}.png"
        Image.new("RGB", (40, 30), (number, 0, 0)).save(path)
        points = ((1.0, 2.0, 2), (0.0, 0.0, 0))
        box = (1.0, 2.0, 11.5, 22.25)
        samples.append(Sample(path, "cat", box, split, points, (40, 30)))
    posed = Dataset(tuple(samples), ("cat",), KEYPOINTS)
    boxed = Dataset(tuple(Sample(s.image, s.label, s.box) for s in samples), ("cat",))
    made = {}
    for name, file in FILES.items():
        folder = root / name
        is_folder = name in {"fiftyone", "imagefolder"}
        data = boxed if name in {"createml", "imagefolder"} else posed
        write(data, folder if is_folder else folder / file, name)
        folder = folder / "train" if is_folder else folder
        text = (folder / file).read_text("utf-8")
        is_lines = file.endswith("l")
        made[name] = folder, [*map(json.loads, text.splitlines())] if is_lines else json.loads(text)
    return made


def places_in(value, path=()):
    """The path of every value in a document."""
    yield path
    if not isinstance(value, dict | list):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from places_in(inner, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = replaced(value[key], rest, new)
    return copy


def without(value, path):
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[key] = without(value[key], rest)
    else:
        del copy[key]
    return copy


def text_of(name, document):
    if FILES[name].endswith("l") and isinstance(document, list):
        return "\n".join(map(json.dumps, document))
    return json.dumps(document)


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_changed_value_is_read_or_reported_with_its_place(documents, name, data):
    folder, document = documents[name]
    places = list(places_in(document))
    place = data.draw(st.sampled_from(places))
    if place and data.draw(st.booleans()):
        changed = without(document, place)
    else:
        changed = replaced(document, place, data.draw(JUNK))
    file = folder / FILES[name]
    file.write_text(text_of(name, changed), encoding="utf-8")
    assert_is_read_or_reported(file, name)


@pytest.mark.parametrize("name", FILES)
@given(cut=st.floats(0, 1), junk=st.binary(max_size=4))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_cut_file_is_read_or_reported_with_its_place(documents, name, cut, junk):
    folder, document = documents[name]
    whole = text_of(name, document).encode()
    (folder / FILES[name]).write_bytes(whole[: int(cut * len(whole))] + junk)
    assert_is_read_or_reported(folder / FILES[name], name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "null", "[]", "\ufeff"])
def test_a_file_that_is_no_document_is_reported(documents, name, text):
    file = documents[name][0] / FILES[name]
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError):
        read(file, name)
    with pytest.raises(DataError):
        read(file)


def assert_is_read_or_reported(file: Path, name):
    for wanted in (name, None):
        samples, problems = (), ()
        try:
            samples = read(file, wanted).samples
        except DataError as error:
            problems = error.problems
        assert all(sample.box is None or sample.label for sample in samples)
        assert samples or problems
        assert all(one.strip().endswith((".", "?", ")")) for one in problems), problems
