"""A labelling session over HTTP: the page, its images, and the actions of the person who labels.

No path ever comes from a client: images are known by their ids. A route without ``async`` runs in a
thread, since it reads the disk.
"""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from onebox import __version__
from onebox.labelling.records import ConflictError, Entry
from onebox.labelling.session import Session
from onebox.serving.label_api.bodies import read_body
from onebox.serving.label_api.previews import SIDES, PreviewCache, preview
from onebox.serving.label_api.records import (
    ActionBody,
    ClassBody,
    NoBody,
    SettlementBody,
    entry_as_json,
    summary_as_json,
)
from onebox.serving.web.assets import asset_routes
from onebox.serving.web.problems import Problem, ProblemError, as_response

PAGE = "label.html"
_MOST_LISTED = 200
_MOST_NEXT = 20
_DEFAULT_SIDE = 1600  # pixels: the width of a laptop's screen; not tuned


def label_routes(session: Session) -> list[BaseRoute]:
    """The routes of a session's page."""
    api = LabelApi(session)
    return [
        *asset_routes(PAGE),
        Route("/api/session", api.session),
        Route("/api/status", api.status),
        Route("/api/next", api.next),
        Route("/api/images", api.images),
        Route("/api/images/{id}", api.image),
        Route("/api/images/{id}/preview", api.preview),
        Route("/api/actions", api.act, methods=["POST"]),
        Route("/api/classes", api.add_class, methods=["POST"]),
        Route("/api/conflicts/{id}", api.settle, methods=["POST"]),
        Route("/api/train", api.train, methods=["POST"]),
    ]


class LabelApi:
    """What each route does."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._previews = PreviewCache()

    def session(self, request: Request) -> Response:  # noqa: ARG002 - a route's signature
        """What does not change while the session is open."""
        session = self._session
        keypoints = session.keypoints
        return JSONResponse(
            {
                "folder": session.folder.name or str(session.folder),
                "labels": session.label_file_path.name,
                "classes": session.classes,
                "keypoints": None
                if keypoints is None
                else {"names": keypoints.names, "skeleton": keypoints.skeleton},
                "has_training": session.summary().training.state != "off",
                "has_suspects": bool(session.summary().suspects),
                "version": __version__,
            }
        )

    def status(self, request: Request) -> Response:  # noqa: ARG002
        """The state of the session in numbers."""
        return JSONResponse(self._status())

    def next(self, request: Request) -> Response:
        """The images to label next."""
        skip = [each for each in request.query_params.get("skip", "").split(",") if each]
        tab = request.query_params.get("tab", "")
        count = _number(request, "count", 5, (1, _MOST_NEXT))
        return _listed(self._session.next_entries(tab, count, skip))

    def images(self, request: Request) -> Response:
        """The images of a filter whose name contains the query.

        Raises:
            SettingError: If there is no such filter.
            ProblemError: If a number is out of its limits (422).
        """
        chosen = request.query_params.get("filter", "all")
        offset = _number(request, "offset", 0, (0, 2**31))
        count = _number(request, "count", 50, (1, _MOST_LISTED))
        query = request.query_params.get("query", "")
        total, entries = self._session.find(query, chosen, offset, count)
        return _listed(entries, total=total)

    def image(self, request: Request) -> Response:
        """One image with its label."""
        return JSONResponse(entry_as_json(self._entry(request)))

    def preview(self, request: Request) -> Response:
        """One image as JPEG, upright and scaled down.

        Raises:
            ProblemError: If there is no such image (404), or the side is out of range (422).
            ImageError: If it cannot be read.
        """
        entry = self._entry(request)
        side = _number(request, "side", _DEFAULT_SIDE, SIDES)
        try:
            version = entry.path.stat().st_mtime_ns
        except OSError as error:
            raise ProblemError(404, f"{entry.name}: is no longer in the folder.") from error
        etag = f'"{entry.id}-{version:x}-{side}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)

        def make() -> bytes:
            return preview(entry.path, entry.size_wh, side)

        content = self._previews.get((entry.id, version, side), make)
        return Response(content, headers=headers, media_type="image/jpeg")

    async def act(self, request: Request) -> Response:
        """Take an action; 409 with the image as it is now, if its label changed meanwhile."""
        body = await read_body(request, ActionBody)
        return await run_in_threadpool(self._act, body)

    def _act(self, body: ActionBody) -> Response:
        self._known(body.image)
        try:
            entry = self._session.apply(body.record())
        except ConflictError as error:
            detail = (
                f"{error.entry.name}: its label was changed meanwhile, in another tab or in the "
                "file. Compare the two, and save again."
            )
            more = {"entry": entry_as_json(error.entry)}
            return as_response(Problem(409, detail, more=more))
        return self._done(entry)

    async def add_class(self, request: Request) -> Response:
        """Add a class."""
        body = await read_body(request, ClassBody)
        classes = await run_in_threadpool(self._session.add_class, body.name)
        return JSONResponse({"classes": classes})

    async def settle(self, request: Request) -> Response:
        """Settle an image whose label was changed here and in the file."""
        body = await read_body(request, SettlementBody)
        return await run_in_threadpool(self._settle, request, body)

    def _settle(self, request: Request, body: SettlementBody) -> Response:
        return self._done(self._session.settle(self._entry(request).id, body.keep))

    async def train(self, request: Request) -> Response:
        """Train on the labels so far, without waiting for more."""
        await read_body(request, NoBody)
        return await run_in_threadpool(self._train)

    def _train(self) -> Response:
        self._session.train_now()
        return JSONResponse(self._status())

    def _done(self, entry: Entry) -> Response:
        return JSONResponse({"entry": entry_as_json(entry), "status": self._status()})

    def _status(self) -> dict[str, Any]:
        return summary_as_json(self._session.summary(), self._session.classes)

    def _entry(self, request: Request) -> Entry:
        return self._known(request.path_params["id"])

    def _known(self, id: str) -> Entry:  # noqa: A002
        try:
            return self._session.entry(id)
        except KeyError:
            raise ProblemError(404, f"There is no image {id!r} in this session.") from None


def _listed(entries: list[Entry], **more: int) -> Response:
    return JSONResponse({**more, "images": [entry_as_json(entry) for entry in entries]})


def _number(request: Request, name: str, default: int, limits: tuple[int, int]) -> int:
    """A whole number of the query.

    Raises:
        ProblemError: If it is none, or out of its limits.
    """
    text = request.query_params.get(name)
    low, high = limits
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(high))
    if is_number and low <= int(text) <= high:
        return int(text)
    raise ProblemError(422, f"{name} must be a whole number from {low} to {high}, got {text!r}.")
