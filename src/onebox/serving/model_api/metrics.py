"""What a server has done and does, for Prometheus, at ``GET /metrics``.

Labels have few values: a route is one of the application's own, or ``other``, so that no client can
fill the memory with paths. Each server has a registry of its own.
"""

import time
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import onebox
from onebox.serving.model_api.predictor import Predictor

OTHER = "other"
"""The route label of a request that no route of the application answers."""

_CUT = "none"  # the status of a request whose client left before an answer began
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds


class ServerMetrics:
    """The metrics of one server.

    Attributes:
        registry: What `show` shows.
    """

    def __init__(self, predictor: Predictor) -> None:
        """Start with zeros; what the predictor and its model count is read when it is asked for."""
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "onebox_http_requests",
            "Requests that were answered, by route and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "onebox_http_request_seconds",
            "Time from the headers of a request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "onebox_http_requests_in_flight",
            "Requests that arrive or are in work.",
            registry=self.registry,
        )
        self.registry.register(_PredictorCollector(predictor))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def route(self) -> Route:
        """The route of the metrics."""
        return Route("/metrics", self.show)

    async def show(self, request: Request) -> Response:
        """Show the metrics as text, in the format that the client prefers."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"Content-Type": media_type})

    def begin(self) -> None:
        """Count a request that begins."""
        self._in_flight.inc()

    def end(self, route: str, status: str, seconds: float) -> None:
        """Count a request that ended."""
        self._in_flight.dec()
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(seconds)


class MetricsMiddleware:
    """An ASGI application around another: counts and times its requests, refused ones too."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics, routes: Sequence[BaseRoute]) -> None:
        """Count the requests of an application with these routes."""
        self._app = app
        self._metrics = metrics
        self._routes = [route for route in routes if isinstance(route, Route)]
        # Most requests are for a path without parts: matching patterns would cost more than all
        # else here.
        self._paths = {route.path for route in self._routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start = _CUT, time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        self._metrics.begin()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            seconds = time.perf_counter() - start
            path = scope["path"]
            label = path if path in self._paths else route_label(scope, self._routes)
            self._metrics.end(label, status, seconds)


def route_label(scope: Scope, routes: Iterable[Route]) -> str:
    """The path of the first route that has the path of a request, with names for its parts."""
    for route in routes:
        if route.matches(scope)[0] is not Match.NONE:
            return route.path
    return OTHER


class _PredictorCollector(Collector):
    """Reads what a predictor and its model count, when the metrics are asked for."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def collect(self) -> Iterator[Metric]:
        predictor, models = self._predictor, self._predictor.models
        yield CounterMetricFamily(
            "onebox_images_predicted", "Images with a prediction.", predictor.predicted
        )
        yield CounterMetricFamily(
            "onebox_images_unreadable", "Images that could not be read.", predictor.unreadable
        )
        yield GaugeMetricFamily(
            "onebox_images_unfinished", "Images that wait or are in work.", predictor.unfinished
        )
        reloads = CounterMetricFamily(
            "onebox_model_reloads",
            "Replacements of the model file, by outcome.",
            labels=["outcome"],
        )
        reloads.add_metric(["loaded"], models.reloads.succeeded)
        reloads.add_metric(["failed"], models.reloads.failed)
        yield reloads
        card = models.current().card
        yield InfoMetricFamily(
            "onebox_model",
            "The model in use.",
            {
                "name": models.name,
                "classes": str(len(card.classes)),
                "size": str(card.size),
                "onebox": onebox.__version__,
            },
        )
