"""Applications on small models, and images of one brightness."""

import contextlib
import io

import pytest
from PIL import Image
from starlette.testclient import TestClient

from onebox.confidence.records import Calibration, IouModel, SideScores
from onebox.serving.model_api import application
from onebox.serving.model_api.models import NOTHING, ModelHolder
from onebox.serving.model_api.predictor import Predictor, Work
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import Limits
from onebox.serving.web.security import Access

# Of 59 images none is wrong: a risk of 5 % is proved, since 1 - 0.05^(1 / 59) = 0.0495.
CALIBRATION = Calibration(
    images=60,
    temperature=1.0,
    iou=IouModel(-1.0, 1.0, 0.5),
    sides=SideScores((0.0,) * 52 + (3.0,) * 8, (0.0,) * 52 + (1.0,) * 8),
    scores=(*(0.5 - place / 1000 for place in range(59)), 0.25),
    is_wrong=(False,) * 59 + (True,),
)


@pytest.fixture(scope="session")
def calibrated_file(write_bright_model, tmp_path_factory):
    """A model that promises a coverage of 0.9 and a risk of 0.05."""
    file = tmp_path_factory.mktemp("calibrated") / "model.onnx"
    return write_bright_model(file, sigma=True, refine_margin=1.5, refined_calibration=CALIBRATION)


@pytest.fixture(scope="session")
def encoded():
    """Encode an image of one grey: ``encoded(128, format="PNG", size=(60, 40))``."""

    def encode(level=128, *, format="PNG", size=(60, 40), mode="RGB", **options):  # noqa: A002
        image = Image.new("L", size, level).convert(mode)
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def new_client(tmp_path):
    """Make a client of an application on a model file: ``new_client(file, work=Work(...))``."""
    with contextlib.ExitStack() as opened:

        def make(file, *, work=None, limits=None, usual=NOTHING, page="<p>model</p>", **access):
            (tmp_path / "assets").mkdir(exist_ok=True)
            (tmp_path / "assets" / "model.html").write_text(page)
            chosen = work or Work(threads=2)
            predictor = Predictor(ModelHolder(file, threads=2, usual=usual), chosen)
            app = application.build(
                predictor,
                Access(AllowedHosts.of("127.0.0.1", 8000), **access),
                limits or Limits(),
                tmp_path / "assets",
            )
            client = TestClient(app, "http://127.0.0.1:8000", raise_server_exceptions=False)
            client.predictor = predictor
            return opened.enter_context(client)

        yield make
