"""Charts of the dashboard: thousands of windows stay few shapes, gaps stay gaps, titles and descriptions are there."""

import re

import numpy as np
import pytest

from harness.dashboard.monitor.plots import Frame, Scale, bars, heat, lines, scale, tone, windows_a_square

FRAME = Frame("k", "A <title>", "As a table below.", 0, 2, 3)
UNIT = Scale(0.0, 1.0, ())


def test_a_heat_map_of_thousands_of_windows_has_few_squares() -> None:
    """Each stands for the worst of some windows, so that no drift is lost among the calm."""
    values = np.zeros(3000)
    values[1234] = 0.5

    drawn = heat(Frame("k", "t", "", 0, 2999, 3000), values, values > 0)

    assert windows_a_square(3000) == 19
    assert len(re.findall("M[0-9]+ 4h", drawn)) == 158
    assert 'class="p2" d="M1216 4h' in drawn
    assert drawn.count("50h.001") == 1


def test_a_missing_window_is_a_gap_in_the_line() -> None:
    """Nothing is drawn across it; a single window is a dot."""
    drawn = lines(FRAME, UNIT, np.array([0.5, np.nan, 0.25]), None, None)

    assert 'class="line main" d="M0.5 50M2.5 75"' in drawn
    assert 'class="dots main" d="M0.5 50h.001M2.5 75h.001"' in drawn


def test_charts_say_what_they_are() -> None:
    """A title and a description, tied to the picture by ids, escaped."""
    drawn = bars(FRAME, UNIT, np.array([1.0, 0.0, np.nan]))

    assert 'role="img" aria-labelledby="k-t k-d"' in drawn
    assert '<title id="k-t">A &lt;title&gt;</title><desc id="k-d">As a table below.</desc>' in drawn
    assert 'viewBox="0 0 3 100"' in drawn


@pytest.mark.parametrize(("value", "name"), [(0.0999, "p0"), (0.1, "p1"), (0.2, "p2")])
def test_drift_is_coloured_by_the_documented_steps(value: float, name: str) -> None:
    """Below 0.1, to 0.2, and from there on."""
    assert tone(value) == name


def test_a_scale_holds_its_values_and_needs_none() -> None:
    """From zero if asked for; of nothing, from 0 to about 1."""
    assert scale([np.array([2.0, 4.0])]).low == 0
    assert scale([np.array([0.9, 0.95])], zero=False).low > 0.8
    assert scale([np.array([np.nan])]).marks == (0.0, 0.5, 1.0)
    assert scale([np.zeros(3)], least=1.0).high >= 1.0
