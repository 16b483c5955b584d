"""COCO: boxes, keypoints, and the problems of entries that do not fit together."""

import json

import pytest
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read
from onebox.structures import KeypointSet

CATS = [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}]
POSE = {
    "id": 1,
    "name": "person",
    "keypoints": ["nose", "left_eye", "right_eye"],
    "skeleton": [[1, 2], [1, 3]],
}


def note(number, image_id, category_id=3, bbox=(1, 2, 10, 20), **more):
    entry = {"id": number, "image_id": image_id, "category_id": category_id, "bbox": list(bbox)}
    return entry | more


def save(path, names, annotations, categories=CATS, folder="images"):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]
    (path.parent / folder).mkdir(exist_ok=True, parents=True)
    for shade, name in enumerate(names):
        Image.new("RGB", (40, 30), (shade, 0, 0)).save(path.parent / folder / name)
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content))
    return path


def test_boxes_are_xywh_and_classes_keep_their_order(tmp_path):
    path = save(tmp_path / "l.json", ["a.png", "b.png"], [note(7, 1, bbox=(54.66, 2, 69.06, 20))])
    for shade, name in enumerate(["a.png", "b.png"]):
        Image.new("RGB", (140, 30), (shade, 0, 0)).save(tmp_path / "images" / name)
    data = read(path)
    # 54.66 + 69.06 is 123.72 for a person and 123.72000000000001 in binary
    assert [(s.label, s.box) for s in data] == [("cat", (54.66, 2, 123.72, 22)), (None, None)]
    assert data.classes == ("cat", "dog")
    assert [s.origin for s in data] == ["l.json: annotation 7", "l.json: image 2"]


@pytest.mark.parametrize(
    ("file", "images"),
    [
        ("labels.json", "."),
        ("labels.json", "images"),
        ("annotations/labels.json", "../images"),
        ("annotations/instances_train2017.json", "../train2017"),
        ("annotations/instances_train2017.json", "../images/train"),
        ("annotations/train.json", "../train"),
    ],
)
def test_images_are_found_in_every_usual_layout(tmp_path, file, images):
    path = save(tmp_path / file, ["a.png"], [note(1, 1)], folder=images)
    assert read(path).samples[0].image == (path.parent / images / "a.png").resolve()


def test_a_file_named_after_a_split_is_that_split(tmp_path):
    path = save(tmp_path / "instances_val2017.json", ["a.png"], [note(1, 1)])
    assert read(path).samples[0].split == "val"


def test_keypoints_count_from_zero_and_left_and_right_make_flip_pairs(tmp_path):
    keypoints = [5, 6, 2, 0, 0, 0, 7.5, 8, 1]
    path = save(
        tmp_path / "l.json", ["a.png"], [note(1, 1, 1, keypoints=keypoints)], categories=[POSE]
    )
    data = read(path)
    assert data.keypoints == KeypointSet(
        ("nose", "left_eye", "right_eye"), skeleton=((0, 1), (0, 2)), flip_pairs=((1, 2),)
    )
    assert data.samples[0].keypoints == ((5, 6, 2), (0, 0, 0), (7.5, 8, 1))


def test_stated_flip_pairs_count_from_one(tmp_path):
    category = POSE | {"flip_pairs": [[1, 3]]}
    path = save(tmp_path / "l.json", ["a.png"], [note(1, 1, 1)], categories=[category])
    assert read(path).keypoints.flip_pairs == ((0, 2),)


def test_without_a_bbox_the_box_is_the_hull_of_the_labelled_keypoints(tmp_path, problems_of):
    keypoints = [5, 6, 2, 0, 0, 0, 7.5, 3, 1]
    path = save(
        tmp_path / "l.json",
        ["a.png", "b.png"],
        [note(1, 1, 1, bbox=(), keypoints=keypoints), note(2, 2, 1, bbox=())],
        categories=[POSE],
    )
    assert problems_of(path) == [
        "l.json: annotation 2: has neither a bbox nor a labelled keypoint. Add one, or remove it."
    ]
    path = save(
        tmp_path / "m.json",
        ["a.png"],
        [note(1, 1, 1, bbox=(), keypoints=keypoints)],
        categories=[POSE],
    )
    assert read(path).samples[0].box == (5, 3, 7.5, 6)


def test_keypoints_that_are_all_unlabelled_are_none(tmp_path):
    path = save(
        tmp_path / "l.json", ["a.png"], [note(1, 1, 1, keypoints=[0] * 9)], categories=[POSE]
    )
    assert read(path).samples[0].keypoints is None


def test_crowd_annotations_are_ignored_with_a_note(tmp_path):
    path = save(
        tmp_path / "l.json",
        ["a.png", "b.png"],
        [note(1, 1), note(2, 1, iscrowd=1), note(3, 2, iscrowd=1)],
    )
    data = read(path)
    assert [s.image.name for s in data] == ["a.png"]
    assert data.notes == (
        "l.json: 2 crowd annotations ignored; 1 image without other annotations left out.",
    )


def test_every_bad_part_is_listed_at_once(tmp_path, problems_of):
    path = save(
        tmp_path / "l.json",
        ["a.png"],
        [
            note(1, 1, bbox=(1, 2, 3)),
            note(2, 99),
            note(3, 1, 5),
            {"id": 4, "category_id": 3},
            note(5, 1, bbox=(30, 2, -3, 4)),
            note(6, 1, bbox=(float("nan"), 2, 3, 4)),
            note(7, 1, keypoints=[1, 2, 2]),
        ],
    )
    assert problems_of(path) == [
        "l.json: annotations[3]: image_id: field required. Correct it.",
        "l.json: annotation 2: image_id 99 is not among the images. Add the image, or remove the "
        "annotation.",
        "l.json: annotation 3: category_id 5 is not among the categories (3, 1). Correct it.",
        "l.json: annotation 1: bbox has 3 values; it is [x, y, width, height]. Correct it.",
        "l.json: annotation 7: has keypoints, but category cat does not name them. Add the list "
        "'keypoints' to the category.",
        "l.json: annotation 5: box 30, 2, 27, 6 is -3 x 4 pixels; width and height must be "
        "positive. Swap its corners or remove it.",
        "l.json: annotation 6: box nan, 2, nan, 6 is not made of finite numbers. Correct or remove "
        "it.",
    ]


@pytest.mark.parametrize(
    ("keypoints", "sentence"),
    [
        ([1, 2, 2], "has 3 values for 3 keypoints; three each make 9"),
        ([1, 2, 5, 0, 0, 0, 0, 0, 0], "visibility must be 0, 1 or 2, got 5"),
    ],
)
def test_keypoint_values_of_wrong_number_or_visibility_are_reported(
    tmp_path, problems_of, keypoints, sentence
):
    annotation = note(1, 1, 1, keypoints=keypoints)
    (problem,) = problems_of(save(tmp_path / "l.json", ["a.png"], [annotation], categories=[POSE]))
    assert sentence in problem


@pytest.mark.parametrize(
    ("categories", "sentence"),
    [
        ([POSE | {"skeleton": [[0, 1]]}], "[-1, 0] (counted from 0) is not a pair of keypoints"),
        ([POSE | {"keypoints": ["nose", "eye", "eye"]}], "the keypoint 'eye' is named twice"),
        ([POSE, {"id": 2, "name": "ape", "keypoints": ["tail"]}], "different keypoints"),
    ],
)
def test_categories_with_impossible_keypoints_are_reported(
    tmp_path, problems_of, categories, sentence
):
    (problem,) = problems_of(
        save(tmp_path / "l.json", ["a.png"], [note(1, 1, 1)], categories=categories)
    )
    assert sentence in problem


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{\n oops", "l.json:2: is not JSON"),
        ("[1]", "it has no list called images, annotations, categories"),
        ('{"images": [], "annotations": {}, "categories": []}', "no list called annotations"),
        ('{"images": [], "annotations": [], "categories": []}', "holds no labelled image"),
    ],
)
def test_a_file_that_is_not_coco_is_reported_with_the_reason(tmp_path, problems_of, text, sentence):
    (tmp_path / "l.json").write_text(text)
    (problem,) = problems_of(tmp_path / "l.json")
    assert sentence in problem


def test_files_with_different_keypoints_are_not_one_data_set(tmp_path, problems_of):
    other = {"id": 1, "name": "person", "keypoints": ["tail"]}
    save(tmp_path / "train.json", ["a.png"], [note(1, 1, 1)], categories=[POSE])
    save(tmp_path / "test.json", ["b.png"], [note(1, 1, 1)], categories=[other])
    (problem,) = problems_of(tmp_path)
    assert "the label files name different keypoints" in problem


BAD = {
    "an unknown category": {"category_id": 9},
    "a box that is none": {"bbox": "1 2 3 4"},
    "a word in a box": {"bbox": [1, "two", 3, 4]},
    "too few numbers": {"bbox": [1, 2, 3]},
    "keypoints without names": {"keypoints": [1, 2, 2]},
}


@pytest.mark.parametrize("wrong", BAD.values(), ids=BAD)
def test_an_image_whose_annotations_are_bad_is_not_one_without_a_subject(tmp_path, wrong):
    annotations = [note(1, 1) | wrong, note(2, 2), note(3, 2) | wrong]
    path = save(tmp_path / "l.json", ["a.png", "b.png", "c.png"], annotations)
    data = read(path, on_bad="skip")
    assert [(s.image.name, s.label) for s in data] == [("b.png", "cat"), ("c.png", None)]
    assert data.notes[0].startswith("2 bad rows are left out, the first: l.json: annotation")


def test_a_bad_category_is_one_problem_and_its_annotations_are_left_out(tmp_path, problems_of):
    categories = [{"id": 3, "name": 7}, CATS[1]]
    annotations = [note(1, 1), note(2, 2), note(3, 3, 1)]
    path = save(tmp_path / "l.json", ["a.png", "b.png", "c.png"], annotations, categories)
    assert problems_of(path) == [
        "l.json: categories[0]: name: input should be a valid string. Correct it."
    ]
    data = read(path, on_bad="skip")
    assert [(s.image.name, s.label) for s in data] == [("c.png", "dog")]


def test_images_and_categories_that_share_an_id_are_named_and_left_out(tmp_path, problems_of):
    categories = [*CATS, {"id": 3, "name": "tiger"}]
    annotations = [note(1, 1), note(2, 2, 1), note(3, 3)]
    path = save(tmp_path / "l.json", ["a.png", "b.png", "c.png"], annotations, categories)
    content = json.loads(path.read_text())
    content["images"].append({"id": 2, "file_name": "a.png"})
    path.write_text(json.dumps(content))
    assert problems_of(path) == [
        "l.json: 2 images have the id 2. Give each its own id.",
        "l.json: 2 categories have the id 3. Give each its own id.",
    ]
    with pytest.raises(DataError, match=r"holds no labelled image.*\n.*2 images have the id 2"):
        read(path, on_bad="skip")  # which cat or tiger, which image: nobody knows


def test_entries_that_are_equal_count_once(tmp_path):
    path = save(tmp_path / "l.json", ["a.png"], [note(1, 1)], [CATS[0], CATS[1], CATS[0]])
    content = json.loads(path.read_text())
    content["images"] *= 2
    path.write_text(json.dumps(content))
    (sample,) = read(path)
    assert (sample.label, sample.box) == ("cat", (1, 2, 11, 22))


def test_left_and_right_twice_in_a_name_are_both_exchanged(tmp_path):
    names = [
        f"{eye}_eye_{corner}_corner" for eye in ("left", "right") for corner in ("left", "right")
    ]
    category = {"id": 1, "name": "face", "keypoints": names}
    path = save(tmp_path / "l.json", ["a.png"], [note(1, 1, 1)], categories=[category])
    assert read(path).keypoints.flip_pairs == ((0, 3), (1, 2))


@pytest.mark.parametrize("pairs", [[[1, 3], [1, 2]], [[2, 2]], [[1, 3], [3, 1]]])
def test_a_keypoint_in_two_flip_pairs_is_refused(tmp_path, problems_of, pairs):
    category = POSE | {"flip_pairs": pairs}
    path = save(tmp_path / "l.json", ["a.png"], [note(1, 1, 1)], categories=[category])
    name = POSE["keypoints"][pairs[0][0] - 1]
    assert problems_of(path) == [
        f"l.json: the keypoint '{name}' is in two flip pairs, or twice in one. Keep the pair that "
        "a mirrored image swaps."
    ]


def test_a_link_to_itself_in_place_of_an_image_is_a_problem(tmp_path, problems_of):
    path = save(tmp_path / "l.json", ["a.png"], [note(1, 1)])
    (tmp_path / "images/a.png").unlink()
    (tmp_path / "images/a.png").symlink_to("a.png")
    [problem] = problems_of(path)
    assert "a.png does not exist" in problem
