"""The Open Inference Protocol, version 2, over REST: health, metadata and inference.

It has the extension of binary tensor data. A wrong request gets ``{"error": ...}``, with status
400, or 404 for another model. References: kserve/open-inference-protocol, inference_rest.md; Triton
Inference Server, extension_binary_data.md.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import onebox
from onebox.errors import ImageError, OneboxError
from onebox.serving.model_api import inference_request
from onebox.serving.model_api.inference_inputs import input_metadata
from onebox.serving.model_api.inference_outputs import (
    EncodedTensor,
    check_outputs,
    encode,
    output_metadata,
    tensors_of,
)
from onebox.serving.model_api.inference_request import InferenceRequest
from onebox.serving.model_api.models import ModelHolder
from onebox.serving.model_api.predictor import Predictor
from onebox.structures import Prediction

VERSION = "1"
"""The only version of the model: a server has one model file."""

JSON_LENGTH = "Inference-Header-Content-Length"
_SHOWN = 80  # characters of a wrong name in a message

Handler = Callable[[Request], Awaitable[Response]]


class InferenceProtocol:
    """The endpoints of the protocol for one model."""

    def __init__(self, models: ModelHolder, predictor: Predictor) -> None:
        """Answer for the model that the holder has, with predictions of the predictor."""
        self._models = models
        self._predictor = predictor

    def routes(self) -> list[Route]:
        """The routes, each model route with and without a version."""
        model = "/v2/models/{name}"
        of_model: list[tuple[str, str, Handler]] = [
            ("", "GET", self._model),
            ("/ready", "GET", self._model_ready),
            ("/infer", "POST", self._infer),
        ]
        return [
            Route("/v2", self._server),
            Route("/v2/health/live", self._live),
            Route("/v2/health/ready", self._ready),
            *(
                Route(f"{model}{version}{end}", self._of_model(handler), methods=[method])
                for end, method, handler in of_model
                for version in ("", "/versions/{version}")
            ),
        ]

    def _of_model(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            wrong = self._wrong_model(request)
            return _error(404, wrong) if wrong else await handler(request)

        return answer

    def _wrong_model(self, request: Request) -> str:
        """Say that the request names another model or version; empty if it does not."""
        name, version = request.path_params["name"], request.path_params.get("version", VERSION)
        if name != self._models.name:
            return f"there is no model {name[:_SHOWN]!r}, only '{self._models.name}'."
        if version != VERSION:
            return f"model '{name}' has no version {version[:_SHOWN]!r}, only '{VERSION}'."
        return ""

    async def _server(self, _: Request) -> Response:
        about = {
            "name": "onebox",
            "version": onebox.__version__,
            "extensions": ["binary_tensor_data"],
        }
        return JSONResponse(about)

    async def _live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, _: Request) -> Response:
        # The specification calls this one "live" too.
        return JSONResponse({"live": True, "ready": True})

    async def _model(self, _: Request) -> Response:
        return JSONResponse(
            {
                "name": self._models.name,
                "versions": [VERSION],
                "platform": "onebox",
                "inputs": input_metadata(),
                "outputs": output_metadata(self._models.current().card),
            }
        )

    async def _model_ready(self, _: Request) -> Response:
        return JSONResponse({"name": self._models.name, "ready": True})

    async def _infer(self, request: Request) -> Response:
        if coding := request.headers.get("content-encoding"):
            message = (
                f"a body of Content-Encoding {coding[:_SHOWN]!r} is not read. Send it as it is."
            )
            return _error(415, message)
        body = await request.body()
        try:
            # In a thread: the numbers of a large image in JSON take long.
            wanted = await run_in_threadpool(
                inference_request.parse, body, request.headers.get(JSON_LENGTH)
            )
            check_outputs(wanted.outputs, self._models.current().card, wanted.parameters)
            predictions = await self._predict(wanted)
            encoded = _encode(wanted, predictions)
        except OneboxError as error:
            return _error(400, str(error))
        return _response(self._models.name, wanted, encoded)

    async def _predict(self, wanted: InferenceRequest) -> Sequence[Prediction]:
        answers = await self._predictor.predict(
            wanted.sources, coverage=wanted.coverage, max_risk=wanted.max_risk
        )
        predictions = []
        for number, answer in enumerate(answers, start=1):
            if isinstance(answer, Prediction):
                predictions.append(answer)
            else:
                raise ImageError(f"image {number} of {len(answers)}: {answer}")
        return predictions


def _encode(wanted: InferenceRequest, predictions: Sequence[Prediction]) -> list[EncodedTensor]:
    choices = dict(zip(wanted.outputs, wanted.is_binary, strict=True))
    return [
        encode(
            tensor,
            predictions,
            is_binary=choices.get(tensor.name, wanted.is_binary_by_default),
        )
        for tensor in tensors_of(predictions, wanted.outputs, wanted.parameters)
    ]


def _response(name: str, wanted: InferenceRequest, encoded: Sequence[EncodedTensor]) -> Response:
    about: dict[str, Any] = {"model_name": name, "model_version": VERSION}
    if wanted.id is not None:
        about["id"] = wanted.id
    about["outputs"] = [tensor.about for tensor in encoded]
    text = json.dumps(about).encode()
    binary = [tensor.binary for tensor in encoded if tensor.binary is not None]
    if not binary:
        return Response(text, media_type="application/json")
    return Response(
        b"".join([text, *binary]),
        headers={JSON_LENGTH: str(len(text))},
        media_type="application/octet-stream",
    )


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)
