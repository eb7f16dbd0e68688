"""What sampling alone explains: derived exactly, held to laws, and to simulated windows of a world that stands still."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.dashboard.monitor.bands import (
    Band,
    Reference,
    accuracy_band,
    counts,
    kurtosis,
    mae_band,
    mse_band,
    r2_band,
    rmse_band,
)
from harness.dashboard.monitor.facts import Numbers

NOTHING = np.array([np.nan])
NORMAL = float(np.sqrt(2 / np.pi))  # MAE/RMSE of normal errors


def widths(*rows: int) -> Numbers:
    return np.array(rows, dtype=np.float64)


@pytest.mark.parametrize(
    ("mae", "mse", "expected"),
    [
        pytest.param(NORMAL, 1.0, 3.0, id="normal"),
        pytest.param(1.0, 2.0, 6.0, id="Laplace"),
        pytest.param(0.5, 1 / 3, 1.8, id="uniform on -1 to 1"),
        pytest.param(2.0, 4.0, 1.8, id="all errors alike"),
        pytest.param(0.0, 0.0, 1.8, id="no errors"),
    ],
)
def test_the_kurtosis_follows_from_the_two_means(mae: float, mse: float, expected: float) -> None:
    """Known laws, recognised by MAE/RMSE alone."""
    assert kurtosis(mae, mse) == pytest.approx(expected, rel=0.02)


@pytest.mark.property
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40))
def test_the_kurtosis_is_never_below_what_any_law_must_have(errors: list[float]) -> None:
    """E[e⁴] is at least MSE³/MAE²; where the shape would be flatter than any generalised normal, it is that of uniform errors."""
    sample = np.array(errors)
    mae, mse = float(np.mean(np.abs(sample))), float(np.mean(sample**2))
    least = mse / mae**2 if mae > 1e-9 else 1.0
    if mae > 1e-9 and least < 400:  # steeper shapes are cut off
        assert kurtosis(mae, mse) >= least * 0.999


def test_normal_errors_have_the_exact_limits_of_chi_squared() -> None:
    """n·MSE/σ² of n normal errors is χ² with n degrees: with a reference that is known exactly, the band is that."""
    reference = Reference("a law", np.inf, mae=2 * NORMAL, mse=4.0)

    band = mse_band(reference, widths(7), NOTHING)

    assert band.low[0] == pytest.approx(4 * stats.chi2.ppf(0.025, 7) / 7, rel=1e-3)
    assert band.high[0] == pytest.approx(4 * stats.chi2.ppf(0.975, 7) / 7, rel=1e-3)
    assert rmse_band(reference, widths(7), NOTHING).high[0] == pytest.approx(np.sqrt(band.high[0]))


def test_the_variance_of_the_mean_absolute_error_is_exact() -> None:
    """Errors of 1 and 3 by halves: MAE 2, MSE 5, so that |e| varies by 1, and over 100 rows of each side by √(2/100)."""
    band = mae_band(Reference("before", 100, mae=2.0, mse=5.0), widths(100), np.array([2.0]))

    sigma = np.sqrt(1.0 * (1 / 100 + 1 / 100))
    law = stats.gamma(4 / sigma**2, scale=sigma**2 / 2)
    assert (band.low[0], band.high[0]) == pytest.approx((law.ppf(0.025), law.ppf(0.975)))
    assert band.high[0] - 2.0 == pytest.approx(1.96 * sigma, rel=0.05)
    assert band.pvalue[0] > 0.9


def test_r_squared_is_judged_on_the_labels_of_its_window() -> None:
    """With the error of the reference and labels that vary by 10, R² would be 0.6."""
    reference = Reference("before", np.inf, mae=2 * NORMAL, mse=4.0)

    band = r2_band(reference, widths(50), np.array([5.0]), np.array([0.5]))

    assert band.level[0] == pytest.approx(0.6)
    assert band.low[0] < 0.5 < band.high[0]


def test_few_rows_have_binomial_limits() -> None:
    """Ten rows of a world where nine in ten are right: from 7 to 10, by the binomial law itself."""
    band = accuracy_band(Reference("a law", 1e9, accuracy=0.9), widths(10), np.array([0.5]))

    assert (band.low[0], band.high[0]) == (stats.binom.ppf(0.025, 10, 0.9) / 10, stats.binom.ppf(0.975, 10, 0.9) / 10) == (0.7, 1.0)
    assert band.pvalue[0] == pytest.approx(2 * stats.binom.cdf(5, 10, 0.9), rel=1e-4)


def test_a_reference_that_was_always_right_leaves_room() -> None:
    """Twenty of twenty right does not mean that nothing can go wrong; one of one wrong is no proof either."""
    reference = Reference("before", 20, accuracy=1.0)

    assert accuracy_band(reference, widths(20, 2000), np.array([1.0, 1.0])).low == pytest.approx([0.85, 0.885], abs=0.005)
    assert accuracy_band(reference, widths(1), np.array([0.0])).pvalue[0] < 0.05


def test_the_exact_and_the_smooth_form_meet() -> None:
    """At 500 rows and 501 the limits are nearly the same."""
    band = accuracy_band(Reference("before", 5000, accuracy=0.8), widths(500, 501), np.array([0.8, 0.8]))

    assert band.low[0] == pytest.approx(band.low[1], abs=0.003)
    assert band.high[0] == pytest.approx(band.high[1], abs=0.003)


@pytest.mark.parametrize("law", ["normal", "laplace"])
def test_windows_of_a_world_that_stands_still_lie_inside(law: str) -> None:
    """Of two thousand windows about one in twenty lies outside: in mean absolute error, root mean squared error and accuracy."""
    rng = np.random.default_rng(5)
    rows, windows = 120, 2000
    draw = getattr(rng, law)
    before, now = np.abs(draw(size=3000)), np.abs(draw(size=(windows, rows)))
    reference = Reference("before", 3000, float(before.mean()), float((before**2).mean()), accuracy=0.85)
    each = widths(*[rows] * windows)
    mae, rmse = now.mean(axis=1), np.sqrt((now**2).mean(axis=1))
    right = rng.binomial(rows, 0.85, windows) / rows

    for band, seen in (
        (mae_band(reference, each, mae), mae),
        (rmse_band(reference, each, rmse), rmse),
        (accuracy_band(reference, each, right), right),
    ):
        assert 0.02 < _outside(band, seen) < 0.08
        assert not counts(band.pvalue).sum() > 3


def _outside(band: Band, seen: Numbers) -> float:
    return float(np.mean((seen < band.low) | (seen > band.high)))


def test_errors_that_were_all_alike_leave_nothing_to_chance() -> None:
    """A reference without any error: another error is no chance, the same is nothing."""
    band = mae_band(Reference("before", 10, mae=0.0, mse=0.0), widths(5, 5, 0), np.array([0.0, 1.0, np.nan]))

    assert band.pvalue[:2].tolist() == [1.0, 0.0]
    assert np.isnan(band.pvalue[2])


def test_a_window_without_labels_has_no_band() -> None:
    """Nothing was measured there."""
    band = mae_band(Reference("before", 10, mae=1.0, mse=2.0), widths(0), NOTHING)

    assert np.isnan([band.level[0], band.low[0], band.high[0], band.pvalue[0]]).all()


def test_only_tests_that_survive_the_correction_count() -> None:
    """Of twenty tests one at 4 % is chance, one at 0.01 % is not; what was not tested counts for nothing."""
    found = counts(np.array([0.5] * 18 + [0.04, 0.0001, np.nan]))

    assert np.flatnonzero(found).tolist() == [19]
    assert not counts(np.array([np.nan])).any()
