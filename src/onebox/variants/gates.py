"""The gates: what a variant must satisfy to be kept."""

from onebox import parity
from onebox.errors import DataError, ModelError
from onebox.variants.comparison import Comparison

MAX_LOSS = 0.005
"""Largest loss of mean IoU on the validation images that int8 may cost. Measured losses are at most
0.0035 (docs/export.md, "int8"); the limit itself is a promise, not tuned."""


def check_parity(comparison: Comparison) -> None:
    """Check that a variant gives the outputs of its model.

    Raises:
        ModelError: If an output differs by more than `parity.PARITY_PX`, or is NaN.
    """
    parity.check_parity(
        comparison.parity_px,
        subject=f"{comparison.file}: its outputs differ from the model's",
        repair="Use the model itself.",
    )


def check_loss(comparison: Comparison) -> None:
    """Check that a variant scores nearly what its model scores.

    Raises:
        DataError: If no validation image has a box, so there is no mean IoU.
        ModelError: If mean IoU falls by more than `MAX_LOSS`.
    """
    loss = comparison.mean_iou_loss
    if loss is None:
        raise DataError(
            f"{comparison.file}: no validation image has a box, so the loss of "
            f"'{comparison.variant}' is unknown; nothing was written. Label some images."
        )
    if not loss <= MAX_LOSS:
        raise ModelError(
            f"{comparison.file}: its mean IoU on {comparison.images} validation images is "
            f"{comparison.made.mean_iou:.4f}, {loss:.4f} below the model's "
            f"{comparison.fp32.mean_iou:.4f} and more than the {MAX_LOSS} allowed; nothing was "
            "written. Use the model itself, or train with another backbone."
        )
