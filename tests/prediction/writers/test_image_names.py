"""Names of images in a results file."""

from pathlib import Path

import pytest

from onebox.prediction.writers import names_in


@pytest.mark.parametrize(
    ("file", "image", "name"),
    [
        ("p.csv", "images/a.png", "images/a.png"),
        ("out/p.csv", "images/a.png", "../images/a.png"),
        ("images/p.csv", "images/a.png", "a.png"),
        ("images/p.csv", "a.png", "../a.png"),
        ("out/p.csv", "/images/a.png", "/images/a.png"),
        ("/dev/stdout", "images/a.png", "images/a.png"),
    ],
)
def test_a_name_in_a_file_leads_from_the_file_s_folder_to_the_image(
    file, image, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert names_in(Path(file))(Path(image)) == name
