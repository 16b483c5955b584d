"""The application behind ``onebox serve``: its routes, and what it opens and closes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources.abc import Traversable

from starlette.applications import Starlette
from starlette.types import ASGIApp

from onebox.serving.model_api.about import LIVE, READY, about_routes
from onebox.serving.model_api.inference_protocol import InferenceProtocol
from onebox.serving.model_api.metrics import MetricsMiddleware, ServerMetrics
from onebox.serving.model_api.openapi import openapi_route
from onebox.serving.model_api.prediction import prediction_routes
from onebox.serving.model_api.predictor import Predictor
from onebox.serving.web import application
from onebox.serving.web.assets import asset_routes
from onebox.serving.web.limits import Limits
from onebox.serving.web.security import Access

OPEN_PATHS = frozenset({LIVE, READY})
"""Paths that need no token: orchestrators ask there whether the server is well."""

PAGE = "model.html"


def build(
    predictor: Predictor, access: Access, limits: Limits, assets: Traversable | None = None
) -> ASGIApp:
    """Build the application.

    Args:
        predictor: What predicts; it is closed with the application, and so is its model.
        access: Who may ask what.
        limits: What one request may take.
        assets: The folder with the page; by default that of the package.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        predictor.models.watch()
        yield
        predictor.models.close()
        predictor.close()

    metrics = ServerMetrics(predictor)
    routes = [
        *prediction_routes(predictor),  # first: most requests are these
        *asset_routes(PAGE, assets),
        *about_routes(predictor, limits),
        *InferenceProtocol(predictor).routes(),
        metrics.route(),
        openapi_route(),
    ]
    app = application.build(routes, access=access, limits=limits, lifespan=lifespan)
    return MetricsMiddleware(app, metrics, routes)
