"""What an ONNX file may hold, checked in its bytes before ONNX Runtime sees them.

A model file may come from anyone, and an ONNX file can do more than a network needs: name other
files, bring operators and functions of its own, loop without end, ask for any memory. A model of
onebox is one graph of standard operators, with all its values in the file. The tables below name
what such a file has; all else is refused.
"""

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

from onebox.engines.onnx_tensors import Tensor, numbers, read_tensor, shown, small_values, text
from onebox.engines.onnx_wire import Reader, Value
from onebox.errors import ModelError

MOST_NODES = 20_000
"""Nodes of the largest graph: the largest networks of timm have a few thousand."""

MOST_METADATA_BYTES = 16 * 2**20
"""Bytes of all metadata; the largest card is a hundredth of it."""

MOST_MADE = 2**26
"""Values of all tensors together that nodes make from sizes in the file."""

_FLATBUFFER = b"ORTM"  # at byte 4 of ONNX Runtime's own format, which is not checked here
_MOST_SIZES = 32  # numbers of a tensor of sizes

# Fields that are looked into, by the numbers that onnx.proto gives them.
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_NODE, _GRAPH_TENSOR = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 3, 4, 5, 7
_ATTRIBUTE_TENSORS = frozenset({5, 10})  # one, and a list
_ATTRIBUTE_INTEGERS = frozenset({3, 8})
_ENTRY_KEY = 1

# All fields of each message by number: of one value, and of many.
_ONE: Mapping[str, frozenset[int]] = {
    "model": frozenset({1, 2, 3, 4, 5, 6, 7}),
    "graph": frozenset({2, 10}),
    "node": frozenset({3, 4, 6, 7, 8}),
    "attribute": frozenset({1, 2, 3, 4, 5, 13, 20, 21}),
    "tensor": frozenset({2, 8, 9, 12, 14}),
    "entry": frozenset({1, 2}),
}
_MANY: Mapping[str, frozenset[int]] = {
    "model": frozenset({8, 14}),
    "graph": frozenset({1, 5, 11, 12, 13, 14, 16}),
    "node": frozenset({1, 2, 5, 9}),
    "attribute": frozenset({7, 8, 9, 10}),
    "tensor": frozenset({1, 3, 4, 5, 6, 7, 10, 11, 13, 16}),
    "entry": frozenset(),
}
_REFUSED: Mapping[str, Mapping[int, str]] = {
    "model": {20: "training steps", 25: "functions of its own", 26: "device settings"},
    "graph": {15: "sparse tensors"},
    "node": {10: "device settings"},
    "attribute": {
        **dict.fromkeys((6, 11), "graphs inside its graph"),
        **dict.fromkeys((22, 23), "sparse tensors"),
        **dict.fromkeys((14, 15), "types as attributes"),
    },
}

_STANDARD = frozenset({"", "ai.onnx"})
# Standard operators that run graphs, make lists, read texts, decode images or draw random numbers.
_NOT_NEEDED = frozenset({
    *("If", "Loop", "Scan", "SequenceMap", "ConcatFromSequence", "SplitToSequence"),
    *("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert"),
    *("SequenceLength", "Optional", "OptionalGetElement", "OptionalHasElement"),
    *("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"),
    *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"),
    *("RandomUniformLike", "ImageDecoder", "DFT", "STFT", "MelWeightMatrix"),
    *("BlackmanWindow", "HammingWindow", "HannWindow"),
})  # fmt: skip
# Which input of an operator says how large its output is.
_SIZE_INPUTS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Expand", "Tile", "CenterCropPad", "OneHot", "AffineGrid"), (1,)),
    **dict.fromkeys(("ConstantOfShape", "Col2Im"), (0,)),
    **dict.fromkeys(("Pad", "Upsample", "Range"), (1,)),
    "Resize": (2, 3),
    "MaxUnpool": (2,),
}


def check_onnx(content: bytes, file: Path) -> None:
    """Check the bytes of an ONNX file.

    Raises:
        ModelError: If they hold something that a model of onebox has not; the message names it.
    """
    try:
        _Check().model(memoryview(content))
    except ValueError as error:
        raise ModelError(
            f"{file}: is not an ONNX model that onebox opens: it {error}. Name a file that "
            "onebox train or onebox export wrote."
        ) from error


class _Check:
    """Reads one file, message by message, and raises ``ValueError`` at what must not be there."""

    def __init__(self) -> None:
        self._reader = Reader()
        self._nodes = 0
        self._metadata_bytes = 0
        self._sizes: dict[str, list[float]] = {}
        self._made_by: list[tuple[str, list[str]]] = []

    def model(self, message: memoryview) -> None:
        if message[4:8] == _FLATBUFFER:
            raise ValueError("is in ONNX Runtime's own format, not in ONNX")
        keys: set[str] = set()
        graphs = 0
        for number, value in self._fields("model", message):
            if number == _MODEL_GRAPH and isinstance(value, memoryview):
                graphs += 1
                self._graph(value)
            elif number == _MODEL_METADATA and isinstance(value, memoryview):
                self._metadata(value, keys)
        if not graphs:
            raise ValueError("has no graph")
        self._check_sizes()

    def _graph(self, message: memoryview) -> None:
        for number, value in self._fields("graph", message):
            if number == _GRAPH_NODE and isinstance(value, memoryview):
                self._node(value)
            elif number == _GRAPH_TENSOR and isinstance(value, memoryview):
                self._tensor(value)

    def _node(self, message: memoryview) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise ValueError(f"has more than {MOST_NODES} nodes")
        texts: dict[int, str] = {}
        inputs, outputs, constants = [], [], []
        for number, value in self._fields("node", message):
            if isinstance(value, int):
                continue
            if number == _NODE_INPUT:
                inputs.append(value)
            elif number == _NODE_OUTPUT:
                outputs.append(value)
            elif number == _NODE_ATTRIBUTE:
                constants += self._attribute(value)
            else:
                texts[number] = text(value)
        kind = texts.get(_NODE_KIND, "")
        _check_operator(kind, texts.get(_NODE_DOMAIN, ""), texts.get(_NODE_NAME, ""))
        if kind in _SIZE_INPUTS:
            self._made_by.append((kind, [text(each) for each in inputs]))
        elif kind == "Constant" and outputs and constants:
            self._sizes[text(outputs[0])] = constants

    def _attribute(self, message: memoryview) -> list[float]:
        """Check an attribute; return the numbers that a node ``Constant`` would have of it."""
        found: list[float] = []
        for number, value in self._fields("attribute", message):
            if number in _ATTRIBUTE_TENSORS and isinstance(value, memoryview):
                found += small_values(self._tensor(value), _MOST_SIZES) or []
            elif number in _ATTRIBUTE_INTEGERS and len(found) <= _MOST_SIZES:
                found += [float(each) for each in numbers(value)]
        return found

    def _tensor(self, message: memoryview) -> Tensor:
        tensor = read_tensor(self._fields("tensor", message))
        values = small_values(tensor, _MOST_SIZES)
        if values and tensor.name:
            self._sizes[tensor.name] = values
        return tensor

    def _metadata(self, message: memoryview, keys: set[str]) -> None:
        self._metadata_bytes += len(message)
        if self._metadata_bytes > MOST_METADATA_BYTES:
            raise ValueError(f"has more than {MOST_METADATA_BYTES} bytes of metadata")
        for number, value in self._fields("entry", message):
            if number == _ENTRY_KEY and isinstance(value, memoryview):
                key = text(value)
                if key in keys:
                    raise ValueError(f"has the metadata {shown(key)} twice")
                keys.add(key)

    def _check_sizes(self) -> None:
        made = 0.0
        for kind, inputs in self._made_by:
            for index in _SIZE_INPUTS[kind]:
                name = inputs[index] if index < len(inputs) else ""
                made += _most_values(kind, self._sizes.get(name, []))
            if made > MOST_MADE:
                raise ValueError(
                    f"has the operator {kind}, which would make a tensor of {made:.0f} values "
                    f"or more, and {MOST_MADE} are the most"
                )

    def _fields(self, kind: str, message: memoryview) -> Iterator[tuple[int, Value]]:
        """The fields of a message, each known, and those of one value once.

        Raises:
            ValueError: If there are others.
        """
        one, many = _ONE[kind], _MANY[kind]
        seen: set[int] = set()
        for field in self._reader.fields(message):
            number = field[0]
            if number not in many:
                if number not in one or number in seen:
                    raise ValueError(_refused_field(kind, number))
                seen.add(number)
            yield field


def _refused_field(kind: str, number: int) -> str:
    if number in _ONE[kind]:
        return f"has a {kind} with two values of the field {number}"
    what = _REFUSED.get(kind, {}).get(number)
    if what is None:
        return f"has a {kind} with the field {number}, which ONNX has not"
    return f"has {what}, which a model of onebox has not"


def _check_operator(kind: str, domain: str, name: str) -> None:
    if domain not in _STANDARD:
        raise ValueError(
            f"has the operator {shown(kind)} of {shown(domain)} in the node {shown(name)}, and a "
            "model of onebox has only the standard operators of ONNX"
        )
    if kind in _NOT_NEEDED:
        raise ValueError(
            f"has the operator {kind} in the node {shown(name)}, which a model of onebox has not"
        )


def _most_values(kind: str, sizes: list[float]) -> float:
    """At most so many values come of sizes, where they are in the file."""
    if kind in {"Pad", "Range"}:
        return sum(abs(each) for each in sizes)
    return float(prod(max(1.0, abs(each)) for each in sizes)) if sizes else 0.0
