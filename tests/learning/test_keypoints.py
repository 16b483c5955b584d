"""Keypoints in heads, losses, decoded images, the network and its file."""

import dataclasses
import io
import math

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn
from torch.testing import assert_close

from onebox import runtime
from onebox.learning.data.dataloader import Batch, RowsInOrder, batches
from onebox.learning.data.decoded_cache import decode
from onebox.learning.exporting.onnx_export import Deployed, export
from onebox.learning.losses.objective import compute_loss, keypoint_similarity, total
from onebox.learning.losses.primitives import COORDINATE_LOSSES
from onebox.learning.networks.head_outputs import BoxOutput, KeypointOutput, Outputs
from onebox.learning.networks.heatmaps import cross_entropy
from onebox.learning.networks.keypoint_heads import DirectKeypoints, HeatmapKeypoints, hull
from onebox.learning.networks.network import Network
from onebox.learning.networks.vectorizers import Features, Sizes
from onebox.model_card import ModelCard
from onebox.outputs import INPUT, KEYPOINTS_OUTPUT
from onebox.recipes.recipe import check_recipe
from onebox.recipes.sections import LossSettings, ModelSettings
from onebox.refinement import cut, square_around
from onebox.runtime import load
from onebox.structures import Dataset, KeypointSet, Sample

pytestmark = pytest.mark.train

SIDE = 64
EYES = KeypointSet(
    ("left_eye", "right_eye", "nose"), skeleton=((0, 2), (1, 2)), flip_pairs=((0, 1),)
)


def settings_of(vectorizer="pyramid", **changes):
    return ModelSettings(
        backbone="test_byobnet",
        size=SIDE,
        vectorizer=vectorizer,
        box_head="hull",
        keypoints=True,
        width=16,
        **changes,
    )


# --- heads -------------------------------------------------------------------------------------


def heated_by_channels(keypoints):
    """A head whose heat for keypoint ``k`` is that of the map's channel ``k``."""
    head = HeatmapKeypoints(Sizes(5, keypoints), settings_of(), keypoints).eval()
    head.tower = nn.Identity()
    with torch.no_grad():
        head.heat.weight.copy_(torch.eye(keypoints)[..., None, None])
        head.heat.bias.zero_()
    return head


def test_a_keypoint_lies_at_the_centre_of_the_cell_that_is_hot_for_it():
    cells = torch.zeros(1, 2, 6, 8)
    cells[0, 0, 1, 2] = cells[0, 1, 4, 6] = 99
    found = heated_by_channels(2)(Features(torch.zeros(1, 5), cells))
    # the third of 8 columns and second of 6 rows; the seventh and the fifth
    expected = torch.tensor([[[2.5 / 8, 1.5 / 6], [6.5 / 8, 4.5 / 6]]])
    assert_close(found.points, expected, atol=1e-4, rtol=0)
    assert found.heat is not None
    assert_close(found.heat, cells)


def test_the_confidence_is_the_line_of_the_peaks_log_odds_and_moves_no_heat():
    cells = torch.full((1, 1, 1, 12), -99.0, requires_grad=True)
    with torch.no_grad():
        cells[0, 0, 0, 2], cells[0, 0, 0, 9] = math.log(0.75), math.log(0.25)
    head = heated_by_channels(1)
    found = head(Features(torch.zeros(1, 5), cells))
    assert_close(found.confidence, torch.tensor([[math.log(3)]]))  # the odds are 3 to 1
    with torch.no_grad():
        head.slope.fill_(2.0)
        head.intercept.fill_(-1.0)
    again = head(Features(torch.zeros(1, 5), cells)).confidence
    assert_close(again, torch.tensor([[2 * math.log(3) - 1]]))
    again.sum().backward()
    assert cells.grad is None


def test_a_finer_map_of_the_backbone_decides_where_in_a_cell_the_keypoint_lies():
    head = HeatmapKeypoints(Sizes(5, 1, (1,)), settings_of(), 1).eval()
    head.lateral[0], head.smooth[0], head.tower = nn.Identity(), nn.Identity(), nn.Identity()
    with torch.no_grad():
        head.heat.weight.fill_(1.0)
        head.heat.bias.zero_()
    fine = torch.zeros(1, 1, 8, 8)
    fine[0, 0, 5, 2] = 99
    found = head(Features(torch.zeros(1, 5), torch.zeros(1, 1, 4, 4), (fine,)))
    assert_close(found.points, torch.tensor([[[2.5 / 8, 5.5 / 8]]]), atol=1e-4, rtol=0)


def test_direct_keypoints_are_activated_and_their_confidence_is_not():
    head = DirectKeypoints(Sizes(5), settings_of("gap", activation="sigmoid", hidden=()), 2)
    with torch.no_grad():
        head.layers[-1].weight.zero_()
        head.layers[-1].bias.copy_(torch.tensor([0.0, math.log(3), 7.0, -math.log(3), 0.0, -7.0]))
    found = head(Features(torch.zeros(1, 5), None))
    assert_close(found.points, torch.tensor([[[0.5, 0.75], [0.25, 0.5]]]))
    assert_close(found.confidence, torch.tensor([[7.0, -7.0]]))


def test_the_hull_reaches_from_the_smallest_to_the_largest_coordinates():
    points = torch.tensor([[[0.4, 0.9], [0.1, 0.5], [0.3, 0.2]]])
    box = hull(KeypointOutput(points, torch.zeros(1, 3))).boxes
    assert_close(box, torch.tensor([[0.1, 0.2, 0.4, 0.9]]))


# --- the loss ----------------------------------------------------------------------------------

POINTS = torch.tensor([[[0.2, 0.3], [0.5, 0.5], [0.9, 0.1]], [[0.1, 0.1], [0.6, 0.7], [0.4, 0.4]]])
TRUE_POINTS = POINTS + torch.tensor(
    [[[0.1, 0.0], [0.0, 0.2], [9, 9]], [[0.0, 0.0], [9, 9], [9, 9]]]
)
# seen, hidden, unlabelled; seen, unlabelled, unlabelled
VISIBLE = torch.tensor([[2.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
BOXES = torch.tensor([[0.0, 0.0, 0.5, 0.4], [0.1, 0.1, 0.9, 0.9]])
ONLY_L1 = {"l1": 1.0, "confidence": 0.0}


def loss_of(points, visible=VISIBLE, *, weights, confidence=None, heat=None, has_box=(True, True)):
    """The keypoints' part of the loss of two images of three keypoints."""
    logits = torch.zeros(2, 3) if confidence is None else confidence
    keypoints = KeypointOutput(points, logits, heat)
    outputs = Outputs(BoxOutput(BOXES), torch.zeros(2, 1), None, keypoints)
    truth = torch.cat([TRUE_POINTS, visible[..., None]], dim=2)
    batch = Batch(
        torch.zeros(2),
        BOXES,
        torch.tensor(has_box),
        torch.tensor([0, 0]),
        truth,
        torch.ones(2),
        torch.arange(2),
    )
    settings = LossSettings(box={}, keypoints=weights)
    return total(compute_loss(outputs, batch, settings, "xyxy"))


def test_labelled_keypoints_count_alike_and_unlabelled_ones_not_at_all():
    # |dx| and |dy| average to 0.05 and 0.1 in the first image and to 0 in the second.
    assert_close(loss_of(POINTS, weights={"l1": 2.0}), torch.tensor(2 * (0.05 + 0.1 + 0) / 3))


@pytest.mark.parametrize("name", ["mse", "l1", "smooth_l1"])
def test_a_loss_of_coordinates_is_the_one_of_its_name(name):
    values = COORDINATE_LOSSES[name](POINTS, TRUE_POINTS).mean(dim=2)
    expected = (values[0, 0] + values[0, 1] + values[1, 0]) / 3
    assert_close(loss_of(POINTS, weights={name: 1.0}), expected)


@pytest.mark.parametrize("weights", [{"l1": 1.0}, {"distribution": 1.0}, {"confidence": 1.0}])
def test_unlabelled_keypoints_get_no_gradient_and_hidden_ones_do(weights):
    points = POINTS.clone().requires_grad_()
    confidence = torch.zeros(2, 3, requires_grad=True)
    heat = torch.zeros(2, 3, 4, 5, requires_grad=True)
    loss_of(points, weights=weights, confidence=confidence, heat=heat).backward()
    read = {"l1": points, "distribution": heat, "confidence": confidence}
    [name] = weights
    gradients = read[name].grad.reshape(2, 3, -1).abs().sum(dim=2)
    assert gradients[VISIBLE == 0].max() == 0
    assert gradients[VISIBLE == 1].min() > 0


def test_without_labelled_keypoints_loss_and_gradient_are_zero():
    points = POINTS.clone().requires_grad_()
    weights = {"l1": 1.0, "confidence": 1.0}
    loss = loss_of(points, torch.zeros(2, 3), weights=weights)
    loss.backward()
    assert loss == 0
    assert not points.grad.any()


def test_an_image_without_a_box_teaches_no_keypoint():
    loss = loss_of(POINTS, weights=ONLY_L1, has_box=(False, True))
    # the only labelled keypoint of the second image is exact
    assert loss == 0
    assert_close(loss_of(POINTS, weights=ONLY_L1, has_box=(True, False)), torch.tensor(0.15 / 2))


def test_the_distribution_loss_of_keypoints_is_the_cross_entropy_of_the_labelled_ones():
    heat = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    found = loss_of(POINTS, weights={"distribution": 0.5}, heat=heat)
    labelled = cross_entropy(heat, TRUE_POINTS)[VISIBLE > 0]
    assert len(labelled) == 3
    assert_close(found, 0.5 * labelled.mean())


def test_a_keypoint_a_tenth_of_the_box_away_has_a_similarity_of_e_to_the_minus_half():
    # The first box is 0.5 x 0.4 large: the square root of its area is √0.2.
    tenth = 0.1 * math.sqrt(0.2)
    truth = torch.zeros(1, 3, 2)
    found = torch.tensor([[[0.0, 0.0], [tenth, 0.0], [0.6 * tenth, 0.8 * tenth]]])
    by_hand = torch.tensor([[1.0, math.exp(-0.5), math.exp(-0.5)]])
    assert_close(keypoint_similarity(found, truth, BOXES[:1]), by_hand)
    # A box four times as large forgives twice the distance.
    assert_close(keypoint_similarity(2 * found, truth, 2 * BOXES[:1]), by_hand)


def test_confidence_learns_the_similarity_and_does_not_move_the_keypoints():
    points = POINTS.clone().requires_grad_()
    confidence = torch.tensor([[1.0, -1.0, 0.0], [3.0, 0.0, 0.0]])
    loss = loss_of(points, weights={"confidence": 2.0}, confidence=confidence)
    near = keypoint_similarity(POINTS, TRUE_POINTS, BOXES)
    probability = confidence.sigmoid()
    entropy = -(near * probability.log() + (1 - near) * (1 - probability).log())
    assert_close(loss, 2 * entropy[VISIBLE > 0].mean())
    assert not loss.requires_grad


# --- decoded images and batches --------------------------------------------------------------


@pytest.fixture
def faces(tmp_path):
    """Two images of 50 x 40 with three keypoints, and one without any."""
    Image.new("RGB", (50, 40), "red").save(tmp_path / "a.png")
    whole, file = (5.0, 10.0, 25.0, 40.0), tmp_path / "a.png"
    rows = [
        ((5.0, 10.0, 2), (25.0, 20.0, 1), (0.0, 0.0, 0)),
        ((50.0, 40.0, 1), (0.0, 0.0, 0), (10.0, 4.0, 2)),
        None,
    ]
    samples = tuple(Sample(file, "cat", whole, keypoints=row, size_wh=(50, 40)) for row in rows)
    return Dataset(samples, ("cat",), keypoints=EYES)


def test_keypoints_are_decoded_in_normalized_coordinates_with_their_visibility(faces):
    decoded = decode(faces, 32)
    expected = [
        [[0.1, 0.25, 2], [0.5, 0.5, 1], [0, 0, 0]],
        [[1, 1, 1], [0, 0, 0], [0.2, 0.1, 2]],
        [[0, 0, 0]] * 3,
    ]
    np.testing.assert_allclose(decoded.keypoints, expected, rtol=1e-6)
    assert decoded.flip_pairs == ((0, 1),)
    np.testing.assert_allclose(decoded.aspects, [1.25] * 3)  # 50 x 40 pixels


def test_batches_carry_the_keypoints_of_the_decoded_rows_to_the_byte(faces):
    decoded = decode(faces, 32)
    for _ in range(2):  # the second pass reads the cache
        found = [batch.keypoints for batch in batches(decoded, RowsInOrder(3, 2))]
        assert torch.cat(found).numpy().tobytes() == decoded.keypoints.tobytes()
        again = decode(faces, 32)
        assert (again.digest, again.keypoints.tobytes()) == (
            decoded.digest,
            decoded.keypoints.tobytes(),
        )


def test_a_change_of_one_keypoint_makes_other_decoded_rows(faces):
    first, *rest = faces.samples
    changed = dataclasses.replace(first, keypoints=((5.0, 10.0, 1), *first.keypoints[1:]))
    other = dataclasses.replace(faces, samples=(changed, *rest))
    assert decode(other, 32).digest != decode(faces, 32).digest


def test_without_keypoints_rows_have_none(faces):
    bare = dataclasses.replace(faces, keypoints=None)
    decoded = decode(bare, 32)
    assert decoded.keypoints.shape == (3, 0, 3)
    assert decoded.flip_pairs == ()


# --- the network and its file ------------------------------------------------------------------


def made(vectorizer="pyramid", *, box_head="hull", keypoints=3):
    settings = settings_of(vectorizer).model_dump() | {"box_head": box_head}
    recipe = check_recipe({"model": settings, "loss": {"box": {"giou": 1.0}}}, place="keypoints")
    torch.manual_seed(0)
    return Network(recipe, classes=2, keypoints=keypoints), recipe


@pytest.mark.parametrize("vectorizer", ["gap", "flatten", "pyramid"])
@pytest.mark.parametrize("box_head", ["hull", "direct"])
def test_every_vectorizer_feeds_keypoints_beside_a_box_or_alone(vectorizer, box_head):
    network, _ = made(vectorizer, box_head=box_head)
    outputs = network.eval()(torch.rand(4, 3, SIDE, SIDE))
    assert outputs.keypoints.points.shape == (4, 3, 2)
    assert outputs.keypoints.confidence.shape == (4, 3)
    low, high = outputs.keypoints.points.amin(dim=1), outputs.keypoints.points.amax(dim=1)
    is_hull = torch.equal(outputs.box.boxes, torch.cat([low, high], dim=1))
    assert is_hull == (box_head == "hull")


@pytest.mark.parametrize("vectorizer", ["gap", "flatten", "pyramid"])
def test_a_network_overfits_four_faces(vectorizer):
    network, recipe = made(vectorizer)
    settings = recipe.changed({"loss.label": 0.0, "loss.iou": 0.0}).loss
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, SIDE, SIDE, generator=generator)
    points = 0.2 + 0.6 * torch.rand(4, 3, 2, generator=generator)
    boxes = torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1)
    truth = torch.cat([points, torch.full((4, 3, 1), 2.0)], dim=2)
    batch = Batch(
        torch.zeros(4),
        boxes,
        torch.ones(4, dtype=torch.bool),
        torch.zeros(4).long(),
        truth,
        torch.ones(4),
        torch.arange(4),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(200):
        outputs = network(images)
        optimizer.zero_grad()
        total(compute_loss(outputs, batch, settings, "xyxy")).backward()
        optimizer.step()
        if (outputs.keypoints.points - points).abs().max() < 0.05:
            return
    raise AssertionError("200 steps were not enough")


def test_a_hull_without_keypoints_is_refused():
    network, _ = made(keypoints=0)
    with pytest.raises(ValueError, match="keypoints' hull needs keypoints"):
        network(torch.rand(1, 3, SIDE, SIDE))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network with keypoints, and its file."""
    network, _ = made()
    with torch.no_grad():
        network.keypoint_head.heat.weight.mul_(200)  # spreads keypoints over the image
    file = tmp_path_factory.mktemp("keypoints") / "model.onnx"
    random = np.random.default_rng(0)
    images = [
        random.integers(0, 256, (40 + 2 * number, 90 - number, 3), dtype=np.uint8)
        for number in range(32)
    ]
    export(network, ModelCard(("cat", "dog"), SIDE, keypoints=EYES), file, images)
    return network.eval(), file


def smooth(width, height, seed=0):
    """An image without detail, which is the same at any size."""
    random = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(random).resize((width, height), Image.Resampling.BICUBIC)


def test_the_files_keypoints_are_those_of_the_network(exported):
    network, file = exported
    random = np.random.default_rng(1)
    batch = random.integers(0, 256, (3, 50, 70, 3), dtype=np.uint8)
    deployed = Deployed(network, SIDE)
    found = onnxruntime.InferenceSession(file).run(deployed.output_names, {INPUT: batch})
    with torch.no_grad():
        eager = deployed(torch.from_numpy(batch))
    for ours, theirs in zip(eager, found, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-2)
    points = found[deployed.output_names.index(KEYPOINTS_OUTPUT)]
    assert points.shape == (3, 3, 3)
    assert points[..., :2].std() > 1  # they do not all lie at one point


def test_keypoints_come_in_pixels_with_the_logistic_of_their_logit(exported):
    network, _ = exported
    image = torch.from_numpy(np.asarray(smooth(128, 64)).copy())
    with torch.no_grad():
        deployed = Deployed(network, SIDE)
        [found] = deployed(image[None])[deployed.output_names.index(KEYPOINTS_OUTPUT)]
        planes = nn.functional.interpolate(
            image[None].permute(0, 3, 1, 2).float(), size=(SIDE, SIDE), mode="bilinear"
        )
        keypoints = network(planes / 255).keypoints
    assert_close(found[:, :2], keypoints.points[0] * torch.tensor([128.0, 64.0]))
    assert_close(found[:, 2], keypoints.confidence[0].sigmoid())


def test_a_prediction_has_keypoints_in_pixels_of_the_upright_image(exported):
    localizer = load(exported[1])
    assert localizer.card.keypoints == EYES
    upright = smooth(96, 64)
    expected = localizer.predict(upright)
    assert len(expected.keypoints) == 3
    for x, y, confidence in expected.keypoints:
        assert 0 <= x <= 96
        assert 0 <= y <= 64
        assert 0 < confidence < 1
    xs, ys, _ = zip(*expected.keypoints, strict=True)
    assert expected.box == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=1e-3)
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # stored on its side
    upright.transpose(Image.Transpose.ROTATE_90).save(content, "PNG", exif=exif)
    assert localizer.predict(content.getvalue()) == expected


def test_keypoints_of_an_image_shrunk_on_the_way_are_those_of_the_whole(exported):
    localizer = load(exported[1])
    small, content = smooth(130, 90), io.BytesIO()
    smooth(1300, 900).save(content, "JPEG", quality=95)
    expected, found = (
        np.array(localizer.predict(source).keypoints) for source in (small, content.getvalue())
    )
    np.testing.assert_allclose(found[:, :2] / 10, expected[:, :2], atol=3)
    np.testing.assert_allclose(found[:, 2], expected[:, 2], atol=0.05)


# --- the mirrored image, and square crops ------------------------------------------------------


@pytest.fixture(scope="module")
def mirroring(tmp_path_factory):
    """The file of a network that averages with the mirrored image, and refines on squares."""
    settings = settings_of(finer_maps=1, flip_test=True).model_dump()
    recipe = check_recipe({"model": settings, "loss": {"box": {"giou": 1.0}}}, place="mirroring")
    torch.manual_seed(3)
    network = Network(recipe, classes=1, keypoints=3)
    with torch.no_grad():
        network.keypoint_head.heat.weight.mul_(200)
    file = tmp_path_factory.mktemp("mirroring") / "model.onnx"
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (64, 80, 3), dtype=np.uint8) for _ in range(32)]
    card = ModelCard(("cat",), SIDE, keypoints=EYES, refine_margin=1.4, refine_square=True)
    export(network, card, file, images)
    return file


def test_images_that_are_mirrored_together_have_their_own_keypoints(mirroring):
    localizer = load(mirroring).with_refinement(None)
    images = [np.asarray(smooth(SIDE, SIDE, seed)) for seed in range(4)]
    together = localizer.engine.run(np.stack(images), [KEYPOINTS_OUTPUT])[0]
    alone = [localizer.engine.run(image[None], [KEYPOINTS_OUTPUT])[0][0] for image in images]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert np.ptp(together[..., :2], axis=0).max() > 1  # they differ


@pytest.mark.parametrize("seed", range(5))
def test_a_mirrored_image_has_mirrored_keypoints_with_left_and_right_swapped(mirroring, seed):
    localizer = load(mirroring).with_refinement(None)
    pixels = np.asarray(smooth(SIDE, SIDE, seed))
    found = localizer.predict(pixels).keypoints
    again = localizer.predict(np.ascontiguousarray(pixels[:, ::-1])).keypoints
    swapped = [again[1], again[0], again[2]]
    expected = [(SIDE - x, y, confidence) for x, y, confidence in swapped]
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_photograph_whose_axes_are_shrunk_unequally_is_refined_on_a_square_of_it(
    mirroring, monkeypatch
):
    seen = []
    monkeypatch.setattr(runtime, "cut", lambda *words: seen.append(cut(*words)) or seen[-1])
    wide = 2 * 2 * SIDE  # shrunk to a half along x, and not along y
    load(mirroring).predict(smooth(wide + 20, 2 * SIDE + 10))
    [crop] = seen
    height, width = crop.shape[:2]
    assert 0 <= height - 2 * width + 1 <= 2  # of decoded pixels, which are twice as wide as high


@pytest.mark.parametrize("seed", range(5))
def test_a_refined_keypoint_is_that_of_the_square_around_the_first_box(mirroring, seed):
    localizer = load(mirroring)
    pixels = np.asarray(smooth(120, 70, seed))
    first = localizer.run_once(pixels)["box"]
    left, top, right, bottom = square_around(tuple(first.tolist()), (120, 70), 1.4)
    assert right - left == bottom - top
    second = localizer.run_once(cut(pixels, (left, top, right, bottom)))[KEYPOINTS_OUTPUT]
    expected = np.clip(second + np.array([left, top, 0]), 0, [120, 70, 1])
    np.testing.assert_allclose(localizer.predict(pixels).keypoints, expected, atol=1e-3)
