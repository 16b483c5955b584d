"""A model behind the HTTP of the real server: a test double for its page."""

import dataclasses

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from .fake_label_server import pages

MODEL = {
    "name": "cats.onnx",
    "classes": ["cat", "dog"],
    "keypoints": None,
    "size": 224,
    "presence": True,
    "is_calibrated": True,
    "coverage": 0.9,
    "limits": {"bytes": 1_000_000, "pixels": 1_000_000},
}
SURE = {"expected_iou": 0.87, "p_iou50": 0.99, "p_iou75": 0.93, "is_familiar": True}
PREDICTION = {
    "image": "image",
    "label": "cat",
    "score": 0.91,
    "box": [95.25, 60.5, 310.125, 240.0],
    "probabilities": {"cat": 0.94, "dog": 0.06},
    "present": 0.98,
    **SURE,
    "coverage": 0.9,
    "outer_box": [80.0, 50.0, 330.0, 260.0],
    "inner_box": None,
}


@dataclasses.dataclass
class FakeModel:
    """A model, for a test to set and to read.

    Attributes:
        answers: Status and body of each answer, in the order of the requests; after the last one
            each picture gets `PREDICTION`.
        answers_by_size: Likewise for pictures of so many bytes, in whatever order they come.
    """

    model: dict = dataclasses.field(default_factory=lambda: dict(MODEL))
    answers: list = dataclasses.field(default_factory=list)
    answers_by_size: dict = dataclasses.field(default_factory=dict)
    requests: list = dataclasses.field(default_factory=list)


def application(model: FakeModel) -> Starlette:
    """The model over HTTP."""

    async def predict(request):
        body = await request.body()
        asked = (request.headers["content-type"], dict(request.query_params), len(body))
        model.requests.append(asked)
        usual = model.answers_by_size.get(len(body), (200, PREDICTION))
        status, answer = model.answers.pop(0) if model.answers else usual
        return JSONResponse(answer, status)

    routes = [
        Route("/model", lambda _: JSONResponse(model.model)),
        Route("/predict", predict, methods=["POST"]),
    ]
    return Starlette(routes=[*pages("model.html"), *routes])
