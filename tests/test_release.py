"""What the scripts of a release conclude: from licences, hashes, versions and extras."""

import importlib
import json
import tomllib
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
import yaml

import onebox

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SCRIPTS = [path.stem for path in (ROOT / "release").glob("*.py")]


@pytest.fixture(scope="module")
def release():
    """The modules of the folder ``release``, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "release")
        return SimpleNamespace(**{name: importlib.import_module(name) for name in SCRIPTS})


@pytest.mark.parametrize(
    ("expression", "refused"),
    [
        ("MIT", []),
        ("GPL-3.0-only", ["GPL-3.0-only"]),
        ("MIT OR GPL-3.0-only", []),
        ("MIT AND GPL-3.0-only", ["GPL-3.0-only"]),
        # AND binds more tightly: GPL with MIT, or Zlib alone
        ("GPL-3.0-only AND MIT OR Zlib", []),
        ("GPL-3.0-only AND (MIT OR Zlib)", ["GPL-3.0-only"]),
        ("(MIT AND MPL-2.0) AND (Zlib OR GPL-2.0-only)", ["MPL-2.0"]),
        ("Apache-2.0 WITH LLVM-exception", []),
        ("MIT WITH LLVM-exception", ["MIT WITH LLVM-exception"]),
    ],
)
def test_of_a_choice_one_licence_must_be_allowed_and_of_a_sum_all(expression, refused, release):
    assert release.spdx.canonical(expression) == expression
    assert release.spdx.refused(expression, release.licence_tables.ALLOWED) == refused


def test_the_words_bsd_license_are_no_licence_expression(release):
    assert release.spdx.canonical("BSD License") is None
    assert release.spdx.canonical("mit or apache-2.0") == "MIT OR Apache-2.0"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("av.libs/libx264-d6533a8d.so.165", "libx264"),
        ("av.libs/libxcb-shm-0be6dfbf.so.0.0.0", "libxcb-shm"),
        ("pillow.libs/libpng16-4b5c1a2d.so.16.5.0", "libpng"),
        ("numpy.libs/libgfortran-040039e1-0352e75f.so.5.0.0", "libgfortran"),
        ("numpy.libs/libscipy_openblas64_-32a4b2a6.so", "libscipy_openblas"),
        ("torchvision.libs/libjpeg.d33e0c76.so.62", "libjpeg"),
    ],
)
def test_the_name_of_a_library_is_without_its_version_and_hash(file, name, release):
    assert release.licences.library_name(PurePosixPath(file)) == name


@pytest.fixture
def judged(release, monkeypatch):
    """What the audit says of a package with this metadata and these libraries inside."""

    def judge(words, libraries=()):
        package = release.dependencies.Package("gift", "1.0", ())
        monkeypatch.setattr(release.licences, "_stated", lambda _: iter([words] if words else []))
        files = [PurePosixPath("gift.libs", name) for name in libraries]
        monkeypatch.setattr(release.licences.importlib.metadata, "files", lambda _: files)
        return release.licences.judge(package)

    return judge


def test_a_permissive_package_has_no_problem(judged):
    assert judged("Apache 2.0", ["libz.1b2c3d4e.so.1"]).problems == ()


def test_an_unknown_licence_is_a_problem_that_says_what_to_do(judged):
    [problem] = judged("BSD").problems
    assert problem.startswith("gift 1.0: its licence is unknown (its metadata says: BSD).")
    assert "STATED_ELSEWHERE" in problem
    assert "says: nothing" in judged("").problems[0]


def test_a_licence_that_is_not_permissive_is_a_problem(judged):
    [problem] = judged("GPL-3.0-only").problems
    assert problem.startswith("gift 1.0: its licence GPL-3.0-only is not permissive.")


def test_a_library_inside_counts_though_the_package_is_permissive(judged):
    [problem] = judged("MIT", ["libx264-d6533a8d.so.165"]).problems
    assert "contains libx264 under GPL-2.0-or-later" in problem
    [problem] = judged("MIT", ["libstrange-d6533a8d.so.1"]).problems
    assert "contains libstrange, whose licence is not known here" in problem


def test_no_exception_is_for_a_licence_that_is_allowed_anyway(release):
    tables = release.licence_tables
    assert not {licence for _, licence in tables.EXCEPTIONS} & tables.ALLOWED
    assert not {licence for _, licence in tables.LIBRARY_EXCEPTIONS} & tables.LIBRARIES_ALLOWED


@pytest.fixture(scope="module")
def bill(release, tmp_path_factory):
    """Make the bill of materials of this environment, for a wheel with this content."""

    packages = release.dependencies.find_packages(release.dependencies.product_requirements())
    hashes = release.sbom.read_hashes(ROOT / "requirements.lock")

    def make(content):
        wheel = tmp_path_factory.mktemp("wheel") / "onebox-0.1.0-py3-none-any.whl"
        wheel.write_bytes(content)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # the sources may be no checkout
            return release.sbom.as_bytes(release.sbom.bill_of_materials(wheel, packages, hashes))

    return make


@pytest.mark.train
def test_the_bill_of_materials_has_the_same_bytes_twice_and_others_for_another_wheel(bill):
    first, other = bill(b"one"), bill(b"two")
    assert bill(b"one") == first
    assert json.loads(first)["serialNumber"] != json.loads(other)["serialNumber"]


@pytest.mark.train
def test_every_package_of_the_bill_is_pinned_by_hash_and_every_reference_leads_to_one(bill):
    document = json.loads(bill(b""))
    packages = document["components"]
    assert [each["name"] for each in packages if not each["properties"]] == []
    names = {each["bom-ref"] for each in packages} | {document["metadata"]["component"]["bom-ref"]}
    needs = {each["ref"]: set(each["dependsOn"]) for each in document["dependencies"]}
    assert needs.keys() == names
    assert set().union(*needs.values()) <= names


@pytest.mark.train
def test_the_bill_says_what_the_light_install_needs(bill):
    scopes = {each["name"]: each["scope"] for each in json.loads(bill(b""))["components"]}
    assert (scopes["numpy"], scopes["onnxruntime"]) == ("required", "required")
    assert (scopes["torch"], scopes["ray"]) == ("optional", "optional")


def test_builds_that_differ_end_the_process(release, capsys):
    release.build_twice.check_equal({"a.whl": "1"}, {"a.whl": "1"})
    with pytest.raises(SystemExit, match="builds differ"):
        release.build_twice.check_equal({"a.whl": "1"}, {"a.whl": "2"})
    assert capsys.readouterr().out.count("a.whl") == 2


def test_a_lower_bound_that_no_test_reaches_is_an_error(release):
    pins = {
        release.lowest.canonicalize_name(each.name): bound.version
        for each in release.dependencies.product_requirements()
        for bound in each.specifier
        if bound.operator == ">="
    }
    release.lowest.check_bounds({**pins, "pillow": f"{pins['pillow']}.0"})  # 11.0 is 11.0.0
    with pytest.raises(SystemExit, match=r"pillow>=[\d.]+: the lowest version in this test is 99"):
        release.lowest.check_bounds({**pins, "pillow": "99"})


def test_every_extra_has_an_operation_that_is_tried(release):
    assert release.operations.OF_EXTRA.keys() == PROJECT["optional-dependencies"].keys()
    assert all(release.operations.OF_EXTRA.values())


def test_the_modules_of_extras_are_those_that_the_light_install_must_not_import(release):
    found = release.check_wheel.modules_of_extras()
    assert {"torch", "ray", "pyarrow", "cv2", "skimage", "mlflow"} <= found
    assert not {"numpy", "PIL", "pillow", "onnxruntime"} & found


def test_the_oldest_python_of_the_scripts_is_that_of_the_project(release):
    oldest = ".".join(map(str, release.environments.OLDEST))
    assert PROJECT["requires-python"] == f">={oldest}"
    assert f"Programming Language :: Python :: {oldest}" in PROJECT["classifiers"]


def test_the_version_to_cite_is_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"] == onebox.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["cff-version"] == "1.2.0"
