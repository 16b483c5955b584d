"""A network as an SVG: its parts, their shapes, and the arrows between them."""

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
CARD = ModelCard(("cat", "dog", "owl"), 224, parts=(BACKBONE, VECTORIZER, BOX, LABEL))


def drawn(card):
    return ET.fromstring(draw_network(card))  # noqa: S314 - our own text


def words(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def nodes(svg):
    """Left, top, width and height of every node, in the order of the titles."""
    names = ("x", "y", "width", "height")
    return [[float(rect.get(name)) for name in names] for rect in svg.iter(f"{SVG}rect")]


def test_the_drawing_is_a_standalone_svg():
    svg = drawn(CARD)
    assert svg.tag == f"{SVG}svg"
    assert "href" not in draw_network(CARD)
    _, _, width, height = map(float, svg.get("viewBox").split())
    assert (float(svg.get("width")), float(svg.get("height"))) == (width, height)


def test_the_image_and_every_part_are_named_with_their_shapes_and_counts():
    text = words(drawn(CARD))
    assert "224 x 224 x 3" in text
    for title in ("image", "backbone", "vectorizer", "box head", "class head"):
        assert text.count(title) == 1
    assert "1024 x 14 x 14, 2048 x 7 x 7" in text
    assert "resnet<50>" in text
    assert "23,508,032 parameters, 4,089.2 M multiply-adds" in text
    assert "6,147 parameters, 6,144 multiply-adds" in text


def test_a_repeated_shape_is_written_once():
    assert shapes_text(BOX) == "4"
    assert shapes_text(BACKBONE) == "1024 x 14 x 14, 2048 x 7 x 7"


def test_nodes_lie_inside_the_drawing_and_do_not_overlap():
    svg = drawn(CARD)
    frames = nodes(svg)
    assert len(frames) == 1 + len(CARD.parts)
    for index, (x, y, width, height) in enumerate(frames):
        assert x >= 0
        assert y >= 0
        assert x + width <= float(svg.get("width"))
        assert y + height <= float(svg.get("height"))
        for other_x, other_y, other_width, other_height in frames[:index]:
            is_apart = x >= other_x + other_width or y >= other_y + other_height
            assert is_apart or other_x >= x + width or other_y >= y + height


def test_the_trunk_runs_to_the_right_and_the_heads_are_stacked():
    image, backbone, vectorizer, box, label = nodes(drawn(CARD))
    assert image[0] < backbone[0] < vectorizer[0] < box[0] == label[0]
    assert image[1] == backbone[1] == vectorizer[1] == box[1] < label[1]


def test_arrows_lead_from_part_to_part_and_from_the_trunk_to_each_head():
    svg = drawn(CARD)
    image, backbone, vectorizer, box, label = nodes(svg)
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
def test_a_long_name_is_squeezed_into_its_node(letters):
    part = Part("backbone", "m" * letters, 1, 1, 1, ((1, 1, 1),))
    [line] = [
        one
        for one in drawn(ModelCard(("a",), 64, parts=(part,))).iter(f"{SVG}text")
        if one.text == part.kind
    ]
    width = nodes(drawn(CARD))[0][2]
    assert (line.get("textLength") is not None) == (letters > 44)
    assert float(line.get("textLength", 0)) < width


@pytest.mark.train
def test_a_trained_model_is_drawn_with_all_of_its_parts(model_file):
    card = load(model_file).card
    text = words(drawn(card))
    assert len(card.parts) >= 5
    for part in card.parts:
        assert part.name.replace("_", " ") in text
        assert shapes_text(part) in text
