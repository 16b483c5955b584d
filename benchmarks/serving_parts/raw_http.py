"""HTTP by hand: what no client library sends, and what comes back."""

import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SILENT = "closed"
"""The result of a request that is closed without an answer."""

NO_END = "no answer"
"""The result of a request that is neither answered nor closed in time; never expected."""

_PATIENCE_S = 40.0
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What to send, piece by piece.

    Attributes:
        pieces: Bytes, one piece after the other.
        pause_s: Seconds between two pieces.
        is_cut: Whether the client closes the connection after the last piece, and reads nothing.
        ends_writing: Whether it says after the last piece that no more bytes will come.
    """

    pieces: Sequence[bytes]
    pause_s: float = 0.0
    is_cut: bool = False
    ends_writing: bool = False


def request(
    method: str = "POST",
    path: str = "/predict",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    host: str = "127.0.0.1:PORT",
) -> bytes:
    """One request with a Content-Length; a header with the value ``""`` is left out."""
    known = {"Host": host, "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in known.items() if v)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def run(exchange: Exchange, port: int) -> str:
    """The status of the first answer, `SILENT` or `NO_END`."""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection:
        received = _send(connection, exchange, port)
        if exchange.is_cut:
            return SILENT
        return received or _read_status(connection)


def _send(connection: socket.socket, exchange: Exchange, port: int) -> str:
    """Send the pieces; an answer that comes before the last piece."""
    authority = f"127.0.0.1:{port}".encode()
    for number, piece in enumerate(exchange.pieces):
        if number and exchange.pause_s:
            time.sleep(exchange.pause_s)
            if early := _waiting(connection):
                return early
        try:
            connection.sendall(piece.replace(b"127.0.0.1:PORT", authority))
        except OSError:  # the server has closed, perhaps after an answer
            break
    if exchange.ends_writing:
        connection.shutdown(socket.SHUT_WR)
    return ""


def _waiting(connection: socket.socket) -> str:
    """The answer that has already come; empty if none has."""
    connection.settimeout(0.0)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return ""
    except OSError:
        return SILENT
    finally:
        connection.settimeout(_PATIENCE_S)
    return _read_status(connection)


def _read_status(connection: socket.socket) -> str:
    received = b""
    while b"\r\n" not in received:
        try:
            more = connection.recv(4096)
        except TimeoutError:
            return NO_END
        except OSError:
            more = b""
        if not more:
            break
        received += more
    match = _STATUS.match(received)
    if match is not None:
        return match[1].decode()
    return SILENT if not received else repr(received[:40])
