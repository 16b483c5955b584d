"""WebDataset tars of labelled images: own ones, those of others, and wrong ones."""

import io
import json
import tarfile

import pytest
from PIL import Image

from onebox.formats import read, write
from onebox.structures import Dataset, KeypointSet, Sample

SIZE = (40, 30)
LABELS = {"label": "cat", "box": [1, 2, 10.5, 20]}


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "a.b.png"
    Image.new("RGB", SIZE, "red").save(path)
    return path


@pytest.fixture
def tar(tmp_path, png):
    """Write a tar: members by name, with JSON for what is no bytes, and the image for None."""

    def write_tar(members, name="shard-0.tar"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        with tarfile.open(path, "w") as file:
            for member, content in members:
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                if content is None:
                    data = png.read_bytes() + member.encode()
                info = tarfile.TarInfo(member)
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))
        return path

    return write_tar


def test_a_key_is_an_image_with_the_labels_of_its_json(tar):
    path = tar([
        ("a/1.png", None), ("a/1.json", LABELS | {"split": "val"}),
        ("a/2.png", None), ("a/2.json", {"split": "test", "label": None}), ("a/2.txt", b"other"),
    ])  # fmt: skip
    first, second = read(path)
    assert (first.label, first.box, first.split) == ("cat", (1, 2, 10.5, 20), "val")
    assert (second.label, second.box, second.split) == (None, None, "test")
    assert (first.origin, first.name) == ("shard-0.tar:a/1", f"{path}:a/1.png")
    assert first.size_wh == SIZE


def test_a_class_file_names_the_class_and_objects_may_be_several(tar, problem_of):
    path = tar([("1.png", None), ("1.cls", b"cat\n"), ("1.json", {"box": [1, 2, 3, 4]})])
    assert [(one.label, one.box) for one in read(path)] == [("cat", (1, 2, 3, 4))]
    several = [LABELS, {"label": "dog", "box": [0, 0, 40, 30]}]
    path = tar([("1.png", None), ("1.json", {"objects": several})])
    assert "1 image with several boxes" in problem_of(path)
    assert read(path, on_multiple="largest").samples[0].label == "dog"


def test_a_class_without_a_box_is_read_as_without_the_subject_with_a_note(tar):
    data = read(tar([("1.png", None), ("1.cls", b"3")]))
    assert data.samples[0].label is None
    assert data.notes == (
        "shard-0.tar: 1 row has a label and no box: read as without the subject.",
    )


def test_own_tars_keep_everything_and_are_equal_for_equal_data(png, tmp_path):
    keypoints = KeypointSet(("nose", "tail"), ((0, 1),))
    points = ((1.5, 2.0, 2), (0.0, 0.0, 0))
    samples = (
        Sample(png, "cat", (1.0, 2.0, 10.25, 20.0), "val", points, SIZE),
        Sample(png, split="test", size_wh=SIZE),
    )
    data = Dataset(samples, ("dog", "cat"), keypoints)
    for name in ("a.tar", "b.tar"):
        write(data, tmp_path / name, "webdataset")
    back = read(tmp_path / "a.tar")
    assert (back.classes, back.keypoints) == (data.classes, keypoints)
    assert [(s.label, s.box, s.split, s.keypoints, s.size_wh) for s in back] == [
        (s.label, s.box, s.split, s.keypoints, s.size_wh) for s in data
    ]
    assert [sample.image.name for sample in back] == ["a_b.png", "a_b_2.png"]
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as file:
        assert file.getnames() == [
            "__onebox__", "a_b.json", "a_b.png", "a_b_2.json", "a_b_2.png",
        ]  # fmt: skip
        assert {(info.mtime, info.uid, info.mode) for info in file} == {(0, 0, 0o644)}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("1.png", None), ("1.json", b"{")], "shard-0.tar:1: is not JSON"),
        ([("1.png", None), ("1.json", [1])], "1: is a JSON list; an object is needed"),
        ([("1.png", None), ("1.json", {"box": [1, 2, 3]})], "1: box has 3 values; it is [x_min"),
        ([("1.png", None), ("1.json", {"box": "all"})], "1: box is 'all', which is no list of num"),
        ([("1.png", None), ("1.json", {"box": [1, 2, 3, None]})], "1: box is None, which is not a"),
        ([("1.png", None), ("1.json", LABELS | {"label": 3})], "1: label is 3, which is no text"),
        ([("1.png", None), ("1.json", LABELS | {"split": "trian"})], "split 'trian' is not one of"),
        ([("1.png", None), ("1.json", LABELS | {"width": "w", "height": 3})], "width is 'w'"),
        ([("1.png", None), ("1.json", {"objects": [1]})], "1: objects is no list of JSON objects"),
        ([("1.png", None), ("1.json", LABELS | {"keypoints": [[1, 2, 2]]})], "does not name them"),
        ([("1.png", None), ("1.cls", b"\xff")], "1: its file .cls is not UTF-8"),
        ([("1.png", None), ("1.txt", b"")], "1: has no labels. Add a file .json or .cls"),
        ([("1.txt", b""), ("1.json", LABELS)], "1: has no images (its files are .txt, .json)"),
        ([("1.png", None), ("1.jpg", None), ("1.json", LABELS)], "1: has 2 images (its files are"),
        ([("1.png", None), ("1.png", None), ("1.json", LABELS)], "1: has two files .png"),
        (
            [("1.png", None), ("1.json", LABELS), ("2.png", None), ("2.json", LABELS),
             ("1.png", None), ("1.json", LABELS)],
            "1: is in the shard twice, with other keys between",
        ),
        ([("__onebox__", b'{"version": 7}')], "__onebox__: states version 7 of onebox's shards"),
        ([("1.png", b"none"), ("1.json", LABELS)], "1.png: is not an image in a supported format"),
        ([], "shard-0.tar: holds no image. Remove the shard."),
    ],
)  # fmt: skip
def test_wrong_members_are_named_with_their_place(tar, problems_of, members, message):
    assert message in problems_of(tar(members), classes=("cat",))[0]


def test_bad_keys_are_skipped_on_request_and_the_others_read(tar):
    path = tar([("1.png", None), ("1.json", b"{"), ("2.png", None), ("2.json", LABELS)])
    data = read(path, on_bad="skip")
    assert [sample.origin for sample in data] == ["shard-0.tar:2"]
    assert "1 bad row is left out, the first: shard-0.tar:1: is not JSON" in data.notes[-1]


def test_a_tar_that_is_cut_short_is_one_problem_and_the_other_is_read(tar, tmp_path, problems_of):
    tar([("1.png", None), ("1.json", LABELS)], "train-0.tar")
    cut = tar([("1.png", None), ("1.json", LABELS)], "train-1.tar")
    cut.write_bytes(cut.read_bytes()[:600])
    [problem] = problems_of(tmp_path)
    assert "train-1.tar" in problem
    assert "cut short" in problem


def test_a_label_file_that_claims_a_huge_size_is_refused_unread(tmp_path, problem_of, png):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.add(png, "1.png")
        info = tarfile.TarInfo("1.json")
        info.size = 1 << 50
        # The header alone: newer versions of Python refuse to add it.
        file.offset += file.fileobj.write(info.tobuf())
    assert "1.json has 1125899906842624 bytes by its header" in problem_of(tmp_path / "a.tar")


def test_names_with_dots_and_underscores_stay_apart(tmp_path, png):
    names = ["c.1.png", "c_1.png", "__x.png", "x.png", "____x.png", "__onebox__.png", "__.png"]
    samples = []
    for number, name in enumerate(names):
        Image.new("RGB", SIZE, (number, 0, 0)).save(tmp_path / name)
        box = (float(number), 2.0, 20.0, 20.0)
        samples.append(Sample(tmp_path / name, "cat", box, "train", size_wh=SIZE))
    write(Dataset(tuple(samples), ("cat",)), tmp_path / "shards", "webdataset")
    back = read(tmp_path / "shards")
    reds = [one.image.read() for one in back]
    assert [one.box for one in back] == [one.box for one in samples]
    assert reds == [(tmp_path / name).read_bytes() for name in names]
    with tarfile.open(tmp_path / "shards/train-00000.tar") as file:
        keys = [name.removesuffix(".png") for name in file.getnames() if name.endswith(".png")]
    assert keys == ["c_1", "c_1_2", "x", "x_2", "x_3", "onebox__", "image"]


def test_an_image_whose_key_begins_as_facts_do_is_read(tar):
    path = tar([("__a.png", None), ("__a.json", LABELS), ("__other__.json", {"by": "others"})])
    assert [one.origin for one in read(path)] == ["shard-0.tar:__a"]
