"""Optional packages: what an import returns, and what the error says without the package."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from onebox.errors import OneboxError
from onebox.optional import require


def test_an_installed_module_is_returned():
    assert require("json", extra="any", purpose="tests") is json


def test_the_error_names_purpose_package_reason_and_extra(monkeypatch):
    for name in ("skimage", "skimage.feature"):  # another test may have imported both
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(OneboxError) as caught:
        require("skimage.feature", extra="classic", purpose="HOG windows")
    message = str(caught.value)
    assert message.startswith("HOG windows need scikit-image, which is not installed (")
    assert message.endswith("). Install it with: pip install 'onebox[classic]'")
    assert "skimage" in message.partition("(")[2]


def test_a_package_without_another_name_goes_by_its_import_name():
    with pytest.raises(OneboxError, match="tests need nowhere_to_be_found, which is not"):
        require("nowhere_to_be_found.part", extra="any", purpose="tests")


def test_an_error_inside_the_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        require("broken_module", extra="any", purpose="tests")


def test_without_a_purpose_the_error_names_the_extra_alone():
    with pytest.raises(OneboxError, match=r"^the features of onebox\[any\] need nowhere_to_be"):
        require("nowhere_to_be_found", extra="any")


def test_a_package_is_imported_without_openvinos_reporting_package(tmp_path, monkeypatch):
    (tmp_path / "openvino_telemetry.py").write_text("")
    (tmp_path / "reporting_module.py").write_text(
        "try:\n    import openvino_telemetry\nexcept ImportError:\n    openvino_telemetry = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    loaded = object()
    monkeypatch.setitem(sys.modules, "openvino_telemetry", loaded)
    try:
        module = require("reporting_module", extra="any", purpose="tests")
    finally:
        sys.modules.pop("reporting_module", None)
    assert module.openvino_telemetry is None
    assert sys.modules["openvino_telemetry"] is loaded


def test_threads_import_at_once(tmp_path, monkeypatch):
    names = ["slow_module_1", "slow_module_2", "slow_module_3"]
    for name in names:
        (tmp_path / f"{name}.py").write_text("import time\ntime.sleep(0.1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    try:
        with ThreadPoolExecutor(3) as pool:
            modules = list(pool.map(lambda name: require(name, extra="any"), names))
    finally:
        for name in names:
            sys.modules.pop(name, None)
    assert [module.__name__ for module in modules] == names
    assert "openvino_telemetry" not in sys.modules
