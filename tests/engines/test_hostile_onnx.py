"""ONNX files that hold what no model of onebox has: each is refused, and the message names it."""

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onebox
from onebox.errors import ModelError
from onebox.model_card import METADATA_KEY, ModelCard

GREY = np.full((8, 6, 3), 51, np.uint8)


@pytest.fixture
def changed(bright_file, tmp_path):
    """Write the bright model, changed by a function, as another file."""

    def write(change):
        model = onnx.load(bright_file)
        change(model)
        file = tmp_path / "model.onnx"
        file.write_bytes(model.SerializeToString())
        return file

    return write


def elsewhere(tensor, place):
    """Say that the values of a tensor are in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    return tensor


def array(values, kind=np.float32, name="new"):
    return numpy_helper.from_array(np.array(values, kind), name)


def one_more(model, kind, inputs=(), **more):
    """Add a node before the others; nothing reads what it makes."""
    node = helper.make_node(kind, list(inputs), ["made"], **more)
    model.graph.node.insert(0, node)
    return node


def subgraph(tensor):
    number = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
    return helper.make_graph([], "inside", [], [number], [tensor])


def with_branches(model):
    model.graph.initializer.append(array(True, np.bool_, "yes"))
    inner = subgraph(elsewhere(array([1], name="inner"), "/etc/hostname"))
    one_more(model, "If", ["yes"], then_branch=inner, else_branch=inner)


def with_loop(model):
    model.graph.initializer.append(array(2**40, np.int64, "count"))
    one_more(model, "Loop", ["count", ""], body=subgraph(array([1], name="inner")))


def with_function(model):
    made = helper.make_node("Exp", ["a"], ["b"])
    inner = helper.make_function("evil", "f", ["a"], ["b"], [made], [helper.make_opsetid("", 18)])
    model.functions.append(inner)


def with_sparse(model):
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(array([1.0]), array([2**40], np.int64, "at"), [2**60])
    )


def with_sparse_attribute(model):
    sparse = helper.make_sparse_tensor(array([1.0]), array([5], np.int64, "at"), [2**40])
    one_more(model, "Constant", sparse_value=sparse)


def with_training(model):
    model.training_info.add()


def declare(*dims):
    def change(model):
        tensor = model.graph.initializer.add(name="huge", data_type=TensorProto.FLOAT)
        tensor.dims.extend(dims)
        tensor.raw_data = b"1234"

    return change


def with_merged_sides(model):
    """Two values of one attribute are merged: 2 of a shape and 2 more make a shape of 4."""
    node = one_more(model, "Constant", value=array([1.0, 2.0]))
    content = node.attribute[0].SerializeToString()
    node.attribute[0].ParseFromString(content)
    tensor = array([1.0]).SerializeToString()
    again = b"\x2a" + bytes([len(tensor)]) + tensor  # field 5, the tensor
    model.graph.node[0].attribute[0].MergeFromString(again)


def sized(kind, sizes, *, first=()):
    def change(model):
        model.graph.initializer.append(array(sizes, np.int64, "sizes"))
        one_more(model, kind, [*first, "sizes"])

    return change


def with_constant_size(model):
    model.graph.node.insert(0, helper.make_node("Expand", ["white", "sizes"], ["made"]))
    one_more(model, "Constant", value=array([2**20, 2**20], np.int64))
    model.graph.node[0].output[0] = "sizes"


def with_metadata(value, key="more"):
    return lambda model: model.metadata_props.add(key=key, value=value)


REFUSED = {
    "values in a file beside it": (
        lambda model: elsewhere(model.graph.initializer[0], "secret.bin"),
        "keeps the values of a tensor in another place",
    ),
    "values in a folder above": (
        lambda model: elsewhere(model.graph.initializer[0], "../../secret.bin"),
        "keeps the values of a tensor in another place",
    ),
    "values at an absolute path": (
        lambda model: elsewhere(model.graph.initializer[0], "/etc/hostname"),
        "keeps the values of a tensor in another place",
    ),
    "values of an attribute elsewhere": (
        lambda model: one_more(model, "Constant", value=elsewhere(array([1.0]), "/etc/hostname")),
        "keeps the values of a tensor in another place",
    ),
    "values of a branch elsewhere": (with_branches, "graphs inside its graph"),
    "a loop": (with_loop, "graphs inside its graph"),
    "a loop without a body": (
        lambda model: one_more(model, "Loop", ["white"]),
        "the operator Loop in the node",
    ),
    "random numbers": (
        lambda model: one_more(model, "RandomNormal", shape=[2**40]),
        "the operator RandomNormal",
    ),
    "a decoder of images": (
        lambda model: one_more(model, "ImageDecoder", ["image"]),
        "the operator ImageDecoder",
    ),
    "an operator of its own": (
        lambda model: one_more(model, "Run", domain="com.example"),
        r"the operator 'Run' of 'com\.example'",
    ),
    "an operator of ONNX Runtime": (
        lambda model: one_more(model, "Gelu", ["white"], domain="com.microsoft"),
        r"the operator 'Gelu' of 'com\.microsoft'",
    ),
    "functions": (with_function, "functions of its own"),
    "sparse tensors": (with_sparse, "sparse tensors"),
    "a sparse attribute": (with_sparse_attribute, "sparse tensors"),
    "training steps": (with_training, "training steps"),
    "a tensor of terabytes": (declare(2**40), r"1099511627776 values by its shape, and 4 bytes"),
    "a shape that overflows": (declare(2**33, 2**33), "values by its shape, and 4 bytes"),
    "a negative side": (declare(-1), "a shape that no tensor has"),
    "a shape of a thousand sides": (declare(*[1] * 1000), "a shape that no tensor has"),
    "texts": (
        lambda model: model.graph.initializer.append(
            helper.make_tensor("words", TensorProto.STRING, [1], [b"word"])
        ),
        "of type 8, which holds no numbers",
    ),
    "a huge constant": (sized("ConstantOfShape", [2**20, 2**20]), "the operator ConstantOfShape"),
    "a huge expansion": (sized("Expand", [2**35], first=["white"]), "the operator Expand"),
    "a huge expansion by a node": (with_constant_size, "the operator Expand"),
    "huge tiles": (sized("Tile", [1, 2**35], first=["score"]), "the operator Tile"),
    "a huge range": (sized("Range", 2**40, first=["score"]), "the operator Range"),
    "huge borders": (sized("Pad", [2**40, 0], first=["score"]), "the operator Pad"),
    "huge sizes": (
        sized("Resize", [1, 1, 2**30, 2**30], first=["bright", "", ""]),
        "the operator Resize",
    ),
    "metadata without end": (with_metadata("x" * 2**24), "bytes of metadata"),
    "the card twice": (with_metadata("{}", METADATA_KEY), "the metadata 'onebox' twice"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_model_file_is_refused_with(what, changed):
    change, message = REFUSED[what]
    file = changed(change)
    with pytest.raises(ModelError, match=message) as caught:
        onebox.load(file)
    assert str(caught.value).startswith(f"{file}: is not an ONNX model that onebox opens: it ")
    assert str(caught.value).endswith("Name a file that onebox train or onebox export wrote.")


def repeated(message, field, value):
    """A message with one more value of a field of bytes."""
    return message + bytes([field << 3 | 2, len(value)]) + value


def test_a_field_that_is_there_twice_is_refused(bright_file, tmp_path):
    # Protobuf takes the last values of a tensor, and merges two graphs into one.
    file = tmp_path / "model.onnx"
    tensor = repeated(array([1.0], name="one").SerializeToString(), 9, b"\0" * 4)
    graph = repeated(onnx.load(bright_file).graph.SerializeToString(), 5, tensor)
    model = onnx.load(bright_file)
    model.ClearField("graph")
    start = model.SerializeToString()
    length = bytes([len(graph) & 0x7F | 0x80, len(graph) >> 7])
    file.write_bytes(start + b"\x3a" + length + graph)
    with pytest.raises(ModelError, match="has a tensor with two values of the field 9"):
        onebox.load(file)
    file.write_bytes(repeated(bright_file.read_bytes(), 7, b""))
    with pytest.raises(ModelError, match="has a model with two values of the field 7"):
        onebox.load(file)


def test_a_field_that_onnx_has_not_is_refused(bright_file, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(repeated(bright_file.read_bytes(), 15, b"?"))
    with pytest.raises(ModelError, match="has a model with the field 15, which ONNX has not"):
        onebox.load(file)


def test_onnx_runtimes_own_format_is_refused(bright_file, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"\x20\0\0\0ORTM" + bright_file.read_bytes())
    with pytest.raises(ModelError, match="is in ONNX Runtime's own format"):
        onebox.load(file)


def test_a_file_cut_off_anywhere_is_refused(bright_file, tmp_path):
    file, whole = tmp_path / "model.onnx", bright_file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"model\.onnx: "):
            onebox.load(file)


def test_a_file_without_a_graph_is_refused(tmp_path):
    file = tmp_path / "model.onnx"
    for content in (b"", b"\x08\x0a"):
        file.write_bytes(content)
        with pytest.raises(
            ModelError, match="is not an ONNX model that onebox opens: it has no graph"
        ):
            onebox.load(file)


def test_a_number_without_end_and_a_group_are_refused(tmp_path):
    file = tmp_path / "model.onnx"
    for content, message in ((b"\x08" + b"\xff" * 100, "64 bits"), (b"\x0b\x0c", "is damaged")):
        file.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            onebox.load(file)


def test_more_nodes_than_any_network_has_are_refused(changed):
    def add_nodes(model):
        model.graph.node.extend([helper.make_node("Identity", ["white"], ["made"])] * 20_001)

    with pytest.raises(ModelError, match="has more than 20000 nodes"):
        onebox.load(changed(add_nodes))


def test_more_fields_than_any_network_has_are_refused(tmp_path):
    file = tmp_path / "model.onnx"
    node = b"\x0a\0" * 500_001  # names of inputs, each empty
    lengths = [len(node), len(node) + 5]
    varints = [bytes([n & 0x7F | 0x80, n >> 7 & 0x7F | 0x80, n >> 14 & 0x7F | 0x80, n >> 21])
               for n in lengths]  # fmt: skip
    file.write_bytes(b"\x3a" + varints[1] + b"\x0a" + varints[0] + node)
    with pytest.raises(ModelError, match="has more than 500000 fields"):
        onebox.load(file)


def test_a_declared_terabyte_takes_no_memory(changed):
    file = changed(declare(2**40))
    tracemalloc.start()
    with pytest.raises(ModelError):
        onebox.load(file)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10 * 2**20


def with_output(values, name):
    """A constant in place of an output."""

    def change(model):
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = ["other" if each == name else each for each in names]
        model.graph.initializer.append(array(values, name="instead"))
        model.graph.node.append(helper.make_node("Identity", ["instead"], [name]))
        [output] = [each for each in model.graph.output if each.name == name]
        output.type.tensor_type.ClearField("shape")

    return change


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        ([1.0] * 1000, "score", r"its output 'score' has the shape \(1000,\) where \(1,\)"),
        ([[0.0, 0.0, 1.0]], "box", r"its output 'box' has the shape \(1, 3\) where \(1, 4\)"),
        ([[1.0, 1.0]], "probability", r"'probability' has the shape \(1, 2\) where \(1, 1\)"),
        ([np.nan], "score", "its output 'score' has values that are no finite numbers"),
        ([[0, 0, 1, np.inf]], "box", "its output 'box' has values that are no finite numbers"),
    ],
)
def test_outputs_are_as_the_card_says_or_refused(values, name, message, changed):
    localizer = onebox.load(changed(with_output(values, name)))
    with pytest.raises(ModelError, match=message):
        localizer.predict(GREY)


def test_a_model_that_cannot_run_is_a_model_error(changed):
    def change(model):
        for each in [each for each in model.graph.initializer if each.name == "sides"]:
            model.graph.initializer.remove(each)
        model.graph.initializer.append(array([2, 1, 2, 9], np.int64, "sides"))

    localizer = onebox.load(changed(change))
    with pytest.raises(ModelError, match="could not run it on 1 image of 6 x 8 pixels"):
        localizer.predict(GREY)


def test_a_model_without_an_input_is_refused_in_words(changed):
    def change(model):
        model.graph.initializer.append(array(np.zeros((1, 2, 2, 3)), np.uint8, "image"))
        del model.graph.input[:]

    with pytest.raises(ModelError):
        onebox.load(changed(change)).predict(GREY)


_BOUNDED = """
import sys

import numpy as np

import onebox
from onebox.engines import memory_limit

memory_limit.usable_memory = lambda: 2**28
localizer = onebox.load(sys.argv[1])
print(localizer.predict(np.zeros((8, 6, 3), np.uint8)).label)
try:
    localizer.predict(np.zeros((9, 6, 3), np.uint8))
except onebox.ModelError as error:
    print(error)
"""


def test_a_graph_that_asks_for_all_memory_while_it_runs_is_refused_in_words(changed):
    def change(model):
        # (height - 8) * 2^30 values, added up and multiplied by 0: nothing for 8 rows.
        model.graph.initializer.extend([
            array([1], np.int64, "row"), array([8], np.int64, "eight"),
            array([2**30], np.int64, "many"), array([0.0], name="nothing"),
        ])  # fmt: skip
        model.graph.node.extend(
            [
                helper.make_node("Gather", ["shape", "row"], ["rows"]),
                helper.make_node("Sub", ["rows", "eight"], ["above"]),
                helper.make_node("Mul", ["above", "many"], ["count"]),
                helper.make_node("Expand", ["white", "count"], ["made"]),
                helper.make_node("ReduceSum", ["made"], ["all"], keepdims=0),
                helper.make_node("Mul", ["all", "nothing"], ["zero of all"]),
                helper.make_node("Add", ["bright score", "zero of all"], ["score"]),
            ]
        )
        for node in model.graph.node[:-1]:
            for names in (node.input, node.output):
                names[:] = ["bright score" if each == "score" else each for each in names]

    ended = subprocess.run(
        [sys.executable, "-c", _BOUNDED, str(changed(change))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.startswith("disc\n"), ended.stderr
    assert "could not run it on 1 image of 6 x 9 pixels" in ended.stdout
    assert "Available memory of" in ended.stdout
    assert not ended.stderr


def card(**changes):
    return json.dumps(ModelCard(("disc",), 32).as_dict() | changes)


CALIBRATION = {
    "images": 20,
    "temperature": 1.0,
    "iou": {"intercept": 0.0, "slope": 1.0, "deviation": 1.0},
    "sides": {"outer": [], "inner": []},
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "too many objects inside each other"),
        ("[" * 100_000, "too many objects inside each other|is not JSON"),
        (card()[:-1] + ', "size": 64}', "a key is there twice"),
        (card(classes=[]), "has no classes, or one of them twice"),
        (card(classes=["a", "a"]), "has no classes, or one of them twice"),
        (card(size=0), "has the size 0, which is not between 1 and 16384"),
        (card(size=10**9), "has the size 1000000000, which is not between"),
        (card(refine_margin=float("nan")), "has the refine_margin nan"),
        (card(refine_margin=-1.0), r"has the refine_margin -1\.0"),
        (card(calibration=CALIBRATION | {"temperature": 0.0}), "temperature or deviation"),
        (card(calibration=CALIBRATION | {"temperature": float("nan")}), "temperature or dev"),
        (
            card(calibration=CALIBRATION | {"iou": CALIBRATION["iou"] | {"deviation": 1e9}}),
            "temperature or dev",
        ),
        (
            card(calibration=CALIBRATION | {"iou": CALIBRATION["iou"] | {"slope": float("inf")}}),
            "line is not finite",
        ),
        (card(calibration=CALIBRATION | {"scores": [0.5]}), "other numbers of scores than of"),
    ],
)
def test_a_card_that_no_model_can_have_is_refused(text, message, changed):
    def change(model):
        del model.metadata_props[:]
        model.metadata_props.add(key=METADATA_KEY, value=text)

    with pytest.raises(ModelError, match=rf"model\.onnx: its metadata cannot be read.*({message})"):
        onebox.load(changed(change))


def test_the_file_that_was_checked_is_the_one_that_is_opened(bright_file, tmp_path, monkeypatch):
    """The file is exchanged between the check and the opening."""
    from onebox.engines import onnx_runtime

    file = tmp_path / "model.onnx"
    file.write_bytes(bright_file.read_bytes())
    check = onnx_runtime.check_onnx

    def exchange(content, name):
        check(content, name)
        name.write_bytes(b"another")

    monkeypatch.setattr(onnx_runtime, "check_onnx", exchange)
    assert onebox.load(file).predict(GREY).score == pytest.approx(0.2)  # 51 / 255


def test_the_bytes_of_the_file_do_not_stay_in_memory(bright_file):
    assert onebox.load(bright_file).engine.session._model_bytes is None


@pytest.mark.parametrize("text", [b'"classes"', b"score"])
def test_metadata_and_names_that_are_not_utf_8_are_refused(text, bright_file, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(bright_file.read_bytes().replace(text, b"\xff" + text[1:]))
    with pytest.raises(ModelError, match=r"that are not UTF-8|cannot be read"):
        onebox.load(file)


def test_a_name_of_an_axis_that_is_not_utf_8_is_refused(changed):
    def change(model):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "heaps"

    file = changed(change)
    file.write_bytes(file.read_bytes().replace(b"heaps", b"\xffeaps"))
    with pytest.raises(ModelError, match="that are not UTF-8"):
        onebox.load(file)
