"""Deals images into folds: classes evenly, copies of one image together."""

import numpy as np
from jaxtyping import Int
from numpy import ndarray


def assign_folds(
    labels: Int[ndarray, " n"], copies: Int[ndarray, " n"], folds: int, seed: int
) -> Int[ndarray, " n"]:
    """The fold of each image, from 0.

    Args:
        labels: Index of the class of each image.
        copies: Images of the same number are copies of one, and come into the same fold: a network
            that was trained on one copy would repeat its label on the other.
        folds: Number of folds.
        seed: Of the random order within each class.

    Returns:
        Folds whose sizes, in all and of each class, differ by one group of copies at most.
    """
    groups, first, group_of = np.unique(copies, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    order = shuffled[np.argsort(labels[first][shuffled], kind="stable")]
    fold_of_group = np.empty(len(groups), np.int64)
    fold_of_group[order] = np.arange(len(groups)) % folds
    return fold_of_group[group_of]
