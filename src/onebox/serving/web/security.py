"""Who may ask what: the checks before any request, and the headers of every answer.

Three strangers are kept out. A page of another site, that a person has open in the same browser:
by the Host, Origin and Sec-Fetch-Site headers, which no script can forge. Other users and machines:
by a token. A file that poses as a script, or a page that frames this one: by the headers of the
answers, which allow nothing but the server's own files.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onebox.errors import SettingError
from onebox.serving.web.hosts import AllowedHosts, parse_authority
from onebox.serving.web.limits import SAFE_METHODS, refuse
from onebox.serving.web.problems import Problem

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

LEAST_TOKEN = 16
"""Fewest characters of a token; not tuned."""

SCRIPT_HEADER = "X-Onebox"
"""A header that forms cannot send, so a request with it comes from a script or a program."""

SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
)
"""The headers of every answer."""

_UNCACHED = (b"cache-control", b"no-store")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, section 2.1


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask what.

    Attributes:
        hosts: The names that the server answers to.
        token: What a client must show; None to ask for none.
        open_paths: Paths that need no token, such as those of health checks.
        script_prefix: Posts to paths below must have `SCRIPT_HEADER` and JSON; None for no such
            paths.
    """

    hosts: AllowedHosts
    token: str | None = None
    open_paths: frozenset[str] = frozenset()
    script_prefix: str | None = None

    @property
    def cookie_name(self) -> str:
        """Name of the cookie, with the port: servers on one host share their cookies."""
        return f"onebox_{self.hosts.port}"

    @property
    def cookie_value(self) -> str:
        """Value of the cookie, made of the token so that it does not give the token away."""
        return hmac.new((self.token or "").encode(), b"onebox cookie", hashlib.sha256).hexdigest()


def check_token(token: str) -> str:
    """Return a token if it can be one.

    Raises:
        SettingError: If it is too short, or has characters that a header cannot have.
    """
    if len(token) < LEAST_TOKEN:
        raise SettingError(
            f"the token has {len(token)} characters; it must have at least {LEAST_TOKEN}. Make one "
            "with: python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    if not _TOKEN.fullmatch(token):
        raise SettingError(
            "the token has other characters than letters, digits and . _ ~ + / = -. Make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token


class SecurityMiddleware:
    """An ASGI application around another: lets through what `Access` allows."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the security headers, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _secured(list(message.get("headers", ())))
            await send(message)

        problem = access_problem(scope, self._access)
        if problem is not None:
            await refuse(problem, scope, receive, send_secured)
        elif self._is_login(scope):
            await self._log_in(scope, receive, send_secured)
        else:
            await self._app(scope, receive, send_secured)

    def _is_login(self, scope: Scope) -> bool:
        return self._access.token is not None and _query_token(scope) is not None

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the token in a cookie, and take it out of the address bar."""
        access = self._access
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            access.cookie_name, access.cookie_value, path="/", httponly=True, samesite="strict"
        )
        await response(scope, receive, send)


def access_problem(scope: Scope, access: Access) -> Problem | None:
    """Say why a request is refused; None if it is not."""
    headers = _headers(scope)
    return (
        _host_problem(scope, access)
        or _origin_problem(scope, headers)
        or _token_problem(scope, headers, access)
        or _script_problem(scope, headers, access)
    )


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _host_problem(scope: Scope, access: Access) -> Problem | None:
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    asked = parse_authority(named[0]) if len(named) == 1 else None
    if asked is None:
        return Problem(
            400,
            f"A request needs one Host header with a host name, this one has {named}. Send "
            "one with the address of this server.",
        )
    if access.hosts.has(asked):
        return None
    return Problem(
        421,
        f"The host '{named[0]}' is none of this server's names. Use the address that the server "
        "printed, or start it with --allowed-host NAME.",
    )


def _origin_problem(scope: Scope, headers: Mapping[str, str]) -> Problem | None:
    """Refuse what a page of another origin sends: it is told by headers that browsers set."""
    site = headers.get("sec-fetch-site", "none")
    is_foreign = site not in {"none", "same-origin"}
    if scope["method"] in SAFE_METHODS:
        # A link to the page is followed; everything else of this server is for its own pages.
        is_visit = headers.get("sec-fetch-mode") == "navigate"
        return _foreign(site) if is_foreign and not is_visit else None
    origin = headers.get("origin")
    if origin is not None and not _is_same(origin, headers["host"]):
        return _foreign(origin)
    return _foreign(site) if is_foreign else None


def _foreign(site: str) -> Problem:
    return Problem(
        403,
        f"This request comes from another site ({site}); only the server's own pages and programs "
        "may send it. Open the page at the server's own address.",
    )


def _is_same(origin: str, host: str) -> bool:
    """Whether an origin names the same host and port as the Host header; TLS may end before us."""
    scheme, separator, authority = origin.partition("://")
    default = {"http": 80, "https": 443}.get(scheme.lower())
    ours, theirs = parse_authority(host), parse_authority(authority)
    if not separator or default is None or ours is None or theirs is None:
        return False
    ports = [default if each.port is None else each.port for each in (ours, theirs)]
    return ours.name == theirs.name and ports[0] == ports[1]


def _token_problem(scope: Scope, headers: Mapping[str, str], access: Access) -> Problem | None:
    if access.token is None or scope["path"] in access.open_paths:
        return None
    if _has_token(scope, headers, access, access.token):
        return None
    return Problem(
        401,
        "This server needs its token, and the request has none or another one. Send the header "
        "'Authorization: Bearer TOKEN', or open the page once as /?token=TOKEN.",
        {"WWW-Authenticate": 'Bearer realm="onebox"'},
    )


def _has_token(scope: Scope, headers: Mapping[str, str], access: Access, token: str) -> bool:
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _equal(shown.strip(), token)
    asked = _query_token(scope)
    if asked is not None:
        return _equal(asked, token)
    cookies = _cookies(headers.get("cookie", ""), access.cookie_name)
    return any(_equal(cookie, access.cookie_value) for cookie in cookies)


def _equal(shown: str, expected: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(shown.encode(), expected.encode())


def _query_token(scope: Scope) -> str | None:
    """The token in the address of the page; None anywhere else."""
    if scope["path"] != "/" or scope["method"] != "GET":
        return None
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return query.get("token", [None])[0]


def _cookies(header: str, name: str) -> list[str]:
    """The values under a name; other programs on the host may send what no standard knows."""
    pairs = [pair.partition("=") for pair in header.split(";")]
    return [value.strip() for each, _, value in pairs if each.strip() == name]


def _script_problem(scope: Scope, headers: Mapping[str, str], access: Access) -> Problem | None:
    prefix = access.script_prefix
    if prefix is None or scope["method"] in SAFE_METHODS or not scope["path"].startswith(prefix):
        return None
    if headers.get(SCRIPT_HEADER.lower()) != "1":
        return Problem(403, f"This request lacks the header '{SCRIPT_HEADER}: 1'. Add it.")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return Problem(415, f"The body must be application/json, this one is {kind!r}. Send JSON.")
    return None


def _secured(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    has_cache_rule = any(name.lower() == _UNCACHED[0] for name, _ in headers)
    return [*headers, *SECURITY_HEADERS, *(() if has_cache_rule else (_UNCACHED,))]
