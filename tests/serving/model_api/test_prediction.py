"""``POST /predict``: its JSON is that of ``onebox predict --json``; every error says why."""

import json
import struct
import tempfile
import zlib

import pytest
from PIL import Image

from onebox.serving.model_api.models import Promised
from onebox.serving.model_api.predictor import Work
from onebox.serving.web.limits import Limits

pytestmark = pytest.mark.train

SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6  # orientation: the stored rows are the columns of the upright image
JPEG = {"content-type": "image/jpeg"}


@pytest.fixture
def photos(encoded, tmp_path, monkeypatch):
    """Three image files in the working directory, by name."""
    monkeypatch.chdir(tmp_path)
    contents = {
        "grey.png": encoded(100),
        "sideways.jpg": encoded(150, format="JPEG", size=(300, 200), exif=SIDEWAYS),
        "palette.gif": encoded(200, format="GIF", mode="P"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return contents


def command_line(run, file, names, *options):
    """The objects that ``onebox predict --json`` prints."""
    code, out, _ = run("predict", file, *names, "--json", *options)
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def as_form(contents):
    return [("image", (name, content)) for name, content in contents.items()]


def test_a_form_of_images_gives_what_the_command_line_prints(run, bright_file, photos, new_client):
    answer = new_client(bright_file).post("/predict", files=as_form(photos))
    assert answer.status_code == 200
    assert answer.json() == {"predictions": command_line(run, bright_file, photos)}


def test_a_body_that_is_an_image_gives_one_object(run, bright_file, photos, new_client):
    [printed] = command_line(run, bright_file, ["sideways.jpg"])
    client = new_client(bright_file)
    named = {**JPEG, "content-disposition": 'attachment; filename="sideways.jpg"'}
    body = photos["sideways.jpg"]
    assert client.post("/predict", content=body, headers=named).json() == printed
    unnamed = client.post("/predict", content=body, headers=JPEG).json()
    assert unnamed == {**printed, "image": "image"}
    # Upright, the image is 200 x 300; the box is its left upper quarter.
    assert printed["box"][3] > printed["box"][2]


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", []),
        ("?coverage=0.8", ["--coverage", "0.8"]),
        ("?max_risk=0.05", ["--max-risk", "0.05"]),
        ("?coverage=0.9&max_risk=0.1", ["--coverage", "0.9", "--max-risk", "0.1"]),
    ],
)
def test_a_calibrated_model_keeps_the_promises_of_the_command_line(
    query, options, run, calibrated_file, photos, new_client
):
    printed = command_line(run, calibrated_file, photos, *options)
    answer = new_client(calibrated_file).post(f"/predict{query}", files=as_form(photos))
    assert answer.json() == {"predictions": printed}
    assert ("outer_box" in printed[0]) == ("coverage" in query)
    assert ("accepted" in printed[0]) == ("max_risk" in query)


def test_the_server_promises_what_it_usually_does_unless_a_request_asks(
    calibrated_file, encoded, new_client
):
    client = new_client(calibrated_file, usual=Promised(coverage=0.8))
    usual = client.post("/predict", content=encoded(), headers=JPEG).json()
    asked = client.post("/predict?coverage=0.9", content=encoded(), headers=JPEG).json()
    assert (usual["coverage"], asked["coverage"]) == (0.8, 0.9)
    # 0 sigmas outwards for 52 of the 60 calibration images, 3 for the others
    assert usual["outer_box"] == usual["box"] != asked["outer_box"]
    assert client.get("/model").json()["coverage"] == 0.8


def test_a_damaged_file_of_a_form_leaves_the_others_alone(bright_file, encoded, new_client):
    files = {"a.png": encoded(0), "b.png": b"", "c.txt": b"no image", "d.png": encoded(255)}
    answer = new_client(bright_file).post("/predict", files=as_form(files))
    assert answer.status_code == 200
    first, empty, text, last = answer.json()["predictions"]
    assert (first["image"], first["score"], last["score"]) == ("a.png", 0.0, 1.0)
    assert (empty["status"], empty["image"]) == (422, "b.png")
    assert "is empty (0 bytes)" in empty["detail"]
    assert (text["status"], text["image"]) == (415, "c.txt")


def header_only(width, height):
    """A PNG that ends before its pixels."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"")


@pytest.mark.parametrize(
    ("body", "headers", "query", "status", "says"),
    [
        (b"", JPEG, "", 422, "is empty (0 bytes). Replace or remove it."),
        (b"text", JPEG, "", 415, "is not an image in a supported format. Save it as JPEG or PNG."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", JPEG, "", 415, "EPS"),
        (b"P6 1 1 255 abc", JPEG, "", 415, "the image is a PPM; this server reads BMP, GIF, JPEG"),
        (header_only(9, 9), JPEG, "", 422, "cannot be decoded"),
        (header_only(2000, 600), JPEG, "", 422, "has 2000 x 600 pixels; at most 1000000 pixels"),
        (header_only(60000, 60000), JPEG, "", 422, "more than the limit of 178956970 pixels"),
        (b"{}", {"content-type": "application/json"}, "", 415, "The body is application/json"),
        (b"a=b", {"content-type": "application/x-www-form-urlencoded"}, "", 415, "-F image=@"),
        (b"x", {"content-type": "multipart/form-data"}, "", 400, "Missing boundary"),
        (b"x", {"content-type": "multipart/form-data; boundary=b"}, "", 400, "cannot be read"),
        (b"--b--", {"content-type": "multipart/form-data; boundary=b"}, "", 400, "has no file"),
        (b"x", JPEG, "?coverage=high", 400, "coverage must be a number between 0 and 1"),
        (b"x", JPEG, "?covrage=0.9", 400, "There is no option 'covrage'"),
        (b"x", JPEG, "?covrage=0.9", 400, "Did you mean coverage?"),
        (b"x", JPEG, "?coverage=90", 422, "Did you mean 0.9?"),
        (b"x", JPEG, "?coverage=nan", 422, "must be between 0 and 1"),
        (b"x", JPEG, "?coverage=0.99", 422, "coverage 0.99 needs 99 calibration images"),
        (b"x", JPEG, "?max_risk=0.001", 422, "max_risk 0.001 needs at least"),
        (b"x" * 2_000_001, JPEG, "", 413, "at most 2000000 are allowed"),
    ],
)
def test_what_cannot_be_predicted_is_answered_with_the_reason(  # noqa: PLR0917 - a table
    body, headers, query, status, says, calibrated_file, new_client
):
    client = new_client(
        calibrated_file,
        work=Work(threads=1, max_pixels=1_000_000),
        limits=Limits(body_bytes=2_000_000),
    )
    answer = client.post(f"/predict{query}", content=body, headers=headers)
    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert answer.json()["status"] == status


def test_a_form_has_at_most_so_many_files(bright_file, new_client):
    files = [("image", (f"{number}.png", b"x")) for number in range(65)]
    answer = new_client(bright_file).post("/predict", files=files)
    assert answer.status_code == 400
    assert "Maximum number of files is 64" in answer.json()["detail"]


def form_of(*parts):
    """A form by hand: name and content of each file."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="%s"\r\n\r\n%s\r\n'
    return b"".join(head % part for part in parts) + b"--b--\r\n"


def test_a_form_that_is_cut_off_is_refused(bright_file, encoded, new_client):
    client = new_client(bright_file)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    whole = form_of((b"a.png", encoded(0, size=(2, 2))), (b"b.png", encoded(255, size=(2, 2))))
    least = len(whole) - len(b"\r\n")
    for length in [0, 9, *range(least - 12, least)]:
        answer = client.post("/predict", content=whole[:length], headers=headers)
        assert answer.status_code == 400, length
        assert "it is cut off: its closing boundary is missing" in answer.json()["detail"]
    for body in [whole[:least], whole, whole + b"epilogue"]:
        answer = client.post("/predict", content=body, headers=headers)
        assert [each["score"] for each in answer.json()["predictions"]] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("utf-7", b"+2AA-.png"),  # half of a surrogate pair
        ("unicode_escape", b"\\ud800.png"),
        ("undefined", b"a.png"),
    ],
)
def test_a_form_whose_charset_spells_no_text_is_refused(
    charset, name, bright_file, encoded, new_client
):
    headers = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
    body = form_of((name, encoded()))
    answer = new_client(bright_file).post("/predict", content=body, headers=headers)
    assert answer.status_code == 400
    assert "Send its names in UTF-8, and leave charset out" in answer.json()["detail"]


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "no-such", "hex"])
def test_a_form_may_name_a_charset(charset, bright_file, encoded, new_client):
    headers = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
    name = "ä.png".encode("utf-8" if charset == "utf-8" else "latin-1")
    body = form_of((name, encoded(255)))
    answer = new_client(bright_file).post("/predict", content=body, headers=headers)
    [white] = answer.json()["predictions"]
    assert (white["image"], white["score"]) == ("ä.png", 1.0)


@pytest.mark.parametrize("name", ["/etc/hostname", "../model.onnx", "..\\boot.ini", "a" * 300])
def test_a_name_of_a_client_is_repeated_and_never_opened(name, bright_file, encoded, new_client):
    files = [("image", (name, b"")), ("image", (name, encoded(255)))]
    empty, white = new_client(bright_file).post("/predict", files=files).json()["predictions"]
    assert (empty["status"], white["score"]) == (422, 1.0)
    assert empty["image"] == white["image"] == name[:255]


def test_a_model_that_is_not_calibrated_says_so_without_its_folder(
    bright_file, encoded, new_client
):
    answer = new_client(bright_file).post("/predict?coverage=0.9", content=encoded())
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("model is not calibrated")
    assert str(bright_file.parent) not in answer.text


def test_a_large_upload_is_kept_off_the_disk(bright_file, encoded, new_client, monkeypatch):
    def refuse(file):
        raise AssertionError("a file was written")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    bitmap = encoded(255, format="BMP", size=(1000, 700))  # 2.1 MB
    answer = new_client(bright_file).post("/predict", files=[("image", ("a.bmp", bitmap))])
    assert answer.json()["predictions"][0]["score"] == 1.0


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405), ("DELETE", 405)])
def test_predictions_are_posted(method, status, bright_file, new_client):
    assert new_client(bright_file).request(method, "/predict").status_code == status
