"""Addresses: what is fetched, and the limits of a fetch."""

import http.server
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from onebox.errors import ImageError
from onebox.prediction import downloads
from onebox.prediction.downloads import fetch, is_url

IMAGE = bytes(range(256)) * 40  # 10,240 bytes


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """No proxy: the server is on this machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class Server(http.server.ThreadingHTTPServer):
    """A server that answers each path as the table below says, and counts the calls."""

    daemon_threads = True
    block_on_close = False  # a slow answer is not waited for

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls = []
        self.is_ended = threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request, client_address):
        """A client that hangs up is what is tested."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the first word of the path."""

    def do_GET(self):
        self.server.calls.append((self.path, dict(self.headers)))
        ANSWERS[self.path.split("/")[1].partition("?")[0]](self)

    def log_message(self, *words):
        """Nothing on standard error."""

    def begin(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def drip(self, piece):
        """Send it again and again, until the client has gone."""
        while not self.server.is_ended.wait(0.02):
            self.wfile.write(piece)
            self.wfile.flush()


def whole(handler):
    handler.begin(Content_Type="image/jpeg", Content_Length=len(IMAGE))
    handler.wfile.write(IMAGE)


def unsized(handler):
    handler.begin(Content_Type="image/jpeg")
    handler.wfile.write(IMAGE)


def chunked(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.begin(Transfer_Encoding="chunked")
    for start in (0, 5000):
        piece = IMAGE[start : start + 5000] if start == 0 else IMAGE[5000:]
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def odd_chunk(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.begin(Transfer_Encoding="chunked")
    handler.wfile.write(b"4\r\nabcd\r\n-9223372036854775809\r\nefghi\r\n0\r\n\r\n")


def states_too_much(handler):
    handler.begin(Content_Length=len(IMAGE) + 1)
    handler.wfile.write(IMAGE)


def states_too_little(handler):
    handler.begin(Content_Length=100)
    handler.wfile.write(IMAGE)


def states_nonsense(handler):
    handler.begin(Content_Length="many")
    handler.wfile.write(IMAGE)


def endless(handler):
    handler.begin()
    handler.drip(IMAGE)


def huge(handler):
    handler.begin(Content_Length=10**15)
    handler.drip(b"x")


def slow_body(handler):
    handler.begin(Content_Length=10**6)
    handler.drip(b"x")


def slow_header(handler):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
    handler.drip(b"x")


def slow_chunk(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.begin(Transfer_Encoding="chunked")
    handler.drip(b"0")


def silent(handler):
    handler.server.is_ended.wait(20)


def page(handler):
    handler.begin(Content_Type="text/html; charset=utf-8")
    handler.wfile.write(b"<html>")


def hangs_up(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)


def no_http(handler):
    handler.wfile.write(b"220 mail.example.org ready\r\n")


def chain(handler):
    """/chain/3 redirects to /chain/2, and so on to /whole."""
    left = int(handler.path.split("/")[2])
    handler.begin(302, Location=f"/chain/{left - 1}" if left > 1 else "../whole")


REDIRECTS = {
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/a.jpg",
    "data": "data:image/png;base64,AAAA",
    "loop": "/loop",
    "spaced": "/echo/a b",
    "empty-redirect": "",
}


def redirect(handler):
    handler.begin(302, Location=REDIRECTS[handler.path.strip("/")])


def endless_redirect(handler):
    handler.begin(302, Location="/whole")
    handler.drip(IMAGE)


def echo(handler):
    text = handler.path.encode()
    handler.begin(Content_Length=len(text))
    handler.wfile.write(text)


def status(handler):
    handler.begin(int(handler.path.split("/")[2]))


def nowhere(handler):
    """A redirect that does not say where to."""
    handler.begin(302, Content_Length=0)


ANSWERS = {
    "": whole,  # what a proxy is asked for: a path that is an address
    **dict.fromkeys(REDIRECTS, redirect),
    "chain": chain,
    "chunked": chunked,
    "echo": echo,
    "endless": endless,
    "endless-redirect": endless_redirect,
    "hangs-up": hangs_up,
    "huge": huge,
    "no-http": no_http,
    "odd-chunk": odd_chunk,
    "page": page,
    "silent": silent,
    "nowhere": nowhere,
    "slow-body": slow_body,
    "slow-chunk": slow_chunk,
    "slow-header": slow_header,
    "states-nonsense": states_nonsense,
    "states-too-little": states_too_little,
    "states-too-much": states_too_much,
    "status": status,
    "unsized": unsized,
    "whole": whole,
}


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.is_ended.set()
        running.shutdown()


def refused(url, **limits):
    """The message of the error that a fetch ends with."""
    with pytest.raises(ImageError) as caught:
        fetch(url, **limits)
    message = str(caught.value)
    assert message.startswith(f"{url}: ")
    assert caught.value.problems == (message,)
    return message.removeprefix(f"{url}: ")


# --- what is fetched -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["http://a/b.jpg", "https://a/b.jpg", "HTTPS://a", "http://[::1]/a"]
)
def test_http_and_https_are_addresses(word):
    assert is_url(word)


@pytest.mark.parametrize(
    "word",
    ["a.jpg", "", "http", "http:/a", "httpd://a", "ftp://a/b", "file:///a", " http://a", "-"],
)
def test_anything_else_is_not_an_address(word):
    assert not is_url(word)


@pytest.mark.parametrize(
    "path", ["/whole", "/unsized", "/chunked", "/states-nonsense", "/whole?a=1#b"]
)
def test_the_content_comes_as_it_was_sent(server, path):
    assert fetch(server.url(path)) == IMAGE


def test_one_request_is_made_and_it_names_the_program(server):
    fetch(server.url("/whole"))
    ((path, headers),) = server.calls
    assert path == "/whole"
    assert headers["User-Agent"] == "onebox"
    assert not {"Cookie", "Authorization"} & headers.keys()


def test_the_proxy_of_the_environment_is_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url(""))
    assert fetch("http://nowhere.invalid/cat.jpg") == IMAGE
    assert [path for path, _ in server.calls] == ["http://nowhere.invalid/cat.jpg"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/echo/a b.jpg", "/echo/a%20b.jpg"),
        ("/echo/katze-übt.jpg", "/echo/katze-%C3%BCbt.jpg"),
        ("/echo/a%20b.jpg?x=1&y=%2F", "/echo/a%20b.jpg?x=1&y=%2F"),
        ("/echo/a\nX-Smuggled: 1", "/echo/a%0AX-Smuggled:%201"),
        # "é" in Latin-1, as a list that is not UTF-8 has it
        (os.fsdecode(b"/echo/caf\xe9.jpg"), "/echo/caf%E9.jpg"),
    ],
)
def test_an_address_is_encoded_once(server, written, sent):
    assert fetch(server.url(written)).decode() == sent


# --- size ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/whole", "/unsized", "/chunked"])
def test_an_answer_of_the_size_limit_is_fetched_and_one_byte_more_is_refused(server, path):
    size = len(IMAGE)
    assert len(fetch(server.url(path), most_bytes=size)) == size
    message = refused(server.url(path), most_bytes=size - 1)
    assert f"at most {size - 1} bytes are fetched. Download it yourself" in message


def test_a_stated_size_is_refused_before_anything_is_read(server):
    # A byte comes every 20 ms: reading 10^6 of them would take longer than the time limit.
    message = refused(server.url("/huge"), most_bytes=10**6, timeout_s=20.0)
    assert message.startswith(f"has {10**15} bytes; at most 1000000 bytes are fetched.")


def test_an_endless_answer_is_refused_when_it_is_too_large(server):
    assert refused(server.url("/endless"), most_bytes=50_000).startswith("has more; at most 50000")


def test_an_answer_that_ends_before_its_stated_size_is_refused(server):
    assert refused(server.url("/states-too-much")) == "ends after 10240 of 10241 bytes. Try again."


def test_no_more_than_the_stated_size_is_read(server):
    assert fetch(server.url("/states-too-little")) == IMAGE[:100]


# --- time ----------------------------------------------------------------------------------


SLOW = ["/slow-body", "/slow-header", "/slow-chunk", "/silent"]


@pytest.mark.parametrize("path", SLOW)
def test_the_time_limit_is_for_the_whole_fetch(server, path):
    # Each byte comes within the limit; the whole answer never does.
    message = refused(server.url(path), timeout_s=0.3)
    assert message.startswith("takes longer than 0.3 s. Try again")


def test_a_fetch_that_is_too_slow_reads_no_further(server):
    refused(server.url("/slow-body"), timeout_s=0.3)
    end = time.monotonic() + 10.0
    while any(one.name.startswith("fetch") for one in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "limits", [{"most_bytes": 0}, {"timeout_s": 0.0}, {"timeout_s": float("nan")}]
)
def test_limits_must_be_positive(server, limits):
    with pytest.raises(ValueError, match="limits must be positive"):
        fetch(server.url("/whole"), **limits)
    assert server.calls == []


def test_the_page_of_sources_states_the_limits():
    page = (Path(__file__).parents[2] / "docs/sources.md").read_text("utf-8")
    assert f"({downloads.MOST_BYTES:,} bytes)" in page
    assert f"| time | {downloads.TIMEOUT_S:g} s in all:" in page
    assert f"| redirects | {downloads.MOST_REDIRECTS}," in page


# --- redirects -----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, downloads.MOST_REDIRECTS])
def test_redirects_are_followed(server, length):
    assert fetch(server.url(f"/chain/{length}")) == IMAGE
    assert len(server.calls) == length + 1


def test_a_redirect_with_a_space_is_encoded(server):
    assert fetch(server.url("/spaced")) == b"/echo/a%20b"


@pytest.mark.parametrize("path", [f"/chain/{downloads.MOST_REDIRECTS + 1}", "/loop"])
def test_too_many_redirects_are_refused(server, path):
    message = refused(server.url(path))
    assert message == (
        "the server answers 302 (more than 5 redirects, the last one: Found). Name the address "
        "that it leads to."
    )
    assert len(server.calls) == 6


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("file", "Found - Redirection to url 'file:///etc/passwd' is not allowed"),
        ("data", "Found - Redirection to url 'data:image/png;base64,AAAA' is not allowed"),
        ("ftp", "unknown url type: ftp"),
    ],
)
def test_a_redirect_to_another_kind_of_address_is_refused(server, kind, reason):
    assert f"({reason})." in refused(server.url(f"/{kind}"))
    assert len(server.calls) == 1


def test_the_content_of_a_redirect_is_not_read(server):
    # It is endless: reading it would end by the time limit.
    assert fetch(server.url("/endless-redirect"), timeout_s=20.0) == IMAGE


# --- failures -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/status/404", "the server answers 404 (Not Found). Correct the address"),
        ("/status/401", "the server answers 401 (Unauthorized). Correct the address, or download"),
        ("/status/503", "the server answers 503 (Service Unavailable). Try again later."),
        ("/empty-redirect", "the server answers 302 (more than 5 redirects, the last one: Found)"),
        ("/page", "is a web page, not an image. Name the address of the image on it."),
        ("/hangs-up", "cannot be fetched (Remote end closed connection without response)."),
        ("/no-http", "cannot be fetched (220 mail.example.org ready"),
    ],
)
def test_the_server_s_reason_is_reported_with_a_repair(server, path, words):
    assert refused(server.url(path)).startswith(words)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b.jpg", "a.jpg", ""])
def test_other_addresses_are_refused(url):
    assert refused(url) == "is no http or https address. Correct it, or name a file."


@pytest.mark.parametrize(
    "url",
    ["http://", "http://[::1/a", "http://a:port/b", "http://a:1:2/", "http://127.0.0.1/\ud800"],
)
def test_a_broken_address_is_an_error_that_names_it(url):
    assert refused(url).startswith("cannot be fetched (")


def test_a_missing_server_is_named():
    with socket.socket() as reserved:  # bound and not listening: nobody answers
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/a.jpg"
        assert refused(url).startswith("cannot be fetched (")


def test_a_server_without_encryption_is_refused_for_https(server):
    message = refused(server.url("/whole").replace("http:", "https:"))
    assert message.startswith("cannot be fetched (")
    assert "SSL" in message
    assert server.calls == []


def test_a_redirect_that_leads_nowhere_is_refused_in_words(server):
    assert "the server answers 302" in refused(server.url("/nowhere"))


def test_a_part_of_an_impossible_size_is_refused_in_words(server):
    assert "a part of the answer states a size that no part has" in refused(
        server.url("/odd-chunk")
    )
