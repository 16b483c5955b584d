"""Two forms of a model compared: latencies, and how the numbers of both differ."""

import itertools
import time
from pathlib import Path

import numpy as np
import pytest

import onebox
from onebox.localizer import Localizer
from onebox.structures import Prediction
from onebox.variants.comparison import Candidate, Comparison, Form, compare, latencies_ms

WIDE = np.zeros((80, 160, 3), np.uint8)
FP32 = Form(7.8, 2.0, 0.8, 1.0)


class Clocked(Localizer):
    """Moves a clock on with each prediction, by a second in the first two of its turn."""

    name = ""

    def __init__(self, name, seconds, clock, calls):
        self.name, self.seconds, self.clock, self.calls = name, seconds, clock, calls

    def predict(self, source):
        position = self.calls.count(self.name) % 10
        self.calls.append(self.name)
        self.clock[0] += 1.0 if position < 2 else self.seconds
        return Prediction("cat", 0.5, (10.0, 0.0, 20.0, 40.0), (1.0,))


def test_the_latency_is_the_median_without_the_calls_that_begin_a_turn(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    forms = {name: Clocked(name, s, clock, calls) for name, s in {"a": 0.003, "b": 0.005}.items()}
    times = latencies_ms(forms, [WIDE])
    assert times == {"a": pytest.approx(3), "b": pytest.approx(5)}
    # Ten turns of ten calls each; the order turns too, so that two turns of one form meet.
    runs = [(name, len(list(run))) for name, run in itertools.groupby(calls)]
    assert runs[:4] == [("b", 10), ("a", 20), ("b", 20), ("a", 20)]
    assert len(calls) == 200


def test_a_comparison_works_out_how_the_two_differ():
    printed = Comparison(
        "int8", Path("model.int8.onnx"), 40, 0.0, FP32, Form(2.6, 1.0, 0.75, 1.0)
    ).as_json()
    assert printed["size_ratio"] == pytest.approx(1 / 3)
    assert printed["latency_ratio"] == 0.5
    assert printed["mean_iou_loss"] == pytest.approx(0.05)
    assert Comparison("int8", Path("m.onnx"), 0, 0.0, FP32, Form(2.6, 1.0)).mean_iou_loss is None


def test_the_outputs_of_two_forms_are_compared_without_the_refinement_pass(
    write_bright_model, tmp_path
):
    file = write_bright_model(tmp_path / "model.onnx", refine_margin=1.0)
    form = Candidate(onebox.load(file, threads=1), (file,))
    white = np.full((40, 80, 3), 255, np.uint8)
    found = compare(form, form, [white], variant="fp32", file=tmp_path / "copy.onnx")
    assert (found.parity_px, found.size_ratio, found.images) == (0, 1, 0)
    assert found.made.size_mb == file.stat().st_size / 1e6
    once = form.localizer.run_once(white)["box"]
    assert once.tolist() == [0, 0, 40, 20]  # a quarter; with the refinement pass a sixteenth
