"""``POST /predict``: images in, the objects of ``onebox predict --json`` out."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onebox.errors import ImageError, suggest
from onebox.prediction.writers.certainty import certainty_of
from onebox.prediction.writers.records import Layout, Row, as_json
from onebox.serving.model_api.models import Promised
from onebox.serving.model_api.predictor import Answers, Predictor
from onebox.serving.model_api.uploads import Upload, is_form, read_uploads
from onebox.serving.web.problems import Problem, ProblemError, as_response, problem_of
from onebox.structures import Prediction

_OPTIONS = ("coverage", "max_risk")


def prediction_routes(predictor: Predictor) -> list[Route]:
    """The route of predictions."""

    async def predict(request: Request) -> Response:
        asked = read_promised(request.query_params)
        uploads = await read_uploads(request)
        answers = await predictor.answer([upload.content for upload in uploads], asked)
        layout = _layout(answers)
        found = [
            _as_json(upload, result, layout)
            for upload, result in zip(uploads, answers.results, strict=True)
        ]
        if is_form(request):
            members = [each.as_json() if isinstance(each, Problem) else each for each in found]
            return JSONResponse({"predictions": members})
        [one] = found
        return as_response(one) if isinstance(one, Problem) else JSONResponse(one)

    return [Route("/predict", predict, methods=["POST"])]


def read_promised(query: Mapping[str, str]) -> Promised:
    """What the query of a request asks of the model.

    Raises:
        ProblemError: If it has other options, or one is no number.
    """
    for name in query:
        if name not in _OPTIONS:
            raise ProblemError(
                400,
                f"There is no option {name!r}, only {' and '.join(_OPTIONS)}."
                f"{suggest(name, _OPTIONS)}",
            )
    coverage, max_risk = (_number(name, query.get(name)) for name in _OPTIONS)
    return Promised(coverage, max_risk)


def _number(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise ProblemError(
            400, f"{name} must be a number between 0 and 1, got {text!r}. Write it as 0.9."
        ) from None


def _layout(answers: Answers) -> Layout:
    card, promised = answers.model.card, answers.promised
    certainty = certainty_of(card, coverage=promised.coverage, max_risk=promised.max_risk)
    return Layout(card.classes, card.keypoints, card.presence, certainty=certainty)


def _as_json(
    upload: Upload, result: Prediction | ImageError, layout: Layout
) -> dict[str, Any] | Problem:
    """The object of a prediction, or the problem of an image that cannot be read."""
    if isinstance(result, Prediction):
        return as_json(Row(upload.name, result), layout)
    problem = problem_of(result)
    return Problem(problem.status, problem.detail, more={"image": upload.name})
