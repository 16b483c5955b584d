"""Settings of the HOG localizer."""

import pytest
from pydantic import ValidationError

from onebox.classic.settings import HogSettings


def test_unknown_and_impossible_settings_are_refused():
    with pytest.raises(ValidationError, match="windw"):
        HogSettings(windw=7)
    with pytest.raises(ValidationError, match="greater than 0"):
        HogSettings(svm_c=0)
