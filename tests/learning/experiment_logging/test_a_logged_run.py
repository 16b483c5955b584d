"""A training run tells its listeners when it begins and ends, and loggers keep its numbers."""

import csv

import pytest

import onebox
from onebox.learning.experiment_logging.loggers import open_logger
from onebox.progress import Silent, StopTraining

pytestmark = pytest.mark.train


class Order(Silent):
    """Keeps the order in which it hears of a run, and what lies in the folder then."""

    def __init__(self):
        self.heard = []

    def begin(self, folder):
        self.heard.append(("begin", (folder / "recipe.toml").is_file()))

    def epoch(self, metrics):
        self.heard.append(("epoch", metrics.epoch))

    def finish(self, folder):
        names = ("metrics.json", "report.html", "samples.png", "model.onnx")
        self.heard.append(("finish", all((folder / name).is_file() for name in names)))


def stop_training():
    raise StopTraining


def rows_of(file):
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_a_run_is_logged_from_its_beginning_to_its_results(
    discs, shortened, tiny_recipe, tmp_path, new_diary
):
    few = shortened(discs, train=16, val=4, test=4)
    recipe = tiny_recipe.changed({"train.epochs": 2})
    order, stop = Order(), new_diary(stop_at_epoch=1, stop=stop_training)
    with open_logger("csv", pytest.fail) as logger:
        # The run is stopped after its first epoch, and resumed.
        onebox.train(few, recipe, out=tmp_path / "run", listeners=[order, logger, stop])
        resumed = onebox.train(few, recipe, resume=tmp_path / "run", listeners=[order, logger])
    part = [("begin", True), ("epoch", 1), ("finish", True)]
    assert order.heard == [*part, ("begin", True), ("epoch", 2), ("finish", True)]
    history = rows_of(tmp_path / "run/history.csv")
    logged = rows_of(tmp_path / "run/logs/csv/metrics.csv")
    epochs = [row for row in logged if row["loss/total"]]
    assert [row["step"] for row in epochs] == ["1", "2"]
    for row, known in zip(epochs, history, strict=True):
        assert float(row["val/mean_iou"]) == float(known["val_mean_iou"])
        parts = [name for name in known if name.startswith("loss/")]
        assert parts
        assert all(float(row[name]) == float(known[name]) for name in parts)
    finals = [row for row in logged if row["final/test/mean_iou"]]
    assert float(finals[-1]["final/test/mean_iou"]) == resumed.metrics["test"]["mean_iou"]
