"""What both applications share: routes behind limits, security and errors as JSON."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from onebox.errors import OneboxError
from onebox.serving.web.limits import Limits, LimitsMiddleware
from onebox.serving.web.problems import ProblemError, answer_error
from onebox.serving.web.security import Access, SecurityMiddleware

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
"""What an application opens before its first request and closes after its last."""


def build(
    routes: Sequence[BaseRoute],
    *,
    access: Access,
    limits: Limits,
    lifespan: Lifespan | None = None,
) -> ASGIApp:
    """Build an application.

    Args:
        routes: What it answers. A route may raise `ProblemError` or any `OneboxError`.
        access: Who may ask what.
        limits: What one request may take.
        lifespan: What is opened before the first request and closed after the last.
    """
    handled = (ProblemError, OneboxError, HTTPException, Exception)
    app = Starlette(
        routes=routes,
        exception_handlers=dict.fromkeys(handled, answer_error),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return SecurityMiddleware(LimitsMiddleware(app, limits), access)
