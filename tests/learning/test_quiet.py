"""Known warnings and log records of libraries are dropped, and all others come through."""

import logging
import warnings

import pytest

from onebox.learning.quiet import Ignored, quiet

HERE = Ignored("the known .* happened", __name__.replace(".", r"\."))


def test_only_the_given_warning_of_the_given_module_is_dropped():
    with quiet("onebox.test", HERE):
        warnings.warn("the known thing happened", UserWarning, stacklevel=1)
        with pytest.warns(UserWarning, match="another thing"):
            warnings.warn("another thing happened", UserWarning, stacklevel=1)
    with (
        quiet("onebox.test", HERE._replace(module="elsewhere")),
        pytest.warns(UserWarning, match="known"),
    ):
        warnings.warn("the known thing happened", UserWarning, stacklevel=1)


def test_the_filter_ends_with_the_block():
    with quiet("onebox.test", HERE):
        pass
    with pytest.warns(UserWarning, match="known"):
        warnings.warn("the known thing happened", UserWarning, stacklevel=1)


def test_log_records_below_error_are_dropped_and_the_level_is_restored():
    logger = logging.getLogger("onebox.test")
    logger.setLevel(logging.INFO)
    with quiet("onebox.test"):
        assert not logger.isEnabledFor(logging.WARNING)
        assert logger.isEnabledFor(logging.ERROR)
    assert logger.level == logging.INFO
