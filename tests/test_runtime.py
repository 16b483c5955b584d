"""``load`` takes onebox models and nothing else; ``predict`` is the same for every source."""

import io

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image, ImageFilter

import onebox
from onebox.errors import ImageError, ModelError
from onebox.model_card import METADATA_KEY, ModelCard
from onebox.outputs import INPUT, KEYPOINTS_OUTPUT, OUTPUTS
from onebox.runtime import load
from onebox.structures import KeypointSet

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def localizer(model_file):
    return load(model_file)


@pytest.fixture(scope="module")
def disc(discs):
    return Image.fromarray(np.asarray(discs.part("test").samples[1].image))


def write_model(path, *, outputs=OUTPUTS, metadata=None):
    """A model that hands its input through, with the outputs and metadata asked for."""
    kind = onnx.TensorProto.UINT8
    shape = ["n", "height", "width", 3]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", [INPUT], [name]) for name in outputs],
        "handed-through",
        [onnx.helper.make_tensor_value_info(INPUT, kind, shape)],
        [onnx.helper.make_tensor_value_info(name, kind, shape) for name in outputs],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    if metadata is not None:
        onnx.helper.set_model_props(model, {METADATA_KEY: metadata})
    onnx.save(model, path)
    return path


CARD = ModelCard(("cat", "dog"), 64, mean_box=(0.1, 0.2, 0.8, 0.9))


# --- what a loaded model says --------------------------------------------------------------------


def test_a_loaded_model_has_a_name_and_a_card(localizer, model_file):
    assert localizer.card.classes == ("disc",)
    assert localizer.name == str(model_file)
    assert localizer.card.size == 64
    x_min, y_min, x_max, y_max = localizer.card.mean_box
    assert 0 < x_min < x_max < 1
    assert 0 < y_min < y_max < 1


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"weights", b"\x08\x0a" * 50])
def test_a_file_that_is_not_onnx_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx: is not an ONNX model") as caught:
        load(file)
    assert len(str(caught.value).splitlines()) == 1


def test_a_cut_off_model_is_refused(tmp_path, model_file):
    file = tmp_path / "model.onnx"
    file.write_bytes(model_file.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"model\.onnx: "):
        load(file)


def test_an_onnx_file_of_someone_else_is_refused(tmp_path):
    file = write_model(tmp_path / "other.onnx")
    with pytest.raises(ModelError) as caught:
        load(file)
    assert "other.onnx: is a model, but not of onebox" in str(caught.value)
    assert "onebox train" in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_model_whose_card_is_wrong_is_refused(tmp_path):
    file = write_model(tmp_path / "model.onnx", metadata="{}")
    with pytest.raises(ModelError) as caught:
        load(file)
    assert str(caught.value) == f"{file}: its metadata cannot be read: it has no schema_version."


def test_a_model_without_an_output_is_refused_by_its_name(tmp_path):
    file = write_model(tmp_path / "model.onnx", outputs=["box"], metadata=CARD.as_json())
    with pytest.raises(ModelError, match="lacks the outputs probability, score"):
        load(file)


def test_a_model_whose_card_has_keypoints_must_have_their_output(tmp_path):
    card = ModelCard(("cat",), 32, keypoints=KeypointSet(("hip", "knee")))
    file = write_model(tmp_path / "model.onnx", metadata=card.as_json())
    with pytest.raises(ModelError, match="lacks the outputs keypoints"):
        load(file)
    write_model(file, outputs=(*OUTPUTS, KEYPOINTS_OUTPUT), metadata=card.as_json())
    assert load(file).card.keypoints == card.keypoints


def test_a_model_without_keypoints_predicts_none(localizer, disc):
    assert localizer.card.keypoints is None
    assert localizer.predict(disc).keypoints is None


def test_a_file_with_all_its_outputs_is_loaded(tmp_path):
    file = write_model(tmp_path / "model.onnx", metadata=CARD.as_json())
    assert load(file).card == CARD


# --- sources -----------------------------------------------------------------------------------


def test_every_source_of_the_same_image_has_the_same_prediction(localizer, disc, tmp_path):
    file = tmp_path / "disc.png"
    disc.save(file)
    expected = localizer.predict(np.asarray(disc))
    for source in (file, str(file), file.read_bytes(), disc, Image.open(file)):
        assert localizer.predict(source) == expected


def test_a_prediction_has_a_label_a_score_a_box_and_probabilities(localizer, disc):
    prediction = localizer.predict(disc)
    assert prediction.label == "disc"
    assert 0 < prediction.score <= 1
    assert prediction.probabilities == pytest.approx((1.0,))
    assert all(type(edge) is float for edge in prediction.box)
    assert prediction.box[2] - prediction.box[0] > 5


def test_the_box_lies_on_the_disc(localizer, discs):
    for sample in discs.part("test").samples[:5]:
        x_min, y_min, x_max, y_max = localizer.predict(np.asarray(sample.image)).box
        middle = ((x_min + x_max) / 2, (y_min + y_max) / 2)
        truth = ((sample.box[0] + sample.box[2]) / 2, (sample.box[1] + sample.box[3]) / 2)
        np.testing.assert_allclose(middle, truth, atol=6)


def test_the_box_of_an_image_turned_by_exif_is_in_pixels_of_the_upright_image(localizer, disc):
    # 96 x 64, and stored turned a quarter: the viewer turns it back by orientation 6.
    upright = Image.new("RGB", (96, 64))
    upright.paste(disc, (30, 0))
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    assert stored.size == (64, 96)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    stored.save(content, "PNG", exif=exif)
    assert localizer.predict(content.getvalue()) == localizer.predict(upright)


def test_grayscale_transparent_and_palette_images_are_predicted(localizer, disc, tmp_path):
    expected = localizer.predict(disc)
    pixels = np.asarray(disc)
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    for source in (disc.convert("L"), disc.convert("P"), pixels[:, :, 0], opaque):
        assert localizer.predict(source) == expected
    # With the black transparent, the disc is white on white: another prediction.
    see_through = np.dstack([pixels, pixels[:, :, 0]])
    assert localizer.predict(see_through) != expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_huge_image_shrunk_on_the_way_has_the_box_of_the_whole(localizer, disc, kind):
    # Smooth, as a photograph is at this size; 700 x 1210 pixels, 11 times the network's.
    large = disc.resize((1210, 700), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(12))
    content = io.BytesIO()
    large.save(content, kind, quality=95)
    shrunk = localizer.predict(content.getvalue()).box
    whole = np.asarray(Image.open(content).convert("RGB"))
    unshrunk = localizer.run_once(whole)["box"]
    network_pixels = np.array([1210, 700, 1210, 700]) / 64
    np.testing.assert_allclose(shrunk / network_pixels, unshrunk / network_pixels, atol=1.5)
    assert shrunk[2] > 200


def test_an_unreadable_image_is_an_image_error_that_names_it(localizer, tmp_path):
    with pytest.raises(ImageError, match=r"none\.jpg: there is no such file"):
        localizer.predict(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="image of 7 bytes"):
        localizer.predict(b"no meow")


@pytest.mark.parametrize("array", [np.zeros((8, 8, 3)), np.zeros((8, 8, 3), np.int64)])
def test_an_array_of_another_kind_is_a_wrong_call(localizer, array):
    with pytest.raises(TypeError, match="must be uint8"):
        localizer.predict(array)


def test_the_public_load_gives_the_same_predictions(model_file, disc):
    assert onebox.load(str(model_file)).predict(disc) == load(model_file).predict(disc)


def test_plain_onnx_runtime_gives_the_same_box(model_file, disc, localizer):
    plain = onnxruntime.InferenceSession(model_file).run(OUTPUTS, {INPUT: np.asarray(disc)[None]})
    assert localizer.predict(disc).box == pytest.approx(plain[0][0].tolist(), abs=1e-3)
