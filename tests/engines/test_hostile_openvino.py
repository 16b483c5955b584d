"""OpenVINO files that hold what no model of onebox has: each is refused in words."""

import importlib.util
import itertools
import re
import shutil

import numpy as np
import pytest

import onebox
from onebox.errors import ModelError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)

GREY = np.full((30, 40, 3), 51, np.uint8)


@pytest.fixture
def changed(bright_ir, tmp_path):
    """Write the file again, its text changed by a function, and its weights cut."""

    def write(change=lambda text: text, weights=slice(None)):
        file = tmp_path / "model.xml"
        file.write_bytes(change(bright_ir.read_bytes()))
        file.with_suffix(".bin").write_bytes(bright_ir.with_suffix(".bin").read_bytes()[weights])
        return file

    return write


def entities(text):
    """A text of a few hundred letters that stands for a billion."""
    names = "abcdefghi"
    lines = [f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in itertools.pairwise(names)]
    start = '<!DOCTYPE net [<!ENTITY a "lol">' + "".join(lines) + "]>"
    return text.replace(b"<net", start.encode() + b"<net", 1).replace(b"<layers>", b"<layers>&i;")


def replaced(old, new):
    def change(text):
        assert re.search(old, text)
        return re.sub(old, new, text, count=1)

    return change


LAYER = b'<layer id="99" name="new" type="%s" version="%s"><data/></layer></layers>'
REFUSED = {
    "entities that stand for each other": (entities, r"has a document type \(DOCTYPE\)"),
    "a document type of another file": (
        replaced(rb"<net ", b'<!DOCTYPE net SYSTEM "file:///etc/hostname"><net '),
        "has a document type",
    ),
    "a document type in another encoding": (
        lambda text: entities(text).decode().encode("utf-16"),
        "has a document type",
    ),
    "a tensor of terabytes": (
        replaced(rb'shape="3" offset="0" size="24"', b'shape="99999999999" offset="0" size="24"'),
        "of 799999999992 bytes at 0 with a size of 24 bytes",
    ),
    "more terabytes than the weights have": (
        replaced(
            rb'shape="3" offset="0" size="24"',
            b'shape="99999999999" offset="0" size="799999999992"',
        ),
        "of 799999999992 bytes at 0, which the .bin of",
    ),
    "values behind the end of the weights": (
        replaced(rb'offset="0" size="24"', b'offset="4096" size="24"'),
        "of 24 bytes at 4096, which the .bin of",
    ),
    "a negative offset": (
        replaced(rb'offset="0" size="24"', b'offset="-8" size="24"'),
        "has '-8' where a number is expected",
    ),
    "an endless number": (
        replaced(rb'offset="0"', b'offset="' + b"9" * 10_000 + b'"'),
        "where a number is expected",
    ),
    "an unknown type": (replaced(rb'element_type="i64"', b'element_type="string"'), "'string'"),
    "a loop": (replaced(b"</layers>", LAYER % (b"Loop", b"opset5")), "operation 'Loop'"),
    "an operation of its own": (
        replaced(b"</layers>", LAYER % (b"Run", b"extension")),
        "operation 'Run' of 'extension'",
    ),
    "a graph inside the graph": (
        replaced(b"</layers>", b"</layers><body><layers/></body>"),
        "has graphs inside its graph",
    ),
    "elements inside each other": (
        replaced(b"</layers>", b"<a>" * 50_000 + b"</a>" * 50_000 + b"</layers>"),
        "has more than 16 elements inside each other",
    ),
    "another kind of XML": (lambda _: b"<html></html>", "begins with <html>, not with <net>"),
    "no layers": (lambda _: b"<net></net>", "has no layers"),
    "no XML": (lambda _: b"\0\1\2", "is no XML"),
    "nothing": (lambda _: b"", "is no XML"),
    "the same weights again and again": (
        replaced(
            b"</layers>",
            b'<layer id="99" name="n" type="Const" version="opset1">'
            + b'<data element_type="u8" shape="32" offset="0" size="32"/>' * 1000
            + b"</layer></layers>",
        ),
        "takes the same bytes of the .bin more than 8 times",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_is_refused_with(what, changed):
    change, message = REFUSED[what]
    with pytest.raises(ModelError, match=message) as caught:
        onebox.load(changed(change))
    assert "model.xml: is not a model that onebox opens" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_file_cut_off_anywhere_is_refused(changed):
    for part in (10, 3, 2, 1.1):
        with pytest.raises(ModelError, match="is no XML"):
            onebox.load(changed(lambda text, part=part: text[: int(len(text) / part)]))


def test_missing_and_short_weights_are_refused(changed):
    with pytest.raises(ModelError, match=r"which the \.bin of 0 bytes has not"):
        onebox.load(changed(weights=slice(0)))
    with pytest.raises(ModelError, match=r"which the \.bin of \d+ bytes has not"):
        onebox.load(changed(weights=slice(-1)))
    file = changed()
    file.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"model\.bin: does not exist. Correct the path"):
        onebox.load(file)


def test_the_files_that_were_checked_are_those_that_are_opened(bright_ir, tmp_path, monkeypatch):
    """The weights are exchanged between the check and the opening."""
    from onebox.engines import openvino_file

    for suffix in (".xml", ".bin"):
        shutil.copy(bright_ir.with_suffix(suffix), tmp_path)
    check = openvino_file.Weights.check

    def exchange(weights, length, name):
        check(weights, length, name)
        name.with_suffix(".bin").write_bytes(b"")

    monkeypatch.setattr(openvino_file.Weights, "check", exchange)
    localizer = onebox.load(tmp_path / "model.xml")
    assert localizer.predict(GREY).score == pytest.approx(0.2)  # 51 / 255
