"""HTTP/1.1 on a connection: uvicorn's protocol, with limits of time and bytes for the headers.

uvicorn has none for headers: a client could send them for hours, or without end. And it answers
what is not HTTP, and what is too much, in plain text; here these answers are problems too. Requests
with Upgrade are those of `parser`. Everything else is uvicorn's.
"""

import asyncio
import json
from asyncio.events import TimerHandle
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from onebox.serving.web.parser import UpgradeIgnoringParser
from onebox.serving.web.problems import MEDIA_TYPE, Problem, as_response
from onebox.serving.web.security import SECURITY_HEADERS

HEADER_SECONDS = 10.0
"""Time in which the headers of a request must arrive; not tuned."""

HEADER_BYTES = 64 * 2**10
"""Bytes of headers, or between two parts of a body, that are read at most; not tuned.

`Limits` allows fewer, with a better message; this limit keeps memory bounded before that.
"""

MOST_CONNECTIONS = 1000
"""Connections whose requests are answered; below the usual limit of 1024 open files, not tuned."""


class LimitedProtocol(HttpToolsProtocol):
    """A connection that is closed if its headers are too slow or too long."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = UpgradeIgnoringParser(self, self._plain_head)
        self._deadline: TimerHandle | None = None
        self._fruitless_bytes = 0

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvloop's has no parent
        """Start the clock of the first request."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data; refuse what never becomes a request or a body."""
        self._fruitless_bytes += len(data)
        super().data_received(data)
        if self._fruitless_bytes > HEADER_BYTES:
            self._refuse(431, f"The headers have more than {HEADER_BYTES} bytes. Send fewer.")

    def on_message_begin(self) -> None:
        """Start the clock of a later request."""
        self._start_clock()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop the clock: the rest is the body, which has limits of its own."""
        if self.parser.should_upgrade():  # the parser reads it again
            return
        self._stop_clock()
        self._fruitless_bytes = 0
        self.app = _answer_too_many if self._is_one_too_many() else self.config.loaded_app
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._fruitless_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self.parser.should_upgrade():
            return
        self._fruitless_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(400, f"{msg} Send HTTP/1.1.")

    def _is_one_too_many(self) -> bool:
        # A request whose client is gone is a task without a connection.
        return len(self.connections) > MOST_CONNECTIONS or len(self.tasks) >= MOST_CONNECTIONS

    def _plain_head(self) -> bytes:
        """The head of the request that is being read, without Upgrade; none of a tunnel."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(501, "This server is no proxy: it opens no tunnels. Send another method.")
            return b""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        lines += [b": ".join(pair) for pair in self.headers if pair[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._expire)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self._refuse(
            408,
            f"The headers were not complete after {HEADER_SECONDS:g} seconds. Send them faster.",
        )

    def _refuse(self, status: int, detail: str) -> None:
        """Close the connection, after an answer unless another one is being sent."""
        if self.transport.is_closing():
            return
        if self._may_answer():
            self.transport.write(_answer(Problem(status, detail)))
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether an answer now is that of the request that is refused."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return True
        # In the middle of a body; after it, the answer that is due is that of another request.
        return cycle.more_body and not cycle.response_started


async def _answer_too_many(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}
    problem = Problem(
        503,
        f"The server has {MOST_CONNECTIONS} connections, which is its limit. Send this request "
        "again later, or close idle connections.",
        {**headers, "Connection": "close", "Retry-After": "1"},
    )
    await as_response(problem, scope["path"])(scope, receive, send)


def _answer(problem: Problem) -> bytes:
    """The problem as a whole HTTP response."""
    content = json.dumps(problem.as_json()).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
        *SECURITY_HEADERS,
    ]
    status = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()
    lines = [status, *(b": ".join(pair) for pair in headers)]
    return b"\r\n".join([*lines, b"", content])
