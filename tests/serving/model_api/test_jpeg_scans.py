"""JPEGs that take long to decode are refused before they are decoded."""

import asyncio
import io

import pytest
from PIL import Image

from onebox.errors import ImageError
from onebox.serving.model_api.jpeg_scans import check_scans
from onebox.serving.model_api.models import ModelHolder
from onebox.serving.model_api.predictor import Predictor, Work
from onebox.structures import Prediction


def progressive(more_scans=0):
    """A progressive JPEG of 64 x 64 pixels, with its last scan repeated."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).save(file, "jpeg", progressive=True)
    whole = file.getvalue()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * more_scans + whole[-2:]


@pytest.fixture
def predict(bright_file):
    """Predict one image with a limit of 5000 pixels, which its 4096 keep."""
    predictor = Predictor(ModelHolder(bright_file, threads=1), Work(1, max_pixels=5000))
    yield lambda image: asyncio.run(predictor.predict([image]))[0]
    predictor.close()


def test_a_progressive_jpeg_as_programs_save_it_is_predicted(predict):
    assert isinstance(predict(progressive()), Prediction)


def test_a_jpeg_of_many_scans_is_refused_with_the_number_that_is_allowed(predict):
    answer = predict(progressive(more_scans=100))
    assert isinstance(answer, ImageError)
    # 16 x 5000 / 4096 = 19.5
    assert "at most 19 scans of so many pixels are allowed" in str(answer)


def test_scans_are_counted_against_the_pixels_of_the_image():
    check_scans(b"\xff\xda" * 160, "JPEG", pixels=100, max_pixels=1000)
    with pytest.raises(ImageError, match="161 scans of 100 pixels; at most 160"):
        check_scans(b"\xff\xda" * 161, "MPO", pixels=100, max_pixels=1000)


def test_other_formats_may_contain_the_bytes_of_the_mark():
    check_scans(b"\xff\xda" * 1000, "PNG", pixels=1000, max_pixels=1000)
