"""Endless generated samples: white discs, and cut-outs on black or on natural images.

====================== ========================================================
``synth:blobs``         a white disc on black
``synth:cutouts-black`` a cut-out (by default a cat) on black
``synth:cutouts``       a cut-out on a piece of a natural image
====================== ========================================================

The subject lies wholly inside the frame and its box is exact: what the drawn pixels show, in
whole pixels. A share of the images may be without it. A sample keeps how it is drawn, not its
pixels; sample ``i`` of a seed is the same whenever and wherever it is drawn, and does not depend on
the samples before it.
"""

from onebox.synthetic.datasets import NAMES, dataset, save, split_counts
from onebox.synthetic.discs import blobs
from onebox.synthetic.scenes import cutouts

__all__ = ["NAMES", "blobs", "cutouts", "dataset", "save", "split_counts"]
