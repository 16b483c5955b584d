"""What can be divided among workers, and what cannot."""

import pytest

from onebox.errors import SettingError
from onebox.learning.network_runs.job import check_workers, part_of
from onebox.learning.parallel.placement import Placement

pytestmark = pytest.mark.train


@pytest.fixture
def few(discs, shortened):
    return shortened(discs, train=5, val=3, test=2)


def test_a_worker_is_told_of_its_own_training_and_validation_samples_alone(few):
    train, val = few.part("train").samples, few.part("val").samples
    assert part_of(few, Placement(1, 2)).samples == (train[1], train[3], val[1])
    assert part_of(few, Placement(0, 2)).classes == few.classes


def test_relative_paths_become_absolute_since_workers_start_elsewhere(few, tmp_path, monkeypatch):
    from dataclasses import replace
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    paths = tuple(
        replace(sample, image=Path(f"{row}.png")) for row, sample in enumerate(few.samples)
    )
    part = part_of(replace(few, samples=paths), Placement(1, 2))
    assert [sample.image for sample in part] == [tmp_path / f"{row}.png" for row in (1, 3, 6)]


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        (4, "4 workers: the data has 3 validation images, and each worker needs one of its own. "
            "Use at most 3."),
        (6, "6 workers: the data has 5 training images"),
        (3, "3 workers: train.batch_size 8 cannot be divided equally. Use 1 or 2 workers, or "
            "--set train.batch_size=9."),
    ],
)  # fmt: skip
def test_more_workers_than_images_or_unequal_shares_are_refused(few, tiny_recipe, workers, words):
    with pytest.raises(SettingError) as caught:
        check_workers(workers, few, tiny_recipe)
    assert words in str(caught.value)


def test_two_workers_divide_a_batch_of_eight(few, tiny_recipe):
    check_workers(2, few, tiny_recipe)
