"""The process that serves: a socket, uvicorn on it, and a calm end.

uvicorn is set up for one process on one port: httptools and uvloop, no log of requests, no server
header, no trust in headers of proxies.
"""

import contextlib
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onebox.errors import OneboxError, SettingError
from onebox.serving.web.hosts import is_loopback
from onebox.serving.web.protocol import LimitedProtocol

_KEEP_ALIVE_S = 75  # longer than the 60 s of common proxies, so that they end first; not tuned
_BACKLOG = 512  # not tuned
_REASONS = {
    errno.EADDRINUSE: "another program uses it. Stop that program, or choose another --port; 0 "
    "takes a free one.",
    errno.EACCES: "this user may not use it. Choose a --port of 1024 or more.",
    errno.EADDRNOTAVAIL: "this machine has no such address. Choose another --host.",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a server ends after SIGTERM or Ctrl-C.

    Attributes:
        delay_s: Time in which it still accepts requests but says that it is not ready, so that a
            load balancer sends new ones elsewhere.
        grace_s: Time in which requests in work may then finish.
    """

    delay_s: float = 0.0
    grace_s: int = 30


def check_exposure(host: str, token: str | None) -> None:
    """Check that a server which other machines can reach has a token.

    Raises:
        SettingError: If it has none.
    """
    if token is None and not is_loopback(host):
        raise SettingError(
            f"--host {host} lets other machines reach this server, so it needs a token. Set the "
            "environment variable ONEBOX_TOKEN or --token, or leave --host out."
        )


def listen(host: str, port: int) -> socket.socket:
    """Open the socket of a server.

    Args:
        host: A name or an address of this machine.
        port: 0 for any free port.

    Raises:
        OneboxError: If the port is in use, or the address is not of this machine.
    """
    bare = host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OneboxError(
            f"{host}: is no address to listen on ({error.strerror or error}). Choose another "
            "--host."
        ) from error
    try:
        if os.name == "posix":  # elsewhere this would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}.")
        raise OneboxError(f"{host}:{port}: cannot be listened on: {reason}") from error
    listener.settimeout(0)
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """The address of a server, as a browser takes it."""
    bare = host.strip("[]")
    name = f"[{bare}]" if ":" in bare else bare
    return f"http://{name}:{port_of(listener)}/"


def port_of(listener: socket.socket) -> int:
    """The port that a socket listens on."""
    return int(listener.getsockname()[1])


def run(
    app: ASGIApp,
    listener: socket.socket,
    *,
    on_start: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
    ending: Ending = Ending(),
) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the requests in work.

    Args:
        app: The application.
        listener: A result of `listen`; it is closed at the end.
        on_start: Called once requests are accepted.
        on_stop: Called at the signal, in the main thread; it must not wait.
        ending: How long the end may take.
    """
    Running(app, listener, on_start, on_stop, ending).run()


class Running:
    """A server that a test or a program may also run in another thread than the main one."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        on_start: Callable[[], None] = lambda: None,
        on_stop: Callable[[], None] = lambda: None,
        ending: Ending = Ending(),
    ) -> None:
        """Set the server up; see `run`."""
        self._app = app
        self._listener = listener
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http=LimitedProtocol,
            ws="none",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=ending.grace_s,
        )
        self._server = _Server(config, on_start, on_stop, ending)

    def run(self) -> None:
        """Serve until the end.

        Raises:
            OSError: If ``on_start`` could not write.
        """
        with contextlib.closing(self._listener):
            self._server.run(sockets=[self._listener])
        if self._server.failure is not None:
            raise self._server.failure

    def stop(self) -> None:
        """Begin the end, as SIGTERM does."""
        self._server.begin_end()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; once the end has begun, say that the connection will be closed.

        A client that kept it would meet the closing with its next request.
        """

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._server.is_ending:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_last)


class _Server(uvicorn.Server):
    """A server that says when it starts and stops, and that ends with exit code 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_start: Callable[[], None],
        on_stop: Callable[[], None],
        ending: Ending,
    ) -> None:
        super().__init__(config)
        self._on_start, self._on_stop = on_start, on_stop
        self._ending = ending
        self._stops_at: float | None = None
        self.failure: OSError | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        try:
            self._on_start()
        except OSError as error:  # raised here, it would cancel the application's tasks
            self.failure, self.should_exit = error, True

    async def on_tick(self, counter: int) -> bool:
        if self._stops_at is not None and time.monotonic() >= self._stops_at:
            self.should_exit = True
        return await super().on_tick(counter)

    @property
    def is_ending(self) -> bool:
        """Whether the end has begun."""
        return self._stops_at is not None

    def begin_end(self) -> None:
        """Begin the end; a second call ends the delay, a third one the wait for requests."""
        if self._stops_at is None:
            self._stops_at = time.monotonic() + self._ending.delay_s
            self._on_stop()
        elif not self.should_exit:
            self._stops_at = time.monotonic()
        else:
            self.force_exit = True

    def handle_exit(self, *_: object) -> None:
        """Begin the end at a signal."""
        self.begin_end()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals while the server runs.

        uvicorn raises them once more at the end, which would make a calm end look like a crash.
        """
        # Python takes signal handlers in the main thread alone; a test runs a server in another.
        is_main = threading.current_thread() is threading.main_thread()
        signals = (signal.SIGINT, signal.SIGTERM) if is_main else ()
        before = {each: signal.signal(each, self.handle_exit) for each in signals}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
