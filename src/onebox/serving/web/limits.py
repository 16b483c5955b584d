"""Limits of what one request may take: bytes, headers, time, and requests at once.

The limits hold before any route runs: a body over its limit is never collected, and a client that
sends slowly loses its place. A refused client may still be sending; a short while its bytes are
read and dropped, since a connection that is closed before loses the answer.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onebox.serving.web.problems import Problem, ProblemError, as_response

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and have no body worth counting."""

_MIB = 2**20

BODY_BYTES = 32 * _MIB
"""Most bytes of a body where nobody chose; not tuned."""

_RETRY_S = 1  # not tuned
_DROP_SECONDS = 2.0  # not tuned
_DROP_BYTES = 64 * _MIB  # not tuned


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a server. None of the defaults was tuned.

    Attributes:
        body_bytes: Most bytes of one body.
        body_seconds: Time in which a body must arrive.
        header_bytes: Most bytes of all headers together, and of the path with its query.
        requests: Most requests with a body at once, in seconds of arrival and in work together.
    """

    body_bytes: int = BODY_BYTES
    body_seconds: float = 30.0
    header_bytes: int = 16 * 2**10
    requests: int = 64


class LimitsMiddleware:
    """An ASGI application around another: refuses what exceeds the limits.

    Attributes:
        active: Number of requests with a body that are in work.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = header_problem(scope, self._limits)
        if problem is None and scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
        elif problem is not None or self.active >= self._limits.requests:
            await refuse(problem or self._full(), scope, receive, send)
        else:
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.active += 1
        try:
            body = await _collect(receive, self._limits)
        except ProblemError as error:
            await refuse(error.problem, scope, receive, send)
        except ClientGoneError:
            return
        else:
            await self._app(scope, _replay(body, receive), send)
        finally:
            self.active -= 1

    def _full(self) -> Problem:
        return Problem(
            503,
            f"The server works on {self._limits.requests} requests, which is its limit. Send this "
            "one again later.",
            {"Retry-After": str(_RETRY_S)},
        )


class ClientGoneError(Exception):
    """The client closed the connection before its body was complete."""


def header_problem(scope: Scope, limits: Limits) -> Problem | None:
    """Say which header of a request exceeds a limit; None if none does."""
    target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if target > limits.header_bytes:
        return Problem(
            414,
            f"The path and its query have {target} bytes; at most {limits.header_bytes} are "
            "allowed. Shorten them.",
        )
    size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])  # ": " and line end
    if size > limits.header_bytes:
        return Problem(
            431,
            f"The headers have {size} bytes; at most {limits.header_bytes} are allowed. Send fewer "
            "or shorter ones.",
        )
    return _length_problem(dict(scope["headers"]), limits)


def _length_problem(headers: Mapping[bytes, bytes], limits: Limits) -> Problem | None:
    stated = headers.get(b"content-length", b"0")
    if not stated.isdigit():
        return Problem(400, f"Content-Length {stated!r} is not a number of bytes. Correct it.")
    return _too_large(int(stated), limits) if int(stated) > limits.body_bytes else None


def _too_large(size: int, limits: Limits) -> Problem:
    return Problem(
        413,
        f"The body has at least {size} bytes; at most {limits.body_bytes} are allowed. Send fewer "
        "or smaller files.",
    )


async def _collect(receive: Receive, limits: Limits) -> bytes:
    """The whole body.

    Raises:
        ClientGoneError: If the client is gone.
        ProblemError: If the body is too large or too slow.
    """
    chunks: list[bytes] = []
    size, is_complete = 0, False
    try:
        async with asyncio.timeout(limits.body_seconds):
            while not is_complete:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > limits.body_bytes:
                    raise ProblemError(413, _too_large(size, limits).detail)
                is_complete = not message.get("more_body", False)
    except TimeoutError:
        raise ProblemError(
            408,
            f"The body was not complete after {limits.body_seconds:g} seconds; {size} bytes had "
            "arrived. Send it faster, or send less.",
        ) from None
    return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand over the collected body, then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem, drop what the client still sends, and close the connection."""

    async def send_open(message: Message) -> None:
        """Send the answer, but do not end it: the connection closes where an answer ends."""
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        elif message["type"] == "http.response.body":
            message["more_body"] = True
        await send(message)

    await as_response(problem, scope["path"])(scope, receive, send_open)
    if scope["method"] not in SAFE_METHODS:
        await _drop(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drop(receive: Receive) -> None:
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DROP_SECONDS):
            while size < _DROP_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                size += len(message.get("body", b""))
