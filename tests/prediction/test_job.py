"""The batch-prediction job: which prediction belongs to which image, and what is reported."""

import subprocess
import sys

import pytest

from onebox.errors import ImageError, OneboxError
from onebox.localizer import Localizer
from onebox.prediction.job import Job
from onebox.prediction.sources import SourceItem, UnreadableSource
from onebox.streaming import Answer, predict_each
from onebox.structures import Prediction

NAMES = ("a.png", "b.png", "c.png")


def prediction_of(source):
    """A prediction whose label is the source.

    Raises:
        ImageError: For ``broken.png``.
    """
    if source == "broken.png":
        raise ImageError("broken.png: is empty (0 bytes). Replace or remove it.")
    return Prediction(source, 0.5, (0.0, 0.0, 1.0, 1.0), (1.0,))


class Model(Localizer):
    """Predicts in threads, as a real model does."""

    def predict_many(self, sources, *, threads):
        return predict_each(prediction_of, sources, threads=threads)


class Backwards(Localizer):
    """Predicts the last image first."""

    def predict_many(self, sources, *, threads):
        for index, source in reversed(list(enumerate(sources))):
            yield Answer(index, source, prediction_of(source))


class Collected:
    """A sink that keeps what it is given."""

    def __init__(self, *known):
        self.known = known
        self.written = []
        self.unreadable = []

    def has(self, item):
        return item.name in self.known

    def write(self, item, prediction):
        self.written.append((item.name, prediction.label))

    def write_unreadable(self, item):
        self.unreadable.append(item.name)


def items(*names):
    return [SourceItem(name, name) for name in names]


def run(found, *, model=None, sink=None, threads=2):
    messages = []
    job = Job(model or Model(), threads, messages.append)
    collected = sink or Collected()
    job.run(found, collected)
    return job.tally, collected, messages


@pytest.mark.parametrize("model", [Model(), Backwards()])
def test_each_prediction_is_written_with_its_own_image(model):
    tally, sink, messages = run(items(*NAMES), model=model)
    assert sorted(sink.written) == [(name, name) for name in NAMES]
    assert (tally.predicted, tally.done, tally.unreadable, messages) == (3, 3, 0, [])


@pytest.mark.parametrize("threads", [1, 3])
def test_predictions_are_written_in_the_order_of_the_sources(threads):
    names = [f"{number}.png" for number in range(40)]
    _, sink, _ = run(items(*names), threads=threads)
    assert [name for name, _ in sink.written] == names


@pytest.mark.parametrize("threads", [1, 3])
def test_what_cannot_be_read_is_reported_and_stops_nothing(threads):
    found = [*items("a.png", "broken.png"), UnreadableSource("x: holds no image."), *items("c.png")]
    tally, sink, messages = run(found, threads=threads)
    assert sink.written == [("a.png", "a.png"), ("c.png", "c.png")]
    assert sink.unreadable == ["broken.png"]
    assert sorted(messages) == [
        "broken.png: is empty (0 bytes). Replace or remove it.",
        "x: holds no image.",
    ]
    assert (tally.predicted, tally.unreadable_images, tally.unreadable_sources) == (2, 1, 1)
    assert (tally.unreadable, tally.done) == (2, 4)


def test_images_that_the_sink_has_are_skipped():
    tally, sink, _ = run(items(*NAMES), sink=Collected("a.png", "b.png"))
    assert sink.written == [("c.png", "c.png")]
    assert (tally.skipped, tally.done) == (2, 1)


def test_an_image_that_the_sink_cannot_read_again_counts_as_unreadable():
    class Gone(Collected):
        def write(self, item, prediction):
            raise ImageError(f"{item.name}: there is no such file. Correct the path.")

    tally, sink, messages = run(items("a.png"), sink=Gone())
    assert (tally.predicted, tally.unreadable, sink.unreadable) == (0, 1, ["a.png"])
    assert messages == ["a.png: there is no such file. Correct the path."]


def test_any_other_error_ends_the_job():
    def found():
        yield from items("a.png")
        raise OneboxError("pip install 'onebox[video]'")

    with pytest.raises(OneboxError, match="pip install"):
        run(found())


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_closes_the_model_s_generator_and_keeps_the_tally(threads):
    closed = []

    class Watched(Model):
        def predict_many(self, sources, *, threads):
            try:
                yield from super().predict_many(sources, threads=threads)
            finally:
                closed.append(True)

    def stop(tally):
        if tally.done == 2:
            raise KeyboardInterrupt

    job = Job(Watched(), threads, pytest.fail)
    with pytest.raises(KeyboardInterrupt):
        job.run(items(*NAMES), Collected(), stop)
    assert (job.tally.predicted, closed) == (2, [True])


def test_an_interrupt_that_breaks_a_lock_is_an_interrupt_and_other_errors_are_not():
    class Broken(Localizer):
        def __init__(self, cause):
            self.cause = cause

        def predict_many(self, sources, *, threads):
            try:
                raise self.cause
            finally:
                raise RuntimeError("cannot release un-acquired lock")
            yield

    with pytest.raises(KeyboardInterrupt):
        run([], model=Broken(KeyboardInterrupt()))
    with pytest.raises(RuntimeError, match="un-acquired lock"):
        run([], model=Broken(ValueError()))


@pytest.mark.train
def test_the_job_needs_no_command_line():
    modules = "{'typer', 'rich', 'onebox.cli'}"
    code = f"import sys, onebox.prediction.sinks; print({modules} & {{*sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "set()"
