"""The OpenAPI document is valid, names every route, and tells what the server answers."""

import io
import re

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from PIL import Image
from starlette.routing import Route
from starlette.testclient import TestClient

from onebox.serving.model_api import application
from onebox.serving.model_api.models import ModelHolder
from onebox.serving.model_api.openapi import document
from onebox.serving.model_api.predictor import Predictor, Work
from onebox.serving.web import application as web
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import Limits
from onebox.serving.web.security import Access

DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
PIXELS = np.full((20, 30, 3), 255, np.uint8)
INFER = {
    "inputs": [
        {"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [255, 255, 255]}
    ]
}


def png():
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "png")
    return file.getvalue()


def check(name, value):
    """Validate a value against a schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(value)


@pytest.fixture
def routes(monkeypatch):
    """The routes of each application that is built."""
    found, build = [], web.build

    def keep(routes, **more):
        found.extend(routes)
        return build(routes, **more)

    monkeypatch.setattr(web, "build", keep)
    return found


@pytest.fixture
def client(bright_file, routes):
    predictor = Predictor(ModelHolder(bright_file, threads=1), Work(threads=1))
    access = Access(AllowedHosts.of("127.0.0.1", 80))
    app = application.build(predictor, access, Limits())
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_the_document_is_valid_openapi():
    validate(DOCUMENT)


def test_the_document_has_exactly_the_routes_and_methods_of_the_application(client, routes):
    assert all(isinstance(route, Route) for route in routes)
    served = {
        (re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path), method.lower())
        for route in routes
        for method in route.methods - {"HEAD"}
    }
    described = {
        (path, method)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert served == described


def test_the_parts_of_each_path_are_described():
    for path, item in DOCUMENT["paths"].items():
        names = [each["name"] for each in item.get("parameters", [])]
        assert names == re.findall(r"\{(\w+)\}", path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_examples_fit_their_schemas(name):
    for example in SCHEMAS[name].get("examples", []):
        check(name, example)


def test_the_schema_of_a_prediction_refuses_a_box_of_three_edges():
    example = SCHEMAS["Prediction"]["examples"][0]
    with pytest.raises(Exception, match="too short"):
        check("Prediction", example | {"box": [1, 2, 3]})


ASKED = {
    "/model": ("get", "/model", {}, "Model"),
    "/predict": ("post", "/predict", {"content": png()}, "Prediction"),
    "/predict, a form": ("post", "/predict", {"files": [("f", ("a.png", png()))]}, "Predictions"),
    "/predict, no image": ("post", "/predict", {"content": b"no image"}, "Problem"),
    "/v2": ("get", "/v2", {}, "InferenceServer"),
    "live": ("get", "/v2/health/live", {}, "InferenceLive"),
    "ready": ("get", "/v2/health/ready", {}, "InferenceReady"),
    "model": ("get", "/v2/models/model", {}, "InferenceModel"),
    "model ready": ("get", "/v2/models/model/versions/1/ready", {}, "InferenceModelReady"),
    "infer": ("post", "/v2/models/model/infer", {"json": INFER}, "InferenceResponse"),
    "wrong": ("post", "/v2/models/model/infer", {"json": {}}, "InferenceError"),
    "no path": ("get", "/nothing", {}, "Problem"),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_the_server_answers_fits_the_schema(case, client):
    method, path, sent, schema = ASKED[case]
    answer = client.request(method, path, **sent)
    check(schema, answer.json())
    status = str(answer.status_code)
    described = DOCUMENT["paths"].get(path, {}).get(method, {}).get("responses", {status: {}})
    assert status in described


def test_the_server_shows_the_document(client):
    assert client.get("/openapi.json").json() == DOCUMENT
