"""Predictions for many requests at once."""

import asyncio
import threading

import numpy as np
import pytest

from onebox.errors import ImageError
from onebox.localizer import Localizer
from onebox.model_card import ModelCard
from onebox.serving.model_api.models import NOTHING, ModelHolder
from onebox.serving.model_api.predictor import Predictor, Work
from onebox.serving.web.problems import ProblemError
from onebox.structures import Prediction

PIXELS = np.zeros((4, 4, 3), np.uint8)


class SlowModel(Localizer):
    """A model whose predictions wait for a signal."""

    name, card = "slow", ModelCard(("cat",), 32)

    def __init__(self, label="cat"):
        self.label = label
        self.started, self.goes_on = threading.Event(), threading.Event()
        self.count = 0

    def predict(self, source):
        self.count += 1
        self.started.set()
        assert self.goes_on.wait(20)
        if isinstance(source, np.ndarray) and source.max():
            raise ImageError("image: is damaged.")
        return Prediction(self.label, 0.5, (0.0, 0.0, 1.0, 1.0), (1.0,))


class Holder(ModelHolder):
    """One model, that a test may exchange."""

    def __init__(self, model):
        self.model, self.usual = model, NOTHING

    def promising(self, promised):
        return self.model


@pytest.fixture
def model():
    return SlowModel()


@pytest.fixture
def new_predictor(model):
    """Make a predictor with one thread."""
    made = []

    def make(**facts):
        made.append(Predictor(Holder(model), Work(threads=1, **facts)))
        return made[-1]

    yield make
    model.goes_on.set()
    for each in made:
        each._pool.shutdown()


async def begin(predictor, model, count=1):
    """Start a request, and wait until the model works on it."""
    task = asyncio.create_task(predictor.predict([PIXELS] * count))
    await asyncio.to_thread(model.started.wait, 20)
    return task


def test_what_does_not_fit_in_the_queue_is_told_to_come_again(model, new_predictor):
    predictor = new_predictor(queue=1)

    async def scenario():
        first = await begin(predictor, model)
        second = asyncio.create_task(predictor.predict([PIXELS]))
        await asyncio.sleep(0)
        assert predictor.unfinished == 2
        with pytest.raises(
            ProblemError, match="2 images wait or are in work; at most 2 may"
        ) as full:
            await predictor.predict([PIXELS])
        model.goes_on.set()
        await asyncio.gather(first, second)
        await predictor.predict([PIXELS])
        return full.value.problem

    problem = asyncio.run(scenario())
    assert (problem.status, problem.headers) == (503, {"Retry-After": "1"})
    assert (model.count, predictor.unfinished) == (3, 0)


def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits(model, new_predictor):
    model.goes_on.set()
    assert len(asyncio.run(new_predictor(queue=1).predict([PIXELS] * 5))) == 5


def test_a_request_that_takes_too_long_is_given_up_with_what_waits(model, new_predictor):
    predictor = new_predictor(seconds=0.05)

    async def scenario():
        with pytest.raises(
            ProblemError, match=r"more than 0\.05 seconds, which is the limit"
        ) as late:
            await predictor.predict([PIXELS] * 3)
        return late.value.problem

    problem = asyncio.run(scenario())
    assert (problem.status, problem.headers) == (503, {"Retry-After": "1"})
    assert predictor.unfinished == 1  # the one that has begun
    model.goes_on.set()
    predictor._pool.shutdown()
    assert (model.count, predictor.unfinished) == (1, 0)


def test_an_image_that_cannot_be_read_stands_in_its_place(model, new_predictor):
    model.goes_on.set()
    answers = asyncio.run(new_predictor().predict([PIXELS, PIXELS + 1, b"", PIXELS]))
    kinds = [type(each) for each in answers]
    assert kinds == [Prediction, ImageError, ImageError, Prediction]
    assert model.count == 3  # empty bytes do not reach the model


def test_all_images_of_a_request_have_one_model_through_a_reload(model, new_predictor):
    predictor = new_predictor()

    async def scenario():
        working = await begin(predictor, model, count=3)
        predictor.models.model = SlowModel("dog")
        predictor.models.model.goes_on.set()
        model.goes_on.set()
        return await working, await predictor.predict([PIXELS])

    before, after = asyncio.run(scenario())
    assert [each.label for each in before] == ["cat"] * 3
    assert [each.label for each in after] == ["dog"]


def test_an_error_of_the_program_is_raised_and_frees_its_place(new_predictor, model, monkeypatch):
    def fail(source):
        raise ZeroDivisionError

    monkeypatch.setattr(model, "predict", fail)
    predictor = new_predictor()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(predictor.predict([PIXELS, PIXELS]))
    predictor._pool.shutdown()
    assert predictor.unfinished == 0
