"""Parquet files of labelled images: own ones, those of others, and wrong ones."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from onebox.errors import SettingError
from onebox.formats import read, write
from onebox.formats.parquet import is_labels
from onebox.structures import Dataset, KeypointSet, Sample

SIZE = (40, 30)
CORNERS = ("x_min", "y_min", "x_max", "y_max")
KEYPOINTS = KeypointSet(("nose", "tail"), ((0, 1),))


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "a.png"
    Image.new("RGB", SIZE, "red").save(path)
    return path


@pytest.fixture
def table(tmp_path, png):
    """Write a table of two images with columns to replace or (None) to leave out."""

    def write_table(name="part-0.parquet", metadata=None, **columns):
        content = png.read_bytes()
        cells = {
            "image": [{"bytes": content + b" ", "path": "a.png"}, {"bytes": content, "path": None}],
            "label": ["cat", None],
            **{name: [value, None] for name, value in zip(CORNERS, (1.0, 2, 10, 20), strict=True)},
            **columns,
        }
        kept = {key: value for key, value in cells.items() if value is not None}
        made = pa.table(kept).replace_schema_metadata(metadata)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        pq.write_table(made, path)
        return path

    return write_table


def facts(data):
    return [(sample.label, sample.box, sample.split) for sample in data]


def test_a_row_is_an_image_with_a_box_or_without(table):
    path = table(split=["train", "test"])
    data = read(path)
    assert facts(data) == [("cat", (1, 2, 10, 20), "train"), (None, None, "test")]
    assert [sample.origin for sample in data] == ["part-0.parquet:row 0", "part-0.parquet:row 1"]
    assert [sample.image.name for sample in data] == ["a.png", "part-0-1"]
    assert [sample.size_wh for sample in data] == [SIZE, SIZE]
    assert data.samples[0].name == f"{path}:row 0 a.png"


def test_own_files_keep_classes_keypoints_and_the_order(png, tmp_path):
    points = ((1.5, 2.0, 2), (0.0, 0.0, 0))
    first = Sample(png, "cat", (1.0, 2.0, 10.25, 20.0), "val", points, SIZE)
    data = Dataset((first, Sample(png, split="test", size_wh=SIZE)), ("dog", "cat"), KEYPOINTS)
    write(data, tmp_path / "all.parquet", "parquet")
    back = read(tmp_path / "all.parquet")
    assert (back.classes, back.keypoints) == (data.classes, KEYPOINTS)
    assert [(s.label, s.box, s.split, s.keypoints) for s in back] == [
        (s.label, s.box, s.split, s.keypoints) for s in data
    ]
    assert [sample.image.name for sample in back] == ["a.png", "a_2.png"]
    assert pq.read_table(tmp_path / "all.parquet")["image"][1]["bytes"].as_py() == png.read_bytes()


def test_equal_data_is_an_equal_file(png, tmp_path):
    for name in ("a.parquet", "b.parquet"):
        write(Dataset((Sample(png, size_wh=SIZE),), ("cat",)), tmp_path / name, "parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_row_group_has_few_images_so_that_one_is_read_quickly(png, tmp_path):
    samples = (Sample(png, size_wh=SIZE),) * 70
    write(Dataset(samples, ("cat",)), tmp_path / "a.parquet", "parquet")
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    counts = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert counts == [32, 32, 6]


def test_names_of_files_and_folders_tell_the_split(table, tmp_path):
    table("data/train-00000-of-00002.parquet")
    table("data/validation-00000-of-00001.parquet")
    table("test/0.parquet")
    data = read(tmp_path)
    origins = {sample.origin.partition(":")[0]: sample.split for sample in data}
    assert origins == {
        "data/train-00000-of-00002.parquet": "train",
        "data/validation-00000-of-00001.parquet": "val",
        "test/0.parquet": "test",
    }


def test_without_a_split_the_bytes_choose_it_as_for_loose_files(table, png, tmp_path):
    (packed, _) = read(table(), on_bad="error")
    (tmp_path / "loose.png").write_bytes(packed.image.read())
    (tmp_path / "loose.csv").write_text(
        "image,label,x_min,y_min,x_max,y_max\nloose.png,cat,1,2,10,20\n"
    )
    (loose,) = read(tmp_path / "loose.csv")
    assert packed.split == loose.split


def hugging_face(feature):
    return {b"huggingface": json.dumps({"info": {"features": feature}}).encode()}


@pytest.mark.parametrize("as_list", [True, False])
def test_objects_of_hugging_face_are_boxes_in_xywh_with_named_classes(table, as_list):
    objects = [{"bbox": [[1.0, 2.0, 9.0, 18.0]], "category": [1]}, {"bbox": [], "category": []}]
    if as_list:
        objects = [[{"bbox": [1.0, 2.0, 9.0, 18.0], "category": 1}], []]
    names = {"feature": {"names": ["dog", "cat"], "_type": "ClassLabel"}, "_type": "List"}
    path = table(
        objects=objects, label=None, **dict.fromkeys(CORNERS),
        metadata=hugging_face({"objects": {"category": names}}),
    )  # fmt: skip
    data = read(path)
    assert [(sample.label, sample.box) for sample in data] == [
        ("cat", (1, 2, 10, 20)),
        (None, None),
    ]
    assert data.classes == ("dog", "cat")


@pytest.mark.parametrize("shape", ["Sequence", "list", "structure"])
def test_the_names_of_classes_are_those_of_the_field_that_holds_them(table, shape):
    fields = {
        "pose": {"names": ["front", "back"], "_type": "ClassLabel"},
        "category": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    }
    shapes = {
        "Sequence": {"feature": fields, "_type": "Sequence"},
        "list": [fields],
        "structure": fields,
    }
    path = table(
        objects=[[{"bbox": [1.0, 2.0, 9.0, 18.0], "pose": 0, "category": 1}], []],
        label=None, **dict.fromkeys(CORNERS),
        metadata=hugging_face({"objects": shapes[shape]}),
    )  # fmt: skip
    data = read(path)
    assert (data.samples[0].label, data.classes) == ("dog", ("cat", "dog"))


def test_classes_of_another_field_name_no_objects(table):
    fields = {"pose": {"names": ["front", "back"], "_type": "ClassLabel"}}
    path = table(
        objects=[[{"bbox": [1.0, 2.0, 9.0, 18.0], "pose": 0}], []],
        label=None, **dict.fromkeys(CORNERS), metadata=hugging_face({"objects": [fields]}),
    )  # fmt: skip
    assert read(path).classes == ("object",)


def test_several_objects_follow_the_policy(table, problem_of):
    boxes = [[0.0, 0.0, 5.0, 5.0], [1.0, 2.0, 9.0, 18.0]]
    objects = [{"bbox": boxes, "categories": ["dog", "cat"]}, {"bbox": None, "categories": None}]
    path = table(objects=objects, label=None, **dict.fromkeys(CORNERS))
    assert "1 image with several boxes, for example a.png with 2" in problem_of(path)
    assert read(path, on_multiple="largest").samples[0].box == (1, 2, 10, 20)


def test_a_label_may_be_the_number_of_a_class(table):
    feature = {"label": {"names": ["dog", "cat"], "_type": "ClassLabel"}}
    path = table(label=[1, None], metadata=hugging_face(feature))
    data = read(path)
    assert [sample.label for sample in data] == ["cat", None]
    assert data.classes == ("dog", "cat")


def test_stated_sizes_of_others_are_checked_and_rotated_images_turned(table, tmp_path, problem_of):
    image = Image.new("RGB", (40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "rotated.jpg", exif=exif)
    content = (tmp_path / "rotated.jpg").read_bytes()
    cells = [{"bytes": content, "path": None}, {"bytes": content + b" ", "path": None}]
    stored = table(image=cells, width=[40, 40], height=[30, 30])
    # Turned by a quarter to the right, (x, y) of 40 x 30 becomes (30 - y, x).
    assert read(stored).samples[0].box == (10, 1, 28, 10)
    assert "states a size of 41 x 30" in problem_of(table(width=[41, 40], height=[30, 30]))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x_min": ["1", None]}, "part-0.parquet: column x_min has the type string; numbers"),
        ({"label": [[1.0], None]}, "part-0.parquet: column label has the type list"),
        ({"split": [1, 2]}, "column split has the type int64; texts are needed"),
        ({"y_max": [None, None]}, "part-0.parquet:row 0: y_max is empty. Write all four numbers"),
        ({"x_min": [float("nan"), None]}, "row 0: x_min is nan, which is not a number. Correct"),
        ({"split": ["trian", None]}, "row 0: split 'trian' is not one of train"),
        ({"width": [0, 40], "height": [30, 30]}, "row 0: width is 0, which is no positive whole"),
        ({"keypoints": [[1.0, 2.0, 2.0], None]}, "has 1 keypoints, and the shard does not name"),
        (dict.fromkeys(CORNERS), "part-0.parquet: has no columns x_min, y_min, x_max, y_max, and"),
        ({"image": ["a", "b"]}, "no column holds encoded images"),
    ],
)
def test_wrong_columns_and_cells_are_named_with_their_place(table, problems_of, columns, message):
    assert message in problems_of(table(**columns))[0]


def test_images_that_are_missing_empty_or_none_are_named_by_row(table, problems_of):
    path = table(image=[{"bytes": None, "path": "a.png"}, {"bytes": b"", "path": "b.png"}])
    first, second = problems_of(path)
    assert first.startswith("part-0.parquet:row 0: ")
    assert "row 0 a.png: has no image. Fill the cell" in first
    assert "row 1 b.png: is empty (0 bytes)" in second
    wrong = [{"bytes": b"none", "path": None}] * 2
    assert "not an image in a supported format" in problems_of(table(image=wrong))[0]


def test_an_empty_table_and_a_broken_file_are_problems_of_that_file(table, tmp_path, problems_of):
    table("good.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    schema = pq.read_schema(tmp_path / "good.parquet")
    pq.write_table(schema.empty_table(), tmp_path / "empty.parquet")
    broken, empty = problems_of(tmp_path)
    assert "broken.parquet: is no Parquet file that can be read" in broken
    assert empty == "empty.parquet: holds no image. Remove the shard."


def test_metadata_of_a_later_version_is_refused(table, problem_of):
    path = table(metadata={b"onebox": b'{"version": 2}'})
    assert "part-0.parquet: states version 2 of onebox's shards" in problem_of(path)
    assert "part-0.parquet: is not JSON" in problem_of(table(metadata={b"onebox": b"{"}))


DECLARED = {b"onebox": b'{"version": 1, "classes": ["cat", "dog"], "keypoints": null}'}


@pytest.mark.parametrize("label", ["object", "cta"])
def test_a_label_that_is_not_among_the_declared_classes_is_a_problem(table, problem_of, label):
    problem = problem_of(table(metadata=DECLARED, label=[label, None]))
    assert f"part-0.parquet:row 0: label '{label}' is not one of cat, dog." in problem
    assert "declare the classes" in problem


def test_declared_classes_need_a_column_of_labels(table, problem_of):
    problem = problem_of(table(metadata=DECLARED, label=None))
    assert "part-0.parquet:row 0: label 'object' is not one of cat, dog." in problem


def test_classes_that_the_caller_names_come_before_the_declared_ones(table):
    path = table(metadata=DECLARED, label=["bird", None])
    assert read(path, classes=["bird"]).classes == ("bird",)


def test_tables_of_predictions_are_not_taken_for_labels(tmp_path, png):
    pq.write_table(pa.table({"image": ["a.png"], "label": ["cat"]}), tmp_path / "found.parquet")
    assert not is_labels(tmp_path / "found.parquet")
    (tmp_path / "labels.csv").write_text(
        f"image,label,x_min,y_min,x_max,y_max\n{png},cat,1,2,3,4\n"
    )
    assert [sample.label for sample in read(tmp_path)] == ["cat"]


def test_generated_images_are_refused(tmp_path, discs):
    with pytest.raises(SettingError, match=r"these images are generated. Save them first"):
        write(discs, tmp_path / "out", "parquet")


def test_a_column_whose_name_is_not_utf_8_is_a_problem_of_the_file(tmp_path, problems_of):
    path = tmp_path / "part-0.parquet"
    pq.write_table(pa.table({"image": [b"", b""]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"image", b"\xecmage"))
    (problem,) = problems_of(path)
    assert "part-0.parquet: is no Parquet file that can be read" in problem
