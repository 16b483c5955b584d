"""The labelling page in a browser, against a session in memory."""

import re

import pytest

from .axe import violations
from .fake_label_server import FakeSession, application, entry, proposal, serving, training
from .stage import Stage

pytestmark = pytest.mark.train

PHONE = {"width": 390, "height": 844}
KEYPOINTS = {"names": ["nose", "tail"], "skeleton": [[0, 1]]}
LABEL = {"label": "cat", "box": [10, 20, 110, 220], "keypoints": None}


def session_of(*entries, classes=("cat",), **changes):
    """A session with those images, and six without a label."""
    images = [*entries, *(entry(number) for number in range(50, 56))]
    return FakeSession({image["id"]: image for image in images}, list(classes), **changes)


@pytest.fixture
def start(open_page):
    """Serve a session, open its page: ``page, stage = start(session)``."""
    servers = []

    def start(session, **options):
        server = serving(application(session))
        url = server.__enter__()
        servers.append(server)
        page = open_page(url, **options)
        return page, Stage(page)

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def saved(page, session, count=1):
    """The labels that have arrived, once there are so many."""
    page.wait_for_selector("#save-state[data-waiting='0']")
    assert len(session.actions) == count
    return [action["label"] for action in session.actions]


def test_a_drawn_box_arrives_with_the_pixels_that_were_drawn(start):
    session = session_of()
    page, stage = start(session)
    stage.draw((41, 52, 203, 187))
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session) == [{"label": "cat", "box": [41, 52, 203, 187], "keypoints": None}]
    assert session.actions[0]["how"] == "drawn"
    assert session.actions[0]["revision"] == 0
    assert 0 < session.actions[0]["seconds"] < 60


def test_a_box_drawn_after_zooming_and_panning_has_tenths_of_a_pixel(start):
    session = session_of()
    page, stage = start(session)
    page.mouse.move(*stage.point(100, 100))
    page.mouse.wheel(0, -900)  # exp(0.0015 * 900) = 3.9 times as large
    page.wait_for_selector("#zoom-text:not(:text-is('160 %'))")
    page.keyboard.down("Space")
    stage.drag((100, 100), (110, 95))
    page.keyboard.up("Space")
    stage.draw((90.3, 95.6, 130.7, 120.2))
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == pytest.approx([90.3, 95.6, 130.7, 120.2], abs=0.11)
    assert session.actions[0]["label"]["box"] == [
        round(edge, 1) for edge in session.actions[0]["label"]["box"]
    ]


def test_a_box_dragged_beyond_the_image_ends_at_its_border(start):
    session = session_of()
    page, stage = start(session)
    stage.draw((-8, -8, 404, 303))
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [0, 0, 400, 300]


def test_four_clicks_on_extreme_points_make_a_box_in_any_order(start):
    session = session_of()
    page, stage = start(session)
    page.keyboard.press("e")
    for point in [(200, 40), (310, 150), (90, 120), (180, 260)]:
        stage.click(*point)
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [90, 40, 310, 260]


def test_undo_takes_back_one_of_the_four_clicks(start):
    session = session_of()
    page, stage = start(session)
    page.click("#tool-extremes")
    for point in [(200, 40), (5, 5)]:
        stage.click(*point)
    page.keyboard.press("Control+z")
    assert page.inner_text("#readout") == "1 of 4 extreme points"


def test_dragging_a_part_of_the_box_moves_that_part(start):
    cases = [
        ((100, 150), (60, 170), [60, 80, 300, 220]),  # the left side moves along x only
        ((200, 80), (220, 50), [100, 50, 300, 220]),  # the top side along y only
        ((300, 220), (330, 240), [100, 80, 330, 240]),  # a corner along both
        ((200, 150), (190, 160), [90, 90, 290, 230]),  # the inside moves the whole box
        ((300, 150), (20, 150), [100, 80, 101, 220]),  # a side stops 1 pixel before the other
    ]
    session = session_of()
    page, stage = start(session)
    for number, (grab, release, _) in enumerate(cases, start=50):
        stage.wait(number)
        stage.draw((100, 80, 300, 220))
        stage.drag(grab, release)
        page.keyboard.press("Enter")
    stage.wait(55)
    boxes = [label["box"] for label in saved(page, session, 5)]
    assert boxes == [box for _, _, box in cases]


def test_shift_and_drag_draws_a_new_box_inside_the_old_one(start):
    session = session_of()
    page, stage = start(session)
    stage.draw((20, 20, 380, 280))
    page.keyboard.down("Shift")
    stage.draw((100, 90, 210, 190))
    page.keyboard.up("Shift")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [100, 90, 210, 190]


def test_arrow_keys_move_the_box_then_its_corner_then_its_left_side(start):
    session = session_of()
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("ArrowRight")  # 101 80 301 220
    page.keyboard.press("s")  # top-left corner
    page.keyboard.press("Shift+ArrowUp")  # 101 70 301 220
    page.keyboard.press("s")  # bottom-right corner
    page.keyboard.press("ArrowDown")  # 101 70 301 221
    page.keyboard.press("s")  # left side
    page.keyboard.press("ArrowUp")  # a left side does not move up
    page.keyboard.press("Shift+ArrowLeft")  # 91 70 301 221
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [91, 70, 301, 221]


def test_number_keys_choose_the_class_and_enter_asks_for_one(start):
    session = session_of(classes=("cat", "dog"))
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    assert page.inner_text("#notice") == "Choose the class first."
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["label"] == "dog"


def test_a_new_class_is_added_and_chosen(start):
    session = session_of(classes=())
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("a")
    page.keyboard.type("red panda")
    page.keyboard.press("Enter")
    page.wait_for_selector("#classes button[aria-pressed=true]")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["label"] == "red panda"
    assert session.classes == ["red panda"]


def test_a_class_that_exists_is_refused_in_words(start):
    page, _ = start(session_of(classes=("cat",)))
    page.fill("#new-class", "cat")
    page.press("#new-class", "Enter")
    page.wait_for_selector("#class-problem:visible")
    assert page.inner_text("#class-problem") == "The class cat exists already."


def test_n_says_that_there_is_no_subject(start):
    session = session_of()
    page, stage = start(session)
    page.keyboard.press("n")
    stage.wait(51)
    assert saved(page, session) == [{"label": None, "box": None, "keypoints": None}]
    assert session.actions[0]["how"] == "absent"


def test_undo_and_redo_cross_images(start):
    session = session_of()
    page, stage = start(session)
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


def test_undo_takes_back_a_drag_before_it_takes_back_a_decision(start):
    session = session_of()
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    stage.drag((200, 150), (210, 150))
    page.keyboard.press("Control+z")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [100, 80, 300, 220]


def test_enter_accepts_a_proposal_as_it_is(start):
    session = session_of(entry(1, proposal=proposal([95.25, 60.5, 310.125, 240])))
    page, stage = start(session)
    assert page.inner_text("#note") == "proposal, expected IoU 0.87"
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session)[0]["box"] == [95.25, 60.5, 310.125, 240]
    assert session.actions[0]["how"] == "accepted"


def test_a_changed_proposal_is_corrected_and_its_other_sides_stay_exact(start):
    session = session_of(entry(1, proposal=proposal([95.25, 60.5, 310.125, 240])))
    page, stage = start(session)
    stage.drag((95.25, 150), (80.25, 170))
    page.keyboard.press("Enter")
    stage.wait(50)
    box = saved(page, session)[0]["box"]
    assert box[1:] == [60.5, 310.125, 240]
    assert box[0] == 80  # whole pixels at this zoom
    assert session.actions[0]["how"] == "corrected"


def test_another_class_makes_a_proposal_corrected(start):
    session = session_of(entry(1, proposal=proposal([95, 60, 310, 240])), classes=("cat", "dog"))
    page, stage = start(session)
    page.click("#classes [data-class=dog]")
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session)[0] == {"label": "dog", "box": [95, 60, 310, 240], "keypoints": None}
    assert session.actions[0]["how"] == "corrected"


def test_a_proposal_without_calibration_states_its_score(start):
    page, _ = start(session_of(entry(1, proposal=proposal([9, 6, 31, 24], expected_iou=None))))
    assert page.inner_text("#note") == "proposal, score 0.91"


def test_a_proposal_of_no_subject_is_accepted_as_that(start):
    session = session_of(entry(1, proposal=proposal([9, 6, 31, 24], present=0.1)))
    page, stage = start(session)
    assert page.inner_text("#note") == "proposal: no subject"
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session) == [{"label": None, "box": None, "keypoints": None}]


def test_an_image_of_the_accuracy_sample_says_so_and_has_no_box(start):
    session = session_of(entry(1, in_sample=True))
    page, stage = start(session)
    assert page.inner_text("#note") == "no proposal here: this image measures the accuracy"
    assert page.inner_text("#readout") == "No box yet"
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    stage.wait(50)
    saved(page, session)
    assert session.actions[0]["how"] == "drawn"


@pytest.mark.parametrize(("keep", "box"), [("mine", [100, 80, 300, 220]), ("theirs", LABEL["box"])])
def test_a_label_from_another_tab_is_asked_about(start, keep, box):
    session = session_of()
    page, stage = start(session)
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


def test_a_label_is_sent_again_under_the_same_id_until_it_arrives(start):
    session = session_of(failures=[503])
    page, stage = start(session)
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


def test_a_label_survives_a_server_that_is_away(start):
    session = session_of()
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.wait_for_selector("#unsaved:visible")
    assert session.actions == []
    page.context.set_offline(False)
    page.wait_for_selector("#unsaved", state="hidden")
    assert saved(page, session)[0]["box"] == [100, 80, 300, 220]


def test_a_label_that_the_server_refuses_comes_back_with_its_reason(start):
    session = session_of(classes=("refused", "cat"))
    page, stage = start(session)
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


def test_three_images_are_labelled_by_keyboard_alone(start):
    session = session_of(entry(1, proposal=proposal([95, 60, 310, 240])))
    page, stage = start(session)
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


def test_a_removed_label_is_no_label(start):
    session = session_of(entry(1, label=LABEL), entry(2, label=LABEL))
    page, stage = start(session)
    page.keyboard.press("l")
    page.click(f"#list-items [data-id='{1:016x}']")
    stage.wait(1)
    page.keyboard.press("Delete")
    assert page.inner_text("#accept-text") == "Remove the label"
    page.keyboard.press("Enter")
    stage.wait(2)  # the next of the list
    assert saved(page, session) == [None]
    assert session.actions[0]["how"] == "cleared"


def test_search_and_filter_narrow_the_list(start):
    page, _ = start(session_of(entry(1, label=LABEL), entry(2)))
    page.keyboard.press("/")
    page.keyboard.type("00")
    page.wait_for_selector("#list-count:text-is('2 pictures')")
    page.select_option("#filter", "labelled")
    page.wait_for_selector("#list-count:text-is('1 picture')")
    assert page.inner_text("#list-items b") == "cats/001.jpg"
    assert page.get_attribute("#list-items img", "src").endswith("/preview?side=128")


def test_what_was_drawn_is_still_there_after_looking_at_another_image(start):
    session = session_of()
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("PageDown")
    stage.wait(51)
    assert page.inner_text("#readout") == "No box yet"
    page.keyboard.press("PageUp")
    stage.wait(50)
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [100, 80, 300, 220]


def test_a_suspect_is_shown_first_and_its_suggestion_taken_with_one_key(start):
    suspect = {"kind": "loose box", "why": "Too large.", "box": [30, 40, 90, 200], "label": None}
    session = session_of(entry(1), entry(2, label=LABEL, suspect=suspect), has_suspects=True)
    page, stage = start(session)
    stage.wait(2)
    assert page.inner_text("#suspect-why") == "Too large."
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    assert page.inner_text("#notice") == "This was the last picture of the list."
    assert saved(page, session)[0] == {**LABEL, "box": [30, 40, 90, 200]}


def test_enter_keeps_the_label_of_a_suspect_by_saying_it_again(start):
    suspect = {"kind": "loose box", "why": "Too large.", "box": [30, 40, 90, 200], "label": None}
    session = session_of(entry(2, label=LABEL, suspect=suspect), has_suspects=True)
    page, stage = start(session)
    stage.wait(2)
    page.keyboard.press("Enter")
    page.wait_for_selector("#suspect", state="hidden")
    assert saved(page, session) == [LABEL]


def test_a_conflict_with_the_file_is_settled_for_the_file(start):
    theirs = {**LABEL, "box": [1, 2, 30, 40]}
    session = session_of(entry(3, label=LABEL, theirs=theirs, is_in_conflict=True))
    page, stage = start(session)
    page.click("#conflicts-show")
    stage.wait(3)
    page.click("#settle-theirs")
    page.wait_for_selector("#conflict", state="hidden")
    assert session.entries[f"{3:016x}"]["label"] == theirs
    assert page.is_hidden("#conflicts")


def test_clicks_place_keypoints_and_a_key_hides_them(start):
    session = session_of(keypoints=KEYPOINTS)
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    stage.click(150, 120)
    stage.click(260, 200)
    stage.drag((260, 200), (250, 190))
    page.keyboard.press("v")
    assert page.locator("#keypoints button").nth(1).inner_text().split() == ["tail", "hidden"]
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["keypoints"] == [[150, 120, 2], [250, 190, 1]]


def test_keypoints_that_are_not_placed_are_zeros(start):
    session = session_of(keypoints=KEYPOINTS)
    page, stage = start(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("k")  # the second keypoint
    page.keyboard.press("v")  # appears in the middle of the box
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["keypoints"] == [[0, 0, 0], [199, 150, 2]]


def test_a_finger_draws_and_two_fingers_zoom(start):
    session = session_of()
    page, stage = start(session, has_touch=True, viewport=PHONE)
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        where = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    send("touchStart", stage.point(100, 80))
    send("touchMove", stage.point(200, 150))
    send("touchMove", stage.point(300, 220))
    send("touchEnd")
    before = float(page.get_attribute("#stage", "data-scale"))
    send("touchStart", stage.point(180, 150))
    send("touchStart", stage.point(180, 150), stage.point(220, 150))
    send("touchMove", stage.point(140, 150), stage.point(260, 150))
    send("touchEnd")
    assert float(page.get_attribute("#stage", "data-scale")) > 1.5 * before
    page.locator("#accept").tap()
    stage.wait(51)
    assert saved(page, session)[0]["box"] == pytest.approx([100, 80, 300, 220], abs=1)


def test_progress_accuracy_and_training_are_said_in_words(start):
    accuracy = {
        "images": 23,
        "mean_iou": 0.871,
        "low": 0.842,
        "high": 0.899,
        "class_accuracy": None,
    }
    page, _ = start(session_of(entry(1, label=LABEL), accuracy=accuracy))
    assert page.inner_text("#progress-text") == "1 of 7 · about 1 min left"
    assert "0.87 (95 %: 0.84 to 0.90)" in page.inner_text("#accuracy")
    page.click("#train-now")
    page.wait_for_selector("#training-bar:visible")
    assert page.inner_text("#training-text") == "Round 1 trains on 20 labels. Epoch 1"


def test_a_label_file_that_cannot_be_written_is_an_alert(start):
    file = {"state": "refused", "message": "labels.csv: the disk is full."}
    page, _ = start(session_of(file=file))
    words = "The label file is not up to date. labels.csv: the disk is full."
    assert page.inner_text("#file-state[role=alert]") == words


def test_a_new_round_brings_new_proposals(start):
    session = session_of()
    page, stage = start(session)
    for image in session.entries.values():
        image["proposal"] = proposal([11, 12, 113, 114])
    session.training = training("waiting", round=1, labels=20)
    with page.expect_response(re.compile("api/next")):
        page.keyboard.press("n")
    stage.wait(51)
    page.keyboard.press("n")
    stage.wait(52)
    page.wait_for_selector("#note:text('proposal, expected IoU')")


def test_the_end_is_said_and_the_labels_can_be_looked_through(start):
    only = entry(1)
    session = FakeSession({only["id"]: only}, ["cat"])
    page, stage = start(session)
    page.keyboard.press("n")
    page.wait_for_selector("#finished:visible")
    saved(page, session)
    page.click("#review")
    stage.wait(1)
    assert page.inner_text("#readout") == "No subject"


def test_letters_can_be_switched_off(start):
    session = session_of()
    page, _ = start(session)
    page.keyboard.press("?")
    page.uncheck("#characters")
    page.click("#help-close")
    page.keyboard.press("n")
    page.keyboard.press("b")
    assert page.inner_text("#readout") == "No box yet"
    assert session.actions == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(start, scheme):
    suspect = {"kind": "loose box", "why": "Too large.", "box": [30, 40, 90, 200], "label": "dog"}
    marked = entry(2, label=LABEL, suspect=suspect, theirs=LABEL, is_in_conflict=True)
    session = session_of(marked, has_suspects=True, classes=("cat", "dog"), keypoints=KEYPOINTS)
    session.file = {"state": "refused", "message": "The disk is full."}
    page, stage = start(session, color_scheme=scheme, reduced_motion="reduce")
    stage.wait(2)
    page.keyboard.press("l")
    page.wait_for_selector("#list-items button")
    assert violations(page) == []
    page.keyboard.press("l")
    page.set_viewport_size(PHONE)
    assert violations(page) == []
    page.keyboard.press("?")
    assert violations(page) == []


def test_boxes_are_exact_on_a_screen_of_high_density(start):
    session = session_of(entry(1, size=(1600, 1200)))
    page, stage = start(session, device_scale_factor=2)
    stage.draw((160, 240, 800, 960))
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session)[0]["box"] == pytest.approx([160, 240, 800, 960], abs=1)


def test_a_sharper_preview_is_loaded_when_one_looks_closer(start):
    page, stage = start(session_of(entry(1, size=(4000, 3000))))
    with page.expect_request(re.compile(r"preview\?side=4096$")):
        for _ in range(10):
            page.keyboard.press("+")
    stage.wait(1)


def test_the_next_five_pictures_are_fetched_ahead(start):
    session = session_of(entry(1))
    asked = []
    page, _ = start(session)
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_load_state("networkidle")
    previews = {url.split("/")[-2] for url in asked if "preview" in url}
    assert previews == {f"{number:016x}" for number in (1, 50, 51, 52, 53, 54)}


def test_the_chosen_theme_is_kept(start):
    page, _ = start(session_of(), color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("#theme")
    dark = page.evaluate(background)
    page.reload()
    assert light == "rgb(245, 244, 241)"
    assert dark == page.evaluate(background) == "rgb(20, 23, 26)"


def test_enter_in_the_dialog_of_a_conflict_decides_nothing(start):
    session = session_of()
    page, stage = start(session)
    known = session.entries[f"{50:016x}"]
    session.entries[known["id"]] = {**known, "revision": 1, "label": LABEL}
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    page.wait_for_selector("#conflict-dialog[open]")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.is_visible("#conflict-dialog")
