"""What the server says of its model and of itself, and who may ask."""

import logging
import os

import pytest

from onebox.serving.model_api.application import OPEN_PATHS
from onebox.serving.model_api.predictor import Work
from onebox.serving.web.limits import Limits
from onebox.structures import KeypointSet

pytestmark = pytest.mark.train


def test_the_model_is_described_with_the_limits(bright_file, new_client):
    client = new_client(
        bright_file, work=Work(threads=1, max_pixels=5000), limits=Limits(body_bytes=700)
    )
    assert client.get("/model").json() == {
        "name": "model",
        "classes": ["disc"],
        "keypoints": None,
        "size": 32,
        "presence": False,
        "is_calibrated": False,
        "coverage": None,
        "limits": {"bytes": 700, "pixels": 5000, "files": 64},
    }


def test_a_calibrated_model_names_a_coverage_that_it_allows(calibrated_file, new_client):
    described = new_client(calibrated_file).get("/model").json()
    assert (described["is_calibrated"], described["coverage"]) == (True, 0.9)


def test_keypoints_are_named_with_their_skeleton(bright_file, new_client, monkeypatch):
    client = new_client(bright_file)
    card = client.predictor.models.current().card
    keypoints = KeypointSet(("left eye", "right eye"), ((0, 1),))
    object.__setattr__(card, "keypoints", keypoints)
    assert client.get("/model").json()["keypoints"] == {
        "names": ["left eye", "right eye"],
        "skeleton": [[0, 1]],
    }


def test_a_server_that_ends_is_alive_but_not_ready(bright_file, new_client):
    client = new_client(bright_file)
    before = client.get("/v2/health/ready")
    client.predictor.drain()
    after = client.get("/v2/health/ready")
    assert (before.status_code, before.json()["ready"]) == (200, True)
    assert (after.status_code, after.json()["ready"]) == (503, False)
    assert client.get("/v2/health/live").status_code == 200


def test_a_failed_reload_is_told_and_leaves_the_server_ready(
    write_bright_model, new_client, tmp_path
):
    file = write_bright_model(tmp_path / "model.onnx")
    client = new_client(file)
    file.write_bytes(b"no model")
    client.predictor.models.reload()
    answer = client.get("/v2/health/ready")
    assert answer.status_code == 200
    assert answer.json()["failed_reload"].startswith("model: is not an ONNX model")
    assert str(tmp_path) not in answer.text


def test_a_file_name_that_is_not_utf_8_is_shown_with_question_marks(
    write_bright_model, new_client, tmp_path, caplog
):
    caplog.set_level(logging.CRITICAL, "onebox.serving")  # pytest-xdist cannot send such a name
    file = write_bright_model(tmp_path / os.fsdecode(b"caf\xe9.onnx"))  # Latin-1
    client = new_client(file)
    assert client.get("/model").json()["name"] == "caf?"
    assert client.get("/v2/models/caf%3F").json()["name"] == "caf?"
    assert client.get("/v2/models/cafe").json()["error"].endswith("only 'caf?'.")
    assert 'name="caf?"' in client.get("/metrics").text
    file.write_bytes(b"no model")
    client.predictor.models.reload()
    failure = client.get("/v2/health/ready").json()["failed_reload"]
    assert failure.startswith("caf?: is not an ONNX model")


def test_health_needs_no_token_and_everything_else_does(bright_file, new_client):
    client = new_client(bright_file, token="correct-horse-battery", open_paths=OPEN_PATHS)  # noqa: S106
    statuses = {path: client.get(path).status_code for path in ("/", "/model", *OPEN_PATHS)}
    assert statuses == {"/": 401, "/model": 401, **dict.fromkeys(OPEN_PATHS, 200)}
    assert client.post("/predict").status_code == 401


def test_the_page_of_the_model_is_at_the_root(bright_file, new_client):
    assert new_client(bright_file, page="<p>here</p>").get("/").text == "<p>here</p>"
