"""Folders of tiny images, and sessions on them."""

import pytest

from onebox.labelling.options import SessionOptions
from onebox.labelling.records import Action, Label
from onebox.labelling.saving import Saver
from onebox.labelling.session import Session


@pytest.fixture
def make_folder(tmp_path):
    """Make a folder of grey PNG images of 40 x 30 pixels: ``make_folder(5)``."""
    from PIL import Image

    def make(count):
        folder = tmp_path / "images"
        folder.mkdir()
        Image.new("RGB", (40, 30), "grey").save(folder / "000.png")
        content = (folder / "000.png").read_bytes()
        for number in range(1, count):
            (folder / f"{number:03}.png").write_bytes(content)
        return folder

    return make


@pytest.fixture
def open_session(monkeypatch):
    """Open a session on a folder, with the class cat; it closes at the end of the test.

    The label file is not saved by a thread: a test says when.
    """
    monkeypatch.setattr(Saver, "start", lambda self: None)
    opened = []

    def open_(folder, **changes):
        session = Session.open(SessionOptions(folder, **{"classes": ("cat",), **changes}))
        opened.append(session)
        return session

    yield open_
    for session in opened:
        session.close()


@pytest.fixture
def act():
    """Act on an image: ``act(session, entry, (1, 2, 3, 4))``; the new entry."""
    numbers = iter(range(10**6))

    def act_(session, entry, box=(1.0, 2.0, 30.0, 20.0), *, label="cat", how="drawn", **fields):
        new = None if how == "cleared" else Label(label, tuple(map(float, box)))
        if how == "absent":
            new = Label()
        facts = {"id": f"action-{next(numbers)}", "seconds": 2.0, "tab": "a", **fields}
        revision = facts.pop("revision", entry.revision)
        return session.apply(Action(facts.pop("id"), entry.id, revision, new, how, **facts))

    return act_
