"""What `GET /metrics` says after requests whose number is known."""

import asyncio
import shutil

import httpx
import numpy as np
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from onebox.serving.model_api.metrics import MetricsMiddleware, ServerMetrics
from onebox.serving.model_api.models import ModelHolder
from onebox.serving.model_api.predictor import Predictor, Work

WHITE = np.full((8, 8, 3), 255, np.uint8)


@pytest.fixture
def file(bright_file, tmp_path):
    return shutil.copy(bright_file, tmp_path / "bright.onnx")


@pytest.fixture
def predictor(file):
    predictor = Predictor(ModelHolder(file, threads=1), Work(threads=1))
    yield predictor
    predictor.close()


@pytest.fixture
def ask(predictor):
    """Ask the metered application for paths, one after the other; the last answer."""
    metrics = ServerMetrics(predictor)

    async def teapot(_):
        return JSONResponse({}, 418)

    async def fail(_):
        raise RuntimeError("it failed")

    routes = [
        metrics.route(),
        Route("/cups/{name}", teapot, methods=["GET"]),
        Route("/broken", fail),
    ]
    app = MetricsMiddleware(Starlette(routes=routes), metrics, routes)

    async def ask_all(paths, headers):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            for method, path in paths:
                answer = await client.request(method, path, headers=headers)
        return answer

    return lambda *paths, **headers: asyncio.run(ask_all(paths, headers))


def samples(answer):
    """Every sample: its value by its name and its labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(ask):
    found = samples(ask(*[("GET", "/cups/a")] * 3, ("GET", "/cups/b"), ("GET", "/metrics")))
    assert found["onebox_http_requests_total", "/cups/{name}", "418"] == 4
    assert found["onebox_http_request_seconds_count", "/cups/{name}"] == 4


def test_unknown_paths_and_methods_share_one_label(ask):
    paths = [("GET", f"/secret/{number}") for number in range(20)]
    found = samples(ask(*paths, ("BREW", "/cups/a"), ("GET", "/metrics")))
    routes = {key[1] for key in found if key[0] == "onebox_http_requests_total"}
    assert routes == {"other", "/cups/{name}"}
    assert found["onebox_http_requests_total", "other", "404"] == 20
    assert found["onebox_http_requests_total", "/cups/{name}", "405"] == 1


def test_a_request_that_fails_is_counted_and_leaves_the_flight(ask):
    found = samples(ask(("GET", "/broken"), ("GET", "/metrics")))
    assert found["onebox_http_requests_total", "/broken", "500"] == 1
    assert found["onebox_http_requests_in_flight",] == 1  # the request for the metrics itself


def test_predicted_and_unreadable_images_are_counted_apart(ask, predictor):
    asyncio.run(predictor.predict([WHITE, WHITE, b"no image"]))
    found = samples(ask(("GET", "/metrics")))
    assert found["onebox_images_predicted_total",] == 2
    assert found["onebox_images_unreadable_total",] == 1
    assert found["onebox_images_unfinished",] == 0


def test_replacements_of_the_model_are_counted_by_outcome(ask, predictor, file):
    predictor.models.reload()
    file.write_bytes(b"broken")
    predictor.models.reload()
    found = samples(ask(("GET", "/metrics")))
    assert found["onebox_model_reloads_total", "loaded"] == 1
    assert found["onebox_model_reloads_total", "failed"] == 1


def test_the_model_in_use_is_named(ask):
    answer = ask(("GET", "/metrics"))
    families = {each.name: each for each in text_string_to_metric_families(answer.text)}
    family = families["onebox_model_info"]
    assert family.samples[0].labels["name"] == "bright"
    assert family.samples[0].labels["classes"] == "1"


def test_memory_and_processor_time_of_the_process_are_shown(ask):
    found = samples(ask(("GET", "/metrics")))
    assert found["process_resident_memory_bytes",] > 10_000_000
    assert found["process_cpu_seconds_total",] > 0


def test_a_client_that_prefers_openmetrics_gets_it(ask):
    answer = ask(("GET", "/metrics"), accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = {each.name for each in openmetrics.text_string_to_metric_families(answer.text)}
    assert {"onebox_http_requests", "onebox_images_predicted", "onebox_model"} <= families
