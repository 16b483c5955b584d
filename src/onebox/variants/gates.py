"""What a variant must hold to be kept; each gate raises with its numbers where it does not."""

from onebox.errors import DataError, ModelError
from onebox.variants.comparison import Comparison

PARITY_PX = 0.1
"""Largest difference of answers where both forms compute in fp32, in px of the training size."""

MOST_LOSS = 0.005
"""Largest loss of mean IoU on the validation images that fewer bits may cost."""


def check_parity(comparison: Comparison) -> None:
    """See that a variant gives the answers of the model that it was made from.

    Raises:
        ModelError: If an answer differs by more than `PARITY_PX`, or is no number.
    """
    if not comparison.parity_px <= PARITY_PX:
        raise ModelError(
            f"{comparison.file}: its answers differ from the model's by {comparison.parity_px:.3f} "
            f"px, more than the {PARITY_PX:.3f} px allowed; nothing was written. Use the model "
            "itself."
        )


def check_loss(comparison: Comparison) -> None:
    """See that a variant scores nearly what the model scores that it was made from.

    Raises:
        DataError: If no validation image has a box, so that nothing tells.
        ModelError: If mean IoU falls by more than `MOST_LOSS`.
    """
    loss = comparison.mean_iou_loss
    if loss is None:
        raise DataError(
            f"{comparison.file}: no validation image has a box, so that nothing tells what "
            f"'{comparison.variant}' loses; nothing was written. Label some."
        )
    if not loss <= MOST_LOSS:
        raise ModelError(
            f"{comparison.file}: its mean IoU on {comparison.images} validation images is "
            f"{comparison.made.mean_iou:.4f}, {loss:.4f} below the model's "
            f"{comparison.fp32.mean_iou:.4f} and more than the {MOST_LOSS} allowed; nothing was "
            "written. Use the model itself, or train with another backbone."
        )
