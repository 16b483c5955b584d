from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from onebox.certainty.assessment import assess
from onebox.certainty.charts import Axis, coverage_chart, reliability_dots, risk_chart
from onebox.certainty.outer_boxes import OuterBoxes
from onebox.certainty.reliability import reliability
from onebox.metrics import compare
from onebox.structures import Prediction, Sample


def level(asked, covered, expected):
    return OuterBoxes(asked, covered, expected, p_value=0.5, stretch=1.2, by_third=None)


def test_positions_are_from_left_to_right_and_from_top_to_bottom():
    axis = Axis(0.5, 1.0)
    assert (axis.along(0.5), axis.along(0.75), axis.along(1.0)) == (0, 50, 100)
    assert (axis.down(0.5), axis.down(0.75), axis.down(1.0)) == (100, 50, 0)
    assert axis.ticks(2, "{:.2f}") == ((0, "0.50"), (50, "0.75"), (100, "1.00"))


def test_a_bin_is_a_dot_with_the_interval_of_its_fraction():
    found = reliability(np.array([0.75] * 5), np.array([True] * 4 + [False]))
    (dot,) = reliability_dots(found)
    assert (dot.x, dot.y) == (75, pytest.approx(20))
    interval = binomtest(4, 5).proportion_ci(method="wilson")
    assert (dot.low_y, dot.high_y) == pytest.approx(
        (100 - 100 * interval.low, 100 - 100 * interval.high), abs=0.01
    )
    assert dot.bin.images == 5


def test_coverage_is_a_line_in_its_band():
    chart = coverage_chart((level(0.5, 0.55, (0.4, 0.7)), level(0.75, 0.7, (0.58, 0.88))))
    # x is from 0.5 to 1, y from 0.4 to 1 upwards
    assert chart.line == "0.00,75.00 50.00,50.00"
    assert chart.expected == "0.00,100.00 50.00,70.00 50.00,20.00 0.00,50.00"
    assert chart.equal == "0.00,83.33 100.00,0.00"
    assert [one.level for _, _, one in chart.dots] == [0.5, 0.75]
    assert [text for _, text in chart.y_ticks] == ["0.40", "0.55", "0.70", "0.85", "1.00"]


def test_a_low_coverage_is_on_an_axis_from_0():
    chart = coverage_chart((level(0.5, 0.25, (0.4, 0.7)),))
    assert chart.line == "0.00,75.00"
    assert chart.y_ticks[0] == (0, "0.00")
    assert coverage_chart(()) is None


def test_risks_are_lines_that_meet_where_all_images_are_kept(sure_outcomes):
    found = assess(sure_outcomes(40, seed=1), None)
    chart = risk_chart(found)
    assert list(chart.lines) == ["class probability", "score", "best order"]
    ends = {line.split()[-1] for line in chart.lines.values()}
    top = float(chart.y_ticks[-1][1])
    assert ends == {f"100.00,{100 - 100 * found.by_iou.risks[-1] / top:.2f}"}
    assert chart.lines["best order"].split()[0].startswith("2.50,")


@pytest.mark.parametrize(("iou", "top"), [(1.0, "0.02"), (0.97, "0.04"), (0.3, "1"), (0.0, "1")])
def test_the_axis_of_risks_is_just_high_enough(iou, top):
    prediction = Prediction("cat", 0.5, (0.0, 0.0, 10 * iou, 10.0), (1.0,))
    sample = Sample(Path("a.jpg"), "cat", (0.0, 0.0, 10.0, 10.0))
    found = assess([compare(sample, prediction, size_wh=(20, 20), mean_box=None)] * 10, None)
    assert risk_chart(found).y_ticks[-1] == (100, top)
