"""A row against its image: units, EXIF orientation and the frame, whatever the format."""

import json
import math

import pytest
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ("nan,2,3,4", "box nan, 2, 3, 4 is not made of finite numbers. Correct or remove it."),
        ("1,2,inf,4", "box 1, 2, inf, 4 is not made of finite numbers. Correct or remove it."),
        (
            "9,2,7,6",
            "box 9, 2, 7, 6 is -2 x 4 pixels; width and height must be positive. Swap its "
            "corners or remove it.",
        ),
        (
            "9,2,9,6",
            "box 9, 2, 9, 6 is 0 x 4 pixels; width and height must be positive. Swap its "
            "corners or remove it.",
        ),
        (
            "50,2,60,6",
            "box 50, 2, 60, 6 lies outside the image of 40 x 30 pixels. Correct it or remove the "
            "row.",
        ),
        (
            "40,2,42,6",
            "box 40, 2, 42, 6 lies outside the image of 40 x 30 pixels. Correct it or remove the "
            "row.",
        ),
        (
            "-2.5,2,9,6",
            "box -2.5, 2, 9, 6 passes the frame of 40 x 30 pixels by 2.5. If it is right, clip it: "
            "0, 2, 9, 6.",
        ),
        (
            "0.25,0.1,0.5,1",
            "box 0.25, 0.1, 0.5, 1 is normalized, but pixels are expected. Multiply x by 40 and "
            "y by 30: 10, 3, 20, 30; or keep such labels as YOLO.",
        ),
    ],
)
def test_an_impossible_box_is_reported_with_its_repair(labels, problems_of, box, sentence):
    assert problems_of(labels(f"a.png,cat,{box}")) == [f"labels.csv:2: {sentence}"]


def test_a_box_of_one_pixel_is_valid_in_an_image_of_one_pixel(labels, tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    assert read(labels("a.png,cat,0,0,1,1")).samples[0].box == (0, 0, 1, 1)


def test_boxes_up_to_two_pixels_beyond_the_frame_are_clipped_and_counted(labels):
    data = read(labels("a.png,cat,-2,5,41,32", "b.png,cat,1,2,3,4", "c.png,cat,1,2,41,3"))
    assert [s.box for s in data] == [(0, 5, 40, 30), (1, 2, 3, 4), (1, 2, 40, 3)]
    assert data.notes == (
        "2 boxes clipped at the frame, passed by at most 2 px (at labels.csv:2).",
    )


def test_rounding_at_the_frame_is_clipped_without_a_note(labels):
    data = read(labels("a.png,cat,0,0,40.004,30"))
    assert (data.samples[0].box, data.notes) == ((0, 0, 40, 30), ())


def test_a_stated_size_that_differs_from_the_image_is_reported(labels, tmp_path, problems_of):
    path = labels("a.png,80,60,cat,2,4,6,8", header="image,width,height,class,x1,y1,x2,y2")
    assert problems_of(path) == [
        f"labels.csv:2: states a size of 80 x 60 pixels, but {tmp_path / 'a.png'} has 40 x 30. "
        "Correct the size, and the box if it was drawn at the stated one."
    ]


def test_keypoints_must_be_finite(tmp_path):
    from onebox.formats.rows import Row
    from onebox.formats.validation import check_row
    from onebox.images import Header

    row = Row("x", tmp_path / "a.png", "cat", (1.0, 2.0, 3.0, 4.0), ((math.nan, 1.0, 2),))
    with pytest.raises(DataError, match=r"keypoint 1 is at nan, 1\.0, which is not finite"):
        check_row(row, Header((40, 30), 1))


# --- images that are stored on their side ---

SIZED_HEADER = "image,width,height,label,x_min,y_min,x_max,y_max\n"


def write_image(folder, orientation, size=(40, 30)):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size).save(folder / "a.jpg", exif=exif)


def box_of(folder, row, header=SIZED_HEADER):
    path = folder / "labels.csv"
    path.write_text(header + row)
    (sample,) = read(path)
    return sample.box, sample.size_wh


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        # stored 40 x 30, box x 10..15, y 2..12; turned by a quarter it is 10 wide and 5 high
        (5, (2, 10, 12, 15)),  # (x, y) → (y, x)
        (6, (18, 10, 28, 15)),  # → (30 - y, x)
        (7, (18, 25, 28, 30)),  # → (30 - y, 40 - x)
        (8, (2, 25, 12, 30)),  # → (y, 40 - x)
    ],
)
def test_boxes_turn_if_the_stated_size_is_the_stored_size(tmp_path, orientation, upright):
    write_image(tmp_path, orientation)
    assert box_of(tmp_path, "a.jpg,40,30,cat,10,2,15,12") == (upright, (30, 40))


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_boxes_stay_if_the_stated_size_is_the_upright_size(tmp_path, orientation):
    write_image(tmp_path, orientation)
    width, height = (40, 30) if orientation < 5 else (30, 40)
    box, size_wh = box_of(tmp_path, f"a.jpg,{width},{height},cat,10,2,15,12")
    assert (box, size_wh) == ((10, 2, 15, 12), (width, height))


def test_boxes_stay_if_no_size_is_stated_or_both_sizes_are_equal(tmp_path):
    write_image(tmp_path, 6)
    plain = "image,label,x_min,y_min,x_max,y_max\n"
    assert box_of(tmp_path, "a.jpg,cat,10,2,15,12", plain)[0] == (10, 2, 15, 12)
    write_image(tmp_path, 6, size=(30, 30))
    assert box_of(tmp_path, "a.jpg,30,30,cat,10,2,15,12")[0] == (10, 2, 15, 12)


def test_keypoints_turn_with_their_box_and_unlabelled_ones_stay_zero(tmp_path):
    write_image(tmp_path, 6)
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [10, 2, 5, 10],
                "keypoints": [10, 2, 2, 0, 0, 0],
            }
        ],
        "categories": [{"id": 1, "name": "cat", "keypoints": ["nose", "tail"]}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    (sample,) = read(tmp_path / "labels.json")
    # (x, y) → (30 - y, x)
    assert sample.keypoints == ((28, 10, 2), (0, 0, 0))
    assert sample.box == (18, 10, 28, 15)
