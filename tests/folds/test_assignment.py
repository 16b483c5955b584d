"""Folds: classes evenly, copies together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onebox.folds.assignment import assign_folds


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.integers(2, 4), st.integers(0, 5))
def test_folds_and_classes_differ_by_one_image_at_most(labels, folds, seed):
    labels = np.array(labels)
    found = assign_folds(labels, np.arange(len(labels)), folds, seed)
    sizes = np.bincount(found, minlength=folds)
    assert np.ptp(sizes) <= 1
    for label in np.unique(labels):
        assert np.ptp(np.bincount(found[labels == label], minlength=folds)) <= 1


def test_copies_are_in_one_fold():
    copies = np.array([0, 1, 2, 0, 1, 5, 6, 7])
    found = assign_folds(np.zeros(8, int), copies, 4, 0)
    assert found[0] == found[3]
    assert found[1] == found[4]


def test_the_seed_alone_decides():
    labels, copies = np.arange(30) % 3, np.arange(30)
    one, again = (assign_folds(labels, copies, 4, 1) for _ in range(2))
    assert (one == again).all()
    assert (one != assign_folds(labels, copies, 4, 2)).any()
