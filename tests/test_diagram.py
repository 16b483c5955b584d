"""A model as a drawing: an SVG that a parser reads, with every part, its shapes and its flow."""

import re
from xml.etree import ElementTree as ET

import pytest

from onebox.diagram import draw_network, shapes_text
from onebox.model_card import ModelCard, Part
from onebox.runtime import load

SVG = "{http://www.w3.org/2000/svg}"

BACKBONE = Part(
    "backbone", "resnet<50>", 53, 23_508_032, 4_089_184_256, ((1024, 14, 14), (2048, 7, 7))
)
VECTORIZER = Part("vectorizer", "GlobalAveragePool", 1, 0, 0, ((2048,),))
BOX = Part("box_head", "DirectBox", 3, 1_050_000, 1_049_088, ((4,), (4,)))
LABEL = Part("class_head", "ClassHead", 1, 6_147, 6_144, ((3,),))
FACTS = ModelCard(("cat", "dog", "owl"), 224, parts=(BACKBONE, VECTORIZER, BOX, LABEL))


def drawn(facts):
    return ET.fromstring(draw_network(facts))  # noqa: S314 - our own text


def words(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def cards(svg):
    """Left, top, width and height of every card, in the order of the titles."""
    sides = ("x", "y", "width", "height")
    return [[float(one.get(side)) for side in sides] for one in svg.iter(f"{SVG}rect")]


def test_the_drawing_is_an_svg_of_its_own():
    svg = drawn(FACTS)
    assert svg.tag == f"{SVG}svg"
    assert "href" not in draw_network(FACTS)
    _, _, width, height = map(float, svg.get("viewBox").split())
    assert (float(svg.get("width")), float(svg.get("height"))) == (width, height)


def test_the_image_and_every_part_are_named_with_their_shapes_and_counts():
    text = words(drawn(FACTS))
    assert "224 x 224 x 3" in text
    for title in ("image", "backbone", "vectorizer", "box head", "class head"):
        assert text.count(title) == 1
    assert "1024 x 14 x 14, 2048 x 7 x 7" in text
    assert "resnet<50>" in text
    assert "23,508,032 parameters, 4,089.2 M multiply-adds" in text
    assert "6,147 parameters, 6,144 multiply-adds" in text


def test_a_shape_that_comes_twice_is_said_once():
    assert shapes_text(BOX) == "4"
    assert shapes_text(BACKBONE) == "1024 x 14 x 14, 2048 x 7 x 7"


def test_every_part_lies_in_a_card_of_its_own_inside_the_drawing():
    svg = drawn(FACTS)
    frames = cards(svg)
    assert len(frames) == 1 + len(FACTS.parts)
    for number, (x, y, width, height) in enumerate(frames):
        assert x >= 0
        assert y >= 0
        assert x + width <= float(svg.get("width"))
        assert y + height <= float(svg.get("height"))
        for left, top, right_of, below in frames[:number]:
            is_apart = x >= left + right_of or y >= top + below
            assert is_apart or left >= x + width or top >= y + height


def test_the_trunk_runs_to_the_right_and_the_heads_stand_below_each_other():
    image, backbone, vectorizer, box, label = cards(drawn(FACTS))
    assert image[0] < backbone[0] < vectorizer[0] < box[0] == label[0]
    assert image[1] == backbone[1] == vectorizer[1] == box[1] < label[1]


def test_an_arrow_leads_from_each_part_to_the_next_and_from_the_trunk_to_each_head():
    svg = drawn(FACTS)
    image, backbone, vectorizer, box, label = cards(svg)
    flows = [one.get("d") for one in svg.iter(f"{SVG}path") if one.get("class") == "flow"]
    pairs = [(image, backbone), (backbone, vectorizer), (vectorizer, box), (vectorizer, label)]
    for (x, y, width, height), (x_to, y_to, _, height_to) in pairs:
        begin, turn, end = (
            f"M{x + width:.0f} {y + height // 2:.0f}",
            y_to + height_to // 2,
            x_to - 2,
        )
        pattern = rf"{begin}H\d+V{turn:.0f}H{end:.0f}"
        assert any(re.fullmatch(pattern, flow) for flow in flows), pattern
    assert len(flows) == len(pairs)


@pytest.mark.parametrize("letters", [3, 44, 45, 90])
def test_a_long_name_is_squeezed_into_its_card(letters):
    part = Part("backbone", "m" * letters, 1, 1, 1, ((1, 1, 1),))
    [line] = [
        one
        for one in drawn(ModelCard(("a",), 64, parts=(part,))).iter(f"{SVG}text")
        if one.text == part.kind
    ]
    width = cards(drawn(FACTS))[0][2]
    assert (line.get("textLength") is not None) == (letters > 44)
    assert float(line.get("textLength", 0)) < width


def test_a_trained_model_is_drawn_with_all_that_it_says_of_itself(model_file):
    facts = load(model_file).card
    text = words(drawn(facts))
    assert len(facts.parts) >= 5
    for part in facts.parts:
        assert part.name.replace("_", " ") in text
        assert shapes_text(part) in text
