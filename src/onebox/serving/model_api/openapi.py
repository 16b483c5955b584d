"""The endpoints of the model server, described in OpenAPI 3.1, at ``GET /openapi.json``.

The tests compare paths and methods with the routes of the application, and what it answers with
the schemas.
"""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import onebox
from onebox.serving.model_api.openapi_schemas import FRACTION, SCHEMAS, TEXT

Part = dict[str, Any]

_JSON = "application/json"
_BINARY = "application/octet-stream"
_PROBLEM = "application/problem+json"
_ERRORS = {
    400: "The request is not one that the server understands.",
    401: "The token is missing or wrong.",
    403: "The request comes from another site.",
    404: "There is no such path or model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is of another type, or no image of a format that is served.",
    421: "The Host header is none of the server's names.",
    422: "The image cannot be read, or the model cannot promise what is asked.",
    431: "The headers are too long.",
    503: "The server has too much to do; Retry-After says when to try again.",
}
_ALWAYS = (400, 401, 403, 421, 431)
_WITH_BODY = (408, 413, 415, 422, 503)


def document() -> Part:
    """The document, as JSON values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "onebox model server",
            "version": onebox.__version__,
            "summary": "One image, one subject: what it is, where it is, and how sure.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": {**_page_paths(), **_plain_paths(), **_protocol_paths()},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def openapi_route() -> Route:
    """The route of the document."""
    content = document()

    async def show(_: Request) -> Response:
        return JSONResponse(content)

    return Route("/openapi.json", show)


def _page_paths() -> Part:
    file = {"text/html": {"schema": TEXT}}
    any_file: Part = {"*/*": {"schema": {}}}
    name = _in_path("name", "Name of a file of the page.")
    return {
        "/": {"get": _get("The page: drop images, see boxes, correct them.", file)},
        "/assets/{name}": {
            "parameters": [name],
            "get": _get("A script or a style of the page.", any_file, [404]),
        },
    }


def _plain_paths() -> Part:
    text = {"text/plain": {"schema": TEXT}}
    anything = {_JSON: {"schema": {"type": "object"}}}
    return {
        "/model": {"get": _get("What the model is, and the limits.", _json("Model"))},
        "/predict": {"post": _predict()},
        "/metrics": {"get": _get("Metrics for Prometheus.", text)},
        "/openapi.json": {"get": _get("This document.", anything)},
    }


def _predict() -> Part:
    one_or_many = {_JSON: {"schema": {"anyOf": [_of("Prediction"), _of("Predictions")]}}}
    parts = {"type": "object", "additionalProperties": {"contentMediaType": "image/*"}}
    return {
        "summary": "Predict the subject of one image, or of each file of a form.",
        "parameters": [
            _in_query("coverage", "Coverage of the outer and inner boxes."),
            _in_query("max_risk", "Largest fraction of wrong predictions among accepted ones."),
        ],
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": {}}, "multipart/form-data": {"schema": parts}},
        },
        "responses": {
            "200": {"description": "The prediction, or one for each file.", "content": one_or_many},
            **_errors((*_ALWAYS, *_WITH_BODY)),
        },
    }


def _protocol_paths() -> Part:
    paths: Part = {
        "/v2": {"get": _get("The server.", _json("InferenceServer"))},
        "/v2/health/live": {"get": _get("The process is alive.", _json("InferenceLive"))},
        "/v2/health/ready": {
            "get": _get("The server takes requests.", _json("InferenceReady"), [503])
        },
    }
    name, version = _in_path("name", "Name of the model."), _in_path("version", "Its version.")
    for root, parameters in {
        "/v2/models/{name}": [name],
        "/v2/models/{name}/versions/{version}": [name, version],
    }.items():
        about = _get("Inputs and outputs of the model.", _json("InferenceModel"), [404])
        ready = _get("The model is ready.", _json("InferenceModelReady"), [404, 503])
        paths |= {
            root: {"parameters": parameters, "get": about},
            f"{root}/ready": {"parameters": parameters, "get": ready},
            f"{root}/infer": {"parameters": parameters, "post": _infer()},
        }
    return paths


def _infer() -> Part:
    length = {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "Bytes of the JSON, if binary data follow it.",
        "schema": {"type": "integer", "minimum": 0},
    }
    wrong = {"description": "The request is wrong.", "content": _json("InferenceError")}
    return {
        "summary": "Predict, by the Open Inference Protocol.",
        "parameters": [length],
        "requestBody": {
            "required": True,
            "content": _json("InferenceRequest") | {_BINARY: {"schema": {}}},
        },
        "responses": {
            "200": {
                "description": "The outputs; binary data follow the JSON if they were asked for.",
                "content": _json("InferenceResponse") | {_BINARY: {"schema": {}}},
            },
            **_errors((401, 403, 408, 413, 421, 431, 503)),
            **dict.fromkeys(("400", "404", "415"), wrong),
        },
    }


def _get(summary: str, content: Part, more: Iterable[int] = ()) -> Part:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": content},
            **_errors((*_ALWAYS, *more)),
        },
    }


def _errors(statuses: Iterable[int]) -> Part:
    content = {_PROBLEM: {"schema": _of("Problem")}}
    return {
        str(status): {"description": _ERRORS[status], "content": content}
        for status in sorted(statuses)
    }


def _json(schema: str) -> Part:
    return {_JSON: {"schema": _of(schema)}}


def _of(schema: str) -> Part:
    return {"$ref": f"#/components/schemas/{schema}"}


def _in_path(name: str, description: str) -> Part:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": TEXT,
    }


def _in_query(name: str, description: str) -> Part:
    return {"name": name, "in": "query", "description": description, "schema": FRACTION}
