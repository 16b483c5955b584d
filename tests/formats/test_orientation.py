"""Boxes of images that are stored on their side."""

import pytest
from PIL import Image

from onebox.formats import read

HEADER = "image,width,height,label,x_min,y_min,x_max,y_max\n"


def write_image(folder, orientation, size=(40, 30)):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size).save(folder / "a.jpg", exif=exif)


def box_of(folder, row, header=HEADER):
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
def test_boxes_turn_where_the_stated_size_is_that_before_turning(tmp_path, orientation, upright):
    write_image(tmp_path, orientation)
    assert box_of(tmp_path, "a.jpg,40,30,cat,10,2,15,12") == (upright, (30, 40))


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_boxes_stay_where_the_stated_size_is_the_upright_one(tmp_path, orientation):
    write_image(tmp_path, orientation)
    width, height = (40, 30) if orientation < 5 else (30, 40)
    box, size_wh = box_of(tmp_path, f"a.jpg,{width},{height},cat,10,2,15,12")
    assert (box, size_wh) == ((10, 2, 15, 12), (width, height))


def test_boxes_stay_where_no_size_is_stated_or_the_size_cannot_tell(tmp_path):
    write_image(tmp_path, 6)
    plain = "image,label,x_min,y_min,x_max,y_max\n"
    assert box_of(tmp_path, "a.jpg,cat,10,2,15,12", plain)[0] == (10, 2, 15, 12)
    write_image(tmp_path, 6, size=(30, 30))
    assert box_of(tmp_path, "a.jpg,30,30,cat,10,2,15,12")[0] == (10, 2, 15, 12)


def test_keypoints_turn_with_their_box_and_unmarked_ones_stay_zero(tmp_path):
    import json

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
