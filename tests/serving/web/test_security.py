"""Who may ask what: host, origin, token and method → status."""

import pytest

from onebox.errors import SettingError
from onebox.serving.web.security import CONTENT_SECURITY_POLICY, check_token

TOKEN = "correct-horse-battery"  # noqa: S105 - of these tests
OWN = "http://127.0.0.1:8000"
HOST, EVIL_HOST = {"host": "127.0.0.1:8000"}, {"host": "evil.example:8000"}
BEARER = {"authorization": f"Bearer {TOKEN}"}
WRONG = {"authorization": "Bearer incorrect-horse-battery"}
SAME, CROSS = {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "cross-site"}
SITE = {"sec-fetch-site": "same-site"}  # another port of this machine
VISIT = {**CROSS, "sec-fetch-mode": "navigate"}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        # Host: the same for every method.
        ("GET", HOST, 200),
        ("GET", {"host": "localhost:8000"}, 200),
        ("GET", EVIL_HOST, 421),
        ("GET", {"host": "127.0.0.1:8001"}, 421),
        ("GET", {"host": "a b"}, 400),
        ("POST", HOST, 200),
        ("POST", EVIL_HOST, 421),
        ("POST", {**EVIL_HOST, "origin": "http://evil.example:8000"}, 421),
        # Origin: asked of everything that may change something.
        ("POST", {**HOST, "origin": OWN}, 200),
        ("POST", {**HOST, "origin": "https://127.0.0.1:8000"}, 200),  # behind a proxy with TLS
        ("POST", {**HOST, "origin": "http://evil.example"}, 403),
        ("POST", {**HOST, "origin": "http://127.0.0.1:9000"}, 403),
        ("POST", {**HOST, "origin": "http://localhost:8000"}, 403),  # another name, another site
        ("POST", {**HOST, "origin": "null"}, 403),
        ("POST", {**HOST, "origin": "file://"}, 403),
        # What the browser says of where a request comes from.
        ("POST", {**HOST, **SAME}, 200),
        ("POST", {**HOST, "sec-fetch-site": "none"}, 200),
        ("POST", {**HOST, **CROSS}, 403),
        ("POST", {**HOST, **SITE}, 403),
        ("POST", {**HOST, **VISIT}, 403),  # a form of another site
        ("GET", {**HOST, **SAME}, 200),
        ("GET", {**HOST, **CROSS}, 403),  # an <img> of another site
        ("GET", {**HOST, **SITE}, 403),
        ("GET", {**HOST, **VISIT}, 200),  # a link to the page
        ("HEAD", {**HOST, **CROSS}, 403),
    ],
)
def test_requests_of_other_sites_are_refused(method, headers, status, new_client):
    assert new_client().request(method, "/length", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/length", {}, 401),
        ("GET", "/length", BEARER, 200),
        ("GET", "/length", {"authorization": f"bearer  {TOKEN}"}, 200),
        ("GET", "/length", WRONG, 401),
        ("GET", "/length", {"authorization": "Basic eDp5"}, 401),
        ("GET", "/length", {"authorization": TOKEN}, 401),
        ("GET", "/length", {"authorization": "Bearer "}, 401),
        ("GET", "/length", {"authorization": b"Bearer \xe4"}, 401),
        ("GET", "/length", {"cookie": f"onebox_8000={TOKEN}"}, 401),  # the token is no cookie
        ("GET", "/length", {"cookie": "onebox_8000="}, 401),
        ("GET", f"/length?token={TOKEN}", {}, 401),  # only at the page itself
        ("POST", f"/?token={TOKEN}", {}, 401),
        ("GET", "/?token=wrong", {}, 401),
        ("GET", "/?token=", {}, 401),
        ("POST", "/length", {}, 401),
        ("POST", "/length", BEARER, 200),
        ("POST", "/length", {**BEARER, "origin": "http://evil.example"}, 403),
        ("POST", "/length", {**BEARER, **EVIL_HOST}, 421),
        ("GET", "/nothing", {}, 401),  # a stranger does not learn what there is
        ("GET", "/nothing", BEARER, 404),
        ("GET", "/health", {}, 200),
        ("GET", "/health", EVIL_HOST, 421),
        ("GET", "/health/", {}, 401),
    ],
)
def test_a_server_with_a_token_asks_for_it(method, path, headers, status, new_client):
    client = new_client(token=TOKEN, open_paths=frozenset({"/health"}))
    assert client.request(method, path, headers={**HOST, **headers}).status_code == status


def test_a_request_without_the_token_is_told_how_to_send_it(new_client):
    answer = new_client(token=TOKEN).get("/length")
    assert answer.headers["www-authenticate"] == 'Bearer realm="onebox"'
    assert "'Authorization: Bearer TOKEN'" in answer.json()["detail"]
    assert TOKEN not in answer.text


def test_the_token_of_the_address_becomes_a_cookie_and_leaves_the_address(new_client):
    client = new_client(token=TOKEN)
    answer = client.get(f"/?token={TOKEN}", headers=HOST)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    name, value = cookie.partition(";")[0].split("=", 1)
    assert name == "onebox_8000"
    assert new_client(token=TOKEN).get("/length", headers={"cookie": f"{name}={value}"}).is_success
    other = new_client(token=TOKEN[::-1])
    assert other.get("/", headers={"cookie": f"{name}={value}"}).status_code == 401


@pytest.mark.parametrize(
    "other",
    [
        "a=b",
        'prefs={"theme":"dark"}',
        "a=b c",
        "x",
        "a[0]=1",
        "version=2",
        "k=日".encode(),
        "onebox_8000=old",
        "onebox_9000=another",
        "=",
        "",
    ],
)
def test_cookies_of_other_programs_lock_nobody_out(other, new_client):
    client = new_client(token=TOKEN)
    own = client.get(f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0].encode()
    other = other if isinstance(other, bytes) else other.encode()
    for cookies in [other + b"; " + own, own + b";" + other]:
        assert client.get("/length", headers={"cookie": cookies}).status_code == 200
    assert client.get("/length", headers={"cookie": other}).status_code == 401
    assert client.get("/length", headers={"cookie": b"a" + own}).status_code == 401


def test_a_bearer_token_that_is_wrong_is_refused_beside_a_good_cookie(new_client):
    client = new_client(token=TOKEN)
    cookie = client.get(f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]
    assert client.get("/length", headers={"cookie": cookie, **WRONG}).status_code == 401


def test_without_a_token_an_address_with_one_is_the_page(new_client):
    assert new_client().get("/?token=anything").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/api/length", {}, 403),
        ("POST", "/api/length", {"x-onebox": "1", "content-type": "application/json"}, 200),
        ("POST", "/api/length", {"x-onebox": "1", "content-type": "text/plain"}, 415),
        ("POST", "/api/length", {"x-onebox": "0", "content-type": "application/json"}, 403),
        ("POST", "/api/length", {"content-type": "application/json; charset=utf-8"}, 403),
        ("GET", "/api/length", {}, 200),
        ("POST", "/length", {}, 200),
    ],
)
def test_posts_of_scripts_have_a_header_that_forms_cannot_send(
    method, path, headers, status, new_client
):
    client = new_client(script_prefix="/api/")
    assert client.request(method, path, headers={**HOST, **headers}).status_code == status


@pytest.mark.parametrize("path", ["/", "/nothing", "/errors/bug", "/errors/data"])
def test_every_answer_has_the_security_headers(path, new_client):
    headers = new_client().get(path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_a_refused_request_has_the_security_headers_too(new_client):
    answer = new_client().get("/", headers=EVIL_HOST)
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "evil.example:8000" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("short", "has 5 characters; it must have at least 16"),
        ("", "has 0 characters"),
        ("long enough with spaces", "other characters than letters, digits"),
        ("long-enough-but-ä", "other characters than letters, digits"),
    ],
)
def test_a_token_that_is_weak_or_cannot_be_sent_is_refused(token, problem):
    with pytest.raises(SettingError, match=problem):
        check_token(token)


def test_a_token_of_random_letters_is_accepted():
    assert check_token(TOKEN) == TOKEN
