"""The programs of docs/deploy.md, run as they stand there, predict as ``predict`` does."""

import ast
import contextlib
import dataclasses
import functools
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image, ImageFilter

import onebox
from onebox.calibration.onnx_nodes import add_calibration, remove_calibration
from onebox.confidence.records import Calibration, IouModel, NoveltyModel, SideScores
from onebox.model_card import METADATA_KEY, SCHEMA_VERSION, ModelCard
from onebox.outputs import OUTPUT_TABLE

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/deploy.md").read_text("utf-8")
WEB_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 300
EDGES_PX = 0.5

pytestmark = pytest.mark.train


def block(name, language):
    """The fenced block under a comment that names it."""
    found = re.search(rf"<!-- deploy: {name} -->\n+```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"docs/deploy.md has no block {name}"
    return found[1]


# --- models and images -----------------------------------------------------------------------


def with_presence(model, fraction):
    """Give a graph a second class and a presence, both of the numbers that it has already.

    Class 0 has a quarter of the probability and class 1 the rest. The presence is a fraction of the
    square root of the score: it differs between the passes and does not cancel out of the score.
    """
    graph = model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["only" if name == "probability" else name for name in names]
    constants = {"quarter": 0.25, "rest": 0.75, "fraction": fraction}
    for name, value in constants.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.float32(value), name))
    make = onnx.helper.make_node
    graph.node.extend(
        [
            make("Mul", ["only", "quarter"], ["first"]),
            make("Mul", ["only", "rest"], ["second"]),
            make("Concat", ["first", "second"], ["probability"], axis=1),
            make("Sqrt", ["score"], ["root"]),
            make("Mul", ["root", "fraction"], ["presence"]),
        ]
    )
    outputs = {output.name: output for output in graph.output}
    for name, shape in {"probability": ["n", 2], "presence": ["n"]}.items():
        kind = onnx.TensorProto.FLOAT
        outputs[name] = onnx.helper.make_tensor_value_info(name, kind, shape)
    del graph.output[:]
    # In the order of an exported file.
    graph.output.extend(outputs[output.name] for output in OUTPUT_TABLE if output.name in outputs)


PLAIN = Calibration(
    images=9,
    temperature=0.7,
    iou=IouModel(-1.0, 0.9, 0.5),
    sides=SideScores((), ()),
    novelty=NoveltyModel((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    novelties=(0.0,) * 9,
)
REFINED = dataclasses.replace(PLAIN, temperature=2.5, iou=IouModel(0.5, 0.9, 0.5))


@pytest.fixture
def with_refinement(model_file, tmp_path):
    """Make ``model.onnx`` with two classes, a presence and a refinement pass; calibrated or not."""

    def make(fraction, *, is_calibrated=True):
        path, known = tmp_path / "model.onnx", onebox.load(model_file).card
        model = onnx.load(model_file)
        remove_calibration(model)
        with_presence(model, fraction)
        card = ModelCard(
            ("ring", "disc"),
            known.size,
            presence=True,
            refine_margin=1.4,
            sigma=True,
            distance=True,
        )
        if is_calibrated:
            card = dataclasses.replace(card, calibration=PLAIN, refined_calibration=REFINED)
            add_calibration(model, PLAIN, REFINED)
        onnx.helper.set_model_props(model, {METADATA_KEY: card.as_json()})
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def without_refinement(model_file, tmp_path):
    """``model.onnx`` as it was trained: one class, one pass, calibrated."""
    return shutil.copy(model_file, tmp_path / "model.onnx")


def disc(size_wh, box):
    """A white disc on black, softened as a photograph is, from a box of whole pixels."""
    left, top, right, bottom = box
    rows, columns = np.ogrid[: size_wh[1], : size_wh[0]]
    across = (columns + 0.5 - (left + right) / 2) / ((right - left) / 2)
    down = (rows + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)
    image = Image.fromarray(np.uint8(255 * (across**2 + down**2 <= 1))).convert("RGB")
    return image.filter(ImageFilter.GaussianBlur(1))


SMALL = disc((96, 70), (50, 20, 80, 50))
LARGE = disc((424, 304), (200, 60, 300, 160))  # neither side a whole number of blocks
FILLED = disc((200, 200), (20, 40, 150, 180))  # 1.4 times its sides: 0.9 of the image's area

IMAGES = {
    "small": (SMALL, "cat.jpg"),
    "large": (LARGE, "cat.jpg"),
    "large without loss": (LARGE, "cat.png"),
}


def save(image, path, *, turned=False):
    """Written by its suffix; turned, on its side, for a viewer to turn back."""
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
        image = image.transpose(Image.Transpose.ROTATE_90)
    image.save(path, quality=95, exif=exif)


def parse_line(printed):
    """Label, score and box of ``label score x_min y_min x_max y_max``."""
    label, *numbers = re.sub(r"[\[\]]", " ", printed).split()
    score, *box = map(float, numbers)
    return label, score, box


def check_same(printed, prediction):
    """Check that a program printed what ``predict`` gives."""
    label, score, box = parse_line(printed)
    assert label == prediction.label
    assert score == pytest.approx(prediction.score, abs=0.005)
    assert box == pytest.approx(prediction.box, abs=EDGES_PX)


# --- Python ------------------------------------------------------------------------------------


def statements(program):
    return [line for line in program.splitlines() if line]


def whole_program():
    """The program with the refinement where the page says: in place of the third last line."""
    *first, _, box_line, last = statements(block("python", "python"))
    return "\n".join([*first, block("python, refinement", "python"), box_line, last])


def run_program(program, folder):
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(program):
    """The packages that a program names."""
    modules = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
    return modules


def test_the_program_has_ten_lines_and_needs_nothing_of_ours():
    program = block("python", "python")
    lines = [line for line in statements(program) if not re.match("import|from", line)]
    assert len(lines) == 10
    assert imported(whole_program()) == {"json", "numpy", "onnxruntime", "PIL"}


def on_image(program, name):
    """A program of the document on another image, changed as the document says."""
    if not name.endswith(".jpg"):
        program = re.sub(r"^step = .*$", "step = 1", program, flags=re.MULTILINE)
    return program.replace("cat.jpg", name)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", sorted(IMAGES))
def test_ten_lines_predict_as_predict_does(kind, turned, without_refinement, tmp_path):
    image, name = IMAGES[kind]
    save(image, tmp_path / name, turned=turned)
    printed = run_program(on_image(block("python", "python"), name), tmp_path)
    check_same(printed, onebox.load(without_refinement).predict(tmp_path / name))


@pytest.mark.parametrize(
    ("image", "fraction", "is_calibrated", "is_refined"),
    [
        pytest.param(LARGE, 0.9, True, True, id="a subject with room around it"),
        pytest.param(LARGE, 0.9, False, True, id="the same, not calibrated"),
        pytest.param(FILLED, 0.9, True, False, id="a subject that nearly fills the frame"),
        pytest.param(LARGE, 0.3, True, False, id="no subject"),
    ],
)
def test_the_refined_box_is_that_of_predict(
    image, fraction, is_calibrated, is_refined, with_refinement, tmp_path
):
    save(image, tmp_path / "cat.png")
    file = with_refinement(fraction, is_calibrated=is_calibrated)
    prediction = onebox.load(file).predict(tmp_path / "cat.png")
    check_same(run_program(on_image(whole_program(), "cat.png"), tmp_path), prediction)
    assert prediction.label == "disc"
    # Otherwise the test could not tell a refined box from a first one.
    once = run_program(on_image(block("python", "python"), "cat.png"), tmp_path)
    _, _, box = parse_line(once)
    assert (box != pytest.approx(prediction.box, abs=EDGES_PX)) is is_refined


# --- a page ------------------------------------------------------------------------------------


class Site(SimpleHTTPRequestHandler):
    """A folder as a site, and a queue that takes what its page posts."""

    def __init__(self, *given, told, **named):
        self.told = told
        super().__init__(*given, **named)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.told.put(self.rfile.read(length).decode("utf-8"))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *given):
        """Print nothing."""


@contextlib.contextmanager
def served(folder):
    """The address of a folder, and the queue of what its page posts."""
    told = queue.Queue()
    site = functools.partial(Site, directory=folder, told=told)
    with ThreadingHTTPServer(("127.0.0.1", 0), site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def browsing(browser, address, profile):
    """A browser without a window that reaches no other machine."""
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-component-update", "--disable-background-networking"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    command += [f"--user-data-dir={profile}", address]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            yield process
        finally:
            process.terminate()


def first_told(told, process):
    """The first line that the page posts."""
    for _ in range(PATIENCE_S):
        with contextlib.suppress(queue.Empty):
            return told.get(timeout=1)
        assert process.poll() is None, "the browser ended by itself"
    return pytest.fail(f"the page printed nothing in {PATIENCE_S} s")


@pytest.fixture
def browser():
    """The program of a Chromium."""
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    return found[0] if found else pytest.skip(f"needs one of {', '.join(BROWSERS)}")


@pytest.fixture
def web_runtime():
    """The folder of onnxruntime-web's files."""
    modules = Path(os.environ.get("ONEBOX_NODE_MODULES", ROOT / "node_modules"))
    folder = modules / "onnxruntime-web/dist"
    if missing := [name for name in WEB_FILES if not (folder / name).is_file()]:
        pytest.skip(f"{folder} lacks {', '.join(missing)}: npm install onnxruntime-web")
    return folder


@pytest.fixture
def answer_of_page(browser, web_runtime, tmp_path):
    """Show the page of the document on an image beside it, and return what it posts."""

    def show(name):
        report = (ROOT / "tests/deploy/report.js").read_text("utf-8")
        page = f"{block('page', 'html')}<script>{report}</script>\n".replace("cat.jpg", name)
        (tmp_path / "index.html").write_text(page, "utf-8")
        for file in WEB_FILES:
            (tmp_path / file).symlink_to(web_runtime / file)
        with (
            served(tmp_path) as (address, told),
            browsing(browser, address, tmp_path / "profile") as process,
        ):
            return first_told(told, process)

    return show


def test_the_page_predicts_as_predict_does(without_refinement, tmp_path, answer_of_page):
    save(LARGE, tmp_path / "cat.jpg", turned=True)  # 304 // 64: the decoder shrinks it to a quarter
    prediction = onebox.load(without_refinement).predict(tmp_path / "cat.jpg")
    check_same(answer_of_page("cat.jpg"), prediction)


def test_the_page_refines_as_predict_does(with_refinement, tmp_path, answer_of_page):
    transparent = LARGE.copy()
    transparent.putalpha(200)  # laid over white: a white disc on grey
    save(transparent, tmp_path / "cat.png")
    prediction = onebox.load(with_refinement(0.9)).predict(tmp_path / "cat.png")
    check_same(answer_of_page("cat.png"), prediction)


# --- what else the document says ---------------------------------------------------------------


def test_the_table_names_what_the_file_takes_and_gives(with_refinement):
    session = onnxruntime.InferenceSession(with_refinement(0.9))
    rows = re.findall(r"^\| (in|out) \| `(\w+)` \| (\w+) \| \(([^)]*)\)", PAGE, re.MULTILINE)
    documented = {name: (way, kind, shape.count(",") + 1) for way, name, kind, shape in rows}
    kinds = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
    sides = {"in": session.get_inputs(), "out": session.get_outputs()}
    found = {
        each.name: (way, kinds[each.type], len(each.shape))
        for way, side in sides.items()
        for each in side
    }
    for name in ("keypoints", "raw_keypoints", "refined_keypoints"):  # this model has none
        assert documented.pop(name) == ("out", "float32", 3)
    assert list(documented.items()) == list(found.items())


def test_the_version_of_the_metadata_is_the_one_that_is_documented(without_refinement):
    metadata = onnxruntime.InferenceSession(without_refinement).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["onebox"])["schema_version"] == SCHEMA_VERSION
    assert f"`schema_version` in the metadata is {SCHEMA_VERSION}." in PAGE
