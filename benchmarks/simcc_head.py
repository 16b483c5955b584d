"""The command line, with SimCC in place of the heat maps of keypoints; for joints.py.

python benchmarks/simcc_head.py train SOURCE --recipe pose ...

Li et al., arXiv:2107.03332, section 3: two distributions for each keypoint, one over the bins of
x and one over those of y, from the flattened map of the keypoint. Their product is a heat map, so
the loss, the peaks and the flip test stay as they are.
"""

from torch import Tensor, nn
from torch.nn import functional

from onebox.cli import main
from onebox.learning.networks import keypoint_heads
from onebox.learning.networks.vectorizers import Sizes
from onebox.recipes.sections import ModelSettings

_CELLS = 24  # per axis, of a map of stride 8 at 192 px; smaller maps are enlarged to it
_BINS = 48  # per axis: 4 px, the spread of the target, near the 3 px of the source


class SimccMaps(nn.Module):
    """Maps of channels → products of a distribution over x and one over y, as logits."""

    def __init__(self, width: int, keypoints: int, kernel: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(width, keypoints, kernel)
        self.x = nn.Linear(_CELLS**2, _BINS)
        self.y = nn.Linear(_CELLS**2, _BINS)

    def forward(self, cells: Tensor) -> Tensor:
        """The logits, of shape (n, keypoints, bins, bins)."""
        maps = self.maps(cells)
        if maps.shape[2:] != (_CELLS, _CELLS):
            maps = functional.interpolate(maps, size=(_CELLS, _CELLS), mode="bilinear")
        flat = maps.flatten(2)
        return self.y(flat)[..., :, None] + self.x(flat)[..., None, :]


class SimccKeypoints(keypoint_heads.HeatmapKeypoints):
    """The head of heat maps with `SimccMaps` at its end."""

    def __init__(self, sizes: Sizes, settings: ModelSettings, keypoints: int) -> None:
        super().__init__(sizes, settings, keypoints)
        self.heat = SimccMaps(sizes.map, keypoints, 1)  # type: ignore[assignment]


if __name__ == "__main__":
    from onebox.learning.networks import heads

    heads.KEYPOINT_HEADS["pyramid"] = SimccKeypoints
    main()
