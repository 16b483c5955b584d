"""Limits of what one request may take."""

import asyncio

import pytest

from onebox.serving.web.limits import Limits, LimitsMiddleware

HOST = (b"host", b"127.0.0.1:8000")


@pytest.mark.parametrize(("size", "status"), [(0, 200), (9, 200), (10, 200), (11, 413)])
def test_a_body_may_have_as_many_bytes_as_the_limit(size, status, new_client):
    answer = new_client(Limits(body_bytes=10)).post("/length", content=b"x" * size)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"bytes": size}


def test_a_body_that_is_too_large_is_told_the_limit(new_client):
    answer = new_client(Limits(body_bytes=10)).post("/length", content=b"x" * 11)
    assert answer.json()["detail"] == (
        "The body has at least 11 bytes; at most 10 are allowed. Send fewer or smaller files."
    )
    assert answer.headers["connection"] == "close"


def test_a_body_without_a_stated_length_is_counted(new_client, monkeypatch):
    monkeypatch.setattr("onebox.serving.web.limits._DROP_SECONDS", 0.01)
    answer = new_client(Limits(body_bytes=10)).post("/length", content=iter([b"x" * 6] * 2))
    assert answer.status_code == 413
    assert "at least 12 bytes" in answer.json()["detail"]


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", "+5"])
def test_a_length_that_is_no_number_is_a_bad_request(length, new_client):
    answer = new_client().post("/length", headers={"content-length": length})
    assert answer.status_code == 400
    assert "is not a number of bytes" in answer.json()["detail"]


def test_long_headers_are_refused(new_client):
    client = new_client(Limits(header_bytes=500))
    assert client.get("/length", headers={"x-long": "a" * 100}).status_code == 200
    answer = client.get("/length", headers={"x-long": "a" * 500})
    assert answer.status_code == 431
    assert "at most 500 are allowed" in answer.json()["detail"]


def test_a_long_address_is_refused(new_client):
    answer = new_client(Limits(header_bytes=500)).get(f"/length?{'a' * 500}")
    assert answer.status_code == 414


class Exchange:
    """One request, handed over by hand: what comes in, and what goes out."""

    def __init__(self, *bodies, method="POST", is_whole=True):
        self.scope = {
            "type": "http",
            "method": method,
            "path": "/",
            "query_string": b"",
            "headers": [HOST],
        }
        self._bodies = list(bodies)
        self._is_whole = is_whole
        self.sent = []

    async def receive(self):
        if self._bodies:
            body = self._bodies.pop(0)
            more = bool(self._bodies) or not self._is_whole
            return {"type": "http.request", "body": body, "more_body": more}
        return await asyncio.get_running_loop().create_future()  # nothing comes any more

    async def send(self, message):
        self.sent.append(message)

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def text(self):
        return b"".join(message.get("body", b"") for message in self.sent).decode()


async def _echo(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def test_a_body_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr("onebox.serving.web.limits._DROP_SECONDS", 0.01)
    limited = LimitsMiddleware(_echo, Limits(body_seconds=0.01))
    exchange = Exchange(b"abc", is_whole=False)
    asyncio.run(limited(exchange.scope, exchange.receive, exchange.send))
    assert exchange.status == 408
    assert "3 bytes had arrived" in exchange.text
    assert exchange.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert limited.active == 0


def test_a_refused_client_is_listened_to_until_its_body_ends():
    limited = LimitsMiddleware(_echo, Limits(body_bytes=4))
    exchange = Exchange(b"abc", b"def", b"ghi")
    asyncio.run(limited(exchange.scope, exchange.receive, exchange.send))
    assert exchange.status == 413
    assert not exchange._bodies


def test_a_body_is_refused_by_its_stated_length_before_it_arrives():
    exchange = Exchange(b"ab")
    exchange.scope["headers"] = [HOST, (b"content-length", b"11")]
    limited = LimitsMiddleware(_echo, Limits(body_bytes=10))
    asyncio.run(limited(exchange.scope, exchange.receive, exchange.send))
    assert exchange.status == 413
    assert "at least 11 bytes" in exchange.text


def test_the_application_gets_the_body_as_one_piece():
    exchange = Exchange(b"abc", b"", b"def")
    asyncio.run(LimitsMiddleware(_echo, Limits())(exchange.scope, exchange.receive, exchange.send))
    assert exchange.text == "abcdef"


def test_requests_over_the_limit_are_told_to_come_again():
    async def scenario():
        goes_on = asyncio.Event()

        async def wait(scope, receive, send):
            if scope["method"] == "POST":
                await goes_on.wait()
            await _echo(scope, receive, send)

        limited = LimitsMiddleware(wait, Limits(requests=1))
        first, second, third = Exchange(b"1"), Exchange(b"2"), Exchange(b"3")
        working = asyncio.create_task(limited(first.scope, first.receive, first.send))
        await asyncio.sleep(0)
        assert limited.active == 1
        await limited(second.scope, second.receive, second.send)
        reading = Exchange(b"", method="GET")
        await limited(reading.scope, reading.receive, reading.send)
        goes_on.set()
        await working
        await limited(third.scope, third.receive, third.send)
        return first, second, third, reading

    first, second, third, reading = asyncio.run(scenario())
    assert [each.status for each in (first, second, third, reading)] == [200, 503, 200, 200]
    assert (b"retry-after", b"1") in second.sent[0]["headers"]
    assert "works on 1 requests, which is its limit" in second.text


def test_a_client_that_goes_away_frees_its_place():
    async def leave():
        return {"type": "http.disconnect"}

    limited = LimitsMiddleware(_echo, Limits())
    exchange = Exchange()
    asyncio.run(limited(exchange.scope, leave, exchange.send))
    assert (exchange.sent, limited.active) == ([], 0)
