"""The same seed gives the same file, and the same file the same predictions, to the last bit."""

import dataclasses
import hashlib
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.structures import KeypointSet, Prediction

pytestmark = pytest.mark.train

THREADS = (1, 2)
TRAIN = """
import pickle, sys
import onebox
with open(sys.argv[1], "rb") as file:
    data, recipe = pickle.load(file)
onebox.train(data, recipe, out=sys.argv[2])
"""
PREDICT = """
import sys
import onebox
model = onebox.load(sys.argv[1], threads=2)
print([model.predict(name) for name in sys.argv[2:]])
"""


def python(program, *words):
    """Run a program in a process of its own; what it prints."""
    line = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def pointed(discs, shortened):
    """A few discs whose left upper and right lower corners are keypoints."""
    few = shortened(discs, train=16, val=4, cal=9)

    def with_corners(sample):
        left, top, right, bottom = sample.box
        return dataclasses.replace(sample, keypoints=((left, top, 2), (right, bottom, 2)))

    samples = tuple(map(with_corners, few.samples))
    return dataclasses.replace(few, samples=samples, keypoints=KeypointSet(("a", "b")))


def test_another_process_trains_the_same_file_to_the_last_byte(pointed, tiny_recipe, tmp_path):
    changes = {"train.epochs": 1, "model.refinement": "always", "model.keypoints": True}
    recipe = tiny_recipe.changed(changes)
    (tmp_path / "job.pickle").write_bytes(pickle.dumps((pointed, recipe)))
    here = onebox.train(pointed, recipe, out=tmp_path / "here")
    python(TRAIN, tmp_path / "job.pickle", tmp_path / "there")
    for name in ("weights.safetensors", "model.onnx", "metrics.json"):
        digests = [
            hashlib.sha256((tmp_path / place / name).read_bytes()).hexdigest()
            for place in ("here", "there")
        ]
        assert digests[0] == digests[1], name
    card = onebox.load(here.model).card
    assert card.keypoints is not None
    assert card.refine_margin is not None


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve files of noise, of six sizes."""
    folder, noise = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    files = []
    for number in range(12):
        height, width = 60 + number % 3 * 7, 60 + number % 2 * 11
        pixels = noise.integers(0, 256, (height, width, 3), np.uint8)
        files.append(folder / f"{number:02}.png")
        Image.fromarray(pixels).save(files[-1])
    return files


@pytest.fixture(scope="module", params=["as trained", "refined"])
def predict_with(request, model_file):
    """The trained model with so many threads, with and without a refinement pass."""
    margin = None if request.param == "as trained" else 0.5
    return lambda threads: onebox.load(model_file, threads=threads).with_refinement(margin)


@pytest.fixture(scope="module")
def expected(predict_with, pictures):
    return [predict_with(1).predict(picture) for picture in pictures]


@pytest.mark.parametrize("threads", THREADS)
def test_threads_and_repetition_change_no_bit_of_a_prediction(
    predict_with, pictures, expected, threads
):
    model = predict_with(threads)
    for _ in range(2):
        assert [model.predict(picture) for picture in pictures] == expected


@pytest.mark.parametrize("loaded", THREADS)
@pytest.mark.parametrize("threads", THREADS)
def test_many_images_in_any_order_have_the_predictions_of_each_alone(
    predict_with, pictures, expected, loaded, threads
):
    order = random.Random(0).sample(range(len(pictures)), len(pictures))
    answers = predict_with(loaded).predict_many([pictures[i] for i in order], threads=threads)
    assert [answer.prediction for answer in answers] == [expected[i] for i in order]


def numbers(prediction: Prediction):
    values = [getattr(prediction, field.name) for field in dataclasses.fields(prediction)]
    kinds = (float, tuple)
    return np.concatenate([np.ravel(value) for value in values if isinstance(value, kinds)])


@pytest.mark.parametrize("batch", [2, 5, 12])
def test_in_batches_a_prediction_differs_by_rounding_at_most(
    predict_with, pictures, expected, batch
):
    # A product of matrices with more rows may add its terms in another order. Measured: 8e-8 of
    # a number; the unit roundoff of float32 is 6e-8.
    answers = predict_with(1).predict_many(pictures, batch=batch)
    for answer, alone in zip(answers, expected, strict=True):
        assert answer.prediction.label == alone.label
        np.testing.assert_allclose(numbers(answer.prediction), numbers(alone), rtol=1e-5, atol=1e-6)


def test_another_process_makes_the_same_predictions(model_file, pictures):
    here = [onebox.load(model_file, threads=1).predict(picture) for picture in pictures]
    # `repr` of a float has all its bits.
    assert python(PREDICT, model_file, *pictures).strip() == repr(here)
