"""The Open Inference Protocol, asked by tritonclient and by hand."""

import base64
import dataclasses
import io
import json
import re
import shutil
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image

import onebox
from onebox.serving.model_api import application
from onebox.serving.model_api.inference_outputs import OUTPUT_TENSORS, output_metadata
from onebox.serving.model_api.inference_outputs import encode as encode_tensor
from onebox.serving.model_api.models import ModelHolder, Promised
from onebox.serving.model_api.predictor import Predictor, Work
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import Limits
from onebox.serving.web.security import Access
from onebox.structures import Prediction

pytestmark = pytest.mark.train
triton = pytest.importorskip("tritonclient.http")

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), np.uint8)
ORIENTATION = 0x0112


def serve(predictor):
    """The address of a server in a thread, and what stops it."""
    access = Access(AllowedHosts.of("0.0.0.0", 0))  # noqa: S104 - any address is its own
    app = application.build(predictor, access, Limits(body_bytes=2**20))
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            started.set()

    config = uvicorn.Config(app, port=0, log_level="warning")
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(10)
    port = server.servers[0].sockets[0].getsockname()[1]

    def stop():
        server.should_exit = True
        thread.join()

    return f"127.0.0.1:{port}", stop


@pytest.fixture(scope="module")
def file(model_file, tmp_path_factory):
    """The trained model under a name of its own: `discs`."""
    return shutil.copy(model_file, tmp_path_factory.mktemp("served") / "discs.onnx")


@pytest.fixture(scope="module")
def model(file):
    return onebox.load(file, threads=1)


@pytest.fixture(scope="module")
def predictor(file):
    predictor = Predictor(ModelHolder(file, threads=1), Work(threads=1))
    yield predictor
    predictor.close()


@pytest.fixture(scope="module")
def address(predictor):
    address, stop = serve(predictor)
    yield address
    stop()


@pytest.fixture(scope="module")
def client(address):
    client = triton.InferenceServerClient(address)
    yield client
    client.close()


@pytest.fixture
def post(address):
    """Post a request by hand: status and JSON."""

    def send(body, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://{address}/v2/models/discs/infer"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = httpx.post(url, content=content, headers=names)
        return answer.status_code, answer.json()

    return send


def pixels_input(pixels=PIXELS, **options):
    tensor = triton.InferInput("image", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, **options)
    return tensor


def files_input(*files):
    tensor = triton.InferInput("encoded_image", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(files, object))
    return tensor


def json_input(data, shape, name="image", datatype="UINT8", **more):
    return {"inputs": [{"name": name, "shape": shape, "datatype": datatype, "data": data} | more]}


def encode(pixels, kind="png", orientation=1):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    image.save(file, kind, exif=exif)
    return file.getvalue()


def assert_equal(result, predictions):
    """Every output of a result is that of the predictions, in float32."""
    for tensor in OUTPUT_TENSORS:
        values = [getattr(each, tensor.field) for each in predictions]
        found = result.as_numpy(tensor.name)
        if values[0] is None:
            assert found is None, tensor.name
        elif tensor.datatype == "BYTES":
            assert [text.decode() for text in found] == values
        else:
            np.testing.assert_array_equal(found, np.array(values, np.float32), tensor.name)


def test_a_client_finds_server_and_model_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("discs")
    assert client.is_model_ready("discs", "1")


def test_another_model_or_version_is_not_ready(client):
    assert not client.is_model_ready("cats")
    assert not client.is_model_ready("discs", "2")


def test_the_server_names_its_version_and_its_extension(client):
    about = client.get_server_metadata()
    assert about == {
        "name": "onebox",
        "version": onebox.__version__,
        "extensions": ["binary_tensor_data"],
    }


def test_the_metadata_list_what_an_inference_returns(client):
    about = client.get_model_metadata("discs")
    assert {each["name"]: (each["datatype"], each["shape"]) for each in about["inputs"]} == {
        "image": ("UINT8", [-1, -1, -1, 3]),
        "encoded_image": ("BYTES", [-1]),
    }
    found = client.infer("discs", [pixels_input()]).get_response()["outputs"]
    assert [(each["name"], each["datatype"], [-1, *each["shape"][1:]]) for each in found] == [
        (each["name"], each["datatype"], each["shape"]) for each in about["outputs"]
    ]
    assert {"box", "probability", "score", "sigma", "expected_iou", "label"} <= {
        each["name"] for each in found
    }


def test_binary_pixels_get_the_predictions_of_the_model(client, model):
    result = client.infer("discs", [pixels_input()], request_id="seven")
    assert_equal(result, [model.predict(each) for each in PIXELS])
    response = result.get_response()
    assert (response["id"], response["model_name"]) == ("seven", "discs")
    assert response["model_version"] == "1"


def test_binary_files_get_the_predictions_of_the_model(client, model):
    # Two sizes and formats in one request; the JPEG is stored rotated.
    files = [encode(PIXELS[0]), encode(PIXELS[1, :20], "jpeg", orientation=6)]
    result = client.infer("discs", [files_input(*files)], model_version="1")
    assert_equal(result, [model.predict(file) for file in files])


def test_json_in_and_out_is_exact_to_the_last_digit(post, model):
    status, found = post(json_input(PIXELS.tolist(), [3, 40, 60, 3]))
    data = {each["name"]: each["data"] for each in found["outputs"]}
    predictions = [model.predict(each) for each in PIXELS]
    assert status == 200
    assert data["box"] == [edge for each in predictions for edge in each.box]
    assert data["expected_iou"] == [each.expected_iou for each in predictions]
    assert data["label"] == [each.label for each in predictions]


def test_a_flat_list_of_numbers_is_read_in_row_major_order(post, model):
    _, found = post(json_input(PIXELS[:1].ravel().tolist(), [1, 40, 60, 3]))
    assert found["outputs"][0]["data"] == list(model.predict(PIXELS[0]).box)


def test_an_image_file_in_json_is_base64_text(post, model):
    file = encode(PIXELS[0])
    text = base64.b64encode(file).decode()
    _, found = post(json_input([text], [1], "encoded_image", "BYTES"))
    assert found["outputs"][0]["data"] == list(model.predict(file).box)


def test_a_request_chooses_outputs_their_order_and_their_form(client, model):
    wanted = [
        triton.InferRequestedOutput("score", binary_data=False),
        triton.InferRequestedOutput("label", binary_data=True),
        triton.InferRequestedOutput("box", binary_data=True),
    ]
    result = client.infer("discs", [pixels_input(binary_data=False)], outputs=wanted)
    found = result.get_response()["outputs"]
    assert [each["name"] for each in found] == ["score", "label", "box"]
    assert ["data" in each for each in found] == [True, False, False]
    predictions = [model.predict(each) for each in PIXELS]
    assert found[0]["data"] == [each.score for each in predictions]
    np.testing.assert_array_equal(
        result.as_numpy("box"), np.array([each.box for each in predictions], np.float32)
    )
    assert result.as_numpy("label").tolist() == [b"disc"] * 3


def test_a_coverage_adds_outer_boxes(client, model):
    result = client.infer("discs", [pixels_input()], parameters={"coverage": 0.5})
    sure = model.with_guarantees(coverage=0.5)
    outer = [sure.predict(each).outer_box for each in PIXELS]
    np.testing.assert_array_equal(result.as_numpy("outer_box"), np.array(outer, np.float32))
    assert result.as_numpy("inner_box").shape == (3, 4)
    assert result.as_numpy("accepted") is None


def test_the_metadata_list_the_boxes_that_the_server_always_promises(model):
    usual = output_metadata(model.card, Promised(coverage=0.9))
    assert {"name": "outer_box", "datatype": "FP32", "shape": [-1, 4]} in usual
    assert "outer_box" not in {each["name"] for each in output_metadata(model.card)}


def test_a_missing_inner_box_is_null_in_json_and_nan_in_binary_data():
    there = Prediction("disc", 1.0, (0.0, 0.0, 9.0, 9.0), (1.0,), inner_box=(1.0, 2.0, 3.0, 4.0))
    missing = dataclasses.replace(there, inner_box=None)
    [tensor] = [each for each in OUTPUT_TENSORS if each.name == "inner_box"]
    found = encode_tensor(tensor, [there, missing], is_binary=False).about
    assert (found["shape"], found["data"]) == ([2, 4], [1.0, 2.0, 3.0, 4.0, *[None] * 4])
    binary = np.frombuffer(encode_tensor(tensor, [there, missing], is_binary=True).binary, "<f4")
    np.testing.assert_array_equal(binary, [1, 2, 3, 4, *[np.nan] * 4])


def test_a_coverage_that_the_calibration_cannot_promise_is_refused_with_a_reason(client):
    with pytest.raises(triton.InferenceServerException, match=r"takes at least|0\.9999"):
        client.infer("discs", [pixels_input()], parameters={"coverage": 0.9999})


def test_an_unreadable_image_is_named_by_its_position(client):
    files = files_input(encode(PIXELS[0]), b"no image")
    with pytest.raises(triton.InferenceServerException, match=r"image 2 of 2: .*not an image"):
        client.infer("discs", [files])


BOX_TWICE = {"outputs": [{"name": "box"}, {"name": "box"}]}
ONE = json_input([0] * 12, [1, 2, 2, 3])
WRONG = {
    "no JSON": (b"{", "JSON"),
    "an empty body": (b"", "JSON"),
    "no object": ([], "object"),
    "not UTF-8": (b'{"inputs": "\xff"}', "JSON"),
    "deep JSON": (b'{"inputs":' + b"[" * 100_000, "JSON"),
    "no inputs": ({}, "lacks 'inputs'"),
    "no input": ({"inputs": []}, "one input"),
    "another input": (json_input([0], [1], "picture"), "'picture'"),
    "two inputs": ({"inputs": ONE["inputs"] * 2}, "one input"),
    "no shape": ({"inputs": [{"name": "image", "datatype": "UINT8"}]}, "lacks 'inputs.0.shape'"),
    "no data": (json_input(None, [1, 2, 2, 3]), "neither 'data' nor"),
    "another datatype": (json_input([0], [1, 1, 1, 3], datatype="FP32"), "UINT8, got 'FP32'"),
    "a negative shape": (json_input([0], [-1, 2, 2, 3]), r"got [-1, 2, 2, 3]"),
    "an empty batch": (json_input([], [0, 2, 2, 3]), "at least 1"),
    "a huge shape": (json_input([0], [1, 2**40, 2**40, 3]), "takes 3626777458843887524118528"),
    "a shape beyond 64 bits": (json_input([0], [1, 10**30, 1, 3]), "takes 3"),
    "many images": (json_input([0], [10**6, 2, 2, 3]), "at most 64 images, got 1000000. Send"),
    "images beyond floats": (json_input([0], [10**400, 1, 1, 3]), "at most 64 images, got 1000"),
    "two channels": (json_input([0] * 8, [1, 2, 2, 2]), "shape [-1, -1, -1, 3]"),
    "too few numbers": (json_input([0] * 11, [1, 2, 2, 3]), "11 numbers"),
    "other nesting": (json_input([[0] * 6] * 2, [1, 2, 2, 3]), "of shape [2, 6]"),
    "ragged rows": (json_input([[0] * 6, [0]], [1, 2, 2, 3]), "differ in length"),
    "fractions": (json_input([0.5] * 12, [1, 2, 2, 3]), "whole numbers"),
    "texts": (json_input(["0"] * 12, [1, 2, 2, 3]), "whole numbers"),
    "truth values": (json_input([True] * 12, [1, 2, 2, 3]), "whole numbers"),
    "null": (json_input([None] * 12, [1, 2, 2, 3]), "whole numbers"),
    "256": (json_input([256] * 12, [1, 2, 2, 3]), "0 to 255"),
    "a number beyond 64 bits": (json_input([10**40] * 12, [1, 2, 2, 3]), "0 to 255"),
    "not a number": (
        json.dumps(json_input([float("nan")] * 12, [1, 2, 2, 3])).encode(),
        "whole numbers",
    ),
    "no base64": (json_input(["*"], [1], "encoded_image", "BYTES"), "base64"),
    "bytes as numbers": (json_input([1], [1], "encoded_image", "BYTES"), "base64"),
    "two files of one": (
        json_input(["", ""], [1], "encoded_image", "BYTES"),
        "2 elements, and its shape says 1",
    ),
    "an empty file": (json_input([""], [1], "encoded_image", "BYTES"), "is empty"),
    "another output": (ONE | {"outputs": [{"name": "bxo"}]}, "Did you mean box?"),
    "an output twice": (ONE | BOX_TWICE, "twice"),
    "an outer box without a coverage": (
        ONE | {"outputs": [{"name": "outer_box"}]},
        "needs the parameter 'coverage'",
    ),
    "a classification": (
        ONE | {"outputs": [{"name": "box", "parameters": {"classification": 1}}]},
        "no classification",
    ),
    "shared memory": (
        json_input(None, [1, 2, 2, 3], parameters={"shared_memory_region": "r"}),
        "no shared-memory",
    ),
    "a coverage above 1": (ONE | {"parameters": {"coverage": 2}}, "parameters.coverage"),
    "a coverage that is no number": (
        json.dumps(ONE | {"parameters": {"coverage": float("nan")}}).encode(),
        "parameters.coverage",
    ),
    "a number as id": (ONE | {"id": 1}, "'id'"),
    "a size without bytes": (
        json_input(None, [1, 2, 2, 3], parameters={"binary_data_size": 12}),
        "12 bytes follow the JSON, and 0 do",
    ),
    "a negative size": (
        json_input(None, [1, 2, 2, 3], parameters={"binary_data_size": -1}),
        "binary_data_size",
    ),
    "data twice": (
        json_input([0] * 12, [1, 2, 2, 3], parameters={"binary_data_size": 0}),
        "Remove one",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_gets_400_and_a_sentence_that_says_why(case, post):
    body, reason = WRONG[case]
    status, found = post(body)
    assert (status, list(found)) == (400, ["error"])
    assert reason in found["error"]
    assert len(found["error"]) < 400


def binary_request(data, shape, name="image", datatype="UINT8"):
    request = json_input(None, shape, name, datatype, parameters={"binary_data_size": len(data)})
    return json.dumps(request).encode(), data


BINARY = {
    "too few bytes": (binary_request(b"0" * 11, [1, 2, 2, 3]), "11 bytes"),
    "a cut length": (binary_request(b"\x01\x00", [1], "encoded_image", "BYTES"), "cut off"),
    "a cut file": (binary_request(b"\xff\xff\xff\xff0", [1], "encoded_image", "BYTES"), "cut off"),
    "no file": (binary_request(b"", [1], "encoded_image", "BYTES"), "0 elements"),
    "bytes that nothing announces": ((json.dumps(ONE).encode(), b"00"), "2 bytes follow"),
}


@pytest.mark.parametrize("case", BINARY)
def test_wrong_binary_data_gets_400_and_a_sentence_that_says_why(case, post):
    (text, data), reason = BINARY[case]
    status, found = post(text + data, Inference_Header_Content_Length=str(len(text)))
    assert status == 400
    assert reason in found["error"]


@pytest.mark.parametrize("length", ["-1", "x", "99999", "1e2", "9" * 5000, "²"])
def test_a_wrong_length_of_the_json_gets_400(length, post):
    headers = {"Inference_Header_Content_Length": length.encode("utf-8")}
    status, found = post(ONE, **headers)
    assert status == 400
    assert "Inference-Header-Content-Length must be" in found["error"]


def test_a_compressed_body_gets_415(post):
    status, found = post(ONE, Content_Encoding="gzip")
    assert status == 415
    assert "'gzip'" in found["error"]


@pytest.mark.parametrize("path", ["cats", "discs/versions/2", "%2e%2e", "..%2f..%2fetc"])
def test_another_model_gets_404_and_a_name_that_exists(path, address):
    answer = httpx.get(f"http://{address}/v2/models/{path}")
    assert answer.status_code == 404


def test_the_message_about_another_model_names_the_one_there_is(address):
    answer = httpx.post(f"http://{address}/v2/models/cats/infer", json=ONE)
    assert answer.json() == {"error": "there is no model 'cats', only 'discs'."}


def test_a_refusal_before_the_protocol_has_its_sentence_where_clients_look(client):
    large = np.zeros((1, 600, 600, 3), np.uint8)
    with pytest.raises(triton.InferenceServerException, match="at most 1048576 are allowed"):
        client.infer("discs", [pixels_input(large)])


def test_a_path_of_the_protocol_that_does_not_exist_gets_404_in_its_form(address):
    answer = httpx.get(f"http://{address}/v2/repository/index")
    assert answer.status_code == 404
    assert "nothing at /v2/repository/index" in answer.json()["error"]


def test_a_server_that_drains_is_alive_and_not_ready(client, predictor):
    predictor.drain()
    try:
        assert client.is_server_live()
        assert not client.is_server_ready()
        assert not client.is_model_ready("discs")
    finally:
        predictor.is_ready = True


def test_the_program_of_the_page_prints_what_the_model_predicts(
    address, model, tmp_path, monkeypatch, capsys
):
    page = (Path(__file__).parents[2] / "docs/serving.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(from pathlib.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("cat.jpg").write_bytes(encode(PIXELS[0], "jpeg"))
    program = program.replace("127.0.0.1:8000", address).replace('"model"', '"discs"')
    exec(program, {})  # noqa: S102 - our own page
    box = np.array(model.predict("cat.jpg").box, np.float32)
    assert capsys.readouterr().out.startswith(f"[b'disc'] {box[None]} [[")
