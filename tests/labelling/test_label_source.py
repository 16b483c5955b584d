"""Which label file a session edits; labels that cannot be edited are refused with the way out."""

import pytest
from PIL import Image

from onebox.errors import SettingError
from onebox.formats import FORMATS, write
from onebox.formats.editing import EDITORS
from onebox.labelling.label_source import find_source, labels_in
from onebox.structures import Dataset, Sample

FILES = {"labelstudio": "labels.json", "createml": "labels.json"}


@pytest.fixture
def data(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    sample = Sample(tmp_path / "a.png", "cat", (1.0, 2.0, 3.0, 4.0), size_wh=(40, 30))
    return Dataset((sample,), ("cat",))


@pytest.mark.parametrize("name", ["labelstudio", "createml", "fiftyone", "imagefolder"])
@pytest.mark.parametrize("is_named", [False, True])
def test_labels_without_an_editor_are_refused_with_the_command_that_converts_them(
    data, tmp_path, name, is_named
):
    place = tmp_path / "there" / FILES.get(name, "")
    write(data, place, name)
    with pytest.raises(SettingError) as caught:
        find_source(place, name if is_named else None)
    assert str(caught.value) == (
        f"{place}: {name} labels cannot be edited in place. Convert them first, and name the new "
        f"file: onebox convert {place} labels.json --to coco"
    )
    assert name in FORMATS
    assert name not in EDITORS


def test_a_folder_of_images_with_such_labels_is_refused_too(data, tmp_path):
    write(data, tmp_path / "annotations.json", "createml")
    with pytest.raises(SettingError, match="createml labels cannot be edited in place"):
        labels_in(tmp_path, None)


def test_the_labels_of_fiftyone_are_edited_as_coco_if_their_file_is_named(data, tmp_path):
    write(data, tmp_path / "out", "fiftyone")
    assert find_source(tmp_path / "out/train/labels.json", None).format == "coco"


def test_an_unknown_format_has_a_suggestion(tmp_path):
    with pytest.raises(SettingError, match="Did you mean coco"):
        find_source(tmp_path, "cocoa")
