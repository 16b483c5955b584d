"""Endless generated samples: white discs, and cut-outs on black or on photographs.

====================== ========================================================
``synth:blobs``         a white disc on black
``synth:cutouts-black`` a cut-out (by default a cat) on black
``synth:cutouts``       a cut-out on a random crop of a photograph
====================== ========================================================

The subject lies wholly inside the frame, and its box is the exact extent of its drawn pixels. A
fraction of the images may have no subject. A sample stores how to draw it, not its pixels. Sample
``i`` of a seed is always the same, and does not depend on the samples before it.
"""

from onebox.synthetic.datasets import NAMES, dataset, save, split_counts
from onebox.synthetic.discs import blobs
from onebox.synthetic.scenes import cutouts

__all__ = ["NAMES", "blobs", "cutouts", "dataset", "save", "split_counts"]
