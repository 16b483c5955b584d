"""Images at http and https addresses → bytes, within limits of size and time.

Only addresses that the caller names are fetched. Proxies come from the environment, as in other
programs; certificates are checked; cookies and passwords are never sent.
"""

import contextlib
import http.client
import io
import math
import string
import threading
import time
import urllib.request
from concurrent.futures import Future
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote

from onebox.errors import ImageError

MOST_BYTES = 64 * 2**20
"""The largest answer that is read by default; not tuned: far above the size of photographs."""

TIMEOUT_S = 30.0
"""The longest time for one fetch by default; not tuned: as long as a person would wait."""

MOST_REDIRECTS = 5
"""Not tuned: addresses that are meant to be fetched redirect once or twice."""

_CHUNK = 2**16  # bytes per read at most; not tuned
_REPAIRS = {
    3: "Name the address that it leads to.",
    4: "Correct the address, or download the file yourself if it asks for a login.",
    5: "Try again later.",
}


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, and reads none of their content, which has no limit."""

    max_redirections = max_repeats = MOST_REDIRECTS
    inf_msg = f"more than {MOST_REDIRECTS} redirects, the last one: "

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: Any,  # noqa: ANN401 - urllib's
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:  # noqa: ANN401 - urllib's
        """Follow a redirect."""
        fp.close()
        return super().http_error_302(req, io.BytesIO(), code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def is_url(word: str) -> bool:
    """Whether a word is an address that can be fetched: http or https.

    Examples:
        >>> is_url("https://example.org/cat.jpg"), is_url("file:///cat.jpg"), is_url("cat.jpg")
        (True, False, False)
    """
    return word.lower().startswith(("http://", "https://"))


def fetch(url: str, *, most_bytes: int = MOST_BYTES, timeout_s: float = TIMEOUT_S) -> bytes:
    """Fetch the content of an address.

    Args:
        url: An http or https address; spaces and letters beyond ASCII are encoded.
        most_bytes: A larger answer is refused: by its stated size, and again while it is read.
        timeout_s: For everything together: finding the host, redirects, header and content.

    Raises:
        ImageError: If the content cannot be fetched, is too large, incomplete or a web page, or
            takes too long; the message names the address.
        ValueError: If a limit is not positive.
    """
    if most_bytes < 1 or not 0 < timeout_s < math.inf:
        raise ValueError(f"limits must be positive, got {most_bytes} bytes and {timeout_s} s.")
    if not is_url(url):
        raise ImageError(f"{url}: is no http or https address. Correct it, or name a file.")
    try:
        return _start(url, most_bytes, timeout_s).result(timeout_s)
    except TimeoutError as error:
        raise ImageError(
            f"{url}: takes longer than {timeout_s:g} s. Try again, or download it yourself and "
            "name the file."
        ) from error


def _start(url: str, most_bytes: int, timeout_s: float) -> Future[bytes]:
    """Fetch in a thread: a socket's own timeout starts anew with each byte that arrives."""
    future: Future[bytes] = Future()

    def work() -> None:
        try:
            future.set_result(_fetch(url, most_bytes, timeout_s))
        except Exception as error:  # noqa: BLE001 - raised by whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=work, name=f"fetch {url}", daemon=True).start()
    return future


def _fetch(url: str, most_bytes: int, timeout_s: float) -> bytes:
    end = time.monotonic() + timeout_s
    try:
        request = urllib.request.Request(_encode(url), headers={"User-Agent": "onebox"})  # noqa: S310
        with _opener().open(request, timeout=timeout_s) as response:
            return _read(url, response, most_bytes, end)
    except HTTPError as error:
        with contextlib.closing(error):  # a redirect that leads nowhere is closed already
            repair = _REPAIRS.get(error.code // 100, "Correct the address.")
            message = f"{url}: the server answers {error.code} ({error.reason}). {repair}"
            raise ImageError(message) from error
    except OverflowError as error:
        raise ImageError(
            f"{url}: cannot be fetched (a part of the answer states a size that no part has). Try "
            "again, or download it yourself and name the file."
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            raise TimeoutError from error
        raise ImageError(
            f"{url}: cannot be fetched ({reason or type(reason).__name__}). Check the address and "
            "the connection."
        ) from error


def _encode(url: str) -> str:
    """The address in ASCII; bytes of a list that are not UTF-8 are sent as they are.

    Raises:
        ValueError: If it holds half of a character.
    """
    # Addresses that are encoded already stay as they are: their punctuation is safe.
    return quote(url, safe=string.punctuation, errors="surrogateescape")


def _opener() -> urllib.request.OpenerDirector:
    """An opener for http and https; the library's default one also opens files and ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _read(url: str, response: http.client.HTTPResponse, most_bytes: int, end: float) -> bytes:
    if response.headers.get_content_type() == "text/html":
        raise ImageError(
            f"{url}: is a web page, not an image. Name the address of the image on it."
        )
    stated, content = response.length, bytearray()
    is_too_large = (stated or 0) > most_bytes
    while not is_too_large and (piece := response.read1(_CHUNK)):
        content += piece
        is_too_large = len(content) > most_bytes
        if time.monotonic() > end:
            raise TimeoutError
    if is_too_large:
        size = "more" if len(content) > most_bytes else f"{stated} bytes"
        raise ImageError(
            f"{url}: has {size}; at most {most_bytes} bytes are fetched. Download it yourself, and "
            "name the file."
        )
    if stated is not None and len(content) < stated:
        raise ImageError(f"{url}: ends after {len(content)} of {stated} bytes. Try again.")
    return bytes(content)
