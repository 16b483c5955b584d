"""Answers of a web server: fetched from a server in this process, to which every address leads."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mutation import Input
from target import Opening, Target, check

from onebox.prediction import downloads

_MOST_BYTES = 4096
_TIMEOUT_S = 2.0


class _Server:
    """Answers every connection with the same bytes, whatever it is asked."""

    def __init__(self) -> None:
        self.answer = b""
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.requests += 1
            with connection, suppress(OSError):
                connection.settimeout(1.0)
                connection.recv(65536)
                connection.sendall(self.answer)


@contextmanager
def _open(_: Path) -> Iterator[Target]:
    server = _Server()
    address = f"http://127.0.0.1:{server.port}"
    # A redirect may name any host: all of them are asked through this one.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        os.environ[name] = address
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ""

    def attempt(given: Input) -> None:
        server.answer, server.requests = given.content, 0
        content = downloads.fetch(f"{address}/a.png", most_bytes=_MOST_BYTES, timeout_s=_TIMEOUT_S)
        check(holds=len(content) <= _MOST_BYTES, promise="no answer is larger than the limit")
        most = downloads.MOST_REDIRECTS + 2
        check(holds=server.requests <= most, promise="redirects are few")

    yield Target([*_answers(address)], attempt, _WORDS)
    server.close()


_WORDS = (b"Location: /b\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"\r\n\r\n")


def _answers(address: str) -> Iterator[Input]:
    start = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
    yield Input("whole", start + b"Content-Length: 9\r\n\r\n" + b"\x89PNG data")
    yield Input("until the end", b"HTTP/1.0 200 OK\r\n\r\n" + b"\x89PNG data")
    chunks = b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n5;x=y\r\nefghi\r\n0\r\nA: b\r\n\r\n"
    yield Input("chunks", start + chunks)
    yield Input("a page", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")
    for code in (301, 302, 303, 307, 308):
        place = f"HTTP/1.1 {code} Moved\r\nLocation: {address}/b.png\r\nContent-Length: 0\r\n\r\n"
        yield Input(f"moved {code}", place.encode())
    for code in (204, 304, 401, 404, 407, 416, 500, 503):
        yield Input(
            f"status {code}", f"HTTP/1.1 {code} Reason\r\nContent-Length: 0\r\n\r\n".encode()
        )


DOWNLOAD_TARGETS: dict[str, Opening] = {"download": _open}
