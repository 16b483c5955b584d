"""The page of a model in a browser, against a model that answers as it is told."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from .axe import violations
from .fake_label_server import picture
from .fake_model_server import MODEL, PREDICTION, FakeModel, application
from .labelled import KEYPOINTS
from .stage import Stage

pytestmark = pytest.mark.train

HEADER = ["image", "label", "x_min", "y_min", "x_max", "y_max"]
READY = "body[data-state=ready]"


def photo(name="cat.jpg", size=(400, 300)):
    """A picture for the page to take."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": picture(size, max(size))}


@pytest.fixture
def start(serve, open_page):
    """Serve a model, open its page, give it pictures: ``page, stage = start(model, *photos)``."""

    def start(model, *photos, **options):
        page = open_page(serve(application(model)), ready=READY, **options)
        if photos:
            page.set_input_files("#files", list(photos))
            page.wait_for_selector(f"#progress-text:text-matches('^{len(photos)} picture')")
            page.wait_for_selector("#stage[data-state=ready]")
        return page, Stage(page)

    return start


def downloaded(page):
    """The rows of the label file that the page makes."""
    with page.expect_download() as download:
        page.keyboard.press("d")
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_picture_is_sent_once_with_the_coverage_that_the_model_allows(start):
    model = FakeModel()
    page, _ = start(model, photo())
    assert model.requests == [("image/jpeg", {"coverage": "0.9"}, len(picture((400, 300), 400)))]
    assert page.inner_text("#verdict") == "cat"
    facts = page.inner_text("#certainty").replace("\n", " ")
    for words in ("Expected IoU 0.87", "Chance of IoU 0.75 93 %", "Score 0.91", "Class cat 94 %"):
        assert words in facts


def test_the_predictions_are_downloaded_as_labels(start):
    page, _ = start(FakeModel(), photo("a.jpg"), photo("b, c.jpg"))
    row = ["cat", "95.25", "60.5", "310.13", "240"]
    assert downloaded(page) == [HEADER, ["a.jpg", *row], ["b, c.jpg", *row]]


def test_onebox_reads_the_downloaded_labels(start, tmp_path):
    from onebox.formats import read

    page, _ = start(FakeModel(), photo("a.png"))
    Image.new("RGB", (400, 300)).save(tmp_path / "a.png")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "labels.csv")
    (sample,) = read(tmp_path / "labels.csv")
    assert sample.box == (95.25, 60.5, 310.13, 240.0)


def test_pictures_of_one_name_are_numbered(start):
    page, _ = start(FakeModel(), photo("image.png"), photo("c"), photo("image.png"))
    page.set_input_files("#files", [photo("image.png"), photo("image-2.png"), photo("c")])
    page.wait_for_selector("#progress-text:text-is('6 pictures')")
    names = ["image.png", "c", "image-2.png", "image-3.png", "image-2-2.png", "c-2"]
    assert page.locator("#items b").all_inner_texts() == names
    assert [row[0] for row in downloaded(page)[1:]] == names


def test_the_download_says_that_keypoints_are_left_out(start):
    keypoints = {"nose": [100.0, 80.0, 0.9], "tail": [200.0, 90.0, 0.8]}
    model = FakeModel(
        {**MODEL, "keypoints": KEYPOINTS}, [(200, {**PREDICTION, "keypoints": keypoints})]
    )
    page, _ = start(model, photo())
    assert downloaded(page)[0] == HEADER
    words = "labels.csv has 1 picture. Keypoints are not in it: CSV has no place for them."
    assert page.inner_text("#notice") == words


def test_a_corrected_box_and_class_are_downloaded(start):
    page, stage = start(FakeModel(), photo())
    stage.drag((310.125, 150), (330.2, 160))
    page.keyboard.press("2")
    assert page.inner_text("#label-state") == "Corrected by you."
    ((_, label, *box),) = downloaded(page)[1:]
    assert label == "dog"
    assert box == ["95.25", "60.5", "330", "240"]


def test_reset_returns_to_the_prediction(start):
    page, stage = start(FakeModel(), photo())
    page.keyboard.press("Delete")
    stage.draw((10, 10, 50, 60))
    page.keyboard.press("r")
    assert page.inner_text("#label-state") == "As predicted."
    assert downloaded(page)[1][2:] == ["95.25", "60.5", "310.13", "240"]


def test_an_absent_subject_is_said_in_words_and_is_an_empty_box(start):
    model = FakeModel(answers=[(200, {**PREDICTION, "present": 0.12})])
    page, _ = start(model, photo())
    assert page.inner_text("#verdict") == "The model sees no subject."
    assert page.is_visible("#absent-mark")
    assert "12 %" in page.inner_text("#certainty")
    assert downloaded(page)[1] == ["cat.jpg", "", "", "", "", ""]


def test_an_unfamiliar_picture_is_warned_about(start):
    model = FakeModel(answers=[(200, {**PREDICTION, "is_familiar": False})])
    page, _ = start(model, photo())
    assert page.inner_text("#unlike").startswith("This picture is unlike the pictures")


def test_a_model_without_calibration_says_so_and_is_asked_for_no_coverage(start):
    plain = {name: PREDICTION[name] for name in ("label", "score", "box", "probabilities")}
    uncalibrated = {**MODEL, "is_calibrated": False, "coverage": None}
    model = FakeModel(uncalibrated, [(200, plain)])
    page, _ = start(model, photo())
    assert model.requests[0][1] == {}
    assert page.inner_text("#certainty-note").startswith("This model is not calibrated")


def test_a_file_that_fails_says_why_and_the_others_go_on(start):
    # The page asks for the next picture before the first is answered.
    refused = photo("b.jpg", size=(200, 300))
    answer = (415, {"detail": "b.jpg: this is no image."})
    model = FakeModel(answers_by_size={len(refused["buffer"]): answer})
    page, _ = start(model, refused, photo("c.jpg"))
    assert page.inner_text("#verdict") == "b.jpg: this is no image."
    assert page.inner_text("#label-state") == "No prediction."
    page.keyboard.press("Enter")
    page.wait_for_selector("#name:text-is('c.jpg')")
    assert page.inner_text("#verdict") == "cat"
    assert [row[0] for row in downloaded(page)[1:]] == ["c.jpg"]


def test_a_file_that_no_browser_can_show_says_so(start):
    broken = {"name": "x.tif", "mimeType": "image/tiff", "buffer": b"II*\0"}
    page, _ = start(FakeModel(answers=[(422, {"detail": "The file is cut off."})]))
    page.set_input_files("#files", [broken])
    page.wait_for_selector("#stage-words:text('cannot show')")
    page.wait_for_selector("#verdict:text-is('The file is cut off.')")


def test_a_file_over_the_limit_is_not_sent(start):
    model = FakeModel({**MODEL, "limits": {"bytes": 1000, "pixels": 9}})
    page, _ = start(model, photo())
    assert page.inner_text("#verdict").endswith("this server takes at most 0.0 MB.")
    assert model.requests == []


def test_a_busy_server_is_asked_again(start):
    model = FakeModel(answers=[(503, {"detail": "Busy."})])
    page, _ = start(model, photo())
    assert len(model.requests) == 2
    assert page.inner_text("#verdict") == "cat"


def test_a_dropped_picture_is_predicted(start):
    page, stage = start(FakeModel())
    transfer = page.evaluate_handle(
        """async () => {
          const canvas = new OffscreenCanvas(40, 30);
          canvas.getContext("2d").fillRect(0, 0, 9, 9);
          const transfer = new DataTransfer();
          const blob = await canvas.convertToBlob();
          transfer.items.add(new File([blob], "drop.png", {type: "image/png"}));
          return transfer;
        }"""
    )
    page.dispatch_event("main", "dragover", {"dataTransfer": transfer})
    assert page.is_visible("#drop")
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    stage.wait()
    assert page.inner_text("#name") == "drop.png"
    assert page.is_hidden("#drop")


def test_a_picture_turned_by_exif_is_shown_upright(start):
    turned = Image.new("RGB", (40, 30))
    exif = turned.getexif()
    exif[0x0112] = 6  # turned by 90 degrees: 30 wide, 40 high when upright
    encoded = io.BytesIO()
    turned.save(encoded, "JPEG", exif=exif)
    file = {"name": "t.jpg", "mimeType": "image/jpeg", "buffer": encoded.getvalue()}
    page, stage = start(FakeModel(), file)
    page.keyboard.press("Delete")
    stage.draw((-1, -1, 31, 41))
    page.keyboard.press("1")
    assert downloaded(page)[1] == ["t.jpg", "cat", "0", "0", "30", "40"]


@pytest.mark.parametrize("width", [1300, 1000, 390])
def test_long_class_names_stay_inside_the_side_panel(start, width):
    name = "Canis_lupus_familiaris_" + "w" * 40
    answer = {**PREDICTION, "label": name, "probabilities": {name: 0.94, "dog": 0.06}}
    model = FakeModel({**MODEL, "classes": [name, "dog"]}, [(200, answer)])
    page, _ = start(model, photo())
    page.set_viewport_size({"width": width, "height": 760})
    right = page.evaluate("document.querySelector('.side').getBoundingClientRect().right")
    for inside in ("#classes button", "#classes span", "#certainty dt", "#certainty dd"):
        rights = page.eval_on_selector_all(
            inside, "all => all.map((one) => one.getBoundingClientRect().right)"
        )
        assert max(rights) <= right


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(start, scheme):
    unlike = {**PREDICTION, "is_familiar": False}
    model = FakeModel(answers=[(200, unlike), (422, {"detail": "No."})])
    page, stage = start(model, color_scheme=scheme, reduced_motion="reduce")
    assert violations(page) == []
    page.set_input_files("#files", [photo("a.jpg"), photo("b.jpg")])
    page.wait_for_selector("#progress-text:text-is('2 pictures')", state="attached")
    stage.wait()
    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert violations(page) == []
