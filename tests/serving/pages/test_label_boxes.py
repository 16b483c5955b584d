"""Boxes, classes and keypoints that a person draws on the labelling page."""

import pytest

from .fake_label_server import entry
from .labelled import KEYPOINTS, PHONE, saved, session_of

pytestmark = pytest.mark.train


def test_a_drawn_box_arrives_with_the_pixels_that_were_drawn(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    stage.draw((41, 52, 203, 187))
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session) == [{"label": "cat", "box": [41, 52, 203, 187], "keypoints": None}]
    assert session.actions[0]["how"] == "drawn"
    assert session.actions[0]["revision"] == 0
    assert 0 < session.actions[0]["seconds"] < 60


def test_a_box_drawn_after_zooming_and_panning_has_tenths_of_a_pixel(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
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


def test_a_box_dragged_beyond_the_image_ends_at_its_border(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    stage.draw((-8, -8, 404, 303))
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [0, 0, 400, 300]


def test_four_clicks_on_extreme_points_make_a_box_in_any_order(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    page.keyboard.press("e")
    for point in [(200, 40), (310, 150), (90, 120), (180, 260)]:
        stage.click(*point)
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [90, 40, 310, 260]


def test_undo_takes_back_one_of_the_four_clicks(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    page.click("#tool-extremes")
    for point in [(200, 40), (5, 5)]:
        stage.click(*point)
    page.keyboard.press("Control+z")
    assert page.inner_text("#readout") == "1 of 4 extreme points"


def test_dragging_a_part_of_the_box_moves_that_part(start_labelling):
    cases = [
        ((100, 150), (60, 170), [60, 80, 300, 220]),  # the left side moves along x only
        ((200, 80), (220, 50), [100, 50, 300, 220]),  # the top side along y only
        ((300, 220), (330, 240), [100, 80, 330, 240]),  # a corner along both
        ((200, 150), (190, 160), [90, 90, 290, 230]),  # the inside moves the whole box
        ((300, 150), (20, 150), [100, 80, 101, 220]),  # a side stops 1 pixel before the other
    ]
    session = session_of()
    page, stage = start_labelling(session)
    for number, (grab, release, _) in enumerate(cases, start=50):
        stage.wait(number)
        stage.draw((100, 80, 300, 220))
        stage.drag(grab, release)
        page.keyboard.press("Enter")
    stage.wait(55)
    boxes = [label["box"] for label in saved(page, session, 5)]
    assert boxes == [box for _, _, box in cases]


def test_shift_and_drag_draws_a_new_box_inside_the_old_one(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    stage.draw((20, 20, 380, 280))
    page.keyboard.down("Shift")
    stage.draw((100, 90, 210, 190))
    page.keyboard.up("Shift")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["box"] == [100, 90, 210, 190]


def test_arrow_keys_move_the_box_then_its_corner_then_its_left_side(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
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


def test_number_keys_choose_the_class_and_enter_asks_for_one(start_labelling):
    session = session_of(classes=("cat", "dog"))
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("Enter")
    assert page.inner_text("#notice") == "Choose the class first."
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["label"] == "dog"


def test_a_new_class_is_added_and_chosen(start_labelling):
    session = session_of(classes=())
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("a")
    page.keyboard.type("red panda")
    page.keyboard.press("Enter")
    page.wait_for_selector("#classes button[aria-pressed=true]")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["label"] == "red panda"
    assert session.classes == ["red panda"]


def test_a_class_that_exists_is_refused_in_words(start_labelling):
    page, _ = start_labelling(session_of(classes=("cat",)))
    page.fill("#new-class", "cat")
    page.press("#new-class", "Enter")
    page.wait_for_selector("#class-problem:visible")
    assert page.inner_text("#class-problem") == "The class cat exists already."


def test_n_says_that_there_is_no_subject(start_labelling):
    session = session_of()
    page, stage = start_labelling(session)
    page.keyboard.press("n")
    stage.wait(51)
    assert saved(page, session) == [{"label": None, "box": None, "keypoints": None}]
    assert session.actions[0]["how"] == "absent"


def test_clicks_place_keypoints_and_a_key_hides_them(start_labelling):
    session = session_of(keypoints=KEYPOINTS)
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    stage.click(150, 120)
    stage.click(260, 200)
    stage.drag((260, 200), (250, 190))
    page.keyboard.press("v")
    assert page.locator("#keypoints button").nth(1).inner_text().split() == ["tail", "hidden"]
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["keypoints"] == [[150, 120, 2], [250, 190, 1]]


def test_keypoints_that_are_not_placed_are_zeros(start_labelling):
    session = session_of(keypoints=KEYPOINTS)
    page, stage = start_labelling(session)
    stage.draw((100, 80, 300, 220))
    page.keyboard.press("k")  # the second keypoint
    page.keyboard.press("v")  # appears in the middle of the box
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    stage.wait(51)
    assert saved(page, session)[0]["keypoints"] == [[0, 0, 0], [199, 150, 2]]


def test_a_finger_draws_and_two_fingers_zoom(start_labelling):
    session = session_of()
    page, stage = start_labelling(session, has_touch=True, viewport=PHONE)
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


def test_boxes_are_exact_on_a_screen_of_high_density(start_labelling):
    session = session_of(entry(1, size=(1600, 1200)))
    page, stage = start_labelling(session, device_scale_factor=2)
    width = page.locator("#stage").bounding_box()["width"]
    assert page.evaluate("canvas.width") == pytest.approx(2 * width, abs=2)
    stage.draw((160, 240, 800, 960))
    page.keyboard.press("Enter")
    stage.wait(50)
    assert saved(page, session)[0]["box"] == pytest.approx([160, 240, 800, 960], abs=1)
