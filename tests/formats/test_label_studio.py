"""Label Studio: exports as its documentation shows them, and tasks that it imports."""

import json

import pytest
from PIL import Image

from onebox.formats import read, write
from onebox.structures import Dataset, KeypointSet, Sample

SIZE = (200, 100)  # so that one percent is 2 x 1 pixels


@pytest.fixture
def labels(tmp_path):
    """Write ``project.json`` beside ``images/a.png`` to ``images/d.png``."""
    (tmp_path / "images").mkdir()
    for shade, name in enumerate("abcd"):
        Image.new("RGB", SIZE, (shade, 0, 0)).save(tmp_path / "images" / f"{name}.png")

    def write_tasks(*tasks):
        path = tmp_path / "project.json"
        path.write_text(json.dumps(tasks))
        return path

    return write_tasks


def rectangle(label="cat", x=10.0, y=20.0, width=30.0, height=40.0, **others):
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
    names = {} if label is None else {"rectanglelabels": [label]}
    return {
        "id": "box1",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": SIZE[0],
        "original_height": SIZE[1],
        "image_rotation": 0,
        "value": value | names,
        **others,
    }


def keypoint(name, x, y, **others):
    value = {"x": x, "y": y, "width": 0.3, "keypointlabels": [name]}
    return {**rectangle(), "id": name, "type": "keypointlabels", "value": value, **others}


def task(*regions, image="images/a.png", **others):
    annotations = [{"id": 1, "completed_by": 1, "was_cancelled": False, "result": list(regions)}]
    return {"id": 12, "data": {"image": image}, "annotations": annotations, **others}


def test_a_box_is_in_percent_of_the_image(labels):
    (sample,) = read(labels(task(rectangle())))
    # 10 % of 200 is 20, 20 % of 100 is 20, (10 + 30) % of 200 is 80, (20 + 40) % of 100 is 60
    assert (sample.label, sample.box) == ("cat", (20, 20, 80, 60))
    assert sample.origin == "project.json: task 12"


@pytest.mark.parametrize(
    "url",
    [
        "images/a.png",
        "/data/upload/3/0123abcd-a.png",
        "/data/upload/a.png",
        "/data/local-files/?d=pictures/images/a.png",
        "/data/local-files/?d=images%2Fa.png",
        "s3://bucket/some/images/a.png",
        "gs://bucket/images/a.png",
        "https://example.org/images/a.png?token=x.jpg",
        "C:\\pictures\\images\\a.png",
    ],
)
def test_the_image_of_a_url_is_found_beside_the_labels(labels, url):
    path = labels(task(rectangle(), image=url))
    assert read(path).samples[0].image == (path.parent / "images/a.png").resolve()


def test_the_folder_of_an_image_counts(labels):
    path = labels(task(rectangle(), image="s3://bucket/other/a.png"))
    (path.parent / "other").mkdir()
    Image.new("RGB", SIZE).save(path.parent / "other/a.png")
    assert read(path).samples[0].image.parent.name == "other"


def test_another_key_names_the_image_if_it_is_the_only_one(labels):
    one = task(rectangle()) | {"data": {"photo": "images/b.png", "note": "seen"}}
    assert read(labels(one)).samples[0].image.name == "b.png"


def test_an_empty_result_is_an_image_without_the_subject(labels):
    data = read(labels(task(rectangle()), task(image="images/b.png") | {"id": 13}))
    assert [(one.label, one.box) for one in data] == [("cat", (20, 20, 80, 60)), (None, None)]


def test_skipped_and_unlabelled_tasks_are_left_out_with_a_note(labels):
    skipped = task(rectangle(), image="images/b.png")
    skipped["annotations"][0]["was_cancelled"] = True
    unlabelled = {"id": 14, "data": {"image": "images/c.png"}, "predictions": [{"result": []}]}
    data = read(labels(task(rectangle()), skipped, unlabelled))
    assert [one.image.name for one in data] == ["a.png"]
    assert data.notes == (
        "project.json: 2 tasks without an annotation left out.",
        "project.json: predictions of 1 task not read.",
    )


def test_annotators_who_agree_count_once_and_others_follow_the_policy(labels, problem_of):
    one = task(rectangle())
    one["annotations"].append({"result": [rectangle()]})
    assert read(labels(one)).samples[0].box == (20, 20, 80, 60)
    one["annotations"].append({"result": [rectangle(width=50.0)]})
    assert "1 image with several boxes, for example a.png with 2" in problem_of(labels(one))
    assert read(labels(one), on_multiple="largest").samples[0].box == (20, 20, 120, 60)


def test_a_turned_rectangle_becomes_the_upright_box_around_it(labels):
    turned = rectangle()
    turned["value"] |= {"x": 50.0, "y": 20.0, "width": 10.0, "height": 40.0, "rotation": 90}
    data = read(labels(task(turned)))
    # Corner 100, 20; 20 across becomes 20 down, and 40 down becomes 40 to the left.
    assert data.samples[0].box == pytest.approx((60, 20, 100, 40))
    assert data.notes == ("project.json: 1 turned rectangle read as the upright box around it.",)


def test_a_label_may_be_a_choice(labels):
    choice = {"id": "c", "type": "choices", "value": {"choices": ["dog"]}}
    assert read(labels(task(rectangle(label=None), choice))).samples[0].label == "dog"


def test_a_rectangle_and_its_labels_may_be_two_entries_with_one_id(labels):
    bare = rectangle(label=None, type="rectangle")
    named = rectangle(label=None, type="labels")
    named["value"]["labels"] = ["dog"]
    (sample,) = read(labels(task(bare, named)))
    assert (sample.label, sample.box) == ("dog", (20, 20, 80, 60))


def test_keypoints_have_the_order_in_which_they_appear_or_the_declared_one(labels):
    hidden = {"meta": {"text": ["hidden"]}}
    regions = [rectangle(), keypoint("tail", 20, 30, **hidden), keypoint("nose", 50, 10)]
    data = read(labels(task(*regions)))
    assert data.keypoints.names == ("tail", "nose")
    assert data.samples[0].keypoints == ((40, 30, 1), (100, 10, 2))
    declared = {"names": ["nose", "ear", "tail"], "skeleton": [[0, 2]]}
    data = read(labels(task(*regions, meta={"keypoints": declared})))
    assert data.keypoints == KeypointSet(("nose", "ear", "tail"), ((0, 2),))
    assert data.samples[0].keypoints == ((100, 10, 2), (0, 0, 0), (40, 30, 1))


def test_keypoints_of_several_rectangles_belong_to_their_parents(labels):
    small = rectangle(width=10.0, id="small")
    regions = [rectangle(), small, keypoint("nose", 20, 30, parentID="box1")]
    data = read(labels(task(*regions)), on_multiple="largest")
    assert data.samples[0].keypoints == ((40, 30, 2),)


def test_keypoints_alone_have_their_hull_as_box(labels):
    choice = {"id": "c", "type": "choices", "value": {"choices": ["dog"]}}
    regions = [keypoint("tail", 20, 30), keypoint("nose", 50, 10), choice]
    (sample,) = read(labels(task(*regions)))
    assert (sample.label, sample.box) == ("dog", (40, 10, 100, 30))


def test_the_short_export_is_read_too(labels):
    box = {**rectangle()["value"], "original_width": 200, "original_height": 100}
    one = {"id": 12, "image": "images/a.png", "label": [box], "annotator": 1, "annotation_id": 7}
    (sample,) = read(labels(one))
    assert (sample.label, sample.box) == ("cat", (20, 20, 80, 60))
    assert sample.origin == "project.json: task 12"


def short(image="images/a.png", annotation_id=7, **results):
    """An entry of JSON-MIN, in the order of Label Studio: data, id, results, annotator."""
    return {
        "image": image,
        "id": 12,
        **results,
        "annotator": 1,
        "annotation_id": annotation_id,
    }


def short_box(**names):
    return {
        **rectangle(label=None)["value"],
        "original_width": SIZE[0],
        "original_height": SIZE[1],
        **names,
    }


@pytest.mark.parametrize(
    "results",
    [
        {"box": [short_box()], "class": "cat"},
        {"class": "cat", "box": [short_box()]},
        {"box": [short_box()], "class": [short_box(labels=["cat"])]},
        {"box": [short_box(rectanglelabels=["cat"])], "class": "dog"},
        {"box": [short_box()], "class": "cat", "seen": [{"rating": 3}], "photo": "images/a.png"},
        {"box": [short_box()], "class": "cat", "outline": [{"points": [[1, 2]]}], "split": "train"},
    ],
)
def test_a_bare_rectangle_of_the_short_export_has_the_label_of_its_twin_or_the_choice(
    labels, results
):
    (sample,) = read(labels(short(**results)))
    assert (sample.label, sample.box) == ("cat", (20, 20, 80, 60))


def test_data_of_the_short_export_stand_before_its_id_and_are_no_results(labels):
    entry = {"title": "holiday", "words": [{"word": "cat"}], **short(box=[short_box()])}
    (sample,) = read(labels({**entry, "class": "cat"}))
    assert (sample.label, sample.box) == ("cat", (20, 20, 80, 60))


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        ({"box": [short_box()]}, "has a box but no label. Name the subject, or remove the box."),
        (
            {"box": [short_box()], "class": "cat", "colour": "red"},
            "has a rectangle without a label and the texts class, colour; JSON-MIN does not say "
            "which is the class. Export the project as JSON instead of JSON-MIN.",
        ),
        (
            {"box": [short_box()], "comment": "looks blurry", "Status": "done", "remark": " "},
            "has a box but no label. Name the subject, or remove the box.",
        ),
        (
            {"outline": [{"points": [[1, 2]]}], "marks": [{"left": 1}]},
            "'marks' holds a region with left, which is not known. Export the project as JSON "
            "instead of JSON-MIN.",
        ),
        (
            {"marks": [{"left": 1, "top": 2}]},
            "'marks' holds a region with left, top, which is not known. Export the project as JSON "
            "instead of JSON-MIN.",
        ),
        (
            {"outline": [{"points": [[1, 2]]}]},
            "has polygon but no rectangle. Draw one, or skip the task.",
        ),
    ],
)
def test_what_the_short_export_leaves_open_is_refused(labels, problem_of, results, problem):
    assert problem_of(labels(short(**results))) == f"project.json: task 12: {problem}"


def test_lists_of_the_short_export_before_its_id_are_data(labels):
    boxes = [{"x": 1, "y": 2, "width": 3, "height": 4}, short_box(rectanglelabels=["dog"])]
    (sample,) = read(labels({"boxes": boxes, **short(label=[short_box(rectanglelabels=["cat"])])}))
    assert (sample.label, sample.box) == ("cat", (20, 20, 80, 60))


def test_labelled_rectangles_before_the_id_alone_are_refused(labels, problem_of):
    # The data had a column 'label', whose place the results of the control 'label' took.
    entry = {"label": [short_box(rectanglelabels=["cat"])], **short()}
    assert problem_of(labels(entry)) == (
        "project.json: task 12: has labelled rectangles in label alone, before the id, where data "
        "are. Export the project as JSON instead of JSON-MIN."
    )


@pytest.mark.parametrize(
    "unknown",
    [
        {"pair": [{"selected": "left"}]},
        {"video": [{"framesCount": 9, "sequence": [{"frame": 1, "x": 2}], "labels": ["dog"]}]},
        {"relations": [{"from_id": "a", "to_id": "b", "direction": "right", "labels": ["is"]}]},
        {"words": [{"word": "dog", "id": [1]}], "pair": [{"selected": "left"}]},
    ],
)
def test_unknown_regions_of_the_short_export_are_left_out_with_a_note(labels, unknown):
    data = read(labels(short(label=[short_box(rectanglelabels=["cat"])], **unknown)))
    assert [(one.label, one.box) for one in data] == [("cat", (20, 20, 80, 60))]
    assert data.notes == ("project.json: regions not read: unknown.",)


def test_data_of_the_short_export_follow_a_column_called_id(labels):
    entry = {
        "id": 12,
        "camera": "north",
        "image": "images/a.png",
        "source": "camera 3",
        "label": [short_box()],
        "kind": "cat",
        "annotator": 1,
        "annotation_id": 7,
        "status": "done",
    }
    data = read(labels(entry))
    assert [(one.label, one.box) for one in data] == [("cat", (20, 20, 80, 60))]
    assert data.notes == (
        "project.json: JSON-MIN does not say what a text is: kind read as the class.",
    )


def test_texts_of_the_short_export_are_no_classes_of_a_rectangle_with_a_label(labels):
    box = [short_box(rectanglelabels=["cat"])]
    data = read(labels(short(label=box, remark="blurry", weather="rain")))
    assert [(one.label, one.box) for one in data] == [("cat", (20, 20, 80, 60))]
    assert data.notes == ()


def test_a_rectangle_of_the_short_export_with_an_empty_list_of_labels_has_the_choice(labels):
    (sample,) = read(labels(short(label=[short_box(rectanglelabels=[])], kind="cat")))
    assert (sample.label, sample.box) == ("cat", (20, 20, 80, 60))


def test_the_note_names_each_key_that_was_read_as_the_class_once(labels):
    first, second, third = (
        short(f"images/{name}.png", number, box=[short_box()], **{key: "cat"}) | {"id": number}
        for number, (name, key) in enumerate([("a", "kind"), ("b", "kind"), ("c", "class")])
    )
    data = read(labels(first, second, third))
    assert [one.label for one in data] == ["cat", "cat", "cat"]
    assert data.notes == (
        "project.json: JSON-MIN does not say what a text is: class, kind read as the class.",
    )


def test_the_short_export_gives_the_same_as_the_full_one(labels):
    choice = {"id": "c", "type": "choices", "value": {"choices": ["cat"]}}
    (full,) = read(labels(task(rectangle(label=None, type="rectangle"), choice)))
    (sample,) = read(labels(short(box=[short_box()], kind="cat")))
    assert sample == full


def test_annotators_who_agree_count_once_in_the_short_export_too(labels, problem_of):
    first = short(box=[short_box()], **{"class": "cat"})
    (sample,) = read(labels(first, first | {"annotator": 2, "annotation_id": 8}))
    assert (sample.label, sample.box) == ("cat", (20, 20, 80, 60))
    other = short(box=[short_box(width=50.0)], annotation_id=9, **{"class": "cat"})
    assert "1 image with several boxes, for example a.png with 2" in problem_of(
        labels(first, other)
    )


def test_a_task_that_nobody_labelled_is_left_out_of_the_short_export(labels):
    first = short(box=[short_box(labels=["cat"])])
    empty = short("images/b.png", 8) | {"id": 13}
    unlabelled = short("images/c.png", None, words=[{"word": "dog"}]) | {"id": 14, "annotator": ""}
    data = read(labels(first, empty, unlabelled))
    assert [(one.image.name, one.label) for one in data] == [("a.png", "cat"), ("b.png", None)]
    assert data.notes == ("project.json: 1 task without an annotation left out.",)


def test_splits_are_stated_in_the_data(labels):
    one, other = task(rectangle()), task(rectangle(), image="images/b.png")
    one["data"]["split"], other["data"]["split"] = "train", "validation"
    assert [sample.split for sample in read(labels(one, other))] == ["train", "val"]


@pytest.mark.parametrize(
    ("regions", "problem"),
    [
        (
            [rectangle(original_width=100)],
            "project.json: task 12: states a size of 100 x 100 pixels, but",
        ),
        (
            [rectangle(image_rotation=90)],
            "project.json: task 12: was labelled while the image was turned by 90 degrees. Turn it "
            "back in Label Studio, and label it again.",
        ),
        (
            [rectangle() | {"type": "polygonlabels", "value": {"points": [[1, 2]]}}],
            "project.json: task 12: has polygonlabels but no rectangle. Draw one, or skip the "
            "task.",
        ),
        ([rectangle(label=None)], "project.json: task 12: has a box but no label."),
        (
            [rectangle(width="wide")],
            "project.json: task 12: width: input should be a valid number",
        ),
        (
            [rectangle(), rectangle(id="other"), keypoint("nose", 1, 2)],
            "project.json: task 12: has keypoints that belong to none of its 2 rectangles. Make "
            "each the child of one.",
        ),
        (
            [rectangle(), keypoint("nose", 1, 2), keypoint("nose", 3, 2)],
            "project.json: task 12: has the keypoint 'nose' twice. Remove one of them.",
        ),
        (
            [rectangle() | {"value": rectangle()["value"] | {"rectanglelabels": ["cat", "dog"]}}],
            "project.json: task 12: has the labels cat, dog on one rectangle; a subject has one. "
            "Keep one.",
        ),
        (["box"], "project.json: task 12: annotations.0.result.0: input should be a valid dict"),
    ],
)
def test_problems_name_the_task_and_the_repair(labels, problems_of, regions, problem):
    found = problems_of(labels(task(*regions)))
    assert any(one.startswith(problem) for one in found), found


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"text": "a cat"}, "has no key 'image' in its data, which has text."),
        ({"image": "data:image/png;base64,AAAA"}, "holds its image as text. Save it as a file"),
        ({"image": "images/e.png"}, "image "),
        ({"image": "images/a.png", "split": "trian"}, "split 'trian' is not one of"),
        ({"image": "/"}, "names no image in '/'. Write its path."),
    ],
)
def test_problems_of_the_data_name_the_task(labels, problems_of, data, problem):
    (found,) = problems_of(labels(task(rectangle()) | {"data": data}))
    assert found.startswith(f"project.json: task 12: {problem}")


def test_what_is_written_is_what_label_studio_imports(tmp_path):
    (tmp_path / "my images").mkdir()
    Image.new("RGB", SIZE).save(tmp_path / "my images/a.png")
    keypoints = KeypointSet(("nose", "tail", "ear"), ((0, 1),))
    points = ((100.0, 10.0, 2), (40.0, 30.0, 1), (0.0, 0.0, 0))
    sample = Sample(
        tmp_path / "my images/a.png", "cat", (20.0, 20.0, 80.0, 60.0), "val", points, SIZE
    )
    write(Dataset((sample,), ("cat",), keypoints), tmp_path / "tasks.json", "labelstudio")
    (written,) = json.loads((tmp_path / "tasks.json").read_text())
    place = {
        "to_name": "image",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
    }
    assert written["data"] == {"image": "/data/local-files/?d=my%20images/a.png", "split": "val"}
    assert written["meta"]["keypoints"] == {
        "names": ["nose", "tail", "ear"],
        "skeleton": [[0, 1]],
        "flip_pairs": [],
    }
    box, nose, tail = written["annotations"][0]["result"]
    assert box == {
        "id": "1-box",
        "type": "rectanglelabels",
        "from_name": "label",
        **place,
        "value": {
            "x": 10,
            "y": 20,
            "width": 30,
            "height": 40,
            "rotation": 0,
            "rectanglelabels": ["cat"],
        },
    }
    assert nose == {
        "id": "1-keypoint-0",
        "parentID": "1-box",
        "type": "keypointlabels",
        "from_name": "keypoint",
        **place,
        "value": {"x": 50, "y": 10, "width": 0.5, "keypointlabels": ["nose"]},
    }
    assert (tail["value"]["keypointlabels"], tail["meta"]) == (["tail"], {"text": ["hidden"]})
    (back,) = read(tmp_path / "tasks.json")
    assert back == sample
