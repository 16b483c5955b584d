"""Cut-outs and backgrounds: what is read from packages and folders, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from onebox.errors import DataError, OneboxError
from onebox.synthetic import blobs, cutouts
from onebox.synthetic.material import Cutout, find_backgrounds, find_cutouts


@pytest.mark.train
def test_drawing_imports_neither_scikit_image_nor_scikit_learn():
    program = """
import sys
import numpy as np
from onebox import synthetic
for stream in (synthetic.blobs(size=32), synthetic.cutouts(size=32)):
    np.asarray(next(stream).image)
print(sorted({"skimage", "sklearn", "torch"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_the_bundled_images_discs_work_and_cats_name_the_extra_to_install(
    tmp_path, monkeypatch, put_cutout
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("onebox.synthetic.scenes.find_cutouts", find_cutouts.__wrapped__)
    monkeypatch.setattr("onebox.synthetic.scenes.find_backgrounds", find_backgrounds.__wrapped__)
    monkeypatch.setattr("onebox.synthetic.material._cat", _uncached_cat())
    with pytest.raises(OneboxError, match=r"pip install 'onebox\[synth\]'"):
        cutouts(backgrounds="black")
    own = put_cutout(tmp_path / "own" / "fox.png")
    with pytest.raises(OneboxError, match=r"pip install 'onebox\[synth\]'"):
        cutouts(cutouts=own)
    assert next(blobs(size=32)).label == "disc"
    assert next(cutouts(size=32, backgrounds="black", cutouts=own)).label == "fox"


def _uncached_cat():
    from onebox.synthetic import material

    return material._cat.__wrapped__


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("fox.png", "fox"),
        ("red_fox-02.PNG", "red_fox"),
        ("fox (3).png", "fox"),
        ("007.png", "zoo"),
        ("owls/12.png", "owls"),
        ("birds/owls/a1.png", "owls"),
    ],
)
def test_a_cutout_is_labelled_by_its_subfolder_or_by_its_name_without_number(
    tmp_path, name, label, put_cutout
):
    put_cutout(tmp_path / "zoo" / name)
    assert find_cutouts(tmp_path / "zoo") == (Cutout(label, tmp_path / "zoo" / name),)


def test_other_files_are_ignored_and_cutouts_are_cropped_to_their_visible_part(
    tmp_path, put_cutout
):
    folder = put_cutout(tmp_path / "zoo" / "fox.png", (60, 40))
    Image.new("RGB", (9, 9)).save(folder / "notes.jpg")
    (folder / "labels.csv").write_text("image,label\n")
    (fox,) = find_cutouts(folder)
    # The ellipse of 60 x 40 less 5 on each side
    assert fox.rgba().size == (50, 30)


def test_every_png_that_is_not_a_cutout_is_named_with_its_repair(tmp_path, put_cutout):
    put_cutout(tmp_path / "good.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "opaque.png")
    Image.new("RGBA", (9, 9)).save(tmp_path / "hollow.png")
    (tmp_path / "text.png").write_text("no image")
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 4), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:5000])
    with pytest.raises(DataError) as caught:
        cutouts(backgrounds="black", cutouts=tmp_path)
    names = ("cut.png", "hollow.png", "opaque.png", "text.png")
    rules = (
        "cannot be decoded",
        "is wholly transparent",
        "has no transparency",
        "is not an image",
    )
    assert len(caught.value.problems) == 4
    for problem, name, rule in zip(caught.value.problems, names, rules, strict=True):
        assert problem.startswith(f"{tmp_path / name}: {rule}")
        assert problem.endswith(("remove it.", "remove the file.", "Save it as JPEG or PNG."))


@pytest.mark.parametrize("kind", ["cutouts", "backgrounds"])
def test_a_missing_or_empty_folder_is_named(tmp_path, kind):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name, rule in [
        ("nowhere", "is not a folder"),
        ("file", "is not a folder"),
        ("empty", "holds no"),
    ]:
        with pytest.raises(DataError) as caught:
            cutouts(**{kind: tmp_path / name})
        assert str(caught.value).startswith(f"{tmp_path / name}: {rule}")


def test_a_folder_with_images_but_no_png_has_no_cutouts(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"holds no PNG\. Cut-outs are RGBA PNGs"):
        cutouts(cutouts=tmp_path)


def test_every_background_that_is_not_an_image_is_named_before_the_first_sample(tmp_path, plain):
    plain(tmp_path / "good", "red")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        cutouts(backgrounds=tmp_path)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        str(tmp_path / "a.jpg"),
        str(tmp_path / "b.jpg"),
    ]
