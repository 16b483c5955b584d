"""HOG windows and linear machines: what a window sees, what is learned, answered and stored."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from onebox import evaluation, images, synthetic
from onebox.boxes import paired_iou
from onebox.errors import DataError, ModelError
from onebox.structures import Dataset, KeypointSet, Sample

pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from onebox.classic import model_file
from onebox.classic.examples import Example, Tried, hard_negatives
from onebox.classic.filter_bank import steps_to, vote
from onebox.classic.hog_training import train
from onebox.classic.pyramid import build_pyramid, level_sides
from onebox.classic.score_calibration import Calibration, calibrate
from onebox.classic.settings import HogSettings
from onebox.classic.windows import (
    describe_windows,
    feature_count,
    make_grid,
    score_windows,
    window_shape,
)

SIDE = 96
SMALL = HogSettings(window=5, scales=1)
COUNTS = {"train": 16, "val": 6, "test": 6}


def striped(label, split, generator):
    """A square of upright or lying stripes on a wall of faint noise."""
    pixels = generator.integers(110, 140, (SIDE, SIDE), dtype=np.uint8)
    length = int(generator.integers(32, 54))
    x, y = (int(start) for start in generator.integers(0, SIDE - length, 2))
    wave = np.where(np.arange(length) // 4 % 2, 230, 20).astype(np.uint8)
    square = np.tile(wave, (length, 1))
    pixels[y : y + length, x : x + length] = square if label == "upright" else square.T
    box = (float(x), float(y), float(x + length), float(y + length))
    return Sample(np.repeat(pixels[:, :, None], 3, axis=2), label, box, split)


def stripes(*labels, counts=COUNTS):
    generator = np.random.default_rng(7)
    samples = [
        striped(label, split, generator)
        for split, count in counts.items()
        for _ in range(count)
        for label in labels
    ]
    return Dataset(tuple(samples), labels, name="stripes")


def bars(count):
    """White bars, twice as wide as high."""
    generator = np.random.default_rng(8)
    for _ in range(count):
        pixels = generator.integers(110, 140, (SIDE, SIDE), dtype=np.uint8)
        x, y = (int(start) for start in generator.integers(0, 30, 2))
        pixels[y : y + 30, x : x + 60] = 255
        box = (float(x), float(y), float(x + 60), float(y + 30))
        yield Sample(np.repeat(pixels[:, :, None], 3, axis=2), "bar", box)


@pytest.fixture(scope="module")
def two_classes():
    return stripes("lying", "upright")


@pytest.fixture(scope="module")
def localizer(two_classes):
    return train(two_classes, SMALL)


@pytest.fixture
def file(localizer, tmp_path):
    path = tmp_path / "model.npz"
    model_file.save(localizer, path)
    return path


def pyramid_of(pixels, sides=(SIDE,), settings=SMALL, least_cells=(5, 5)):
    return build_pyramid(images.load(pixels), sides, settings, least_cells=least_cells)


# What a window sees


def test_levels_reach_from_the_smallest_box_to_the_largest():
    # windows of 7 * 8 = 56 pixels: a box of a quarter needs 224, one of the whole frame 56
    shares = np.repeat([0.25, 1.0], 50)
    assert level_sides(shares, HogSettings(scales=1)) == (224, 112, 56)
    assert level_sides(np.array([0.5]), HogSettings(scales=4)) == (112,)


def test_tiny_boxes_do_not_make_the_pyramid_endless():
    assert level_sides(np.array([0.001, 0.002]), HogSettings()) == (640,)


def test_windows_cover_the_frame_and_reach_beyond_it_by_the_margin():
    settings = HogSettings(window=5, margin=1)
    pyramid = pyramid_of(np.zeros((40, 40), np.uint8), (40,), settings)
    grid = make_grid(pyramid, (5, 5), settings)
    # 5 cells and one on each side are 7, in which a window of 5 has 3 x 3 places
    assert len(grid.boxes) == 9
    np.testing.assert_allclose(grid.boxes[0], [-0.2, -0.2, 0.8, 0.8])
    np.testing.assert_allclose(grid.boxes[1], [0.0, -0.2, 1.0, 0.8])
    np.testing.assert_allclose(grid.boxes[4], [0.0, 0.0, 1.0, 1.0])


def test_a_stride_of_two_keeps_every_second_row_and_column():
    settings = HogSettings(window=5, margin=1, stride=2)
    pyramid = pyramid_of(np.zeros((40, 40), np.uint8), (40,), settings)
    boxes = make_grid(pyramid, (5, 5), settings).boxes
    np.testing.assert_allclose(boxes[:, :2], [[-0.2, -0.2], [0.2, -0.2], [-0.2, 0.2], [0.2, 0.2]])


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_score_of_all_windows_is_the_product_of_features_and_weights(two_classes, stride):
    settings = HogSettings(window=5, stride=stride)
    pyramid = pyramid_of(two_classes.samples[0].image, (SIDE, 64), settings)
    shape = (4, 6)
    grid = make_grid(pyramid, shape, settings)
    features = describe_windows(pyramid, grid, np.arange(len(grid.boxes)), settings)
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(feature_count(shape, settings), 3)).astype(np.float32)
    scores = score_windows(pyramid, grid, weights, settings)
    np.testing.assert_allclose(scores, features @ weights, atol=2e-4)


def test_stripes_fill_their_blocks_and_the_noise_of_a_wall_does_not():
    generator = np.random.default_rng(0)
    wall = generator.integers(126, 130, (SIDE, SIDE), dtype=np.uint8)
    wave = np.tile(np.where(np.arange(SIDE) // 4 % 2, 230, 20).astype(np.uint8), (SIDE, 1))
    inner = (slice(3, -3), slice(3, -3))
    lengths = [
        np.linalg.norm(pyramid_of(pixels).levels[0].blocks[inner], axis=2)
        for pixels in (wall, wave)
    ]
    assert lengths[0].max() < 0.5
    assert 0.95 < lengths[1].min() <= 1 + 1e-6


def test_a_window_has_the_aspect_asked_for_and_about_the_same_area():
    assert window_shape(1.0, HogSettings(window=6)) == (6, 6)
    assert window_shape(2.25, HogSettings(window=6)) == (4, 9)
    assert window_shape(1 / 2.25, HogSettings(window=6)) == (9, 4)
    assert (
        window_shape(1000.0, HogSettings(window=6))[0] == 3
    )  # a block of 2 needs something beside


def test_a_step_leads_from_the_window_to_the_box():
    windows = np.array([[0.0, 0.0, 0.5, 1.0]])
    # a quarter to the right is half of this window's width, a tenth up is a tenth of its height
    truth = np.array([0.25, -0.1, 0.75, 0.9])
    np.testing.assert_allclose(steps_to(truth, windows), [[0.5, -0.1, 0.5, -0.1]])


# What candidates agree on


def test_two_that_overlap_outvote_a_third_as_sure():
    boxes = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.8, 1.0], [0.0, 0.0, 0.1, 0.1]])
    agreed = vote(np.zeros(3), boxes, 5.0)
    np.testing.assert_allclose(agreed.box, [0.0, 0.0, 0.9, 1.0])
    # overlaps with the answer: 0.9, 0.8 / 0.9 and 0.01 / 0.9
    assert agreed.agreement == pytest.approx((0.9 + 0.8 / 0.9 + 0.01 / 0.9) / 3)


def test_a_surer_candidate_outvotes_two_that_overlap():
    boxes = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.8, 1.0], [0.0, 0.0, 0.1, 0.1]])
    agreed = vote(np.array([0.0, 0.0, 2.0]), boxes, 5.0)
    np.testing.assert_allclose(agreed.box, boxes[2])


def test_expected_overlap_follows_what_agreement_showed():
    agreements = np.linspace(0.2, 0.9, 100)
    curve = calibrate(agreements, agreements, np.zeros((100, 1)), np.zeros(100, int))
    assert curve.slope > 0
    assert curve.overlap(0.3) == pytest.approx(0.3, abs=0.05)
    assert curve.overlap(0.8) == pytest.approx(0.8, abs=0.05)


def test_agreement_that_misleads_is_passed_over():
    agreements = np.linspace(0.1, 0.9, 100)
    curve = calibrate(agreements, 1 - agreements, np.zeros((100, 1)), np.zeros(100, int))
    assert curve.slope == 0
    assert curve.overlap(0.1) == curve.overlap(0.9) == pytest.approx(0.5, abs=0.02)


def test_a_single_image_is_enough_to_calibrate():
    curve = calibrate(np.array([0.7]), np.array([1.0]), np.zeros((1, 2)), np.array([1]))
    assert 0 <= curve.overlap(0.2) < curve.overlap(0.9) <= 1


def test_machines_that_err_get_even_probabilities_and_those_that_do_not_get_sharp_ones():
    best = np.tile([[1.0, 0.0], [0.0, 1.0]], (20, 1))
    right = np.tile([0, 1], 20)
    half = np.tile([0, 1, 1, 0], 10)
    sharp, even = (calibrate(np.ones(40), np.ones(40), best, each) for each in (right, half))
    assert sharp.probabilities(best[0])[0] > 0.99
    assert even.probabilities(best[0])[0] < 0.55


def test_probabilities_of_huge_margins_are_finite():
    assert Calibration().probabilities(np.array([1e4, -1e4])).tolist() == [1.0, 0.0]


# What is learned


def test_stripes_are_found_and_told_apart(localizer, two_classes):
    assert isinstance(localizer, evaluation.Predictor)
    overall = evaluation.evaluate(localizer, two_classes.part("test")).overall
    assert overall.mean_iou > 0.7 > overall.mean_box_iou + 0.2
    assert overall.class_accuracy == 1.0


def test_discs_are_found_better_than_by_the_mean_box():
    discs = synthetic.dataset("synth:blobs", size=64, counts={"train": 20, "val": 4, "test": 8})
    found = train(discs, HogSettings(window=5, scales=1))
    overall = evaluation.evaluate(found, discs.part("test")).overall
    assert overall.mean_iou > overall.mean_box_iou + 0.3
    assert found.predict(np.asarray(discs.part("test").samples[0].image)).probabilities == (1.0,)


def test_an_answer_holds_together(localizer, two_classes):
    answer = localizer.predict(two_classes.part("test").samples[0].image)
    assert sum(answer.probabilities) == pytest.approx(1.0)
    best = int(np.argmax(answer.probabilities))
    assert answer.label == localizer.classes[best]
    assert 0 < answer.score < answer.probabilities[best]


def test_the_score_is_higher_where_the_subject_is_than_where_it_is_not(localizer, two_classes):
    wall = np.random.default_rng(1).integers(110, 140, (SIDE, SIDE), dtype=np.uint8)
    shown = [localizer.predict(sample.image).score for sample in two_classes.part("test")]
    assert localizer.predict(wall).score < min(shown)


@pytest.mark.parametrize("size", [(1, 1), (8, 6), (3, 200), (200, 3), (20, 20)])
def test_an_image_smaller_than_a_window_gets_a_box_inside_it(localizer, size):
    pixels = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    x_min, y_min, x_max, y_max = localizer.predict(pixels).box
    assert 0 <= x_min < x_max <= size[1]
    assert 0 <= y_min < y_max <= size[0]


def test_an_image_on_its_side_is_answered_as_a_person_sees_it(localizer, two_classes, tmp_path):
    upright = Image.fromarray(two_classes.part("test").samples[1].image[:, :80])
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    assert localizer.predict(tmp_path / "side.png") == localizer.predict(upright)


def test_a_large_image_is_answered_in_its_own_pixels(localizer, two_classes):
    sample = two_classes.part("test").samples[0]
    large = np.repeat(np.repeat(sample.image, 7, axis=0), 7, axis=1)
    box = np.array([localizer.predict(large).box])
    assert paired_iou(box / 7, np.array([sample.box]))[0] > 0.6
    small = np.array([localizer.predict(sample.image).box])
    assert paired_iou(box / 7, small)[0] > 0.8


def test_the_mean_box_is_that_of_the_training_images(localizer, two_classes):
    boxes = two_classes.part("train").boxes()
    np.testing.assert_allclose(localizer.mean_box, boxes.mean(axis=0) / SIDE)


def test_the_same_seed_gives_the_same_machines_and_another_does_not(localizer, two_classes):
    again = train(two_classes, SMALL)
    other = train(two_classes, SMALL.model_copy(update={"seed": 1}))
    weights = [each.machines.banks[0].weights for each in (localizer, again, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0
    assert localizer.machines.calibration == again.machines.calibration


def test_classes_of_other_aspects_have_windows_of_their_own():
    squares = stripes("lying", "upright", counts={"train": 6})
    mixed = Dataset((*squares.samples, *bars(6)), ("lying", "bar", "upright"))
    found = train(mixed, SMALL)
    assert {bank.members: bank.shape for bank in found.machines.banks} == {
        (0, 2): (5, 5),
        (1,): window_shape(2.0, SMALL),
    }
    right = sum(found.predict(sample.image).label == sample.label for sample in mixed)
    assert right >= 15  # of 18; numbered otherwise, no more than 6 or so would be


def test_a_window_that_sees_nothing_still_knows_its_place():
    corner = (48.0, 48.0, 90.0, 90.0)
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    plain = Dataset(tuple(Sample(grey, "corner", corner) for _ in range(6)), ("corner",))
    overlaps = []
    for place in (1.0, 0.0):
        # no margin, so that no frame is seen either
        settings = HogSettings(window=5, margin=0, place=place, refine_overlap=1.0, svm_c=1.0)
        box = train(plain, settings).predict(grey).box
        overlaps.append(paired_iou(np.array([box]), np.array([corner]))[0])
    assert overlaps[0] > 0.6 > overlaps[1]


def test_hard_negatives_are_background_inside_the_margin_the_hardest_first():
    settings = HogSettings(window=5, hard_negatives=2)
    pyramid = pyramid_of(np.zeros((40, 40), np.uint8))
    grid = make_grid(pyramid, (5, 5), settings)
    tried = Tried(Example(pyramid, 0, None), grid, np.array([0.0, 0.2, 0.5, 0.1, 0.0]))
    # the third is no background, the last is far outside; two of the three others are wanted
    margins = np.array([-0.5, 0.5, 2.0, 0.1, -2.0])
    assert hard_negatives(tried, margins, settings).tolist() == [1, 3]
    none = np.array([-0.5, 0.5, 2.0, 0.1, -2.0]) - 5
    assert hard_negatives(tried, none, settings).tolist() == []


def test_the_machines_learn_from_hard_negatives(localizer, two_classes):
    without = train(two_classes, SMALL.model_copy(update={"hard_negatives": 0}))
    worst = []
    for each in (localizer, without):
        bank = each.machines.banks[0]
        pyramid = pyramid_of(two_classes.samples[0].image, each.machines.sides)
        grid = make_grid(pyramid, bank.shape, SMALL)
        scores = score_windows(pyramid, grid, bank.weights, SMALL) + bank.bias
        truth = np.broadcast_to(np.array(two_classes.samples[0].box) / SIDE, grid.boxes.shape)
        worst.append(scores[paired_iou(grid.boxes, truth) < 0.3].max())
    assert worst[0] < worst[1]


def test_images_without_the_subject_are_learned_as_background(localizer, two_classes):
    wall = Sample(np.full((SIDE, SIDE, 3), 128, np.uint8), split="train")
    found = train(replace(two_classes, samples=(*two_classes.samples, wall, wall)), SMALL)
    assert found.card.provenance["learned_from"] == 34
    assert found.mean_box == localizer.mean_box


def test_no_more_images_are_used_than_asked_for_and_each_class_is_among_them(two_classes):
    few = train(two_classes, SMALL.model_copy(update={"images": 3}))
    assert few.card.provenance["learned_from"] == 3
    one = train(two_classes, SMALL.model_copy(update={"images": 1}))
    assert one.card.provenance["learned_from"] == 2


def test_scores_are_calibrated_on_val_where_it_is_large_enough(localizer, two_classes):
    assert localizer.card.provenance["calibrated_on"] == "val"
    few = [sample for sample in two_classes if sample.split != "val"]
    calls = []
    without = train(
        replace(two_classes, samples=tuple(few)),
        SMALL,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(done, 32) for done in range(1, 33)]
    assert without.card.provenance["calibrated_on"] == "train"


def test_keypoints_are_passed_over(localizer, two_classes):
    keypointed = replace(two_classes, keypoints=KeypointSet(("head", "tail")))
    found = train(keypointed, SMALL)
    assert found.keypoints is None
    assert found.machines.calibration == localizer.machines.calibration
    assert evaluation.evaluate(found, keypointed.part("test")).overall.mean_iou > 0.7


# What is refused


def test_a_class_without_a_training_image_is_named(two_classes):
    with pytest.raises(DataError, match="no training image of zigzag with a box"):
        train(replace(two_classes, classes=(*two_classes.classes, "zigzag")), SMALL)


def test_an_empty_data_set_is_said():
    with pytest.raises(DataError, match="no training image with a box"):
        train(Dataset((), ()), SMALL)


def test_every_unreadable_image_is_named(two_classes, tmp_path):
    broken = []
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no image")
        sample = two_classes.samples[0]
        broken.append(
            replace(sample, image=tmp_path / name, size_wh=(9, 9), origin=f"l.csv:{name}")
        )
    with pytest.raises(DataError) as caught:
        train(replace(two_classes, samples=(*two_classes.samples, *broken)), SMALL)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "l.csv:a.jpg",
        "l.csv:b.jpg",
    ]


def test_subjects_too_small_for_any_window_are_said():
    pixels = np.zeros((400, 400, 3), np.uint8)
    speck = Sample(pixels, "speck", (200.0, 200.0, 202.0, 202.0))
    with pytest.raises(DataError, match="class 'speck': no window comes near"):
        train(Dataset((speck,), ("speck",)), SMALL)


def test_subjects_that_leave_no_background_are_said():
    pixels = np.zeros((40, 40, 3), np.uint8)
    whole = Sample(pixels, "all", (0.0, 0.0, 40.0, 40.0))
    with pytest.raises(DataError, match="no window is left as background"):
        train(Dataset((whole,), ("all",)), HogSettings(window=5, margin=0))


def test_unknown_and_impossible_settings_are_refused():
    with pytest.raises(ValidationError, match="windw"):
        HogSettings(windw=7)
    with pytest.raises(ValidationError, match="greater than 0"):
        HogSettings(svm_c=0)


# What is stored


def test_what_is_loaded_answers_as_what_was_saved(localizer, two_classes, file):
    loaded = model_file.load(file)
    assert loaded.name == str(file)
    assert loaded.card == localizer.card
    for sample in two_classes.part("test"):
        assert loaded.predict(sample.image) == localizer.predict(sample.image)


def test_metrics_travel_with_the_file(localizer, tmp_path):
    path = tmp_path / "model.npz"
    facts = replace(localizer.card, metrics={"test": {"mean_iou": 0.5}})
    model_file.save(localizer.with_card(facts), path)
    assert model_file.load(path).card.metrics == {"test": {"mean_iou": 0.5}}
    assert localizer.card.metrics == {}


def test_a_file_holds_arrays_and_nothing_beside_it_is_left(file):
    with zipfile.ZipFile(file) as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())
    assert [path.name for path in file.parent.iterdir()] == ["model.npz"]


class Trap:
    """Pickled code that would show that it ran."""

    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_a_pickled_file_is_refused_and_not_run(tmp_path):
    path = tmp_path / "trap.npz"
    np.savez(path, onebox=np.array([Trap()], dtype=object))
    with pytest.raises(ModelError, match="pickle"):
        model_file.load(path)
    np.savez(path, onebox=np.array("{}"), other=np.array([Trap()], dtype=object))
    with pytest.raises(ModelError, match="pickle"):
        model_file.load(path)
    assert not Trap.sprung


def test_what_is_no_model_is_said(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        model_file.load(tmp_path / "none.npz")
    with pytest.raises(ModelError, match="is a folder"):
        model_file.load(tmp_path)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ModelError, match=r"is no \.npz file"):
        model_file.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(ModelError, match="no array 'onebox'"):
        model_file.load(tmp_path / "other.npz")


def test_a_file_cut_short_or_damaged_inside_is_refused(file):
    whole = file.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="npz"):
            model_file.load(file)
    place = len(whole) // 2  # among the weights, whose sum zip files keep
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ModelError, match="cannot be read"):
        model_file.load(file)


def rewritten(file, change_text=lambda said: said, change_arrays=lambda arrays: arrays):
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    said = json.loads(str(arrays.pop("onebox")))
    text = np.array(json.dumps(change_text(said)))
    np.savez(file, onebox=text, **change_arrays(arrays))
    return file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said: said | {"kind": "tree"}, "its kind is 'tree'"),
        (lambda said: said | {"schema_version": 99}, "its schema is 99"),
        (lambda said: {k: v for k, v in said.items() if k != "sides"}, "lacks 'sides'"),
        (lambda said: said | {"settings": said["settings"] | {"window": 1}}, "window"),
        (lambda said: said | {"banks": []}, "classes"),
        (lambda said: said | {"facts": {"classes": ["a"]}}, "has no schema_version"),
        (lambda said: said | {"sides": []}, "at least 1 item"),
        (lambda said: said | {"sides": [7, *said["sides"][1:]]}, "its finest level has 7"),
        (lambda said: said | {"calibration": {"slope": None}}, "slope"),
        (lambda said: [said], "is no localizer"),
    ],
)
def test_a_text_that_does_not_hold_is_refused(file, change, message):
    with pytest.raises(ModelError, match=message):
        model_file.load(rewritten(file, change))


def shortened(arrays):
    return arrays | {name: arrays[name][:-1] for name in ("weights_0", "refine_0")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: {k: v for k, v in arrays.items() if k != "bias_0"}, "lacks 'bias_0'"),
        (shortened, "wrong shapes"),
        (lambda arrays: arrays | {"bias_0": arrays["bias_0"] * np.float32(np.nan)}, "no finite"),
    ],
)
def test_arrays_that_do_not_hold_are_refused(file, change, message):
    with pytest.raises(ModelError, match=message):
        model_file.load(rewritten(file, change_arrays=change))
