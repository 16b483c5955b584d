"""The validation images, and the trained model in 8 bits."""

import pytest

from onebox.variants.pipeline import make


@pytest.fixture(scope="package")
def val(discs):
    return discs.part("val")


@pytest.fixture(scope="package")
def quantized(model_file, discs, tmp_path_factory):
    """The comparison of the trained model with its variant in 8 bits."""
    out = tmp_path_factory.mktemp("int8") / "model.int8.onnx"
    return make(model_file, "int8", out, discs)
