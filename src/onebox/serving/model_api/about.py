"""``/model``: what the model is and the server takes; ``/v2/health``: how the server is."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onebox.errors import SettingError
from onebox.model_card import ModelCard
from onebox.serving.model_api.models import ModelHolder, Promised
from onebox.serving.model_api.predictor import Predictor
from onebox.serving.model_api.uploads import MOST_FILES
from onebox.serving.web.limits import Limits

LIVE = "/v2/health/live"
READY = "/v2/health/ready"

_COVERAGE = 0.9  # of the outer boxes that the page shows


def about_routes(predictor: Predictor, limits: Limits) -> list[Route]:
    """The routes that say what the model is, and whether the server takes requests."""
    models = predictor.models

    async def show_model(_: Request) -> Response:
        return JSONResponse(describe(models, limits, predictor.work.max_pixels))

    async def show_life(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def show_readiness(_: Request) -> Response:
        failure = models.reloads.failure
        state = {"live": True, "ready": predictor.is_ready}
        noted = {} if failure is None else {"failed_reload": models.without_folder(failure)}
        return JSONResponse({**state, **noted}, 200 if predictor.is_ready else 503)

    return [Route("/model", show_model), Route(LIVE, show_life), Route(READY, show_readiness)]


def describe(models: ModelHolder, limits: Limits, max_pixels: int) -> dict[str, Any]:
    """What a client may want to know before it sends an image."""
    card = models.current().card
    return {
        "name": models.name,
        "classes": card.classes,
        "keypoints": _keypoints(card),
        "size": card.size,
        "presence": card.presence,
        "is_calibrated": card.active_calibration is not None,
        "coverage": _coverage(models),
        "limits": {"bytes": limits.body_bytes, "pixels": max_pixels, "files": MOST_FILES},
    }


def _keypoints(card: ModelCard) -> dict[str, Any] | None:
    if card.keypoints is None:
        return None
    return {"names": card.keypoints.names, "skeleton": card.keypoints.skeleton}


def _coverage(models: ModelHolder) -> float | None:
    """The usual coverage, or one that the calibration allows; None if there is none."""
    wanted = models.usual.coverage or _COVERAGE
    try:
        models.promising(Promised(coverage=wanted))
    except SettingError:
        return None
    return wanted
