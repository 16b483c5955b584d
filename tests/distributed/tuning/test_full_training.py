"""The full training after a search: ended, interrupted, and gone on with."""

import pytest

import onebox
from onebox.distributed.tuning.budget import Budget
from onebox.distributed.tuning.full_training import Best, train_best
from onebox.distributed.tuning.journal import Journal
from onebox.distributed.tuning.records import Question, TuneFiles

pytestmark = pytest.mark.train


@pytest.fixture
def train(discs, shortened, tiny_recipe, tmp_path):
    """Train the best recipe, in a search that is continued at each call."""
    data = shortened(discs, train=20, val=4, test=4)
    recipe = tiny_recipe.changed({"train.epochs": 3})
    question = Question(recipe.model_dump(mode="json", exclude_none=True), {}, None, 0, ({},), {})
    file = TuneFiles(tmp_path).journal

    def go_on(listener):
        with Journal(file, None if file.exists() else question) as journal:
            return train_best(data, Best(0, recipe), journal, Budget(None, 0.0, True), listener)

    return go_on


def test_a_full_training_that_ctrl_c_ended_goes_on_and_is_then_not_repeated(train, new_diary):
    stopped = train(new_diary(stop_at_epoch=2))
    assert stopped.is_interrupted
    # It has exported what it had, as every run does.
    assert onebox.load(stopped.model).card.provenance["epochs"] == 1

    diary = new_diary()
    ended = train(diary)
    assert [metrics.epoch for metrics in diary.epochs] == [2, 3]
    assert onebox.load(ended.model).card.provenance["epochs"] == 3
    assert not ended.is_interrupted

    diary = new_diary()
    assert train(diary).metrics == ended.metrics
    assert diary.stages == []
