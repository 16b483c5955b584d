"""The socket of a server, and what a connection may do before there is a request."""

import json
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

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
LAST = b"GET /?last HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"


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

        def send(*parts, wait_for=b"", piece=2**16):
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                for part in parts:
                    if callable(part):
                        part()
                        continue
                    part = part.replace(b"HOST", f"127.0.0.1:{port}".encode())  # noqa: PLW2901
                    for start in range(0, len(part), piece):
                        connection.sendall(part[start : start + piece])
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


def bodies_of(answers):
    """Status and body of every answer, each of which states its length."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append((int(head[9:12]), rest[:length]))
        answers = rest[length:]
    return found


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
    begin = b"GET / HTTP/1.1\r\nX-Long: "
    # One byte too many, so that none is left unread: that would reset the connection.
    answer = talk(begin, b"a" * (protocol.HEADER_BYTES + 1 - len(begin)))
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_trailers_without_end_are_cut_off(talk):
    begin = b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    with pytest.raises(OSError, match=r"reset|pipe"):
        talk(begin, b"X-Long: ", b"a" * 100 * protocol.HEADER_BYTES)


def test_a_connection_that_sends_no_headers_is_closed(talk, monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.05)
    assert talk(b"GET / HTTP/1.1\r\nHos").startswith(b"HTTP/1.1 408 ")
    assert talk().startswith(b"HTTP/1.1 408 ")


def test_one_connection_too_many_is_a_problem(talk, monkeypatch):
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 1)
    refused = []
    answer = talk(LAST[:9], lambda: refused.append(talk(LAST)), LAST[9:])
    assert bodies_of(answer) == [(200, b"0")]
    [(status, body)] = bodies_of(refused[0])
    assert (status, json.loads(body)["status"]) == (503, 503)
    assert json.loads(body)["detail"].startswith("The server has 1 connections, which is its limit")
    head = refused[0].lower()
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert b"\r\nretry-after: 1\r\n" in head
    assert b"\r\nx-content-type-options: nosniff\r\n" in head
    assert b"\r\nconnection: close\r\n" in head


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


@pytest.mark.parametrize(
    "upgrade",
    [
        H2C,
        b"Upgrade: h2c\r\nConnection: keep-alive, Upgrade\r\n",
        b"connection: upgrade\r\nUPGRADE: websocket\r\nSec-WebSocket-Version: 13\r\n",
    ],
)
@pytest.mark.parametrize("length", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_request_to_upgrade_keeps_its_body(upgrade, length, talk):
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\n" + upgrade + length + b"\r\n\r\n"
    body = b"abcde" if b"Content" in length else b"5\r\nabcde\r\n0\r\n\r\n"
    split_anywhere = (head[:9], head[9:] + body[:3], body[3:] + LAST)
    for parts in [(head + body + LAST,), (head, body, LAST), split_anywhere]:
        assert bodies_of(talk(*parts)) == [(200, b"5"), (200, b"0")]


def test_the_body_of_a_request_to_upgrade_is_not_a_request(talk):
    inner = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\n" + H2C + b"Content-Length: %d\r\n\r\n" % len(inner)
    length = b"%d" % len(inner)
    # The exchange between the two makes them two packets.
    answers = talk(head, lambda: talk(LAST), inner, LAST)
    assert bodies_of(answers) == [(200, length), (200, b"0")]


def test_pipelined_requests_to_upgrade_are_answered_in_order(talk):
    ask = b"POST / HTTP/1.1\r\nHost: HOST\r\n" + H2C + b"Content-Length: %d\r\n\r\n%s"
    read = b"GET / HTTP/1.1\r\nHost: HOST\r\n" + H2C + b"\r\n"
    whole = ask % (1, b"a") + read + ask % (2, b"bb") + read + LAST
    lengths = [b"1", b"0", b"2", b"0", b"0"]
    assert bodies_of(talk(whole)) == [(200, each) for each in lengths]
    assert bodies_of(talk(whole, piece=1)) == [(200, each) for each in lengths]


def test_a_request_to_upgrade_and_to_close_is_the_last(talk):
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n"
    assert bodies_of(talk(head, b"Content-Length: 3\r\n\r\n", b"abc")) == [(200, b"3")]


def test_a_body_of_a_request_to_upgrade_is_asked_for(talk):
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
    assert talk(head, H2C, b"\r\n", wait_for=b"100 Continue\r\n\r\n").startswith(b"HTTP/1.1 100 ")


@pytest.mark.parametrize("more", [b"", H2C, b"Content-Length: 50\r\n"])
def test_a_tunnel_is_refused_and_what_follows_is_not_read(more, talk):
    head = b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: HOST\r\n" + more + b"\r\n"
    [(status, body)] = bodies_of(talk(head + LAST))
    assert status == 501
    assert b"is no proxy" in body
