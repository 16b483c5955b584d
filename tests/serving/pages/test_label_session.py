"""What the labelling page shows around the picture: list, progress, themes, previews."""

import re

import pytest

from .axe import violations
from .fake_label_server import FakeSession, entry
from .labelled import KEYPOINTS, LABEL, PHONE, saved, session_of

pytestmark = pytest.mark.train


def test_search_and_filter_narrow_the_list(start_labelling):
    page, _ = start_labelling(session_of(entry(1, label=LABEL), entry(2)))
    page.keyboard.press("/")
    page.keyboard.type("00")
    page.wait_for_selector("#list-count:text-is('2 pictures')")
    page.select_option("#filter", "labelled")
    page.wait_for_selector("#list-count:text-is('1 picture')")
    assert page.inner_text("#list-items b") == "cats/001.jpg"
    assert page.get_attribute("#list-items img", "src").endswith("/preview?side=128")


def test_the_list_without_a_label_passes_no_picture_by(start_labelling):
    # 56 pictures, 50 a request: when the list asks for more, 50 of the 56 have left the filter.
    session = session_of(*(entry(number) for number in range(50)))
    page, stage = start_labelling(session, viewport={"width": 1000, "height": 400})
    page.keyboard.press("l")
    page.select_option("#filter", "unlabelled")
    page.wait_for_selector("#list-count:text-is('56 pictures')")
    page.click("#list-items li:first-child button")
    for number in range(56):
        stage.wait(number)
        expected = f"Without a label: {number + 1} of 56"
        assert page.inner_text("#list-source-text") == expected
        page.keyboard.press("n")
    page.wait_for_selector("#notice:text-is('This was the last picture of the list.')")
    saved(page, session, 56)
    assert page.locator("#list-items button").count() == 56


def test_a_list_whose_request_failed_goes_on_with_the_next_move(start_labelling):
    session = session_of(*(entry(number, label=LABEL) for number in range(50)))
    page, stage = start_labelling(session)
    page.keyboard.press("l")
    page.wait_for_selector("#list-items li:nth-child(50) button")
    session.list_failures = [503] * 9
    page.click("#list-items li:nth-child(50) button")
    stage.wait(49)
    page.keyboard.press("PageDown")
    page.wait_for_selector("#notice:text-is('Busy. Press Page Down to try again.')")
    assert page.inner_text("#list-count") == "56 pictures"
    session.list_failures = []
    page.keyboard.press("PageDown")
    stage.wait(50)
    assert page.inner_text("#list-source-text") == "All pictures: 51 of 56"


def test_a_list_that_failed_to_load_loads_once_the_server_answers(start_labelling):
    session = session_of(list_failures=[503])
    page, _ = start_labelling(session)
    page.keyboard.press("l")
    page.wait_for_selector("#notice:text-is('Busy.')")
    page.wait_for_selector("#list-count:text-is('6 pictures')")


def test_what_was_drawn_is_still_there_after_looking_at_another_image(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("PageDown")
    stage.wait(51)
    assert page.inner_text("#readout") == "No box yet"
    page.keyboard.press("PageUp")
    stage.wait(50)
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [100, 80, 300, 220]


def test_progress_accuracy_and_training_are_said_in_words(start_labelling):
    accuracy = {
        "images": 23,
        "mean_iou": 0.871,
        "low": 0.842,
        "high": 0.899,
        "class_accuracy": None,
    }
    page, _ = start_labelling(session_of(entry(1, label=LABEL), accuracy=accuracy))
    assert page.inner_text("#progress-text") == "1 of 7 · about 1 min left"
    assert "0.87 (95 %: 0.84 to 0.90)" in page.inner_text("#accuracy")
    page.click("#train-now")
    page.wait_for_selector("#training-bar:visible")
    assert page.inner_text("#training-text") == "Round 1 trains on 20 labels. Epoch 1"


def test_a_label_file_that_cannot_be_written_is_an_alert(start_labelling):
    file = {"state": "refused", "message": "labels.csv: the disk is full."}
    page, _ = start_labelling(session_of(file=file))
    words = "The label file is not up to date. labels.csv: the disk is full."
    assert page.inner_text("#file-state[role=alert]") == words


def test_the_end_is_said_and_the_labels_can_be_looked_through(start_labelling):
    only = entry(1)
    session = FakeSession({only["id"]: only}, ["cat"])
    page, stage = start_labelling(session)
    page.keyboard.press("n")
    page.wait_for_selector("#finished:visible")
    saved(page, session)
    page.click("#review")
    stage.wait(1)
    assert page.inner_text("#readout") == "No subject"


def test_letters_can_be_switched_off(start_labelling):
    session = session_of()
    page, _ = start_labelling(session)
    page.keyboard.press("?")
    page.uncheck("#characters")
    page.click("#help-close")
    page.keyboard.press("n")
    page.keyboard.press("b")
    assert page.inner_text("#readout") == "No box yet"
    assert session.actions == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(start_labelling, scheme):
    suspect = {"kind": "loose box", "why": "Too large.", "box": [30, 40, 90, 200], "label": "dog"}
    marked = entry(2, label=LABEL, suspect=suspect, theirs=LABEL, is_in_conflict=True)
    session = session_of(marked, has_suspects=True, classes=("cat", "dog"), keypoints=KEYPOINTS)
    session.file = {"state": "refused", "message": "The disk is full."}
    page, stage = start_labelling(session, color_scheme=scheme, reduced_motion="reduce")
    stage.wait(2)
    page.keyboard.press("l")
    page.wait_for_selector("#list-items button")
    assert violations(page) == []
    page.keyboard.press("l")
    page.set_viewport_size(PHONE)
    assert violations(page) == []
    page.keyboard.press("?")
    assert violations(page) == []


def test_a_sharper_preview_is_loaded_when_one_looks_closer(start_labelling):
    page, stage = start_labelling(session_of(entry(1, size=(4000, 3000))))
    with page.expect_request(re.compile(r"preview\?side=4096$")):
        for _ in range(10):
            page.keyboard.press("+")
    stage.wait(1)


def test_the_next_five_pictures_are_fetched_ahead(start_labelling):
    session = session_of(entry(1))
    asked = []
    page, _ = start_labelling(session)
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_load_state("networkidle")
    previews = {url.split("/")[-2] for url in asked if "preview" in url}
    assert previews == {f"{number:016x}" for number in (1, 50, 51, 52, 53, 54)}


def test_the_chosen_theme_is_kept(start_labelling):
    page, _ = start_labelling(session_of(), color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("#theme")
    dark = page.evaluate(background)
    page.reload()
    assert light == "rgb(245, 244, 241)"
    assert dark == page.evaluate(background) == "rgb(20, 23, 26)"
