"""The page of an application and the files that it loads, read once when the server starts.

Each file is found by its exact name in a table, so no path of a client reaches the disk. Browsers
ask each time whether a file has changed (``no-cache`` with an ``ETag``), so a new version of onebox
never meets scripts of an older one.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onebox.serving.web.problems import ProblemError

MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""The suffixes of the files that are served, and their types."""

_PAGE_SUFFIX = ".html"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Attributes:
        content: Its bytes.
        media_type: Its ``Content-Type``.
        etag: Its ``ETag``, a hash of the content.
    """

    content: bytes
    media_type: str
    etag: str


def packaged_assets() -> Traversable:
    """The folder of the pages in the installed package."""
    return resources.files("onebox.serving") / "assets"


def asset_routes(page: str, folder: Traversable | None = None) -> list[Route]:
    """Routes of a page at ``/`` and of the files that it loads, at ``/assets/NAME``.

    Args:
        page: File name of the page, such as ``label.html``.
        folder: The folder with the files; by default that of the package.
    """
    files = read_assets(packaged_assets() if folder is None else folder)
    loaded = {name: each for name, each in files.items() if not name.endswith(_PAGE_SUFFIX)}

    async def show_page(request: Request) -> Response:
        return _answer(request, files, page)

    async def show_asset(request: Request) -> Response:
        return _answer(request, loaded, request.path_params["name"])

    return [Route("/", show_page), Route("/assets/{name:path}", show_asset)]


def read_assets(folder: Traversable) -> dict[str, Asset]:
    """The files of a folder and below that have a type, by their path relative to the folder."""
    found = {}
    for name, file in _walk(folder, "") if folder.is_dir() else ():
        media_type = MEDIA_TYPES.get(f".{name.rpartition('.')[2]}")
        if media_type is not None:
            content = file.read_bytes()
            digest = hashlib.blake2b(content, digest_size=12).hexdigest()
            found[name] = Asset(content, media_type, f'"{digest}"')
    return found


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for child in folder.iterdir():
        name = f"{prefix}{child.name}"
        if child.is_dir():
            yield from _walk(child, f"{name}/")
        else:
            yield name, child


def _answer(request: Request, files: Mapping[str, Asset], name: str) -> Response:
    asset = files.get(name)
    if asset is None:
        raise ProblemError(404, f"There is no file {name!r} in this version of onebox.")
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}
    known = request.headers.get("if-none-match", "")
    if asset.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
