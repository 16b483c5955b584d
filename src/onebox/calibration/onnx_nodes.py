"""Nodes that calculate confidence inside a model file, so that every program that runs it has it.

Two groups are added to an exported graph. `add_distance` compares the features inside the box with
those of training images. `add_calibration` calculates what `confidence.applying.calibrated` does,
for predictions without the refinement pass; `remove_calibration` takes it out again.
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.confidence import iou_model, novelty
from onebox.confidence.records import Calibration, IouModel
from onebox.optional import require
from onebox.outputs import (
    DISTANCE_OUTPUT,
    FEATURES_OUTPUT,
    PRESENCE_OUTPUT,
    RAW_OUTPUTS,
    SIGMA_OUTPUT,
)
from onebox.structures import LEAST_LENGTH

NEIGHBOURS = 5
"""Training images that the features inside a box are compared with: the most similar. Not tuned."""

CALIBRATED_OUTPUTS = (
    "expected_iou", "p_iou50", "p_iou75", "novelty", "familiar", *RAW_OUTPUTS.values(),
)  # fmt: skip
"""Outputs that a calibrated file has besides those of every file."""

_CALIBRATION, _DISTANCE = "calibration/", "distance/"
_LEAST_PROBABILITY = 1e-12  # the logarithm of 0 is infinite
_THRESHOLDS = (0.5, 0.75)
# x_max - x_min and y_max - y_min of a box, each twice: in the order of its sigmas.
_LENGTHS = np.array([[-1, 0, -1, 0], [0, -1, 0, -1], [1, 0, 1, 0], [0, 1, 0, 1]], np.float32)


def add_distance(model: Any, features: Float[ndarray, "m channels"]) -> None:  # noqa: ANN401
    """Replace the output ``features`` by ``distance``, the distance from so many training images.

    The distance is 1 minus the mean cosine of the angles to the most similar ones.

    Args:
        model: An exported ``onnx.ModelProto``; changed in place.
        features: Those of training images, at least one.
    """
    nodes = _Nodes(model, _DISTANCE)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    examples = nodes.constant((features / np.maximum(lengths, 1e-12)).T)
    count = nodes.constant([min(NEIGHBOURS, len(features))], np.int64)
    unit = nodes.add("LpNormalization", FEATURES_OUTPUT, axis=1, p=2)
    cosines = nodes.add("MatMul", unit, examples)
    nearest = nodes.add("TopK", cosines, count, outputs=2, axis=1)
    mean = nodes.add("ReduceMean", nearest, nodes.constant([1], np.int64), keepdims=0)
    nodes.add("Sub", nodes.constant(1.0), mean, name=DISTANCE_OUTPUT)
    nodes.declare(DISTANCE_OUTPUT)
    _forget(model.graph.output, {FEATURES_OUTPUT})


def add_calibration(model: Any, calibration: Calibration) -> None:  # noqa: ANN401
    """Calibrate ``probability`` and ``score``, and add the outputs `CALIBRATED_OUTPUTS`.

    A graph without ``distance`` has no ``novelty`` and no ``familiar``. The uncalibrated outputs
    stay, under the names `RAW_OUTPUTS`.
    """
    _rename(model.graph, RAW_OUTPUTS)
    nodes = _Nodes(model, _CALIBRATION)
    nodes.declare(RAW_OUTPUTS["probability"], rank=2)
    nodes.declare(RAW_OUTPUTS["score"])
    highest = _add_probability(nodes, calibration.temperature)
    spread = _add_spread(nodes)
    expected = _add_iou(nodes, calibration.iou, nodes.add("Log", spread))
    names = {output.name for output in model.graph.output}
    factors = [highest, expected, *({PRESENCE_OUTPUT} & names)]
    product = nodes.add("Mul", *factors[:2], name=None if len(factors) > 2 else "score")  # noqa: PLR2004
    if len(factors) > 2:  # noqa: PLR2004
        nodes.add("Mul", product, factors[2], name="score")
    if calibration.novelty is not None and DISTANCE_OUTPUT in names:
        _add_novelty(nodes, calibration, spread, highest)


def remove_calibration(model: Any) -> None:  # noqa: ANN401
    """Undo `add_calibration`; a graph without it stays as it is."""
    graph = model.graph
    ours = [node for node in graph.node if node.name.startswith(_CALIBRATION)]
    if not ours:
        return
    for node in ours:
        graph.node.remove(node)
    for each in [one for one in graph.initializer if one.name.startswith(_CALIBRATION)]:
        graph.initializer.remove(each)
    _forget(graph.output, set(CALIBRATED_OUTPUTS))
    _rename(graph, {raw: name for name, raw in RAW_OUTPUTS.items()})


class _Nodes:
    """Adds nodes and constants to a graph, under names with a prefix."""

    def __init__(self, model: Any, prefix: str) -> None:  # noqa: ANN401
        self._onnx = require("onnx", extra="int8")
        self._graph = model.graph
        self._prefix = prefix
        self._count = 0

    def add(
        self,
        kind: str,
        *inputs: str,
        name: str | None = None,
        outputs: int = 1,
        **attributes: int,
    ) -> str:
        """Add a node; return the name of its first output, which may be given."""
        first = name or self._name(kind)
        others = [f"{first}.{number}" for number in range(1, outputs)]
        node = self._onnx.helper.make_node(
            kind, inputs, [first, *others], name=self._prefix + first, **attributes
        )
        self._graph.node.append(node)
        return first

    def constant(self, values: float | Sequence[float] | ndarray, kind: type = np.float32) -> str:
        """Add an initializer."""
        name = self._name("constant")
        array: ndarray = np.asarray(values, kind)
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def declare(self, name: str, rank: int = 1) -> None:
        """Make a tensor of shape (n,), or (n, something), an output of the graph."""
        make = self._onnx.helper.make_tensor_value_info
        shape = ("n", None)[:rank]
        self._graph.output.append(make(name, self._onnx.TensorProto.FLOAT, shape))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}{kind}_{self._count}"


def _add_probability(nodes: _Nodes, temperature: float) -> str:
    """Scale the probabilities; return the highest of each image."""
    least = nodes.constant(_LEAST_PROBABILITY)
    logarithm = nodes.add("Log", nodes.add("Max", RAW_OUTPUTS["probability"], least))
    scaled = nodes.add("Mul", logarithm, nodes.constant(1 / temperature))
    nodes.add("Softmax", scaled, axis=1, name="probability")
    return nodes.add("ReduceMax", "probability", nodes.constant([1], np.int64), keepdims=0)


def _add_spread(nodes: _Nodes) -> str:
    """The spread, plus its offset: both logarithms of it start from that."""
    lengths = nodes.add("MatMul", "box", nodes.constant(_LENGTHS))
    relative = nodes.add(
        "Div", SIGMA_OUTPUT, nodes.add("Max", lengths, nodes.constant(LEAST_LENGTH))
    )
    mean = nodes.add("ReduceMean", relative, nodes.constant([1], np.int64), keepdims=0)
    return nodes.add("Add", mean, nodes.constant(iou_model.SPREAD_OFFSET))


def _add_iou(nodes: _Nodes, model: IouModel, log_spread: str) -> str:
    """Add the outputs about the IoU; return the expected IoU. See `confidence.iou_model`."""
    full, none, deviation = 1 + iou_model.ERROR_OFFSET, iou_model.ERROR_OFFSET, model.deviation
    logs = [log(full - each) for each in _THRESHOLDS]
    for bound in (log(full), log(none)):
        logs += [bound, bound - deviation**2]
    unit = deviation * sqrt(2)
    slope = nodes.constant(model.slope)
    scaled = nodes.add("Mul", log_spread, slope)
    column = nodes.add("Unsqueeze", scaled, nodes.constant([1], np.int64))
    offsets = nodes.constant([(each - model.intercept) / unit for each in logs])
    steps = nodes.add("Mul", column, nodes.constant(-1 / unit))
    erf = nodes.add("Erf", nodes.add("Add", steps, offsets))
    # Columns: both probabilities; the two parts of the expected IoU. A normal distribution
    # function is half of 1 plus erf.
    sums = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, full, 0], [0, 0, 0, 1],
                     [0, 0, -none, 0], [0, 0, 0, -1]]) / 2  # fmt: skip
    halves = nodes.add("MatMul", erf, nodes.constant(sums))
    both = nodes.add("Add", halves, nodes.constant(sums.sum(axis=0)))
    columns = [nodes.constant(number, np.int64) for number in range(4)]
    names = ("p_iou50", "p_iou75", None, None)
    parts = [
        nodes.add("Gather", both, column, axis=1, name=name)
        for column, name in zip(columns, names, strict=True)
    ]
    scale = nodes.constant(exp(model.intercept + deviation**2 / 2))
    error = nodes.add("Mul", nodes.add("Exp", scaled), scale)
    expected = nodes.add("Sub", parts[2], nodes.add("Mul", error, parts[3]))
    nodes.add("Clip", expected, nodes.constant(0.0), nodes.constant(1.0), name="expected_iou")
    for name in ("expected_iou", "p_iou50", "p_iou75"):
        nodes.declare(name)
    return "expected_iou"


def _add_novelty(nodes: _Nodes, calibration: Calibration, spread: str, highest: str) -> None:
    """Add the novelty and its rank among the calibration images; see `confidence.novelty`."""
    model = calibration.novelty
    if model is None:
        return
    distance = nodes.add("Max", DISTANCE_OUTPUT, nodes.constant(novelty.LEAST_DISTANCE))
    wrong = nodes.add("Sub", nodes.constant(1 + novelty.LABEL_OFFSET), highest)
    axis = nodes.constant([1], np.int64)
    columns = [nodes.add("Unsqueeze", each, axis) for each in (distance, spread, wrong)]
    logs = nodes.add("Log", nodes.add("Concat", *columns, axis=1))
    weights = np.array(model.weights)
    total = nodes.add("MatMul", logs, nodes.constant(weights))
    offset = nodes.constant(-float(weights @ np.array(model.means)))
    nodes.add("Add", total, offset, name="novelty")
    images = len(calibration.novelties)
    column = nodes.add("Unsqueeze", "novelty", axis)
    is_novel = nodes.add("LessOrEqual", column, nodes.constant(list(calibration.novelties)))
    as_number = nodes.add("Cast", is_novel, to=1)  # float32
    count = nodes.add("ReduceSum", as_number, axis, keepdims=0)
    one_more = nodes.add("Add", count, nodes.constant(1.0))
    nodes.add("Mul", one_more, nodes.constant(1 / (images + 1)), name="familiar")
    for name in ("novelty", "familiar"):
        nodes.declare(name)


def _rename(graph: Any, names: dict[str, str]) -> None:  # noqa: ANN401
    """Rename tensors where nodes write and read them; outputs of the graph keep their names."""
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]


def _forget(values: Any, names: set[str]) -> None:  # noqa: ANN401
    """Remove the values with these names."""
    for each in [one for one in values if one.name in names]:
        values.remove(each)
