"""The Open Inference Protocol, version 2, over REST: metadata and inference; `about` has health.

It has the extension of binary tensor data. A wrong request gets ``{"error": ...}``, with status
400, or 404 for another model; so does what `problems` answers below ``/v2``.

References:
    kserve/open-inference-protocol, inference_rest.md; Triton Inference Server,
    extension_binary_data.md.
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
    choose_outputs,
    encode,
    output_metadata,
)
from onebox.serving.model_api.inference_request import InferenceRequest
from onebox.serving.model_api.predictor import Predictor
from onebox.structures import Prediction

VERSION = "1"
"""The only version of the model: a server has one model file."""

JSON_LENGTH = "Inference-Header-Content-Length"
_SHOWN = 80  # characters of a wrong name in a message

Handler = Callable[[Request], Awaitable[Response]]


class InferenceProtocol:
    """The endpoints of the protocol for one model."""

    def __init__(self, predictor: Predictor) -> None:
        """Answer with the predictions of a predictor."""
        self._models = predictor.models
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

    async def _model(self, _: Request) -> Response:
        return JSONResponse(
            {
                "name": self._models.name,
                "versions": [VERSION],
                "platform": "onebox",
                "inputs": input_metadata(),
                "outputs": output_metadata(self._models.current().card, self._models.usual),
            }
        )

    async def _model_ready(self, _: Request) -> Response:
        is_ready = self._predictor.is_ready
        state = {"name": self._models.name, "ready": is_ready}
        return JSONResponse(state, 200 if is_ready else 503)

    async def _infer(self, request: Request) -> Response:
        if coding := request.headers.get("content-encoding"):
            message = (
                f"a body of Content-Encoding {coding[:_SHOWN]!r} is not read. Send it as it is."
            )
            return _error(415, message)
        body, length = await request.body(), request.headers.get(JSON_LENGTH)
        try:
            # In a thread: the numbers of a large image in JSON take long.
            wanted = await run_in_threadpool(inference_request.parse, body, length)
            encoded = await self._predict(wanted)
        except OneboxError as error:
            return _error(400, str(error))
        return _response(self._models.name, wanted, encoded)

    async def _predict(self, wanted: InferenceRequest) -> list[EncodedTensor]:
        promised = wanted.asked.or_else(self._models.usual)
        # Before anything is predicted; and again, as the file may be replaced meanwhile.
        choose_outputs(wanted.outputs, self._models.current().card, promised)
        answers = await self._predictor.answer(wanted.sources, wanted.asked)
        tensors = choose_outputs(wanted.outputs, answers.model.card, answers.promised)
        predictions = _all_predictions(answers.results)
        return [
            encode(tensor, predictions, is_binary=wanted.is_binary(tensor.name))
            for tensor in tensors
        ]


def _all_predictions(results: Sequence[Prediction | ImageError]) -> list[Prediction]:
    predictions = [result for result in results if isinstance(result, Prediction)]
    for number, result in enumerate(results, start=1):
        if not isinstance(result, Prediction):
            raise ImageError(f"image {number} of {len(results)}: {result}")
    return predictions


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
