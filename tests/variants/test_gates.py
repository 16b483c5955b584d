"""The gates: which comparisons pass, and what the error says about those that do not."""

from pathlib import Path

import numpy as np
import pytest

from onebox.errors import DataError, ModelError
from onebox.variants.comparison import Comparison, Form
from onebox.variants.gates import MAX_LOSS, check_loss, check_parity


def comparison(*, parity_px=0.0, before=0.8, after=0.8):
    forms = Form(7.8, 2.0, before, 1.0), Form(2.6, 1.0, after, 1.0)
    return Comparison("int8", Path("model.int8.onnx"), 40, parity_px, *forms)


def test_a_loss_up_to_the_limit_passes_and_one_above_it_does_not():
    check_loss(comparison(after=0.7951))
    check_loss(comparison(after=0.9))
    with pytest.raises(ModelError) as refused:
        check_loss(comparison(after=0.7949))
    assert "on 40 validation images is 0.7949, 0.0051 below the model's 0.8000" in str(
        refused.value
    )


def test_a_loss_that_is_unknown_or_nan_does_not_pass():
    with pytest.raises(ModelError, match="nan"):
        check_loss(comparison(after=float("nan")))
    with pytest.raises(DataError, match="no validation image has a box"):
        check_loss(comparison(after=None))


@pytest.mark.parametrize(("parity_px", "passes"), [(0.1, True), (0.11, False), (np.nan, False)])
def test_parity_passes_up_to_a_tenth_of_a_pixel(parity_px, passes):
    if passes:
        check_parity(comparison(parity_px=parity_px))
        return
    with pytest.raises(ModelError, match=f"by {parity_px:.3f} px, more than the 0.100 px allowed"):
        check_parity(comparison(parity_px=parity_px))


def test_the_limit_of_the_loss_is_the_documented_one():
    assert MAX_LOSS == 0.005
