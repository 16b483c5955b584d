"""What must hold before an audit trains."""

import dataclasses

import pytest

from onebox.audit.job import AuditOptions, audit, check_images
from onebox.errors import DataError, SettingError
from onebox.progress import Silent
from onebox.recipes.loading import read_recipe


def test_an_audit_of_few_images_is_refused(data):
    few = dataclasses.replace(data, samples=data.samples[:19])
    with pytest.raises(DataError, match=r"labels.csv: has 19 images with a box; .* at least 20"):
        check_images(few, 2, print)


def test_more_folds_than_half_the_images_are_refused(data):
    with pytest.raises(SettingError, match=r"--folds 21: 40 images allow at most 20 folds"):
        check_images(data, 21, print)


def test_below_200_images_a_note_says_that_more_are_better(data):
    notes = []
    check_images(dataclasses.replace(data, notes=("read so.",)), 4, notes.append)
    assert notes[0] == "read so."
    assert "40 images with a box; the lists are best from 200 images on" in notes[1]
    many = dataclasses.replace(data, samples=data.samples * 5)
    notes.clear()
    check_images(many, 4, notes.append)
    assert notes == []


def test_hog_windows_cannot_be_audited(data):
    with pytest.raises(SettingError, match="an audit trains networks"):
        audit(data, read_recipe("hog-svm"), AuditOptions(0.0), Silent())
