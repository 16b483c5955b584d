"""The nodes of a calibrated file compute what Python computes, in plain ONNX Runtime."""

import copy
import dataclasses
from math import erf, log, sqrt

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from onebox.calibration.onnx_nodes import (
    CALIBRATED_OUTPUTS,
    REFINED,
    add_calibration,
    add_distance,
    remove_calibration,
)
from onebox.confidence import keypoint_model
from onebox.confidence.applying import calibrated
from onebox.confidence.records import (
    Calibration,
    IouModel,
    KeypointModel,
    NoveltyModel,
    SideScores,
)
from onebox.structures import Prediction

CLASSES = 3
SHAPES = {
    "box": ["n", 4],
    "probability": ["n", CLASSES],
    "score": ["n"],
    "presence": ["n"],
    "sigma": ["n", 4],
    "features": ["n", 2],
}
FIELDS = ("score", "expected_iou", "p_iou50", "p_iou75")
NOVELTIES = tuple(np.linspace(-4, 8, 31).tolist())
TRAINED_ON = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])


def new_calibration(*, temperature=1.7, iou=(-0.4, 0.9, 0.6), images=31):
    return Calibration(
        images=images,
        temperature=temperature,
        iou=IouModel(*iou),
        sides=SideScores((), ()),
        novelty=NoveltyModel((-2.0, -3.0, -1.5), (1.2, 0.8, 0.6)),
        novelties=NOVELTIES,
    )


def graph_of(*names, shapes=SHAPES):
    """A graph that hands each of its inputs through, as the output of that name."""
    kind = onnx.TensorProto.FLOAT
    nodes = [make_node("Identity", [f"given_{name}"], [name], name=name) for name in names]
    inputs = [make_tensor_value_info(f"given_{name}", kind, shapes[name]) for name in names]
    outputs = [make_tensor_value_info(name, kind, shapes[name]) for name in names]
    graph = make_graph(nodes, "handed-through", inputs, outputs)
    return make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=10)


def with_distance(*, presence=True):
    left_out = () if presence else ("presence",)
    model = graph_of(*(name for name in SHAPES if name not in left_out))
    add_distance(model, TRAINED_ON)
    return model


def run(model, given):
    """The outputs by name, as every program with ONNX Runtime gets them."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [each.name.removeprefix("given_") for each in session.get_inputs()]
    feeds = {f"given_{name}": np.asarray(given[name], np.float32) for name in names}
    found = session.run(None, feeds)
    return dict(zip([each.name for each in session.get_outputs()], found, strict=True))


def images(seed, count=40):
    """Random outputs of a network; the first images are the hardest to compute with."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 300, (count, 2))
    logits = rng.normal(0, 4, (count, CLASSES))
    given = {
        "box": np.hstack([start, start + rng.uniform(0, 200, (count, 2))]),
        "probability": np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True),
        "score": rng.uniform(0, 1, count),
        "presence": rng.uniform(0, 1, count),
        "sigma": np.exp(rng.normal(1, 2, (count, 4))),
        "features": rng.uniform(0, 1, (count, 2)),
    }
    given["box"][0, 2:] = given["box"][0, :2]  # without a size
    given["sigma"][1] = 0
    given["probability"][2] = [0, 1, 0]
    given["sigma"][3] = 1e6
    given["box"][4], given["sigma"][4] = 0, 1e6
    given["presence"][5] = 0
    return {name: array.astype(np.float32) for name, array in given.items()}


def in_python(given, calibration, *, distance=None, presence=True):
    """What Python makes of the same outputs of a network."""
    return [
        calibrated(
            Prediction(
                "cat",
                float(given["score"][row]),
                tuple(given["box"][row].tolist()),
                tuple(given["probability"][row].tolist()),
                present=float(given["presence"][row]) if presence else None,
                sigma=tuple(given["sigma"][row].tolist()),
                distance=None if distance is None else float(distance[row]),
            ),
            calibration,
        )
        for row in range(len(given["box"]))
    ]


# --- what the nodes compute --------------------------------------------------------------------


@pytest.mark.parametrize("presence", [True, False])
@pytest.mark.parametrize("temperature", [0.1, 1.0, 1.7, 10.0])
@pytest.mark.parametrize(
    "iou", [(-0.4, 0.9, 0.6), (0.5, 1.6, 0.1), (-2.0, 0.0, 1.0), (1.0, 1.1, 3.0)]
)
def test_every_output_is_that_of_python(presence, temperature, iou):
    calibration = new_calibration(temperature=temperature, iou=iou)
    model, given = with_distance(presence=presence), images(seed=1)
    add_calibration(model, calibration)
    found = run(model, given)
    expected = in_python(given, calibration, distance=found["distance"], presence=presence)
    for name in (*FIELDS, "novelty"):
        values = [getattr(each, name) for each in expected]
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5, err_msg=name)
    probabilities = [each.probabilities for each in expected]
    np.testing.assert_allclose(found["probability"], probabilities, atol=1e-5)


@pytest.mark.parametrize("is_refined", [False, True])
def test_probabilities_of_keypoints_are_those_of_python(is_refined):
    shapes = {**SHAPES, "keypoints": ["n", 3, 3]}
    model = graph_of(*(name for name in shapes if name != "features"), shapes=shapes)
    own = KeypointModel(0.7, (-1.0, 0.5, 2.0))
    refined = KeypointModel(1.5, (0.0, 0.1, 0.2))
    calibration = dataclasses.replace(new_calibration(), novelty=None, keypoints=own)
    other = dataclasses.replace(calibration, keypoints=refined)
    add_calibration(model, calibration, other if is_refined else None)
    given = images(seed=2)
    keypoints = np.random.default_rng(0).uniform(0, 1, (len(given["box"]), 3, 3))
    keypoints[0, 0, 2], keypoints[1, 1, 2] = 0.0, 1.0
    given["keypoints"] = keypoints
    found = run(model, given)
    np.testing.assert_allclose(found["raw_keypoints"], keypoints, rtol=1e-6)
    for name, fitted in (("keypoints", own), ("refined_keypoints", refined)):
        assert (name in found) == (is_refined or name == "keypoints")
        if name in found:
            expected = [keypoint_model.scale(fitted, one[:, 2].tolist()) for one in keypoints]
            np.testing.assert_allclose(found[name][..., 2], expected, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(found[name][..., :2], keypoints[..., :2], rtol=1e-6)
    remove_calibration(model)
    again = run(model, given)
    assert [name for name in again if "keypoints" in name] == ["keypoints"]
    np.testing.assert_allclose(again["keypoints"], keypoints, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_rank_is_that_of_python(seed):
    calibration, model, given = new_calibration(), with_distance(), images(seed)
    add_calibration(model, calibration)
    found = run(model, given)
    ranks = [each.familiar for each in in_python(given, calibration, distance=found["distance"])]
    assert len(set(ranks)) > 5
    np.testing.assert_allclose(found["familiar"], ranks, rtol=1e-6)


def test_a_calibration_image_counts_itself_in_its_rank():
    # One sign alone, with the weight 1: the novelty is log(0.5) + 2 for a distance of 0.5, and
    # the same number is one of three.
    novelty = NoveltyModel((-2.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    found = {}
    for above in (0.0, 0.01):
        calibration = Calibration(
            images=3,
            temperature=1.0,
            iou=IouModel(0.0, 1.0, 0.5),
            sides=SideScores((), ()),
            novelty=novelty,
            novelties=(-5.0, float(np.float32(log(0.5) + 2)) - above, 9.0),
        )
        model = graph_of(*(name for name in SHAPES if name != "features"))
        # The distance is a number handed through, as if a network had it.
        model.graph.node.append(make_node("Identity", ["given_score"], ["distance"]))
        kind = onnx.TensorProto.FLOAT
        model.graph.output.append(make_tensor_value_info("distance", kind, ["n"]))
        add_calibration(model, calibration)
        given = {**images(0, count=6), "score": np.full(6, 0.5)}
        found[above] = run(model, given)["familiar"][0]
    assert found[0.0] == pytest.approx(3 / 4)  # itself, its equal and 9, of four
    assert found[0.01] == pytest.approx(2 / 4)


def test_a_probability_and_an_iou_by_hand():
    calibration = new_calibration(temperature=2.0, iou=(0.0, 1.0, 0.5))
    model = with_distance()
    add_calibration(model, calibration)
    given = {
        "box": [[20, 30, 120, 80]],
        "probability": [[0.9, 0.1, 0.0]],
        "score": [0.7],
        "presence": [0.5],
        "sigma": [[5, 5, 5, 5]],
        "features": [[1, 0]],
    }
    found = run(model, given)
    # 5 of 100 and 5 of 50 px: a spread of 0.075. The roots of 9 to 1 are 3 to 1.
    deviations = (log(0.503) - log(0.0751)) / 0.5
    assert found["p_iou50"] == pytest.approx((1 + erf(deviations / sqrt(2))) / 2, abs=1e-6)
    np.testing.assert_allclose(found["probability"], [[0.75, 0.25, 0]], atol=1e-6)
    assert found["score"] == pytest.approx(0.75 * 0.5 * found["expected_iou"][0])


@pytest.mark.parametrize("deviation", [0.1, 0.7, 3.0])
def test_the_expected_iou_is_exact_for_every_spread(deviation):
    calibration = new_calibration(iou=(0.0, 1.0, deviation))
    model = with_distance()
    add_calibration(model, calibration)
    count = 200
    given = images(0, count=count)
    given["box"] = np.tile(np.float32([0, 0, 1, 1]), (count, 1))
    given["sigma"] = np.tile(np.geomspace(1e-5, 1e9, count, dtype=np.float32)[:, None], (1, 4))
    found = run(model, given)["expected_iou"]
    expected = [each.expected_iou for each in in_python(given, calibration)]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_each_image_of_a_batch_is_as_it_is_alone():
    model, given = with_distance(), images(seed=3, count=8)
    add_calibration(model, new_calibration(), new_calibration(iou=(0.1, 1.0, 0.4)))
    together = run(model, given)
    for row in range(8):
        alone = run(model, {name: array[row : row + 1] for name, array in given.items()})
        for name, array in together.items():
            np.testing.assert_allclose(array[row], alone[name][0], rtol=1e-5, atol=1e-6)


def test_a_model_of_one_class_stays_sure_of_it():
    model, given = with_distance(presence=False), images(seed=0)
    add_calibration(model, new_calibration(temperature=3.0))
    given["probability"] = np.ones((40, 1), np.float32)
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_value = 1
    model.graph.output[1].type.tensor_type.shape.dim[1].dim_value = 1
    found = run(model, given)
    assert (found["probability"] == 1).all()
    np.testing.assert_array_equal(found["score"], found["expected_iou"])


# --- the refinement pass -----------------------------------------------------------------------


def test_the_refined_outputs_are_those_of_the_refined_calibration():
    refined = new_calibration(temperature=0.6, iou=(0.3, 1.2, 0.4))
    model, given = with_distance(), images(seed=2)
    add_calibration(model, new_calibration(), refined)
    found, expected = run(model, given), in_python(given, refined)
    for name in FIELDS:
        values = [getattr(each, name) for each in expected]
        np.testing.assert_allclose(found[REFINED + name], values, atol=1e-5, err_msg=name)
    probabilities = [each.probabilities for each in expected]
    np.testing.assert_allclose(found[REFINED + "probability"], probabilities, atol=1e-5)
    assert np.abs(found["score"] - found[REFINED + "score"]).max() > 0.1


def test_without_a_refined_calibration_there_are_no_refined_outputs():
    model = with_distance()
    add_calibration(model, new_calibration())
    assert not [each.name for each in model.graph.output if each.name.startswith(REFINED)]


# --- the file ----------------------------------------------------------------------------------


def test_a_calibrated_file_has_all_outputs_of_before_first_then_its_own():
    model = with_distance()
    before = [each.name for each in model.graph.output]
    assert before == ["box", "probability", "score", "presence", "sigma", "distance"]
    add_calibration(model, new_calibration(), new_calibration())
    after = [each.name for each in model.graph.output]
    assert after[: len(before)] == before
    without_keypoints = [name for name in CALIBRATED_OUTPUTS if "keypoints" not in name]
    assert sorted(after[len(before) :]) == sorted(without_keypoints)


def test_the_outputs_before_calibration_stay_under_names_of_their_own():
    model, given = with_distance(), images(seed=0)
    add_calibration(model, new_calibration())
    found = run(model, given)
    np.testing.assert_array_equal(found["raw_probability"], given["probability"])
    np.testing.assert_array_equal(found["raw_score"], given["score"])


def test_without_a_distance_there_is_no_novelty():
    model, given = graph_of("box", "probability", "score", "sigma"), images(seed=0)
    add_calibration(model, new_calibration())
    found = run(model, given)
    assert not {"novelty", "familiar"} & set(found)
    expected = in_python(given, new_calibration(), presence=False)
    np.testing.assert_allclose(found["score"], [each.score for each in expected], atol=1e-5)


def test_without_a_novelty_model_there_is_no_novelty():
    calibration = Calibration(20, 1.0, IouModel(0.0, 1.0, 0.5), SideScores((), ()))
    model = with_distance()
    add_calibration(model, calibration)
    assert not {"novelty", "familiar"} & {each.name for each in model.graph.output}


@pytest.mark.parametrize("refined", [None, new_calibration()])
def test_removing_a_calibration_leaves_the_very_file_of_before(refined):
    model = with_distance()
    before = model.SerializeToString()
    add_calibration(model, new_calibration(), refined)
    assert model.SerializeToString() != before
    remove_calibration(model)
    assert model.SerializeToString() == before


def test_a_calibration_replaces_another():
    model, other = with_distance(), with_distance()
    add_calibration(model, new_calibration(temperature=3.0), new_calibration())
    remove_calibration(model)
    add_calibration(model, new_calibration())
    add_calibration(other, new_calibration())
    assert model.SerializeToString() == other.SerializeToString()


def test_a_file_that_is_not_calibrated_stays_as_it_is():
    model = with_distance()
    before = copy.deepcopy(model)
    remove_calibration(model)
    assert model == before


def test_the_file_keeps_the_rules_of_onnx():
    model = with_distance()
    add_calibration(model, new_calibration(), new_calibration())
    onnx.checker.check_model(model, full_check=True)


# --- the distance ------------------------------------------------------------------------------


def distances(trained_on, *features):
    model = graph_of("features")
    add_distance(model, np.array(trained_on))
    return run(model, {"features": features})["distance"]


def test_the_distance_is_1_minus_the_cosine_of_the_angle():
    # (3, 4) and (1, 0): a cosine of 3 / 5, whatever the lengths
    assert distances([[30.0, 40.0]], (1, 0), (0.6, 0.8), (-3, -4)) == pytest.approx(
        [0.4, 0, 2], abs=1e-6
    )


def test_the_five_most_similar_training_images_count():
    opposite = [[-1.0, 0.0]] * 7
    # The cosines to (1, 0): 1 twice, 3/5, 0 twice, and -1 seven times
    near = [[1.0, 0.0], [2.0, 0.0], [3.0, 4.0], [0.0, 1.0], [0.0, 5.0]]
    assert distances([*opposite, *near], (1, 0)) == pytest.approx([1 - 2.6 / 5], abs=1e-6)


def test_fewer_training_images_all_count():
    assert distances([[1.0, 0.0], [0.0, 1.0]], (1, 0)) == pytest.approx([0.5], abs=1e-6)


def test_features_without_a_direction_are_at_a_right_angle_to_all():
    assert distances([[1.0, 0.0]], (0, 0)) == pytest.approx([1])
    assert distances([[0.0, 0.0]], (1, 0)) == pytest.approx([1])


def test_the_features_are_no_output_any_more():
    assert [each.name for each in with_distance(presence=False).graph.output] == [
        "box",
        "probability",
        "score",
        "sigma",
        "distance",
    ]
