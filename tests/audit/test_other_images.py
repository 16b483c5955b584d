"""Boxes of other images: exchanged, copied, shifted by a row."""

import numpy as np

from onebox.audit.other_images import find_owners

TRUE = np.array(
    [[10, 10, 60, 60], [200, 20, 300, 90], [30, 150, 90, 280], [240, 200, 380, 290]], np.float64
)
ROWS = (0, 1, 5, 6)  # the third does not follow the second


def test_right_boxes_belong_to_no_other_image():
    assert find_owners(TRUE, TRUE + 2, ROWS) == {}


def test_two_boxes_that_are_exchanged_belong_to_each_other():
    owners = find_owners(TRUE[[2, 1, 0, 3]], TRUE + 2, ROWS)
    assert {row: (owner.row, owner.is_exchange) for row, owner in owners.items()} == {
        0: (5, True),
        5: (0, True),
    }


def test_a_copied_box_belongs_to_the_image_whose_prediction_it_fits():
    given = TRUE.copy()
    given[0] = given[3] + 0.3
    owners = find_owners(given, TRUE + 2, ROWS)
    assert list(owners) == [0]
    assert (owners[0].row, owners[0].is_exchange) == (6, False)


def test_a_column_shifted_by_a_row_fits_the_neighbours():
    given = TRUE[[3, 0, 1, 2]]
    owners = find_owners(given, TRUE + 2, (0, 1, 2, 3))
    assert {row: owner.row for row, owner in owners.items()} == {1: 0, 2: 1, 3: 2}


def test_a_box_like_that_of_a_distant_image_is_not_taken_for_it():
    given = TRUE.copy()
    given[0] = TRUE[3] + np.array([3, 0, 0, 3])  # near, not equal, and no neighbour
    assert find_owners(given, TRUE + 2, ROWS) == {}


def test_without_boxes_there_are_no_owners():
    assert find_owners(np.zeros((0, 4)), np.zeros((0, 4)), ()) == {}
