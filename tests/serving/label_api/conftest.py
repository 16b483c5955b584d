"""A session of six images, and a client of its page."""

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from onebox.labelling.options import SessionOptions
from onebox.labelling.session import Session
from onebox.serving.label_api.job import Place, page

HEADERS = {"X-Onebox": "1"}


@pytest.fixture
def folder(tmp_path):
    """Six grey images of 40 x 30 pixels; the last one is 4000 wide."""
    inside = tmp_path / "photos"
    inside.mkdir()
    for number in range(5):
        Image.fromarray(np.full((30, 40, 3), 40 * number, np.uint8)).save(inside / f"{number}.png")
    Image.fromarray(np.full((300, 4000, 3), 99, np.uint8)).save(inside / "wide.png")
    return inside


@pytest.fixture
def session(folder):
    """A session of two classes that trains nothing."""
    with Session.open(SessionOptions(folder, classes=("cat", "dog"))) as opened:
        yield opened


@pytest.fixture
def client(session):
    """A client of the session's page, as the page itself sends requests."""
    place = Place()
    with place.open() as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with TestClient(page(session, place, listener), address, headers=HEADERS) as opened:
            yield opened
