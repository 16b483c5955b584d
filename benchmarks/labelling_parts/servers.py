"""A labelling server in a process of its own, and a client of its JSON."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

_START = """
import json, sys
from pathlib import Path
from onebox.labelling.options import SessionOptions, TrainingOptions
from onebox.labelling.session import Session
from onebox.serving.label_api.job import Place, serve

asked = json.loads(sys.argv[1])
training = asked.pop("training")
if training is not None:
    training["weights"] = training["weights"] and Path(training["weights"])
    training = TrainingOptions(**training | {"changes": tuple(training["changes"])})
options = SessionOptions(
    Path(asked["folder"]), classes=tuple(asked["classes"]), training=training, seed=asked["seed"],
    order=asked["order"],
)
place = Place(port=asked["port"])
listener = place.open()
with listener, Session.open(options) as session:
    serve(session, place, listener, lambda address: print(address, flush=True))
"""
"""What `onebox label` does, with the order of the images as one more option."""


class Server:
    """A running server.

    Attributes:
        address: Of its page, with a slash at the end.
        process: The process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        classes: Sequence[str] = ("raccoon",),
        order: str = "mixed",
        seed: int = 0,
        training: dict[str, Any] | None = None,
        port: int = 0,
    ) -> None:
        asked = {
            "folder": str(folder),
            "classes": list(classes),
            "order": order,
            "seed": seed,
            "training": training,
            "port": port,
        }
        words = [sys.executable, "-c", _START, json.dumps(asked)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.address = (self.process.stdout or sys.stdin).readline().strip()
        if not self.address:
            raise RuntimeError("the server did not start; what it said is above")
        self._client = httpx.Client(base_url=self.address, headers={"X-Onebox": "1"}, timeout=30)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON at a path.

        Raises:
            httpx.HTTPError: If there is none.
        """
        answer = self._client.get(path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, content: dict[str, Any]) -> httpx.Response:
        """The answer to JSON."""
        return self._client.post(path, json=content)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._client.close()
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self._client.close()
        self.process.terminate()
        self.process.wait(timeout=60)
