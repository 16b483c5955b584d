"""What tests of the engines share."""

import pytest

from onebox.model_card import ModelCard
from onebox.variants import openvino_ir


@pytest.fixture(scope="session")
def bright_ir(bright_file, tmp_path_factory):
    """The bright model as OpenVINO IR."""
    file = tmp_path_factory.mktemp("openvino") / "model.xml"
    openvino_ir.write(bright_file, ModelCard(("disc",), 32), iter(()), file)
    return file
