"""Output records: which tensors have rows, and the centres and marginals behind boxes."""

import pytest
import torch
from torch.testing import assert_close

from onebox.learning.networks.head_outputs import (
    AnchorOutput,
    Bins,
    BoxOutput,
    KeypointOutput,
    Outputs,
    Shared,
    VoteOutput,
    bin_centres,
    cell_centres,
    marginals,
    select_rows,
)

# --- rows --------------------------------------------------------------------------------------


def everything():
    """Outputs of four images in which no field is None."""
    axis = Shared(torch.arange(6.0))
    box = BoxOutput(
        torch.rand(4, 4),
        raw=torch.rand(4, 4),
        bins=Bins(torch.rand(4, 4, 6), axis),
        anchors=AnchorOutput(torch.rand(4, 5), torch.rand(4, 5, 4), Shared(torch.rand(5, 4))),
        votes=VoteOutput(torch.rand(4, 4, 9), Shared(torch.rand(9, 2)), torch.rand(4, 4, 9)),
        scales=torch.rand(4, 4),
    )
    heat = torch.rand(4, 3, 6, 5)
    keypoints = KeypointOutput(torch.rand(4, 3, 2), torch.rand(4, 3), heat)
    return Outputs(box, torch.rand(4, 2), torch.rand(4), keypoints, torch.rand(4))


def leaves(output, path=""):
    """All tensors and shared tensors of nested records by name; fails on a None."""
    if isinstance(output, torch.Tensor | Shared):
        return {path: output}
    names = getattr(output, "_fields", range(len(output)))
    nested = (leaves(part, f"{path}.{name}") for name, part in zip(names, output, strict=True))
    return {name: leaf for found in nested for name, leaf in found.items()}


def test_selected_rows_are_those_of_every_tensor_and_shared_tensors_stay():
    whole, rows = everything(), torch.tensor([2, 0])
    selected = select_rows(whole, rows)
    assert type(selected) is Outputs
    before, after = leaves(whole), leaves(selected)
    assert after.keys() == before.keys()
    for name, leaf in before.items():
        if isinstance(leaf, Shared):
            assert after[name] is leaf, name
        else:
            assert torch.equal(after[name], leaf[rows]), name
    assert sum(isinstance(leaf, Shared) for leaf in before.values()) == 3


def test_what_a_network_does_not_output_stays_none():
    outputs = Outputs(BoxOutput(torch.rand(4, 4)), torch.rand(4, 2), None)
    selected = select_rows(outputs, torch.tensor([3]))
    assert selected.box == BoxOutput(selected.box.boxes)
    assert selected[2:] == (None, None, None)


# --- centres -----------------------------------------------------------------------------------


def test_bins_lie_evenly_over_the_cells_and_one_more_at_either_end():
    # 2 cells of 2 bins, each a quarter of the axis wide, from -1/2 to 3/2
    expected = [-0.375, -0.125, 0.125, 0.375, 0.625, 0.875, 1.125, 1.375]
    assert_close(bin_centres(2, 2), torch.tensor(expected))


@pytest.mark.parametrize(("cells", "per_cell"), [(1, 1), (4, 8), (7, 3), (14, 8)])
def test_bin_centres_are_symmetric_about_the_middle_and_a_bin_apart(cells, per_cell):
    centres = bin_centres(cells, per_cell)
    assert len(centres) == (cells + 2) * per_cell
    assert_close(centres, 1 - centres.flip(0))
    step = torch.full((len(centres) - 1,), 1 / (cells * per_cell))
    assert_close(centres.diff(), step, atol=1e-6, rtol=1e-4)


def test_cell_centres_divide_the_axis_evenly():
    assert_close(cell_centres(4), torch.tensor([0.125, 0.375, 0.625, 0.875]))


# --- distributions -----------------------------------------------------------------------------


def test_the_mean_of_bins_weighs_their_centres_by_their_probabilities():
    logits = torch.tensor([0.5, 0.25, 0.25]).log().expand(1, 1, 3)
    assert_close(Bins(logits, Shared(torch.tensor([0.0, 1.0, 3.0]))).means(), torch.tensor([[1.0]]))


def test_marginals_are_the_sums_of_the_cells_probabilities_over_the_other_axis():
    heat = torch.tensor([[0.1, 0.2, 0.3], [0.05, 0.05, 0.3]]).log()[None, None]
    x, y = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.25, 0.75])
    along_x, along_y = marginals(heat, x, y)
    assert_close(along_x.logits.exp(), torch.tensor([[[0.15, 0.25, 0.6]]]))
    assert_close(along_y.logits.exp(), torch.tensor([[[0.6, 0.4]]]))
    assert_close(along_x.centres.values, x)
    assert_close(along_y.centres.values, y)
