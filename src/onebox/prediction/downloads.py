"""Images at http and https addresses → bytes, within limits of size and time.

Nothing is fetched but what the caller names. Proxies are taken from the environment, as other
programs do; certificates are checked; cookies and passwords are never sent.
"""

import http.client
import math
import socket
import string
import threading
import urllib.request
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin

from onebox.errors import ImageError

MOST_BYTES = 64 * 2**20
"""The largest answer that is read where the caller sets no limit."""

TIMEOUT_S = 30.0
"""How long a whole fetch may take where the caller sets no limit."""

MOST_REDIRECTS = 5

_SCHEMES = ("http://", "https://")
_CHUNK = 2**16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPAIRS = {
    4: "Correct the address, or fetch the file yourself where it asks for a login.",
    5: "Try again later.",
}


@dataclass(slots=True)
class _Job:
    """One fetch, worked on by a thread of its own.

    Attributes:
        url: As the caller wrote it; errors name it.
        most_bytes: Of the answer.
        timeout_s: Of the whole.
        sockets: That were opened; who gives up shuts them, which ends the thread.
        is_given_up: Whether nobody waits for the answer.
    """

    url: str
    most_bytes: int
    timeout_s: float
    sockets: list[socket.socket] = field(default_factory=list)
    is_given_up: bool = False

    def give_up(self) -> None:
        """Let the thread end, wherever it is; after a whole answer there is nothing to end."""
        self.is_given_up = True
        for opened in self.sockets:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Opens connections of both schemes, and hands their sockets to the job."""

    def __init__(self, job: _Job) -> None:
        super().__init__()
        self._job = job

    def do_open(self, http_class: Any, req: Any, **settings: Any) -> Any:  # noqa: ANN401 - urllib's
        def connect(host: str, **more: Any) -> Any:  # noqa: ANN401 - urllib's
            connection = http_class(host, **more)
            read = connection.response_class

            def respond(opened: socket.socket, *words: Any, **named: Any) -> Any:  # noqa: ANN401
                self._job.sockets.append(opened)
                if self._job.is_given_up:
                    raise TimeoutError
                return read(opened, *words, **named)

            connection.response_class = respond
            return connection

        return super().do_open(connect, req, **settings)


def is_url(word: str) -> bool:
    """Whether a word is an address that can be fetched: http or https.

    Examples:
        >>> is_url("https://example.org/cat.jpg"), is_url("file:///cat.jpg"), is_url("cat.jpg")
        (True, False, False)
    """
    return word.lower().startswith(_SCHEMES)


def fetch(url: str, *, most_bytes: int = MOST_BYTES, timeout_s: float = TIMEOUT_S) -> bytes:
    """Fetch what lies at an address.

    Args:
        url: Of http or https; letters beyond ASCII and spaces are encoded.
        most_bytes: A larger answer is refused: by what it says of its size, and again while it is
            read.
        timeout_s: For everything together: finding the host, redirects, header and content.

    Returns:
        The content of the answer.

    Raises:
        ImageError: If it cannot be fetched, is too large, incomplete or a web page, or takes too
            long; the message names the address.
        ValueError: If a limit is not positive.
    """
    if most_bytes < 1 or not 0 < timeout_s < math.inf:
        raise ValueError(f"limits must be positive, got {most_bytes} bytes and {timeout_s} s.")
    if not is_url(url):
        raise ImageError(f"{url}: is no http or https address. Correct it, or name a file.")
    job = _Job(url, most_bytes, timeout_s)
    try:
        return _started(job).result(timeout_s)
    except TimeoutError as error:
        raise ImageError(_too_slow(job)) from error
    finally:
        job.give_up()


def _started(job: _Job) -> Future[bytes]:
    """Begin in a thread: what looks up names or shakes hands knows no limit of the whole."""
    future: Future[bytes] = Future()

    def work() -> None:
        try:
            future.set_result(_content(job))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=work, name=f"fetch {job.url}", daemon=True).start()
    return future


def _content(job: _Job) -> bytes:
    """Fetch, and put what the library has to say into one kind of error.

    Raises:
        ImageError: If there is anything.
    """
    try:
        with _answer(job) as response:
            _check_header(job, response)
            return _body(job, response)
    except HTTPError as error:
        with error:
            repair = _REPAIRS.get(error.code // 100, "Correct the address.")
            raise ImageError(
                f"{job.url}: the server answers {error.code} ({error.reason}). {repair}"
            ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            raise ImageError(_too_slow(job)) from error
        raise ImageError(
            f"{job.url}: cannot be fetched ({reason or type(reason).__name__}). Check the address "
            "and the connection."
        ) from error


def _answer(job: _Job) -> http.client.HTTPResponse:
    """Follow redirects to the answer.

    Raises:
        HTTPError: If it is none of success.
        ImageError: If there are too many redirects, or one to another kind of address.
    """
    opener, address = _opener(job), job.url
    for _ in range(MOST_REDIRECTS + 1):
        # What is encoded already stays: its signs are all safe.
        request = urllib.request.Request(  # noqa: S310 - http and https alone, checked below
            quote(address, safe=string.punctuation), headers={"User-Agent": "onebox"}
        )
        try:
            return opener.open(request, timeout=job.timeout_s)
        except HTTPError as error:
            address = _next_address(job, address, error)
    raise ImageError(
        f"{job.url}: redirects more than {MOST_REDIRECTS} times. Name the address that it leads to."
    )


def _opener(job: _Job) -> urllib.request.OpenerDirector:
    """What opens http and https; the library's own also opens files and ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Handler(job),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _next_address(job: _Job, address: str, error: HTTPError) -> str:
    """Where a redirect leads.

    Raises:
        HTTPError: If it is none.
        ImageError: If it leads to another kind of address.
    """
    location = error.headers.get("Location")
    if error.code not in _REDIRECTS or not location:
        raise error
    with error:
        following = urljoin(address, location)
    if not is_url(following):
        raise ImageError(
            f"{job.url}: redirects to {following}, which is no http or https address. Name "
            "another address."
        )
    return following


def _check_header(job: _Job, response: http.client.HTTPResponse) -> None:
    """Refuse by what the answer says of itself.

    Raises:
        ImageError: If it is too large, or a web page.
    """
    if (response.length or 0) > job.most_bytes:
        raise ImageError(_too_large(job, f"{response.length} bytes"))
    headers: Message = response.headers
    if headers.get_content_type() == "text/html":
        raise ImageError(
            f"{job.url}: is a web page, not an image. Name the address of the image on it."
        )


def _body(job: _Job, response: http.client.HTTPResponse) -> bytes:
    """Read the content, counting.

    Raises:
        ImageError: If it is too large, or ends too early.
    """
    stated = response.length
    content = bytearray()
    while piece := response.read1(_CHUNK):
        content += piece
        if len(content) > job.most_bytes:
            raise ImageError(_too_large(job, "more"))
    if stated is not None and len(content) < stated:
        raise ImageError(f"{job.url}: ends after {len(content)} of {stated} bytes. Try again.")
    return bytes(content)


def _too_large(job: _Job, size: str) -> str:
    return (
        f"{job.url}: has {size}; at most {job.most_bytes} bytes are fetched. Fetch it yourself, "
        "and name the file."
    )


def _too_slow(job: _Job) -> str:
    return (
        f"{job.url}: takes longer than {job.timeout_s:g} s. Try again, or fetch it yourself and "
        "name the file."
    )
