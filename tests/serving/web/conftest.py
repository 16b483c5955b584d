"""A small application behind the same limits and security as the real ones."""

import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from onebox.errors import DataError, ImageError, ModelError, OneboxError, SettingError
from onebox.serving.web import application
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import Limits
from onebox.serving.web.problems import NotAnImageError, ProblemError
from onebox.serving.web.security import Access

ERRORS = {
    "data": DataError("labels.csv:2: bad.", "labels.csv:3: bad."),
    "image": ImageError("image: is empty (0 bytes). Replace or remove it."),
    "no-image": NotAnImageError("image: is not an image."),
    "setting": SettingError("coverage must be between 0 and 1, got 2."),
    "model": ModelError("model.onnx: is gone."),
    "disk": OneboxError("labels.csv: cannot be written."),
    "problem": ProblemError(409, "Another tab changed it.", {"Retry-After": "7"}),
    "bug": ZeroDivisionError("secret"),
}


async def _length(request):
    return JSONResponse({"bytes": len(await request.body())})


async def _fail(request):
    raise ERRORS[request.path_params["name"]]


@pytest.fixture(scope="session")
def new_client():
    """Make a client: ``new_client(limits=Limits(...), token=...)``; see `Access`."""

    def make(limits=None, host="127.0.0.1", more=(), base="http://127.0.0.1:8000", **access):
        hosts = AllowedHosts.of(host, 8000, more)
        routes = [
            Route("/", _length),
            Route("/health", _length),
            Route("/length", _length, methods=["GET", "POST"]),
            Route("/api/length", _length, methods=["GET", "POST"]),
            Route("/errors/{name}", _fail),
        ]
        app = application.build(routes, access=Access(hosts, **access), limits=limits or Limits())
        client = TestClient(app, base, raise_server_exceptions=False, follow_redirects=False)
        client.headers = {}
        return client

    return make
