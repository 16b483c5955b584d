"""`Localizer.predict_many`: the predictions of `predict`, in order, for any number of images."""

from itertools import count, islice

import numpy as np
import pytest
from PIL import Image

import onebox
from onebox.errors import ImageError


def grey(level, *, size_wh=(60, 40)):
    return np.full((*size_wh[::-1], 3), level, np.uint8)


def half_white(*, size_wh=(60, 40)):
    """White on the left."""
    image = grey(0, size_wh=size_wh)
    image[:, : size_wh[0] // 2] = 255
    return image


@pytest.fixture(scope="module")
def localizer(bright_file):
    return onebox.load(bright_file, threads=2)


@pytest.mark.parametrize(
    "how", [{}, {"threads": 1}, {"threads": 3}, {"batch": 4}, {"batch": 64, "threads": 1}]
)
def test_answers_are_those_of_predict_in_the_order_of_the_sources(localizer, how):
    # Four sizes, so that a batch is several stacks.
    sources = [grey(5 * n, size_wh=(60 + n % 4, 40)) for n in range(50)]
    answers = list(localizer.predict_many(iter(sources), **how))
    assert [answer.index for answer in answers] == list(range(50))
    for number, answer in enumerate(answers):
        assert answer.source is sources[number]
        assert answer.prediction.score == pytest.approx(5 * number / 255)
        assert answer.prediction.box == (0, 0, (60 + number % 4) / 2, 20)
        assert answer.prediction == localizer.predict(sources[number])


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_sources_may_be_of_any_kind_and_an_unreadable_one_stops_none(localizer, batch, tmp_path):
    Image.fromarray(grey(51)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    sources = [tmp_path / "a.png", content[:60], tmp_path / "no.png", content, grey(51)]
    answers = list(localizer.predict_many(sources, batch=batch))
    scores = [answer.prediction and answer.prediction.score for answer in answers]
    assert scores == [pytest.approx(0.2), None, None, pytest.approx(0.2), pytest.approx(0.2)]
    assert isinstance(answers[1].error, ImageError)
    assert f"{tmp_path / 'no.png'}: there is no such file" in str(answers[2].error)


def test_images_of_one_size_go_through_the_network_together(localizer, monkeypatch):
    shapes = []
    engine = localizer.engine
    run = engine.run

    def watched(images, outputs):
        shapes.append(images.shape)
        return run(images, outputs)

    monkeypatch.setattr(engine, "run", watched)
    sources = [grey(9), grey(9, size_wh=(48, 48)), grey(9), grey(9)]
    assert len(list(localizer.predict_many(sources, batch=3))) == 4
    assert shapes == [(2, 40, 60, 3), (1, 48, 48, 3), (1, 40, 60, 3)]


def test_a_model_that_takes_one_image_is_given_one_at_a_time(write_bright_model, tmp_path):
    single = onebox.load(write_bright_model(tmp_path / "model.onnx", images=1))
    answers = list(single.predict_many([grey(51)] * 3, batch=3))
    assert [answer.prediction.score for answer in answers] == [pytest.approx(0.2)] * 3


@pytest.mark.parametrize("batch", [1, 3])
def test_the_refinement_pass_runs_in_streams_too(batch, write_bright_model, tmp_path):
    file = write_bright_model(tmp_path / "model.onnx", refine_margin=1.0)
    twice = onebox.load(file, threads=2)
    # The first box is the left upper quarter, all of it white; its own left upper quarter is the
    # second: (0, 0, 15, 10) of 60 x 40.
    sources = [half_white(), grey(51), half_white(size_wh=(80, 40))]
    first, second, last = [one.prediction for one in twice.predict_many(sources, batch=batch)]
    assert (first.score, first.box) == (pytest.approx(1.0), (0, 0, 15, 10))
    assert (second.score, second.box) == (pytest.approx(0.2), (0, 0, 15, 10))
    assert (last.score, last.box) == (pytest.approx(1.0), (0, 0, 20, 10))
    assert [first, second, last] == [twice.predict(source) for source in sources]


def test_an_endless_source_is_predicted_as_long_as_the_caller_asks(localizer):
    endless = (grey(number % 256) for number in count())
    answers = localizer.predict_many(endless)
    scores = [round(answer.prediction.score * 255) for answer in islice(answers, 300)]
    answers.close()
    assert scores == [number % 256 for number in range(300)]


def test_no_sources_give_no_answers(localizer):
    assert list(localizer.predict_many([])) == []
    assert list(localizer.predict_many([], batch=4)) == []


def test_wrong_numbers_are_refused_before_a_source_is_drawn(localizer):
    def untouched():
        pytest.fail("a source was drawn")
        yield

    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        localizer.predict_many(untouched(), threads=0)
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        localizer.predict_many(untouched(), batch=0)


def test_a_wrong_array_raises_when_its_turn_comes(localizer):
    answers = localizer.predict_many([grey(51), np.zeros((8, 8, 3)), grey(51)])
    assert next(answers).index == 0
    with pytest.raises(TypeError, match="must be uint8"):
        next(answers)
    assert list(answers) == []
