"""The cat: the area that is cut out."""

import numpy as np
import pytest

from onebox.synthetic.cat import OUTLINE
from onebox.synthetic.material import find_cutouts


def test_the_cat_has_the_area_inside_its_outline():
    x, y = np.array(OUTLINE, dtype=float).T
    # The shoelace formula; the drawn polygon also covers half of its border of about 1000 px.
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    (cat,) = find_cutouts(None)
    alpha = np.asarray(cat.rgba().getchannel("A")) / 255
    assert abs(alpha.sum() / area - 1) < 0.01
    # Its longest row and column: the outline's extent.
    assert cat.rgba().size == pytest.approx((np.ptp(x), np.ptp(y)), abs=1)
