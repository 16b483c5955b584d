"""A labelling session in memory, behind the HTTP of the real one: a test double for the page."""

import asyncio
import contextlib
import dataclasses
import io
import threading
import time
from importlib import resources

import uvicorn
from PIL import Image, ImageDraw
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = resources.files("onebox.serving") / "assets"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def entry(number: int, size=(400, 300), **changes) -> dict:
    """An image without a label."""
    empty = dict.fromkeys(("label", "proposal", "suspect", "theirs"))
    known = {"revision": 0, "in_sample": False, "is_in_conflict": False}
    name = f"cats/{number:03}.jpg"
    return {"id": f"{number:016x}", "name": name, "size": list(size), **known, **empty, **changes}


def proposal(box, label="cat", **changes) -> dict:
    """A proposal of a calibrated model."""
    sure = {"score": 0.91, "present": None, "expected_iou": 0.87, "is_familiar": True}
    return {"label": label, "box": list(box), "keypoints": None, "round": 1, **sure, **changes}


@dataclasses.dataclass
class FakeSession:
    """The state of the session, for a test to set and to read."""

    entries: dict
    classes: list
    keypoints: dict | None = None
    has_suspects: bool = False
    accuracy: dict | None = None
    training: dict = dataclasses.field(default_factory=lambda: training("waiting"))
    file: dict = dataclasses.field(default_factory=lambda: {"state": "saved", "message": ""})
    advice: str = "Label 20 pictures to train a first model."
    actions: list = dataclasses.field(default_factory=list)
    failures: list = dataclasses.field(default_factory=list)
    list_failures: list = dataclasses.field(default_factory=list)
    latency_s: float = 0.0

    def status(self) -> dict:
        entries = list(self.entries.values())
        labelled = [item for item in entries if item["label"]]
        absent = [item for item in labelled if not item["label"]["box"]]
        return {
            "images": len(entries),
            "labelled": len(labelled),
            "absent": len(absent),
            "remaining": len(entries) - len(labelled),
            "suspects": sum(item["suspect"] is not None for item in entries),
            "conflicts": [item["id"] for item in entries if item["is_in_conflict"]],
            "seconds_left": 8.0 * (len(entries) - len(labelled)) if labelled else None,
            "accuracy": self.accuracy,
            "advice": {"kind": "too_early", "text": self.advice},
            "training": self.training,
            "file": self.file,
            "classes": self.classes,
        }

    def facts(self) -> dict:
        named = {"folder": "cats", "labels": "labels.csv", "format": "csv", "version": "0"}
        has = {"has_training": True, "has_suspects": self.has_suspects}
        return {**named, **has, "classes": self.classes, "keypoints": self.keypoints}

    def apply(self, action: dict) -> tuple[int, dict]:
        """Status and body, as the real session answers an action."""
        known = self.entries[action["image"]]
        if action["id"] in [done["id"] for done in self.actions]:
            return 200, {"entry": known, "status": self.status()}
        if action["revision"] != known["revision"]:
            return 409, {"title": "Conflict", "detail": "Labelled meanwhile.", "entry": known}
        if action["label"] and action["label"]["label"] == "refused":
            return 422, {"title": "Data", "detail": "label 'refused' is not one of cat, dog."}
        self.actions.append(action)
        changes = {"label": action["label"], "revision": known["revision"] + 1, "suspect": None}
        self.entries[known["id"]] = {**known, **changes}
        return 200, {"entry": self.entries[known["id"]], "status": self.status()}


def training(state: str, **changes) -> dict:
    """A status of training in the background."""
    empty = {"round": 0, "labels": 0, "stage": "", "done": 0.0, "message": ""}
    return {"state": state, **empty, **changes}


FILTERS = {
    "all": lambda item: True,
    "unlabelled": lambda item: not item["label"],
    "labelled": lambda item: item["label"],
    "absent": lambda item: item["label"] and not item["label"]["box"],
    "suspects": lambda item: item["suspect"],
    "conflicts": lambda item: item["is_in_conflict"],
    "doubtful": lambda item: item["proposal"],
}


def application(session: FakeSession) -> Starlette:
    """The session over HTTP."""
    return Starlette(routes=[*pages("label.html"), *_reading(session), *_writing(session)])


def _reading(session: FakeSession) -> list[Route]:
    async def images(request):
        if session.list_failures:
            return JSONResponse({"detail": "Busy."}, session.list_failures.pop(0))
        chosen = FILTERS[request.query_params["filter"]]
        query, offset = request.query_params["query"], int(request.query_params["offset"])
        found = [e for e in session.entries.values() if chosen(e) and query in e["name"]]
        page = found[offset : offset + int(request.query_params["count"])]
        return JSONResponse({"total": len(found), "images": page})

    async def following(request):
        skip = request.query_params["skip"].split(",")
        left = [e for e in session.entries.values() if not e["label"] and e["id"] not in skip]
        return JSONResponse({"images": left[: int(request.query_params["count"])]})

    async def one(request):
        await asyncio.sleep(session.latency_s)
        return JSONResponse(session.entries[request.path_params["id"]])

    async def preview(request):
        await asyncio.sleep(session.latency_s)
        known = session.entries[request.path_params["id"]]
        return Response(
            picture(known["size"], int(request.query_params["side"])), 200, None, "image/jpeg"
        )

    return [
        Route("/api/session", lambda _: JSONResponse(session.facts())),
        Route("/api/status", lambda _: JSONResponse(session.status())),
        Route("/api/next", following),
        Route("/api/images", images),
        Route("/api/images/{id}", one),
        Route("/api/images/{id}/preview", preview),
    ]


def _writing(session: FakeSession) -> list[Route]:
    async def act(request):
        if session.failures:
            return JSONResponse({"detail": "Busy."}, session.failures.pop(0))
        status, body = session.apply(await request.json())
        return JSONResponse(body, status)

    async def classes(request):
        name = (await request.json())["name"]
        if name in session.classes:
            return JSONResponse({"detail": f"The class {name} exists already."}, 422)
        session.classes = [*session.classes, name]
        return JSONResponse({"classes": session.classes})

    async def settle(request):
        known = session.entries[request.path_params["id"]]
        label = known["label"] if (await request.json())["keep"] == "mine" else known["theirs"]
        settled = {**known, "label": label, "theirs": None, "is_in_conflict": False}
        session.entries[known["id"]] = settled
        return JSONResponse({"entry": settled, "status": session.status()})

    async def train(_):
        session.training = training("running", round=1, labels=20, stage="Epoch 1", done=0.25)
        return JSONResponse(session.status())

    return [
        Route("/api/actions", act, methods=["POST"]),
        Route("/api/classes", classes, methods=["POST"]),
        Route("/api/conflicts/{id}", settle, methods=["POST"]),
        Route("/api/train", train, methods=["POST"]),
    ]


def pages(page: str) -> list[Route]:
    """The page and its assets, under the policy of the real server."""

    async def asset(request):
        path = ASSETS / request.path_params.get("name", page)
        headers = {"Content-Security-Policy": CSP}
        return Response(path.read_bytes(), 200, headers, TYPES["." + path.name.split(".")[1]])

    return [Route("/", asset), Route("/assets/{name}", asset)]


def picture(size, side: int) -> bytes:
    """A JPEG with an ellipse, no larger than the image."""
    scale = min(1, side / max(size))
    width, height = (max(1, round(length * scale)) for length in size)
    image = Image.new("RGB", (width, height), (70, 96, 84))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 0.7, width, height), fill=(120, 104, 80))
    draw.ellipse((width * 0.25, height * 0.2, width * 0.75, height * 0.8), fill=(196, 170, 140))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


@contextlib.contextmanager
def serving(app: Starlette):
    """The address of an application that runs in a thread."""
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
