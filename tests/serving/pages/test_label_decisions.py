"""What a person decides on the labelling page, and how it reaches the session."""

import re

import pytest

from .fake_label_server import entry, proposal, training
from .labelled import KEYPOINTS, LABEL, saved, session_of

pytestmark = pytest.mark.train


def test_undo_and_redo_cross_images(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    stage.wait(51)
    page.keyboard.press("n")
    stage.wait(52)
    for shown in (51, 50):
        page.keyboard.press("Control+z")
        stage.wait(shown)
    assert saved(page, session, 4)[2:] == [None, None]
    assert [action["how"] for action in session.actions[2:]] == ["undone", "undone"]
    page.keyboard.press("Control+Shift+z")
    stage.wait(50)
    assert page.inner_text("#readout") == "cat: x 100 to 300, y 80 to 220, 200 by 140 pixels"
    assert saved(page, session, 5)[4]["box"] == [100, 80, 300, 220]
    assert [session.entries[f"{number:016x}"]["label"] is None for number in (50, 51)] == [
        False,
        True,
    ]


def test_undo_takes_back_a_drag_before_it_takes_back_a_decision(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    stage.drag((200, 150), (210, 150))
    page.keyboard.press("Control+z")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [100, 80, 300, 220]


def test_enter_accepts_a_proposal_as_it_is(start_labelling):
    session = session_of(entry(1, proposal=proposal([95.25, 60.5, 310.125, 240])))
    page, stage = start_labelling(session)
    assert page.inner_text("#note") == "proposal, expected IoU 0.87"
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session)[0]["box"] == [95.25, 60.5, 310.125, 240]
    assert session.actions[0]["how"] == "accepted"


def test_a_changed_proposal_is_corrected_and_its_other_sides_stay_exact(start_labelling):
    session = session_of(entry(1, proposal=proposal([95.25, 60.5, 310.125, 240])))
    page, stage = start_labelling(session)
    stage.drag((95.25, 150), (80.25, 170))
    page.keyboard.press("Enter")
    stage.wait(50)
    box = saved(page, session)[0]["box"]
    assert box[1:] == [60.5, 310.125, 240]
    assert box[0] == 80  # whole pixels at this zoom
    assert session.actions[0]["how"] == "corrected"


def test_another_class_makes_a_proposal_corrected(start_labelling):
    session = session_of(entry(1, proposal=proposal([95, 60, 310, 240])), classes=("cat", "dog"))
    page, stage = start_labelling(session)
    page.click("#classes [data-class=dog]")
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session)[0] == {"label": "dog", "box": [95, 60, 310, 240], "keypoints": None}
    assert session.actions[0]["how"] == "corrected"


def test_a_proposal_without_calibration_states_its_score(start_labelling):
    page, _ = start_labelling(
        session_of(entry(1, proposal=proposal([9, 6, 31, 24], expected_iou=None)))
    )
    assert page.inner_text("#note") == "proposal, score 0.91"


def test_a_proposal_of_no_subject_is_accepted_as_that(start_labelling):
    session = session_of(entry(1, proposal=proposal([9, 6, 31, 24], present=0.1)))
    page, stage = start_labelling(session)
    assert page.inner_text("#note") == "proposal: no subject"
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session) == [{"label": None, "box": None, "keypoints": None}]


def test_an_image_of_the_accuracy_sample_says_so_and_has_no_box(start_labelling):
    session = session_of(entry(1, in_sample=True))
    page, stage = start_labelling(session)
    assert page.inner_text("#note") == "no proposal here: this image measures the accuracy"
    assert page.inner_text("#readout") == "No box yet"
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    stage.wait(50)
    saved(page, session)
    assert session.actions[0]["how"] == "drawn"


@pytest.mark.parametrize(("keep", "box"), [("mine", [100, 80, 300, 220]), ("theirs", LABEL["box"])])
def test_a_label_from_another_tab_is_asked_about(start_labelling, keep, box):
    session = session_of()
    page, stage = start_labelling(session)
    known = session.entries[f"{50:016x}"]
    session.entries[known["id"]] = {**known, "revision": 1, "label": LABEL}
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    page.wait_for_selector("#conflict-dialog[open]")
    words = "cat: x 10 to 110, y 20 to 220, 100 by 200 pixels"
    assert page.inner_text("#conflict-theirs") == words
    page.click(f"#keep-{keep}")
    page.wait_for_selector("#conflict-dialog", state="hidden")
    saved(page, session, 1 if keep == "mine" else 0)
    assert session.entries[known["id"]]["label"]["box"] == box


def test_a_label_is_sent_again_under_the_same_id_until_it_arrives(start_labelling):
    session = session_of(failures=[503])
    page, stage = start_labelling(session)
    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request))
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    page.wait_for_selector("#unsaved:visible")
    assert page.inner_text("#unsaved-text") == "1 label is not saved. Busy. The page tries again."
    stage.wait(51)
    page.keyboard.press("n")  # labelling goes on meanwhile
    page.click("#retry")
    page.wait_for_selector("#unsaved", state="hidden")
    assert [label["box"] for label in saved(page, session, 2)] == [[100, 80, 300, 220], None]
    first, again, second = [request.post_data_json["id"] for request in sent]
    assert first == again != second


def test_two_labels_of_one_image_wait_together_and_do_not_conflict(start_labelling):
    session = session_of(failures=[503])
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    page.wait_for_selector("#unsaved:visible")
    stage.wait(51)
    page.keyboard.press("Control+z")
    stage.wait(50)
    page.click("#retry")
    page.wait_for_selector("#unsaved", state="hidden")
    saved(page, session, 2)
    assert [action["revision"] for action in session.actions] == [0, 1]


def test_a_label_survives_a_server_that_is_away(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.wait_for_selector("#unsaved:visible")
    assert session.actions == []
    page.context.set_offline(False)
    page.wait_for_selector("#unsaved", state="hidden")
    assert saved(page, session)[0]["box"] == [100, 80, 300, 220]


def test_a_label_that_the_server_refuses_comes_back_with_its_reason(start_labelling):
    session = session_of(classes=("refused", "cat"))
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.wait_for_selector("#refused:visible")
    assert page.inner_text("#refused").endswith("label 'refused' is not one of cat, dog.")
    stage.wait(50)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session) == [{"label": "cat", "box": [100, 80, 300, 220], "keypoints": None}]


def test_three_images_are_labelled_by_keyboard_alone(start_labelling):
    session = session_of(entry(1, proposal=proposal([95, 60, 310, 240])))
    page, stage = start_labelling(session)
    press = page.keyboard.press
    press("Enter")
    stage.wait(50)
    press("n")
    stage.wait(51)
    press("b")  # 100 75 300 225, its top-left corner selected
    press("Shift+ArrowLeft")
    press("s")
    press("Shift+ArrowDown")
    press("Enter")
    stage.wait(52)
    boxes = [label["box"] for label in saved(page, session, 3)]
    assert boxes == [[95, 60, 310, 240], None, [90, 75, 300, 235]]
    assert page.inner_text("#announcer") == "Saved cat, 3 of 7"


def test_a_removed_label_is_no_label(start_labelling):
    session = session_of(entry(1, label=LABEL), entry(2, label=LABEL))
    page, stage = start_labelling(session)
    page.keyboard.press("l")
    page.click(f"#list-items [data-id='{1:016x}']")
    stage.wait(1)
    page.keyboard.press("Delete")
    assert page.inner_text("#accept-text") == "Remove the label"
    page.keyboard.press("Enter")
    stage.wait(2)  # the next of the list
    assert saved(page, session) == [None]
    assert session.actions[0]["how"] == "cleared"


def test_enter_on_a_label_without_keypoints_saves_nothing_where_there_are_keypoints(
    start_labelling,
):
    session = session_of(entry(0, label=LABEL), entry(1, label=LABEL), keypoints=KEYPOINTS)
    page, stage = start_labelling(session)
    page.keyboard.press("l")
    page.click("#list-items li:first-child button")
    stage.wait(0)
    page.keyboard.press("Enter")
    stage.wait(1)
    page.keyboard.press("n")
    assert [label["box"] for label in saved(page, session)] == [None]


def test_a_suspect_is_shown_first_and_its_suggestion_taken_with_one_key(start_labelling):
    suspect = {"kind": "loose box", "why": "Too large.", "box": [30, 40, 90, 200], "label": None}
    session = session_of(entry(1), entry(2, label=LABEL, suspect=suspect), has_suspects=True)
    page, stage = start_labelling(session)
    stage.wait(2)
    assert page.inner_text("#suspect-why") == "Too large."
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    assert page.inner_text("#notice") == "This was the last picture of the list."
    assert saved(page, session)[0] == {**LABEL, "box": [30, 40, 90, 200]}


def test_enter_keeps_the_label_of_a_suspect_by_saying_it_again(start_labelling):
    suspect = {"kind": "loose box", "why": "Too large.", "box": [30, 40, 90, 200], "label": None}
    session = session_of(entry(2, label=LABEL, suspect=suspect), has_suspects=True)
    page, stage = start_labelling(session)
    stage.wait(2)
    page.keyboard.press("Enter")
    page.wait_for_selector("#suspect", state="hidden")
    assert saved(page, session) == [LABEL]


def test_a_conflict_with_the_file_is_settled_for_the_file(start_labelling):
    theirs = {**LABEL, "box": [1, 2, 30, 40]}
    session = session_of(entry(3, label=LABEL, theirs=theirs, is_in_conflict=True))
    page, stage = start_labelling(session)
    page.click("#conflicts-show")
    stage.wait(3)
    page.click("#settle-theirs")
    page.wait_for_selector("#conflict", state="hidden")
    assert session.entries[f"{3:016x}"]["label"] == theirs
    assert page.is_hidden("#conflicts")


def test_a_new_round_brings_new_proposals(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    for image in session.entries.values():
        image["proposal"] = proposal([11, 12, 113, 114])
    session.training = training("waiting", round=1, labels=20)
    with page.expect_response(re.compile("api/next")):
        page.keyboard.press("n")
    stage.wait(51)
    page.keyboard.press("n")
    stage.wait(52)
    page.wait_for_selector("#note:text('proposal, expected IoU')")


def test_enter_in_the_dialog_of_a_conflict_decides_nothing(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    known = session.entries[f"{50:016x}"]
    session.entries[known["id"]] = {**known, "revision": 1, "label": LABEL}
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    page.wait_for_selector("#conflict-dialog[open]")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.is_visible("#conflict-dialog")


def test_no_number_of_escapes_passes_by_the_dialogs_of_two_conflicts(start_labelling):
    session = session_of(failures=[503])
    page, stage = start_labelling(session)
    for number in (50, 51):
        known = session.entries[f"{number:016x}"]
        session.entries[known["id"]] = {**known, "revision": 1, "label": LABEL}
        stage.wait(number).draw((100, 80, 300, 220))
        page.keyboard.press("Enter")
    for number, keep in ((50, "mine"), (51, "theirs")):
        page.wait_for_selector("#conflict-dialog[open]")
        for _ in range(4):
            page.keyboard.press("Escape")
        page.wait_for_selector(f"#conflict-dialog[open] p:text-is('cats/{number:03}.jpg')")
        page.click(f"#keep-{keep}")
    page.wait_for_selector("#conflict-dialog", state="hidden")
    assert [label["box"] for label in saved(page, session)] == [[100, 80, 300, 220]]


CLASSES = ("cat", "dog", "cow", "ant")


@pytest.fixture
def start_list(start_labelling):
    """Open the first of four images of a list: ``page, stage = start_list(session)``."""

    def start_list(session):
        page, stage = start_labelling(session)
        page.keyboard.press("l")
        page.click("#list-items li:first-child button")
        stage.wait(0)
        page.wait_for_load_state("networkidle")
        return page, stage

    return start_list


def press(page, keys):
    """Press keys at once: Playwright itself waits until the page has taken each of them."""
    page.evaluate(
        """(keys) => keys.forEach((key) => document.getElementById("stage").dispatchEvent(
          new KeyboardEvent("keydown", { key, bubbles: true })))""",
        keys.split(),
    )


@pytest.mark.parametrize("latency_s", [0, 0.1, 0.25])
def test_quick_keys_label_the_pictures_in_their_order(start_list, latency_s):
    session = session_of(*(entry(number, label=LABEL) for number in range(4)), classes=CLASSES)
    page, stage = start_list(session)
    session.latency_s = latency_s
    press(page, "2 Enter 3 Enter 4 Enter")
    stage.wait(3)
    assert [label["label"] for label in saved(page, session, 3)] == ["dog", "cow", "ant"]
    assert [int(action["image"], 16) for action in session.actions] == [0, 1, 2]
    assert page.inner_text("#readout").startswith("cat")


def test_keys_that_wait_for_a_picture_are_forgotten_if_it_does_not_come(start_list):
    session = session_of(entry(0, label=LABEL), classes=CLASSES)
    page, stage = start_list(session)
    page.select_option("#filter", "labelled")
    page.wait_for_selector("#list-count:text-is('1 picture')")
    page.click("#list-items li:first-child button")
    stage.wait(0)
    session.latency_s = 0.1
    press(page, "2 Enter n 3 Enter")
    page.wait_for_selector("#notice:text-is('This was the last picture of the list.')")
    assert [label["label"] for label in saved(page, session)] == ["dog"]


def test_keys_that_wait_for_a_picture_are_forgotten_when_another_is_clicked(start_list):
    session = session_of(*(entry(number, label=LABEL) for number in range(4)), classes=CLASSES)
    page, stage = start_list(session)
    session.latency_s = 0.25
    press(page, "2 Enter n")
    page.click("#list-items li:nth-child(4) button")
    stage.wait(3)
    page.wait_for_load_state("networkidle")
    assert [label["label"] for label in saved(page, session)] == ["dog"]


def test_a_proposal_that_was_not_seen_yet_is_not_accepted(start_list):
    proposed = entry(1, proposal=proposal((30, 40, 90, 200)))
    session = session_of(entry(0, label=LABEL), proposed, classes=CLASSES)
    page, stage = start_list(session)
    session.latency_s = 0.1
    press(page, "2 Enter Enter")
    stage.wait(1)
    page.wait_for_load_state("networkidle")
    assert [label["label"] for label in saved(page, session)] == ["dog"]
    page.keyboard.press("Enter")
    stage.wait(50)
    assert [label["label"] for label in saved(page, session, 2)] == ["dog", "cat"]
