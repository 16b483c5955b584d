"""Wrong rows stop the reading, or are left out."""

import pytest

from onebox.errors import SettingError
from onebox.formats import read


def test_wrong_rows_can_be_left_out_and_are_counted(labels):
    path = labels("a.png,cat,2,3,20,25", "b.png,cat,20,25,20,3")
    data = read(path, on_bad="skip")
    assert [sample.image.name for sample in data] == ["a.png"]
    assert any("1 bad row is left out" in note and "labels.csv:3" in note for note in data.notes)


def test_an_unknown_word_for_on_bad_is_refused_with_a_suggestion(labels):
    path = labels("a.png,cat,2,3,20,25")
    with pytest.raises(SettingError, match=r"error, skip.*Did you mean skip\?"):
        read(path, on_bad="skp")
