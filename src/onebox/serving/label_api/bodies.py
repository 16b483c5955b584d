"""The body of a request → a record, or an error that names what is wrong in it."""

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from onebox.serving.web.problems import ProblemError

Body = TypeVar("Body", bound=BaseModel)


async def read_body(request: Request, kind: type[Body]) -> Body:
    """Read the JSON of a request.

    Raises:
        ProblemError: If it is no JSON (400), or not what ``kind`` says (422).
    """
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, f"The body is not JSON ({error}). Correct it.") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ProblemError(422, _describe(error)) from error


def _describe(error: ValidationError) -> str:
    """All problems, each with its place."""
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
    return " ".join(f"{place or 'body'}: {_lowered(text)}. Correct it." for place, text in found)


def _lowered(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"
