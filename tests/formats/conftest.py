"""What the tests of all formats share: images, a CSV file of labels, and the problems of a file."""

import pytest
from PIL import Image

from onebox.errors import DataError
from onebox.formats import read

HEADER = "image,label,x_min,y_min,x_max,y_max"


@pytest.fixture
def problems_of():
    """Read labels that cannot be used and return the problems."""

    def read_problems(path, **settings):
        with pytest.raises(DataError) as caught:
            read(path, **settings)
        return list(caught.value.problems)

    return read_problems


@pytest.fixture
def problem_of(problems_of):
    """Read labels that have exactly one problem and return it."""

    def read_problem(path, **settings):
        (problem,) = problems_of(path, **settings)
        return problem

    return read_problem


@pytest.fixture
def labels(tmp_path):
    """Write ``labels.csv`` beside eight images ``a.png`` to ``h.png`` of 40 x 30 pixels."""
    for name in "abcdefgh":
        Image.new("RGB", (40, 30), (ord(name), 0, 0)).save(tmp_path / f"{name}.png")

    def write_rows(*rows, header=HEADER):
        path = tmp_path / "labels.csv"
        path.write_text("\n".join([header, *rows, ""]))
        return path

    return write_rows
