"""Where `onebox train` trains."""

import pytest

from onebox.cli.train_placement import read_placement
from onebox.errors import SettingError
from onebox.runs.options import WorkerOptions


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((None, None, None), None),
        (("4", None, None), WorkerOptions(4)),
        (("auto", None, None), WorkerOptions(None)),
        ((None, "ray", None), WorkerOptions(None, "ray")),
        ((None, "ray://10.0.0.1:6379", 8), WorkerOptions(8, "ray://10.0.0.1:6379")),
    ],
)
def test_options_name_the_workers(options, expected):
    assert read_placement(*options) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("2", "ray", None), "--devices is for this machine, and --on for a cluster"),
        (("2", None, 2), "--workers 2: is for clusters"),
        (("0", None, None), "--devices 0: must be a number from 1, or auto"),
        (("all", None, None), "--devices all: must be"),
        (("-1", None, None), "--devices -1: must be"),
        ((None, "spark", None), "--on spark: must be ray"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options, words):
    with pytest.raises(SettingError) as caught:
        read_placement(*options)
    assert words in str(caught.value)
