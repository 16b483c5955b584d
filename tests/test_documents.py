"""The documents are true: programs run, commands parse, settings and links exist."""

import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
import typer
from PIL import Image
from pydantic import BaseModel
from typer.testing import CliRunner

import onebox
from onebox import calibration, errors, synthetic
from onebox.audit.csv_list import COLUMNS, SUGGESTED
from onebox.audit.records import Audit, Finding
from onebox.classic.haar import Annotation
from onebox.cli import annotate, audit_results
from onebox.cli.app import app
from onebox.cli.tune import as_facts
from onebox.confidence import conformal, familiarity, selection
from onebox.confidence.guarantees import LEAST_IMAGES_OF_LABEL
from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.distributed.tuning import records as tuning
from onebox.distributed.tuning.full_training import Trained
from onebox.distributed.tuning.job import Tuned
from onebox.distributed.tuning.space import default_text
from onebox.evaluation import summarize
from onebox.metrics import compare
from onebox.prediction import writers
from onebox.prediction.writers import coco_results
from onebox.recipes.loading import read_recipe, recipe_names
from onebox.recipes.recipe import Recipe
from onebox.structures import KeypointSet, Prediction, Sample

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks/README.md"])
needs_a_trained_model = pytest.mark.train


def commands_of(group, before=()):
    """All commands by name; a command of a group is named after the group: ``annotate haar``."""
    found = {}
    for name, command in group.commands.items():
        words = (*before, name)
        is_group = hasattr(command, "commands")
        found |= commands_of(command, words) if is_group else {" ".join(words): command}
    return found


COMMANDS = commands_of(typer.main.get_command(app))


def text_of(page):
    return (ROOT / page).read_text("utf-8")


def blocks(text, language, mark=""):
    """Contents of fenced blocks; with a mark, only of those below a comment with that mark."""
    before = rf"<!-- {mark} -->\n+" if mark else ""
    return re.findall(rf"{before}```{language}\n(.*?)```", text, flags=re.DOTALL)


def without_blocks(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def section(text, title):
    """The text under a second-level heading, up to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"there is no section {title}"
    return found[1]


def first_cells(text):
    """Names in backticks in the first column of tables."""
    return re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)


RUNNABLE = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page.read_text("utf-8"), "python", "run"))
]


@pytest.fixture(scope="module")
def example_folder(model_file, tmp_path_factory):
    """A folder with labels.csv, its images, cat.jpg and model.onnx."""
    folder = tmp_path_factory.mktemp("example")
    discs = synthetic.dataset("synth:blobs", size=96, counts={"train": 4, "val": 2, "test": 2})
    saved = synthetic.save(discs, folder / "saved", 8)
    onebox.write(onebox.Dataset(saved, discs.classes), folder / "labels.csv", "csv")
    shutil.copy(model_file, folder / "model.onnx")
    # Larger than the model needs: the box of a shrunk image must be scaled back.
    with Image.open(saved[0].image) as image:
        image.resize((200, 150)).save(folder / "cat.jpg", "PNG")
    return folder


@pytest.fixture
def finished_training(trained_run, monkeypatch):
    """Make ``onebox.train`` check its arguments and return a run that is already trained."""
    signature = inspect.signature(onebox.train)

    def train(*given, **named):
        signature.bind(*given, **named)
        return trained_run

    monkeypatch.setattr(onebox, "train", train, raising=False)


@needs_a_trained_model
@pytest.mark.usefixtures("finished_training")
@pytest.mark.parametrize("program", RUNNABLE)
def test_programs_in_the_documents_run(program, example_folder, monkeypatch):
    monkeypatch.chdir(example_folder)
    exec(program, {"__name__": "document"})  # noqa: S102 - our own documents


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_pages_with_programs_have_some_that_run(page):
    assert blocks(text_of(page), "python", "run")


LABEL_FILES = [
    pytest.param(name, content, id=f"{name}-{number}")
    for number, (name, content) in enumerate(
        re.findall(r"<!-- data: (\S+) -->\n+```\w*\n(.*?)```", text_of("docs/data.md"), re.DOTALL)
    )
]


def test_the_page_on_data_has_a_label_file_of_each_format():
    suffixes = {Path(parameters.values[0]).suffix for parameters in LABEL_FILES}
    assert suffixes == {".csv", ".xml", ".json", ".jsonl", ".yaml"}


@pytest.mark.parametrize(("name", "content"), LABEL_FILES)
def test_label_files_in_the_documents_are_read(name, content, tmp_path):
    for folder in ("images", "images/train", "images/val", "labels/train"):
        (tmp_path / folder).mkdir(exist_ok=True, parents=True)
    images = {"a": (120, 240), "b": (64, 80), "c": (120, 240)}
    for folder, names in {"images": "abc", "images/train": "a", "images/val": "b"}.items():
        for stem in names if name == "data.yaml" or folder == "images" else ():
            Image.new("RGB", images[stem]).save(tmp_path / folder / f"{stem}.jpg")
    (row,) = blocks(text_of("docs/data.md"), "", "row")
    (tmp_path / "labels/train/a.txt").write_text(row)
    (tmp_path / name).write_text(content)
    data = onebox.read(tmp_path / name)
    found = {sample.image.stem: sample for sample in data}
    assert found["a"].box == pytest.approx((10, 20, 110, 220), abs=0.001)
    assert ("c" in found) == ("c.jpg" in content)
    assert "c" not in found or found["c"].box is None


def command_in(line):
    """The command that a line begins with; empty if there is none."""
    return next((name for name in COMMANDS if f"{line} ".startswith(f"{name} ")), "")


COMMAND_LINES = [
    pytest.param(line, id=f"{page.relative_to(ROOT)}: {line}")
    for page in PAGES
    for block in blocks(page.read_text("utf-8"), "bash")
    for line in block.splitlines()
    if line.startswith("onebox ")
]


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_lines_in_the_documents_parse(line):
    _, *words = shlex.split(line, comments=True)
    name = command_in(" ".join(words))
    rest = words[len(name.split()) :]
    COMMANDS[name].make_context(name, rest)  # raises click's UsageError if a word is wrong


def test_the_documents_have_command_lines_of_most_commands():
    shown = {
        command_in(parameters.values[0].removeprefix("onebox ")) for parameters in COMMAND_LINES
    }
    assert shown >= {"train", "predict", "evaluate", "export", "synth", "annotate haar"}


def synopsis(text):
    """Each command of a block of command lines, with its options."""
    found = {}
    for line in re.split(r"onebox (?=[a-z])", text)[1:]:
        name = command_in(" ".join(line.split()))
        found.setdefault(name, set()).update(re.findall(r"--[a-z-]+", line))
    return found


def full_synopsis():
    (text,) = blocks(text_of("docs/command-line.md"), "text")
    return synopsis(text)


def options_of(name):
    options = [p.opts[0] for p in COMMANDS[name].params if p.param_type_name == "option"]
    return set(options)


def test_the_synopsis_has_every_command():
    assert full_synopsis().keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_synopsis_has_every_option_and_no_other(name):
    assert full_synopsis()[name] == options_of(name)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_explained_and_none_that_does_not_exist(name):
    explained = first_cells(section(text_of("docs/command-line.md"), name))
    assert sorted(explained) == sorted(options_of(name))


def test_the_readme_has_every_command_and_no_option_that_does_not_exist():
    (text,) = blocks(section(text_of("README.md"), "Command line"), "")
    promised = synopsis(text)
    assert promised.keys() == COMMANDS.keys()
    assert {name: options - options_of(name) for name, options in promised.items()} == {
        name: set() for name in COMMANDS
    }


def same_shape(shown, real):
    """Whether two JSON values have the same keys at every level, and lists empty together."""
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(same_shape(shown[k], real[k]) for k in shown)
    if isinstance(shown, list) and isinstance(real, list):
        return bool(shown) == bool(real) and all(same_shape(shown[0], each) for each in real)
    return not isinstance(shown, dict | list) and not isinstance(real, dict | list)


def schema(name):
    (text,) = blocks(text_of("docs/command-line.md"), "json", f"schema: {name}")
    return json.loads(text)


@pytest.fixture
def output_of(example_folder, monkeypatch):
    """Standard output of a command that succeeds, run in the example folder."""
    monkeypatch.chdir(example_folder)

    def run(*words):
        outcome = CliRunner().invoke(app, words)
        assert outcome.exit_code == 0, outcome.output
        return outcome.stdout

    return run


@needs_a_trained_model
@pytest.mark.usefixtures("finished_training")
def test_train_prints_the_keys_that_are_documented(output_of):
    printed = json.loads(output_of("demo", "--json"))  # prints what train prints
    shown = schema("train")
    assert printed.keys() == shown.keys()
    assert printed["metrics"].keys() == shown["metrics"].keys()


TOO_FEW = "is_familiar"
"""What the tests' model does not say: 12 images calibrated it, and a verdict takes 19."""


@needs_a_trained_model
def test_a_line_of_predict_has_the_keys_that_are_documented(output_of):
    line = json.loads(output_of("predict", "model.onnx", "cat.jpg", "--json"))
    shown = schema("predict")
    assert list(line) == [name for name in shown if name != TOO_FEW]
    assert line["probabilities"].keys() == {"disc"}
    assert len(line["box"]) == len(shown["box"])


def test_a_line_of_a_frame_has_the_keys_that_are_documented():
    answer = Prediction("cat", 0.5, (1.0, 2.0, 3.0, 4.0), (0.5, 0.5))
    row = writers.Row("clip.mp4", answer, frame=10, time_s=0.4)
    line = json.loads(writers.as_json_line(row, writers.Layout(("cat", "dog"))))
    assert list(line) == list(schema("frame"))


KEYPOINTS = KeypointSet(("head", "left_hip"))
POSED = Prediction("person", 0.5, (1.0, 2.0, 3.0, 4.0), (1.0,), ((1.0, 2.0, 0.5),) * 2)


def test_keypoints_in_results_have_the_shape_that_is_documented():
    layout, row = writers.Layout(("person",), KEYPOINTS), writers.Row("a.jpg", POSED)
    line = json.loads(writers.as_json_line(row, layout))
    assert same_shape(schema("keypoints"), line)
    assert all(len(point) == 3 for point in schema("keypoints")["keypoints"].values())
    listed = [*coco_results.entries([writers.KINDS["coco"].record(row, layout)])]
    assert same_shape(schema("coco keypoints"), listed)
    assert len(schema("coco keypoints")[0]["keypoints"]) == len(listed[0]["keypoints"])
    header = ",".join(writers.KINDS["csv"].columns(layout))
    shown = re.search(r"named as `(head_x[^`]*)`", text_of("docs/command-line.md"))
    assert shown[1] in header


def test_the_metrics_of_keypoints_have_the_keys_that_are_documented():
    marked = ((1.0, 2.0, 2), (1.0, 2.0, 2))
    sample = Sample(Path("a.jpg"), "person", POSED.box, keypoints=marked)
    outcome = compare(sample, POSED, size_wh=(8, 8), mean_box=None, keypoints=KEYPOINTS)
    report = summarize([outcome], ("person",), keypoints=KEYPOINTS).as_json()
    per_keypoint = schema("per keypoint")["per_keypoint"]["head"]
    assert report["per_keypoint"]["head"].keys() == per_keypoint.keys()
    defined = first_cells(section(text_of("docs/evaluation.md"), "Keypoints"))
    assert defined == [name for name in report if name not in schema("evaluate")]


def test_presence_in_results_and_metrics_has_the_keys_that_are_documented():
    answer = Prediction("cat", 0.5, (1.0, 2.0, 3.0, 4.0), (1.0,), present=0.5)
    layout = writers.Layout(("cat",), has_presence=True)
    line = json.loads(writers.as_json_line(writers.Row("a.jpg", answer), layout))
    assert list(line) == list(schema("presence"))
    outcome = compare(Sample(Path("a.jpg")), answer, size_wh=(8, 8), mean_box=None)
    report = summarize([outcome], ("cat",)).as_json()
    defined = first_cells(section(text_of("docs/evaluation.md"), "Presence"))
    assert defined == [name for name in report if name not in schema("evaluate")]
    assert defined == list(schema("presence metrics"))


def test_promises_in_results_have_the_keys_that_are_documented():
    answer = Prediction(
        *("cat", 0.5, (1.0, 2.0, 3.0, 4.0), (1.0,)),
        outer_box=(0.0, 1.0, 4.0, 5.0),
        inner_box=(1.5, 2.5, 2.5, 3.5),
        accepted=True,
    )
    asked = writers.Certainty(coverage=0.9, max_risk=0.05)
    layout = writers.Layout(("cat",), certainty=asked)
    line = json.loads(writers.as_json_line(writers.Row("a.jpg", answer), layout))
    promises = schema("promises")
    assert list(line)[-len(promises) :] == list(promises)
    assert same_shape(promises, {name: line[name] for name in promises})


def test_the_columns_of_certainty_are_documented_in_their_order():
    every = writers.Certainty(True, True, True, 0.9, 0.05)
    columns = writers.KINDS["csv"].columns(writers.Layout(("cat",), certainty=every))[7:]
    text = section(text_of("docs/command-line.md"), "predict")
    listed = text.partition("only if the model has it or if it was asked for: ")[2]
    words = re.findall(r"`([^`]+)`", listed.partition(". In CSV")[0])
    named = [name for word in words for name in word.split(",")]
    assert named == [name for name in columns if name in named]
    ends = {"sigma", "outer", "inner"}  # of these, the first and the last edge are named
    assert set(columns) - set(named) == {f"{end}_{e}" for end in ends for e in ("y_min", "x_max")}


def test_calibrate_prints_the_keys_that_are_documented():
    numbers = calibration.job._numbers(
        Calibration(9, 1.0, IouModel(-1.0, 1.0, 0.5), SideScores((1.0,) * 9, (1.0,) * 9))
    )
    summary = calibration.Summary(9, "", (), before=numbers, after=numbers)
    shown = schema("calibrate")
    assert shown.pop("model") == "model.onnx"
    assert same_shape(shown, json.loads(json.dumps(summary.as_json())))


def test_certainty_has_the_keys_that_are_documented(sure_outcomes, calibration_of):
    fitted = calibration_of(sure_outcomes(30, seed=1))
    # 60 images of which none is wrong prove a risk of 5 %
    proving = {"scores": (0.9,) * 59 + (0.1,), "is_wrong": (False,) * 60}
    outcomes = sure_outcomes(30, seed=2, calibration=fitted)
    report = summarize(outcomes, ("cat", "dog"), calibration=replace(fitted, **proving))
    found = json.loads(json.dumps(report.as_json()["certainty"]))
    assert same_shape(schema("certainty"), found)
    text = section(text_of("docs/evaluation.md"), "Certainty")
    names = {name for row in re.findall(r"^\| (`[^|]+`) \|", text, re.M) for name in words_in(row)}
    keys = {*found, *found["p_iou50"], *found["outer_boxes"][0]}
    assert names == keys


def words_in(cell):
    """The words in backticks of a cell."""
    return re.findall(r"`(\w+)`", cell)


def rows_of(page, mark):
    """The cells of the table below a mark, without its head."""
    table = text_of(page).partition(f"<!-- table: {mark} -->\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def test_the_intervals_in_the_documents_are_those_of_the_beta_law():
    for images, interval in rows_of("docs/trust.md", "intervals"):
        low, high = conformal.coverage_interval(int(images), 0.9)
        assert interval == f"{100 * low:.0f} to {100 * high:.0f} %"


def test_the_numbers_of_calibration_images_in_the_documents_are_those_that_it_takes():
    rows = dict(rows_of("docs/trust.md", "least images"))
    own = rows.pop("boxes of its own for a label")
    assert own.startswith(f"{LEAST_IMAGES_OF_LABEL} ")
    assert int(rows.pop("a calibrated model")) == calibration.LEAST_IMAGES
    assert int(rows.pop("`is_familiar`")) == familiarity.LEAST_IMAGES
    for name, images in rows.items():
        kind, number = name.partition(",")[0].split()
        least = {"coverage": conformal.least_images, "risk": partial(selection.images_for, 0)}
        assert int(images) == least[kind](float(number))
    more = [selection.images_for(errors, 0.05) for errors in (1, 2)]
    assert f"{more[0]} with one wrong, {more[1]} with two" in text_of("docs/trust.md")


def test_audit_prints_the_keys_that_are_documented(capsys):
    box = (1.0, 2.0, 3.0, 4.0)
    found = Finding(
        0, "boxes", 1, 9.1, 0.1, 0.1, True, "box", "", "1, 2, 3, 4", "1, 2, 3, 4", "", box
    )  # fmt: skip
    data = onebox.Dataset((Sample(Path("a.jpg"), "cat", box),), ("cat",))
    files = {"list": Path("audit.csv"), "page": Path("audit.html")}
    audit_results.print_audit(Audit([found], [], [], 0.1), data, files, changed=None, as_json=True)
    printed, shown = json.loads(capsys.readouterr().out), schema("audit")
    assert {**printed, "findings": []}.keys() == shown.keys()
    assert printed["listed"].keys() == shown["listed"].keys()
    assert printed["findings"][0].keys() == shown["findings"][0].keys()


def test_the_columns_of_the_audit_are_documented():
    text = section(text_of("docs/audit.md"), "The lists")
    assert all(f"`{name}`" in text for name in COLUMNS if name not in SUGGESTED[1:3])


def test_tune_prints_the_keys_that_are_documented():
    ended = tuning.Outcome(0, "ended", (tuning.Point(100, 0.5, 1.0),))
    question = tuning.Question({}, {}, None, 0, ({},), {})
    found = tuning.Found(question, {}, (ended,))
    trained = Trained(Path("run/model.onnx"), {"val": {}, "test": {}})
    printed = as_facts(Tuned(found, tuning.TuneFiles(Path("runs/tune-cats-1")), trained))
    shown = schema("tune")
    assert list(printed) == list(shown)
    assert all(
        printed[name].keys() == shown[name].keys() for name in ("trials", "unchanged", "best")
    )


def test_the_default_space_is_documented():
    documented = first_cells(section(text_of("docs/tuning.md"), "The default space"))
    assert documented == list(tomllib.loads(default_text()))


def test_annotate_prints_the_keys_that_are_documented(capsys):
    found = Annotation((), "face", without=(Path("c.jpg"),))
    annotate._print_written(Path("faces.csv"), found, as_json=True)
    assert same_shape(schema("annotate"), json.loads(capsys.readouterr().out))


@needs_a_trained_model
def test_coco_results_have_the_keys_that_are_documented(output_of):
    output_of("predict", "model.onnx", "cat.jpg", "--coco", "found.json")
    (shown,) = schema("coco")
    assert shown.pop(TOO_FEW)
    assert same_shape([shown], json.loads(Path("found.json").read_text("utf-8")))


@pytest.fixture
def evaluated(output_of):
    """What ``evaluate --json`` prints."""
    return json.loads(output_of("evaluate", "model.onnx", "labels.csv", "--json"))


@needs_a_trained_model
def test_the_metrics_of_evaluate_have_the_keys_that_are_documented(evaluated):
    shown = schema("evaluate")
    assert set(shown["per_class"]["cat"]) <= set(evaluated["per_class"]["disc"])
    apart = {"per_class": {}, "certainty": {}}
    assert same_shape({**shown, **apart}, {**evaluated, **apart})
    assert evaluated["certainty"].keys() == schema("certainty").keys()


@needs_a_trained_model
def test_every_metric_is_defined(evaluated):
    defined = first_cells(section(text_of("docs/evaluation.md"), "Metrics"))
    assert defined == list(evaluated["per_class"]["disc"])


@needs_a_trained_model
def test_the_metadata_keys_are_documented(output_of):
    documented = first_cells(section(text_of("docs/artifact.md"), "Metadata"))
    assert documented == ["schema_version", *json.loads(output_of("info", "model.onnx", "--json"))]


def sections_of(model, before=()):
    """Each section of settings by its dotted name, with its class."""
    found = {}
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):  # ``Settings | None`` too
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                words = (*before, name)
                found |= {".".join(words): kind, **sections_of(kind, words)}
    return found


SECTIONS = sections_of(Recipe)


def documented_settings(text):
    """Each setting in the tables of a text, with its default as TOML or ``none``."""
    rows = re.findall(r"^\| `(\w+)` \| (none|`[^|]*`) \|", text, flags=re.MULTILINE)
    return {name: default.strip("`") for name, default in rows}


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_setting_is_documented_with_its_default(name):
    documented = documented_settings(section(text_of("docs/settings.md"), f"[{name}]"))
    defaults = SECTIONS[name]().model_dump(mode="json")
    read = {
        setting: None if toml == "none" else tomllib.loads(f"value = {toml}")["value"]
        for setting, toml in documented.items()
    }
    assert read == defaults


def test_every_section_and_recipe_is_documented():
    text = text_of("docs/settings.md")
    headings = re.findall(r"^## \[([\w.]+)\]$", text, flags=re.MULTILINE)
    assert headings == list(SECTIONS)
    top = text.partition("\n## ")[0]
    assert set(recipe_names()) <= set(first_cells(text_of("docs/recipes.md")))
    assert set(Recipe.model_fields) - set(SECTIONS) <= set(documented_settings(top))


def test_the_settings_that_the_default_recipe_changes_are_documented():
    top = text_of("docs/settings.md").partition("\n## ")[0]
    documented = re.findall(r"`(\w+)\.(\w+) = ([^`]+)`", top)
    recipe, defaults = read_recipe("default").model_dump(), Recipe().model_dump()
    changed = {
        (section, name, str(value))
        for section in ("data", "model", "loss", "train", "augment")
        for name, value in recipe[section].items()
        if value != defaults[section][name]
    }
    assert set(documented) == changed


def test_the_exit_codes_are_documented():
    documented = re.findall(r"^\| (\d+) \| (\w+)", text_of("docs/command-line.md"), re.MULTILINE)
    codes = {name: int(code) for code, name in documented}
    assert codes["failed"] == errors.OneboxError.exit_code
    assert codes["wrong"] == errors.SettingError.exit_code
    assert codes["data"] == errors.DataError.exit_code
    assert codes["model"] == errors.ModelError.exit_code
    assert codes["stopped"] == errors.StoppedError.exit_code


def slug(heading):
    kept = re.sub(r"[^\w\s-]", "", heading.strip().lower())
    return re.sub(r"[\s-]+", "-", kept)


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", without_blocks(page.read_text("utf-8")), re.MULTILINE)
    return {slug(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_resolve(page):
    text = without_blocks(page.read_text("utf-8"))
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    for target in targets:
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"\S+\.md", text_of("mkdocs.yml")))
    assert listed == {
        path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")
    }


def test_the_readme_fits_two_screens():
    assert len(text_of("README.md").splitlines()) <= 110


def test_contributing_fits_one_screen():
    assert len(text_of("CONTRIBUTING.md").splitlines()) <= 60


def test_every_module_is_in_the_plan():
    plan = section(text_of("docs/architecture.md"), "Rooms")
    modules = {
        path.name for path in ROOT.glob("src/onebox/**/*.py") if not path.name.startswith("__")
    }
    assert modules - set(re.findall(r"\w+\.py", plan)) == set()


def test_every_module_in_the_plan_exists():
    plan = section(text_of("docs/architecture.md"), "Rooms")
    modules = {path.name for path in ROOT.glob("src/onebox/**/*.py")}
    assert set(re.findall(r"\w+\.py", plan)) - modules == set()


def test_the_plan_has_the_layers_that_are_checked():
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["name"] == "Imports run down")
    shown = blocks(section(text_of("docs/architecture.md"), "Imports run down"), "")
    assert shown[0].split("\n")[:-1] == layers


def test_the_readme_of_the_benchmarks_names_every_script():
    text = text_of("benchmarks/README.md")
    scripts = {path.name for path in ROOT.glob("benchmarks/*.py") if "__main__" in text_of(path)}
    assert {"accuracy.py", "training.py"} <= scripts
    assert {name for name in scripts if f"`{name}`" not in text} == set()


FETCHING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class Fetched(HTMLParser):
    """The URLs that a browser fetches to show a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        address = dict(attributes).get(FETCHING.get(tag, ""))
        if address and "canonical" not in (dict(attributes).get("rel") or ""):
            self.found.append(address)


@pytest.mark.train
def test_the_site_builds_and_fetches_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path]
    built = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(ROOT.glob("docs/*.md")))
    fetched = {url for page in pages for url in Fetched(page.read_text("utf-8")).found}
    assert {url for url in fetched if url.startswith(("http:", "https:", "//"))} == set()
    sheets = "".join(sheet.read_text("utf-8") for sheet in tmp_path.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//", sheets) == []
