"""Errors as answers: every error is JSON that names the rule, the value and the repair.

The form is that of RFC 9457, ``application/problem+json``: the title is the phrase of the status,
``detail`` is the sentence of the error. Clients read the status; people read ``detail``.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from onebox.errors import DataError, ImageError, OneboxError, SettingError

MEDIA_TYPE = "application/problem+json"

_PROTOCOL = "/v2"  # the Open Inference Protocol reads the sentence from a member "error"

logger = logging.getLogger("onebox.serving")


class NotAnImageError(ImageError):
    """Bytes that are no image of a format that is served."""


# The most special class first: the first that fits an error decides.
STATUS_OF: Mapping[type[OneboxError], int] = {
    NotAnImageError: 415,
    ImageError: 422,
    DataError: 422,
    SettingError: 422,
}
"""The status of an error that a client can repair; all others are errors of the server."""

_HINTS = {
    404: "There is nothing at {path}. Correct the path.",
    405: "{path} does not take {method}. Use one of the methods in the Allow header.",
}
_UNEXPECTED = "The server failed on this request; its log says why. Report it with that log."


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error says.

    Attributes:
        status: HTTP status.
        detail: Sentences that name the rule, the value and the repair.
        headers: Headers of the answer, such as ``Retry-After``.
        more: Further members of the JSON.
    """

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The members of the JSON object."""
        title = HTTPStatus(self.status).phrase
        known = {"type": "about:blank", "title": title, "status": self.status}
        return {**known, "detail": self.detail, **self.more}


class ProblemError(Exception):
    """An error that is answered with a problem.

    Attributes:
        problem: The answer.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Keep the problem; see `Problem`."""
        self.problem = Problem(status, detail, headers)
        super().__init__(detail)


def problem_of(error: Exception) -> Problem:
    """The answer to an error: its own status, that of `STATUS_OF`, or 500."""
    if isinstance(error, ProblemError):
        return error.problem
    for kind, status in STATUS_OF.items():
        if isinstance(error, kind):
            return Problem(status, str(error))
    detail = str(error) if isinstance(error, OneboxError) else _UNEXPECTED
    return Problem(500, detail)


def as_response(problem: Problem, path: str = "") -> Response:
    """The problem as a response to a request for a path."""
    members = problem.as_json()
    if path.startswith(_PROTOCOL):
        members["error"] = problem.detail
    content = json.dumps(members)
    return Response(content, problem.status, problem.headers, MEDIA_TYPE)


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error that a route raised: a handler of Starlette."""
    if isinstance(error, HTTPException):
        return as_response(_of_routing(request, error), _path(request))
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(error, OneboxError):
        logger.error("%s %s: %s", request.method, _path(request), error)
    return as_response(problem, _path(request))


def _of_routing(request: Request, error: HTTPException) -> Problem:
    hint = _HINTS.get(error.status_code, error.detail)
    detail = hint.format(path=_path(request), method=request.method)
    return Problem(error.status_code, detail, error.headers or {})


def _path(request: Request) -> str:
    # Not that of `request.url`, which fails if the query is not UTF-8.
    path: str = request.scope["path"]
    return path
