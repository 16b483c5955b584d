"""Servers in this process: what an answer to a request may be, whatever its body and headers."""

import asyncio
import io
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model_targets import network
from mutation import Input
from PIL import Image
from target import Opening, Target, check

from onebox.labelling.options import SessionOptions
from onebox.labelling.session import Session
from onebox.serving.label_api.job import Place, page
from onebox.serving.model_api import application
from onebox.serving.model_api.models import ModelHolder
from onebox.serving.model_api.predictor import Predictor, Work
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import Limits
from onebox.serving.web.security import Access

_HOST = "127.0.0.1:8000"
_LIMITS = Limits(body_bytes=1 << 16, body_seconds=2.0)
_FULL = 503
_WORDS = (
    *(b"multipart/form-data; boundary=x", b"--x\r\n", b"application/json", b"image/png"),
    *(b"Inference-Header-Content-Length: ", b'"binary_data_size"', b'"datatype"', b'"BYTES"'),
    *(b'"UINT8"', b'"shape"', b"Content-Length: ", b"transfer-encoding: chunked", b"?coverage=0.9"),
)


@contextmanager
def _open_model(folder: Path) -> Iterator[Target]:
    file = folder / "model.onnx"
    file.write_bytes(network())
    predictor = Predictor(ModelHolder(file, threads=1), Work(threads=1))
    app = application.build(predictor, Access(AllowedHosts.of("127.0.0.1", 8000)), _LIMITS)
    with asyncio.Runner() as runner:
        yield Target([*_model_requests()], partial(_request, runner, app), _WORDS)
    predictor.close()


@contextmanager
def _open_labels(folder: Path) -> Iterator[Target]:
    (folder / "images").mkdir()
    for number in range(3):
        grey = Image.new("L", (40, 30), 60 * number)
        grey.save(folder / "images" / f"{number}.png")
    options = SessionOptions(folder / "images", classes=("cat", "dog"))
    with Session.open(options) as session, Place().open() as listener, asyncio.Runner() as runner:
        app = page(session, Place(), listener)
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        [first, *_] = session.next_entries("", 1, [])
        seeds = [*_label_requests(host, first.id)]
        yield Target(seeds, partial(_request, runner, app), (b'"image"', b'"label"', b'"box"'))


def _model_requests() -> Iterator[Input]:
    file = io.BytesIO()
    Image.new("RGB", (12, 8), 99).save(file, "PNG")
    picture = file.getvalue()
    yield _post("/predict", picture, "Content-Type: image/png")
    yield _post("/predict?coverage=0.9&max_risk=0.1", picture, "Content-Type: image/png")
    form = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
    body = form + b"Content-Type: image/png\r\n\r\n" + picture + b"\r\n--x--\r\n"
    yield _post("/predict", body, "Content-Type: multipart/form-data; boundary=x")
    tensor = {"name": "image", "shape": [1, 2, 2, 3], "datatype": "UINT8"}
    plain = {"inputs": [tensor | {"data": list(range(12))}], "outputs": [{"name": "box"}]}
    infer = "/v2/models/model/infer"
    yield _post(infer, json.dumps(plain).encode(), "Content-Type: application/json")
    binary = tensor | {"parameters": {"binary_data_size": 12}}
    head = json.dumps({"id": "1", "inputs": [binary]}).encode()
    length = f"Inference-Header-Content-Length: {len(head)}"
    yield _post(infer, head + bytes(range(12)), length)
    encoded = {"name": "image", "shape": [1], "datatype": "BYTES"}
    parts = encoded | {"parameters": {"binary_data_size": len(picture) + 4}}
    head = json.dumps({"inputs": [parts], "parameters": {"binary_data_output": True}}).encode()
    length = f"Inference-Header-Content-Length: {len(head)}"
    yield _post(infer, head + struct.pack("<I", len(picture)) + picture, length)
    for path in ("/v2", "/v2/models/model", "/v2/health/ready", "/metrics", "/", "/openapi.json"):
        yield _get(path, _HOST)


def _label_requests(host: str, image: str) -> Iterator[Input]:
    act = {"id": "1", "image": image, "revision": 0, "how": "drawn", "seconds": 1.5, "tab": "a"}
    label = {"label": "cat", "box": [1, 2, 30, 20], "keypoints": None}
    headers = ("Content-Type: application/json", "X-Onebox: 1")
    for body in (act | {"label": label}, act | {"label": None}):
        yield _post("/api/actions", json.dumps(body).encode(), *headers, host=host)
    yield _post("/api/classes", b'{"name": "bird"}', *headers, host=host)
    yield _post(f"/api/conflicts/{image}", b'{"keep": "mine"}', *headers, host=host)
    yield _post("/api/train", b"{}", *headers, host=host)
    for path in (
        *("/api/session", "/api/status", "/api/next?tab=&count=2&skip=a,b", f"/api/images/{image}"),
        *(
            "/api/images?filter=all&offset=0&count=5&query=1",
            f"/api/images/{image}/preview?side=64",
        ),
    ):
        yield _get(path, host)


def _post(path: str, body: bytes, *headers: str, host: str = _HOST) -> Input:
    lines = [f"POST {path}", f"Host: {host}", *headers]
    return Input(f"POST {path}", "\n".join(lines).encode() + b"\n\n" + body)


def _get(path: str, host: str) -> Input:
    return Input(f"GET {path}", f"GET {path}\nHost: {host}\nX-Onebox: 1\n\n".encode())


def _request(runner: asyncio.Runner, app: Any, given: Input) -> None:  # noqa: ANN401 - any ASGI
    head, _, body = given.content.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.partition(b" ")
    found = runner.run(_answer(app, _scope(method, target, lines), body))
    status, content = found["status"], found["content"]
    check(
        holds=status < 500 or status == _FULL, promise=f"no answer is {status}: {content[:300]!r}"
    )
    if b"json" in found["type"]:
        json.loads(content.partition(b"\0")[0] if found["is_binary"] else content)


def _scope(method: bytes, target: bytes, lines: list[bytes]) -> dict[str, Any]:
    """What a server makes of the lines of a request."""
    text = target.decode("latin-1").strip() or "/"
    try:
        split = urlsplit(text)
        path, query = split.path, split.query
    except ValueError:  # such as a bracket in the place of a host
        path, query = text, ""
    pairs = [line.partition(b":")[::2] for line in lines]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method.decode("latin-1").strip().upper(),
        "path": path or "/",
        "raw_path": path.encode("latin-1", "replace"),
        "root_path": "",
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(name.strip().lower(), value.strip()) for name, value in pairs],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _answer(app: Any, scope: dict[str, Any], body: bytes) -> dict[str, Any]:  # noqa: ANN401
    pieces = [body[at : at + 4096] for at in range(0, len(body), 4096)] or [b""]
    found: dict[str, Any] = {"status": 0, "type": b"", "content": b"", "is_binary": False}

    async def receive() -> dict[str, Any]:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            found["status"] = message["status"]
            found["type"] = headers.get(b"content-type", b"")
            found["is_binary"] = b"inference-header-content-length" in headers
        else:
            found["content"] += message.get("body", b"")

    await app(scope, receive, send)
    return found


SERVER_TARGETS: dict[str, Opening] = {"model-api": _open_model, "label-api": _open_labels}
