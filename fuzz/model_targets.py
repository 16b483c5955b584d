"""Model files of every kind, opened and run, or only checked; and the model card alone."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from mutation import Input
from onnx.helper import make_graph, make_model, make_node, make_opsetid
from onnx.helper import make_tensor_value_info as value
from target import Opening, Target, check

import onebox
from onebox.classic import model_file
from onebox.classic.filter_bank import FilterBank
from onebox.classic.hog_localizer import HogLocalizer, HogModel
from onebox.classic.npz import read_arrays
from onebox.classic.settings import HogSettings
from onebox.classic.windows import feature_count
from onebox.confidence.applying import calibrated, guaranteed
from onebox.confidence.guarantees import guarantees
from onebox.confidence.records import Calibration, IouModel, NoveltyModel, SideScores
from onebox.engines.onnx_file import check_onnx
from onebox.engines.openvino_file import check_openvino
from onebox.errors import ModelError, OneboxError
from onebox.model_card import METADATA_KEY, ModelCard, Part, read_card
from onebox.structures import KeypointSet, Prediction
from onebox.variants import openvino_ir

_IMAGE = np.full((40, 48, 3), 99, np.uint8)
_WORDS = (b"Loop", b"Expand", b"\x72\x06onebox", b"ai.onnx", b"external_data", b"location")
_CARD = ModelCard(("disc",), 32)


def network(card: ModelCard = _CARD) -> bytes:
    """An ONNX file whose score is the mean brightness and whose box is half of the image."""
    nodes = [
        make_node("Cast", ["image"], ["bright"], to=onnx.TensorProto.FLOAT),
        make_node("ReduceMean", ["bright", "axes"], ["mean"], keepdims=0),
        make_node("Div", ["mean", "white"], ["score"]),
        make_node("Unsqueeze", ["score", "columns"], ["probability"]),
        make_node("Shape", ["image"], ["shape"]),
        make_node("Gather", ["shape", "sides"], ["whole"]),
        make_node("Cast", ["whole"], ["frame"], to=onnx.TensorProto.FLOAT),
        make_node("Mul", ["frame", "half"], ["edges"]),
        make_node("Mul", ["probability", "edges"], ["box"]),
    ]
    constants = {
        "axes": np.array([1, 2, 3]),
        "white": np.float32(255),
        "columns": np.array([1]),
        "sides": np.array([2, 1, 2, 1]),
        "half": np.array([0, 0, 0.5, 0.5], np.float32),
    }
    number = onnx.TensorProto.FLOAT
    graph = make_graph(
        nodes,
        "brightness",
        [value("image", onnx.TensorProto.UINT8, ["n", "height", "width", 3])],
        [
            value("box", number, ["n", 4]),
            value("probability", number, ["n", 1]),
            value("score", number, ["n"]),
        ],
        [onnx.numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()],
    )
    model = make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=10)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.as_json()})
    return model.SerializeToString()


@contextmanager
def _open_onnx(folder: Path) -> Iterator[Target]:
    yield Target([Input("model.onnx", network())], partial(_load, folder), _WORDS)


@contextmanager
def _open_onnx_bytes(folder: Path) -> Iterator[Target]:
    def attempt(given: Input) -> None:
        with suppress(ModelError):
            check_onnx(given.content, folder / given.name)

    yield Target([Input("model.onnx", network())], attempt, _WORDS)


@contextmanager
def _open_openvino(folder: Path) -> Iterator[Target]:
    good = folder / "good.onnx"
    good.write_bytes(network())
    openvino_ir.write(good, _CARD, iter(()), folder / "model.xml")
    seeds = [Input(name, (folder / name).read_bytes()) for name in ("model.xml", "model.bin")]

    def attempt(given: Input) -> None:
        for each in seeds:
            (folder / each.name).write_bytes(each.content)
        (folder / given.name).write_bytes(given.content)
        with suppress(OneboxError):
            onebox.load(folder / "model.xml", threads=1).predict(_IMAGE)

    yield Target(seeds, attempt, (b"<!DOCTYPE", b"<body>", b'type="Loop"', b'offset="', b"&amp;"))


@contextmanager
def _open_openvino_bytes(folder: Path) -> Iterator[Target]:
    with _open_openvino(folder) as whole:
        size = len(whole.seeds[1].content)

        def attempt(given: Input) -> None:
            with suppress(ModelError):
                file = folder / given.name
                check_openvino(given.content, file).check(size, file)

        yield Target(whole.seeds[:1], attempt, whole.words)


@contextmanager
def _open_npz(folder: Path) -> Iterator[Target]:
    file = folder / "model.npz"
    model_file.save(_hog(), file)
    words = (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"'descr': '|O'", b"'shape': (4294967296,)")
    yield Target([Input(file.name, file.read_bytes())], partial(_load, folder), words)


@contextmanager
def _open_npz_bytes(_: Path) -> Iterator[Target]:
    content = io.BytesIO()
    np.savez(content, numbers=np.arange(6.0).reshape(2, 3), text=np.array("{}"))

    def attempt(given: Input) -> None:
        with suppress(ValueError):
            read_arrays(given.content)

    words = (b"PK\3\4", b"PK\1\2", b"'descr': '|O'", b"'shape': (4294967296,)", b"fortran_order")
    yield Target([Input("model.npz", content.getvalue())], attempt, words)


def _load(folder: Path, given: Input) -> None:
    file = folder / given.name
    file.write_bytes(given.content)
    found = onebox.load(file, threads=1).predict(_IMAGE)
    check(holds=len(found.box) == 4, promise="a prediction has a box")


def _hog() -> HogLocalizer:
    settings = HogSettings(window=4, scales=1, position_prior=0.0)
    random = np.random.default_rng(0)
    features = feature_count((4, 4), settings)
    bank = FilterBank(
        (4, 4),
        (0,),
        random.normal(size=(features, 1)).astype(np.float32),
        np.zeros(1, np.float32),
        np.zeros((features, 4), np.float32),
        np.zeros(4, np.float32),
    )
    return HogLocalizer(HogModel(settings, (48,), (bank,)), ModelCard(("disc",), 48, sigma=True))


@contextmanager
def _open_card(folder: Path) -> Iterator[Target]:
    plain = ModelCard(("cat", "dog"), 64, (0.1, 0.2, 0.8, 0.9), refine_margin=1.4)
    found = Calibration(
        images=20,
        temperature=1.5,
        iou=IouModel(-1.0, 1.0, 0.5),
        sides=SideScores((0.1, 0.5, 2.0) * 9, (0.0, 0.4, 1.0) * 9),
        sides_by_label={"cat": SideScores((0.5,) * 20, (0.1,) * 20)},
        scores=(0.9, 0.5),
        is_wrong=(False, True),
        spreads=(0.1, 0.2),
        novelty=NoveltyModel((0.0, 0.1, 0.2), (1.0, 2.0, 0.0)),
        novelties=(0.1, 0.9),
    )
    rich = ModelCard(
        ("cat", "dog"),
        64,
        keypoints=KeypointSet(("nose", "tail"), ((0, 1),)),
        sigma=True,
        distance=True,
        calibration=found,
        recipe={"train": {"epochs": 3}},
        parts=(Part("backbone", "resnet18", 3, 100, 1000, ((1, 2, 3),)),),
    )
    seeds = [Input("plain", plain.as_json().encode()), Input("rich", rich.as_json().encode())]
    yield Target(seeds, partial(_read_card, folder / "model.onnx"), (b'"size"', b"NaN", b"null"))


def _read_card(file: Path, given: Input) -> None:
    card = read_card(given.content.decode("utf-8", "replace"), file)
    again = ModelCard.from_json(card.as_json())
    check(holds=again.as_json() == card.as_json(), promise="a card is read as it was written")
    json.dumps(card.as_dict())
    if card.active_calibration is None:
        return
    share = 1 / len(card.classes)
    probabilities = (share,) * len(card.classes)
    box, sigma = (1.0, 2.0, 11.0, 22.0), (1.0, 2.0, 1.0, 2.0)
    made = Prediction(card.classes[0], share, box, probabilities, sigma=sigma, distance=0.2)
    calibrated(made, card.active_calibration)
    promised = guarantees(card.active_calibration, "model", 0.9, 0.2)
    guaranteed(made, promised, (40, 30))


MODEL_TARGETS: dict[str, Opening] = {
    "onnx": _open_onnx,
    "onnx-bytes": _open_onnx_bytes,
    "openvino": _open_openvino,
    "openvino-bytes": _open_openvino_bytes,
    "npz": _open_npz,
    "npz-bytes": _open_npz_bytes,
    "card": _open_card,
}
