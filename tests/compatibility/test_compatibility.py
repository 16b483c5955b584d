"""Today's onebox reads what earlier versions wrote, and predicts and prints the same.

`make_files.py` made the folder of each version when that version was current.
"""

import json
import re
from pathlib import Path

import pytest

import onebox
from onebox.engines.onnx_runtime import OnnxRuntimeEngine
from onebox.recipes.recipe import check_recipe

PLACE = Path(__file__).parent
VERSIONS = sorted(
    path.name for path in PLACE.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+", path.name)
)
DOCUMENT = PLACE.parents[1] / "docs/command-line.md"
PREDICTIONS = {
    "predict": ["predict", "model.onnx", "image.png", "--json", "--coverage", "0.8"],
    "predict-hog": ["predict", "model.npz", "image.png", "--json"],
}
OTHERS = {
    "evaluate": ["evaluate", "model.onnx", "labels.csv", "--split", "all", "--json"],
    "info": ["info", "model.onnx", "--json"],
}
TOLERANCE = 1e-5
SENTENCES = "$.certainty.promises["  # text for people, which may change (docs/versioning.md)
ADDED = {"keypoints"}  # to the certainty, since the files were stored
LARGEST_BYTES = 40_000


def stored(version, name):
    return json.loads((PLACE / version / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def printed(run, monkeypatch):
    """What a command prints today in the folder of a version."""

    def run_there(version, words):
        monkeypatch.chdir(PLACE / version)
        code, out, err = run(*words)
        assert code == 0, err
        return json.loads(out.replace(f"{PLACE / version}/", ""))

    return run_there


def differences(old, new, path="$"):
    """Where a later value lacks a key of an earlier one, or has another type or number."""
    if isinstance(old, dict) and isinstance(new, dict):
        lost = [f"{path}.{key} is gone" for key in old if key not in new]
        pairs = [(old[key], new[key], f"{path}.{key}") for key in old if key in new]
    elif isinstance(old, list) and isinstance(new, list):
        lost = [] if len(old) == len(new) else [f"{path} has {len(new)} items, not {len(old)}"]
        pairs = [
            (one, two, f"{path}[{i}]") for i, (one, two) in enumerate(zip(old, new, strict=False))
        ]
    else:
        if path.startswith(SENTENCES):
            return [] if isinstance(new, str) and new else [f"{path} is {new!r}, not {old!r}"]
        is_number = type(old) in {int, float} and type(new) in {int, float}
        same = new == pytest.approx(old, rel=TOLERANCE, abs=TOLERANCE) if is_number else new == old
        return [] if same else [f"{path} is {new!r}, not {old!r}"]
    return lost + [found for pair in pairs for found in differences(*pair)]


def test_a_changed_number_a_lost_key_and_another_type_are_differences():
    old = {"box": [1.0, 2.0], "label": "disc", "present": 0.5}
    assert differences(old, {**old, "new": 1}) == []
    assert differences(old, {**old, "box": [1.0, 2.000_019]}) == []  # 2 * 1e-5 = 0.00002
    assert differences(old, {**old, "box": [1.0, 2.000_03]}) == ["$.box[1] is 2.00003, not 2.0"]
    assert differences(old, {"box": [1.0, 2.0], "label": "disc"}) == ["$.present is gone"]
    assert differences(old, {**old, "present": "0.5"}) == ["$.present is '0.5', not 0.5"]


def test_this_version_has_its_files():
    assert onebox.__version__ in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_of_stored_models_are_those_of_the_version_that_wrote_them(
    version, name, printed
):
    assert differences(stored(version, name), printed(version, PREDICTIONS[name])) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OTHERS)
def test_what_other_commands_print_of_a_stored_model_has_lost_and_changed_nothing(
    version, name, printed
):
    assert differences(stored(version, name), printed(version, OTHERS[name])) == []


def test_the_card_of_0_1_0_says_what_it_said():
    card = onebox.load(PLACE / "0.1.0/model.onnx").card
    assert (card.classes, card.size, card.refine_margin) == (("disc",), 32, None)
    assert card.sigma
    assert card.distance
    assert not card.presence
    assert card.calibration.images == 20  # make_files.py: COUNTS["cal"]
    assert card.provenance["versions"]["onebox"] == "0.1.0"
    assert [part.name for part in card.parts][:2] == ["backbone", "vectorizer"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_recipe_in_a_stored_card_can_still_be_trained_with(version):
    recipe = check_recipe(
        dict(onebox.load(PLACE / version / "model.onnx").card.recipe), place="card"
    )
    assert (recipe.model.size, recipe.train.epochs) == (32, 40)  # make_files.py: SETTINGS


def test_the_hog_windows_of_0_1_0_are_calibrated_and_keep_promises():
    localizer = onebox.load(PLACE / "0.1.0/model.npz").with_guarantees(coverage=0.8)
    answer = localizer.predict(PLACE / "0.1.0/image.png")
    outer, box = answer.outer_box, answer.box
    assert outer[0] <= box[0]
    assert outer[2] >= box[2]


def test_the_schema_in_the_file_is_the_one_that_the_document_names():
    text = OnnxRuntimeEngine(PLACE / "0.1.0/model.onnx", 1).metadata
    number = json.loads(text)["schema_version"]
    page = (DOCUMENT.parent / "versioning.md").read_text("utf-8")
    assert f"| `schema_version` | {number} | {number} |" in page


def documented(name):
    text = DOCUMENT.read_text("utf-8")
    [block] = re.findall(rf"<!-- schema: {name} -->\n+```json\n(.*?)```", text, re.DOTALL)
    return json.loads(block)


@pytest.mark.parametrize("version", VERSIONS)
def test_stored_outputs_have_the_documented_keys_but_for_later_ones_and_no_others(version):
    line = {**documented("predict"), **documented("promises")}
    for name in PREDICTIONS:
        assert set(stored(version, name)) <= set(line), name
    evaluated = stored(version, "evaluate")
    assert set(evaluated) == set(documented("evaluate"))
    assert set(evaluated["certainty"]) | ADDED == set(documented("certainty"))


@pytest.mark.parametrize("version", VERSIONS)
def test_stored_files_are_small(version):
    sizes = {path.name: path.stat().st_size for path in (PLACE / version).iterdir()}
    assert {name: size for name, size in sizes.items() if size > LARGEST_BYTES} == {}
