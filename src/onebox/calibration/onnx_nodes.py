"""Nodes that calculate confidence inside a model file, so that every program that runs it has it.

Two groups are added to an exported graph. `add_distance` compares the features inside the box with
those of training images. `add_calibration` calculates what `confidence.applying.calibrated` does,
for predictions without the refinement pass; `remove_calibration` takes it out again.
"""

from collections.abc import Sequence
from math import log, sqrt
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.confidence import iou_model, novelty
from onebox.confidence.keypoint_model import LEAST_CONFIDENCE
from onebox.confidence.records import Calibration, IouModel, KeypointModel, NoveltyModel
from onebox.optional import require
from onebox.outputs import (
    DISTANCE_OUTPUT,
    FEATURES_OUTPUT,
    KEYPOINTS_OUTPUT,
    PRESENCE_OUTPUT,
    RAW_OUTPUTS,
    SIGMA_OUTPUT,
)
from onebox.structures import LEAST_LENGTH

NEIGHBOURS = 5
"""Training images that the features inside a box are compared with: the most similar. Not tuned."""

REFINED = "refined_"
"""Begins the names of outputs for predictions with the refinement pass."""

_IOU_OUTPUTS = ("expected_iou", "p_iou50", "p_iou75")
_REFINED_OUTPUTS = tuple(
    REFINED + name for name in ("probability", "score", KEYPOINTS_OUTPUT, *_IOU_OUTPUTS)
)

CALIBRATED_OUTPUTS = (
    *RAW_OUTPUTS.values(), *_IOU_OUTPUTS, "novelty", "familiar", *_REFINED_OUTPUTS,
)  # fmt: skip
"""Outputs that only a calibrated file has."""

_CALIBRATION, _DISTANCE = "calibration/", "distance/"
_THRESHOLDS = (0.5, 0.75)  # of the last two outputs about the IoU
_POINTS = 64  # of an integral over the IoU: exact to 2e-7 down to a deviation of 0.1
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
    count = nodes.integers([min(NEIGHBOURS, len(features))])
    unit = nodes.add("LpNormalization", FEATURES_OUTPUT, axis=1, p=2)
    cosines = nodes.add("MatMul", unit, examples)
    nearest = nodes.add("TopK", cosines, count, outputs=2, axis=1)
    mean = nodes.add("ReduceMean", nearest, nodes.integers([1]), keepdims=0)
    nodes.add("Sub", nodes.constant(1.0), mean, name=DISTANCE_OUTPUT)
    nodes.declare(DISTANCE_OUTPUT)
    _forget(model.graph.output, {FEATURES_OUTPUT})


def add_calibration(
    model: Any,  # noqa: ANN401
    calibration: Calibration,
    refined: Calibration | None = None,
) -> None:
    """Calibrate ``probability`` and ``score``, and add outputs that only a calibrated file has.

    They are `CALIBRATED_OUTPUTS`; those that begin with `REFINED` only with a refined calibration,
    ``novelty`` and ``familiar`` only in a graph with ``distance``, those of keypoints only with a
    calibration of keypoints. The uncalibrated outputs stay, under the names `RAW_OUTPUTS`.

    Args:
        model: An exported ``onnx.ModelProto`` without a calibration; changed in place.
        calibration: Of predictions without the refinement pass.
        refined: Of predictions with it. What it adds is right if the image is that pass's crop.
    """
    raw = dict(RAW_OUTPUTS)
    if calibration.keypoints is None:
        del raw[KEYPOINTS_OUTPUT]
    _rename(model.graph, raw)
    nodes = _Nodes(model, _CALIBRATION)
    nodes.declare(RAW_OUTPUTS["probability"], rank=2)
    nodes.declare(RAW_OUTPUTS["score"])
    if calibration.keypoints is not None:
        nodes.declare(RAW_OUTPUTS[KEYPOINTS_OUTPUT], rank=3)
        _add_keypoints(nodes, calibration.keypoints)
    spread = _add_spread(nodes)
    log_spread = nodes.add("Log", spread)
    highest = _add_score(nodes, calibration, log_spread)
    if calibration.novelty is not None and nodes.has_output(DISTANCE_OUTPUT):
        _add_novelty(nodes, calibration, calibration.novelty, spread=spread, highest=highest)
    if refined is not None:
        nodes.declare(REFINED + "probability", rank=2)
        nodes.declare(REFINED + "score")
        _add_score(nodes, refined, log_spread, prefix=REFINED)
        if refined.keypoints is not None:
            nodes.declare(REFINED + KEYPOINTS_OUTPUT, rank=3)
            _add_keypoints(nodes, refined.keypoints, prefix=REFINED)


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

    def constant(self, values: float | Sequence[float] | ndarray) -> str:
        """Add an initializer of float32."""
        return self._store(np.asarray(values, np.float32))

    def integers(self, values: int | Sequence[int]) -> str:
        """Add an initializer of int64, as axes and indices are."""
        return self._store(np.asarray(values, np.int64))

    def declare(self, name: str, rank: int = 1) -> None:
        """Make a tensor of shape (n,), (n, something) or (n, something, 3) an output."""
        make = self._onnx.helper.make_tensor_value_info
        shape = ("n", None, 3)[:rank]
        self._graph.output.append(make(name, self._onnx.TensorProto.FLOAT, shape))

    def has_output(self, name: str) -> bool:
        """Whether the graph has an output of this name."""
        return any(output.name == name for output in self._graph.output)

    def _store(self, array: ndarray) -> str:
        name = self._name("constant")
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}{kind}_{self._count}"


def _add_score(
    nodes: _Nodes, calibration: Calibration, log_spread: str, *, prefix: str = ""
) -> str:
    """Add probabilities, what is known of the IoU, and the score; see `confidence.applying`.

    Return the highest probability of each image.
    """
    highest = _add_probability(nodes, calibration.temperature, prefix)
    factors = [highest, _add_iou(nodes, calibration.iou, log_spread, prefix)]
    if nodes.has_output(PRESENCE_OUTPUT):
        factors = [nodes.add("Mul", *factors), PRESENCE_OUTPUT]
    nodes.add("Mul", *factors, name=prefix + "score")
    return highest


def _add_probability(nodes: _Nodes, temperature: float, prefix: str) -> str:
    """Scale the probabilities; return the highest of each image. See `confidence.temperature`."""
    axis = nodes.integers([1])
    most = nodes.add("ReduceMax", RAW_OUTPUTS["probability"], axis)
    ratios = nodes.add("Div", RAW_OUTPUTS["probability"], most)
    powers = nodes.add("Pow", ratios, nodes.constant(1 / temperature))
    total = nodes.add("ReduceSum", powers, axis)
    scaled = nodes.add("Div", powers, total, name=prefix + "probability")
    return nodes.add("ReduceMax", scaled, axis, keepdims=0)


def _add_keypoints(nodes: _Nodes, model: KeypointModel, *, prefix: str = "") -> None:
    """Add keypoints with the probability that each is found; see `confidence.keypoint_model`."""
    given = RAW_OUTPUTS[KEYPOINTS_OUTPUT]
    points = nodes.add("Gather", given, nodes.integers([0, 1]), axis=2)
    confidence = nodes.add("Gather", given, nodes.integers(2), axis=2)
    least, most = nodes.constant(LEAST_CONFIDENCE), nodes.constant(1 - LEAST_CONFIDENCE)
    p = nodes.add("Clip", confidence, least, most)
    odds = nodes.add("Div", p, nodes.add("Sub", nodes.constant(1.0), p))
    steep = nodes.add("Mul", nodes.add("Log", odds), nodes.constant(model.slope))
    logits = nodes.add("Add", steep, nodes.constant(model.intercepts))
    found = nodes.add("Unsqueeze", nodes.add("Sigmoid", logits), nodes.integers([2]))
    nodes.add("Concat", points, found, axis=2, name=prefix + KEYPOINTS_OUTPUT)


def _add_spread(nodes: _Nodes) -> str:
    """The spread, plus its offset: both logarithms of it start from that."""
    lengths = nodes.add("MatMul", "box", nodes.constant(_LENGTHS))
    relative = nodes.add(
        "Div", SIGMA_OUTPUT, nodes.add("Max", lengths, nodes.constant(LEAST_LENGTH))
    )
    mean = nodes.add("ReduceMean", relative, nodes.integers([1]), keepdims=0)
    return nodes.add("Add", mean, nodes.constant(iou_model.SPREAD_OFFSET))


def _add_iou(nodes: _Nodes, model: IouModel, log_spread: str, prefix: str) -> str:
    """Add the outputs about the IoU; return the expected IoU. See `confidence.iou_model`.

    The expected IoU is the integral of P(IoU >= t) over t from 0 to 1. The closed form takes a
    small probability times a large error, of which float32 leaves nothing.
    """
    ious, weights = _integration_points()
    thresholds = np.array([*_THRESHOLDS, *ious])
    unit = model.deviation * sqrt(2)
    offsets = (np.log(1 - thresholds + iou_model.ERROR_OFFSET) - model.intercept) / unit
    slopes = np.full((1, len(thresholds)), -model.slope / unit)
    column = nodes.add("Unsqueeze", log_spread, nodes.integers([1]))
    steps = nodes.add("MatMul", column, nodes.constant(slopes))
    erf = nodes.add("Erf", nodes.add("Add", steps, nodes.constant(offsets)))
    # The normal distribution function is half of 1 plus erf.
    sums = np.zeros((len(thresholds), 3))
    sums[2:, 0] = weights / 2
    sums[0, 1] = sums[1, 2] = 0.5
    halves = nodes.add("MatMul", erf, nodes.constant(sums))
    found = nodes.add("Add", halves, nodes.constant(sums.sum(axis=0)))
    found = nodes.add("Clip", found, nodes.constant(0.0), nodes.constant(1.0))
    names = [prefix + name for name in _IOU_OUTPUTS]
    for number, name in enumerate(names):
        nodes.add("Gather", found, nodes.integers(number), axis=1, name=name)
        nodes.declare(name)
    return names[0]


def _integration_points() -> tuple[Float[ndarray, " points"], Float[ndarray, " points"]]:
    """IoUs from 0 to 1, and weights: the sum of weighted values is the integral over the IoU.

    Gauss-Legendre points along the logarithm of the error, where P(IoU >= t) is smooth.
    """
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    low, high = log(iou_model.ERROR_OFFSET), log(1 + iou_model.ERROR_OFFSET)
    errors = np.exp((low + high) / 2 + (high - low) / 2 * points)
    return 1 + iou_model.ERROR_OFFSET - errors, weights * (high - low) / 2 * errors


def _add_novelty(
    nodes: _Nodes, calibration: Calibration, model: NoveltyModel, *, spread: str, highest: str
) -> None:
    """Add the novelty and its rank among the calibration images; see `confidence.novelty`."""
    distance = nodes.add("Max", DISTANCE_OUTPUT, nodes.constant(novelty.LEAST_DISTANCE))
    wrong = nodes.add("Sub", nodes.constant(1.0), highest)
    wrong = nodes.add("Add", wrong, nodes.constant(novelty.LABEL_OFFSET))
    axis = nodes.integers([1])
    columns = [nodes.add("Unsqueeze", each, axis) for each in (distance, spread, wrong)]
    logs = nodes.add("Log", nodes.add("Concat", *columns, axis=1))
    from_means = nodes.add("Sub", logs, nodes.constant(model.means))
    nodes.add("MatMul", from_means, nodes.constant(model.weights), name="novelty")
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
