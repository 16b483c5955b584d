"""The socket of a server, and what a connection may do before there is a request."""

import socket
import threading

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from onebox.errors import OneboxError, SettingError
from onebox.serving.web import application, protocol, server
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import Limits
from onebox.serving.web.security import Access
from onebox.serving.web.server import check_exposure, listen

pytestmark = pytest.mark.train


async def _length(request):
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def talk():
    """Start a server in a thread, and send it bytes: ``talk(b"GET / ...")`` is all it answers.

    A function among the bytes is called at its turn.
    """
    with listen("127.0.0.1", 0) as listener:
        port = server.port_of(listener)
        app = application.build(
            [Route("/", _length, methods=["GET", "POST"])],
            access=Access(AllowedHosts.of("127.0.0.1", port)),
            limits=Limits(),
        )
        is_up = threading.Event()
        running = server.Running(app, listener, is_up.set)
        thread = threading.Thread(target=running.run)
        thread.start()
        assert is_up.wait(20)

        def send(*parts, wait_for=b""):
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                for part in parts:
                    if callable(part):
                        part()
                        continue
                    connection.sendall(part.replace(b"HOST", f"127.0.0.1:{port}".encode()))
                found = b""
                while received := connection.recv(2**16):
                    found += received
                    if wait_for and wait_for in found:
                        break
                return found

        yield send
        running.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_a_request_is_answered_without_the_name_of_the_server(talk):
    answer = talk(b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\nserver:" not in answer.lower()


def test_headers_of_proxies_are_not_believed(talk):
    line = b"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: HOST\r\n"
    assert talk(line, b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",  # the beginning of TLS
        b"GET / HTTP/1.1\r\nHost HOST\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: HOST\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_problem(rubbish, talk):
    answer = talk(rubbish)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    "headers", [b"", b"Host: HOST\r\nHost: HOST\r\n", b"Host: HOST/a\r\n", b"Host:\r\n"]
)
def test_a_request_names_one_host(headers, talk):
    answer = talk(b"GET / HTTP/1.1\r\n", headers, b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_headers_without_end_are_cut_off(talk):
    answer = talk(b"GET / HTTP/1.1\r\nHost: HOST\r\nX-Long: ", b"a" * (protocol.HEADER_BYTES + 1))
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_trailers_without_end_are_cut_off(talk):
    begin = b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    with pytest.raises(OSError, match=r"reset|pipe"):
        talk(begin, b"X-Long: ", b"a" * 100 * protocol.HEADER_BYTES)


def test_a_connection_that_sends_no_headers_is_closed(talk, monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.05)
    assert talk(b"GET / HTTP/1.1\r\nHos").startswith(b"HTTP/1.1 408 ")
    assert talk().startswith(b"HTTP/1.1 408 ")


def test_a_later_request_of_a_connection_has_its_own_time(talk, monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.05)
    first = b"GET / HTTP/1.1\r\nHost: HOST\r\n\r\n"
    answer = talk(first, b"GET / HTTP/1.1\r\nHos")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer


def test_the_time_of_the_headers_is_not_that_of_the_body(talk, monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.05)
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    # A connection that begins later and sends nothing is closed before the body goes on.
    answer = talk(head, talk, b"abc")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_that_is_waited_for_is_asked_for(talk):
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    assert talk(head, wait_for=b"100 Continue\r\n\r\n")


def test_a_port_in_use_is_named_with_the_way_out():
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = server.port_of(taken)
        with pytest.raises(OneboxError, match=f"127.0.0.1:{port}: .* another program uses it"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("192.0.2.1", "this machine has no such address. Choose another --host"),  # RFC 5737
        ("nowhere.invalid", "is no address to listen on"),  # RFC 6761
    ],
)
def test_an_address_that_is_not_of_this_machine_is_named(host, problem):
    with pytest.raises(OneboxError, match=problem):
        listen(host, 0)


def test_the_address_is_one_that_a_browser_takes():
    with listen("127.0.0.1", 0) as listener:
        port = server.port_of(listener)
        assert server.address_of(listener, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert server.address_of(listener, "::1") == f"http://[::1]:{port}/"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example"])  # noqa: S104
def test_a_server_for_other_machines_needs_a_token(host):
    with pytest.raises(SettingError, match=f"--host {host} .* needs a token. Set the environment"):
        check_exposure(host, None)
    check_exposure(host, "any")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_server_for_this_machine_needs_no_token(host):
    check_exposure(host, None)


def test_a_broken_chunk_is_answered(talk):
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = talk(head + b"3\r\nabc\r\n", b"zz\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
