"""The drift measures: published reference values, SciPy, and laws."""

import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, kstwo, wasserstein_distance

from harness.monitoring.compute import Source, compute
from harness.monitoring.drift import Gap, categorical_drift, effective_rows, grid_drift, numeric_drift
from harness.monitoring.kolmogorov import ks_pvalues
from harness.monitoring.sample import Sample

CASES = Path(os.environ.get("HARNESS_CONTRACT", Path(__file__).parents[4] / "shared" / "contract")) / "drift-cases.json"
numbers = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=60).map(lambda xs: np.sort(np.array(xs)))
counts = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12).filter(
    lambda pairs: sum(a for a, _ in pairs) > 0 and sum(b for _, b in pairs) > 0
)
Numbers = npt.NDArray[np.float64]
Pairs = list[tuple[int, int]]


def ordered(*values: float) -> Numbers:
    return np.sort(np.array(values, dtype=np.float64))


def ks_pvalue(gap: Gap) -> float:
    return float(ks_pvalues(np.array([gap.statistic]), np.array([gap.rows]))[0])


@pytest.mark.parametrize(
    ("rows", "base_rows", "statistic", "pvalue"),
    [
        pytest.param(523, 941, 0.049, 0.3829208808885818, id="first published row"),
        pytest.param(941, 1192, 0.038, 0.4228041687817168, id="second published row"),
        pytest.param(1192, 1344, 0.062, 0.014853915612309707, id="third published row"),
    ],
)
def test_the_p_value_equals_the_published_one_to_the_last_bit(rows: int, base_rows: int, statistic: float, pvalue: float) -> None:
    """The p-value of a KS statistic is the one a real workspace wrote."""
    assert ks_pvalue(Gap(statistic, effective_rows(rows, base_rows))) == pvalue


@pytest.mark.property
@given(
    rows=st.lists(st.one_of(st.integers(1, 140), st.integers(141, 2_000), st.integers(2_001, 20_000)), min_size=1, max_size=3),
    parts=st.integers(2, 700),
    reach=st.floats(0.2, 3.0),
)
def test_many_p_values_at_once_are_those_of_scipy_to_the_last_bit(rows: list[int], parts: int, reach: float) -> None:
    """Law: whatever way SciPy takes for a statistic, and whatever other statistics are asked for with it."""
    n = np.repeat(rows, 12)
    # Steps of a share of the rows, as two samples' statistics have them, around what is probable.
    statistics = np.clip(np.round(np.tile(np.linspace(0.15, reach, 12), len(rows)) / np.sqrt(n) * parts) / parts, 0.0, 1.0)

    np.testing.assert_array_equal(ks_pvalues(statistics, n), kstwo.sf(statistics, n))


def test_p_values_of_small_windows_are_those_of_scipy_to_the_last_bit() -> None:
    """Hundreds of statistics of up to 140 rows: the recursion and the matrices, of every shape, scaled on the way and not."""
    draws = np.random.default_rng(1)
    sides = draws.integers(4, 300, (2, 800))
    n = np.array([effective_rows(*pair) for pair in sides.T.tolist()])
    statistics = np.clip(np.round(draws.uniform(0.3, 2.0, len(n)) / np.sqrt(n) * sides[0]) / sides[0], 0.0, 1.0)

    np.testing.assert_array_equal(ks_pvalues(statistics, n), kstwo.sf(statistics, n))


def test_no_statistic_has_no_p_value() -> None:
    """A refresh without a number to compare."""
    assert ks_pvalues(np.empty(0), np.empty(0, np.int64)).tolist() == []


def test_a_shift_by_one_has_the_values_computed_by_hand() -> None:
    """Ten whole numbers moved by one: D is a tenth, W is one, and only two of the ten decile bins change."""
    drift = numeric_drift(ordered(*range(2, 12)), ordered(*range(1, 11)))

    assert drift.ks_test.statistic == pytest.approx(0.1)
    assert drift.wasserstein_distance == pytest.approx(1.0)
    assert drift.population_stability_index == pytest.approx((1e-4 - 0.1) * np.log(1e-4 / 0.1) + 0.1 * np.log(2))


def test_constants_apart_are_as_far_as_the_floor_allows() -> None:
    """A constant that changes has D 1, p 0, W the gap and the largest PSI two bins can have."""
    drift = numeric_drift(np.full(12, 7.0), np.full(12, 5.0))

    assert (drift.ks_test, ks_pvalue(drift.ks_test)) == (Gap(1.0, 6), 0.0)
    assert drift.wasserstein_distance == 2.0
    assert drift.population_stability_index == pytest.approx(18.41883867587797)


def test_moderate_categorical_shift_has_the_reference_values() -> None:
    """30/50/20 against 50/30/20 gives the published reference distances and test."""
    drift = categorical_drift(np.array([30, 50, 20]), np.array([50, 30, 20]))

    assert drift.js_distance == pytest.approx(0.19092615761081028)
    assert drift.tv_distance == pytest.approx(0.2)
    assert drift.l_infinity_distance == pytest.approx(0.2)
    assert drift.chi_squared_test is not None
    assert drift.chi_squared_test.statistic == pytest.approx(10.0)
    assert drift.chi_squared_test.pvalue == pytest.approx(0.006737946999085468)


def test_one_category_has_no_chi_squared_test() -> None:
    """With a single category in both samples there is nothing to test."""
    assert categorical_drift(np.array([4]), np.array([9])).chi_squared_test is None


@pytest.mark.skipif(not CASES.exists(), reason="the contract folder is not part of the repository")
def test_every_reference_case_agrees() -> None:
    """D, p, W, PSI, JS, chi², TV and L∞ equal the reference file's values."""
    cases = json.loads(CASES.read_text())
    for case in cases["numeric"]:
        drift, expected = numeric_drift(ordered(*case["current"]), ordered(*case["base"])), case["expected"]
        assert drift.ks_test.statistic == pytest.approx(expected["ks_statistic"]), case["id"]
        assert ks_pvalue(drift.ks_test) == pytest.approx(expected["ks_pvalue_asymp"]), case["id"]
        assert drift.wasserstein_distance == pytest.approx(expected["wasserstein_distance"]), case["id"]
        assert drift.population_stability_index == pytest.approx(expected["psi_base_deciles"]["value"]), case["id"]
        grid = grid_drift(ordered(*case["current"]), ordered(*case["base"]))
        assert grid.ks_test.statistic == pytest.approx(expected["grid1000_mid"]["ks_statistic"]), case["id"]
        assert ks_pvalue(grid.ks_test) == pytest.approx(expected["grid1000_mid"]["ks_pvalue"]), case["id"]
        assert grid.wasserstein_distance == pytest.approx(expected["grid1000_mid"]["wasserstein"]), case["id"]
    for case in cases["categorical"]:
        expected = case["expected"]
        shift = categorical_drift(np.array(expected["counts_current"]), np.array(expected["counts_base"]))
        assert shift.js_distance == pytest.approx(expected["js_distance_base_2"], abs=1e-12), case["id"]
        assert shift.tv_distance == pytest.approx(expected["tv_distance"]), case["id"]
        assert shift.l_infinity_distance == pytest.approx(expected["l_infinity_distance"]), case["id"]
        assert shift.chi_squared_test is not None
        assert shift.chi_squared_test.statistic == pytest.approx(expected["chi2_two_sample"]["statistic"]), case["id"]
        assert shift.chi_squared_test.pvalue == pytest.approx(expected["chi2_two_sample"]["pvalue"]), case["id"]


@pytest.mark.skipif(not CASES.exists(), reason="the contract folder is not part of the repository")
def test_every_observed_p_value_agrees() -> None:
    """What a real workspace wrote, to the last bit."""
    for row in json.loads(CASES.read_text())["observed_databricks_ks"]["rows"]:
        assert ks_pvalue(Gap(row["statistic"], effective_rows(row["n_current"], row["n_base"]))) == row["pvalue_observed"]


@pytest.mark.skipif(not CASES.exists(), reason="the contract folder is not part of the repository")
def test_every_reference_case_agrees_in_the_metric_tables() -> None:
    """The same through a snapshot and its drift row: counts and means change by what the reference says."""
    cases = json.loads(CASES.read_text())
    for case in cases["numeric"]:
        row, expected = drift_row(np.array(case["current"], float), np.array(case["base"], float)), case["expected"]
        assert row["count_delta"] == expected["n_current"] - expected["n_base"], case["id"]
        assert row["avg_delta"] == pytest.approx(expected["avg_delta"]), case["id"]
        assert row["wasserstein_distance"] == pytest.approx(expected["wasserstein_distance"]), case["id"]
    for case in cases["categorical"]:
        sides = [np.repeat(list(case[side]), list(case[side].values())) for side in ("current", "base")]
        row, expected = drift_row(*sides), case["expected"]
        assert row["tv_distance"] == pytest.approx(expected["tv_distance"]), case["id"]
        assert row["js_distance"] == pytest.approx(expected["js_distance_base_2"], abs=1e-12), case["id"]
        chi = {name: expected["chi2_two_sample"][name] for name in ("statistic", "pvalue")}
        assert row["chi_squared_test"] == pytest.approx(chi), case["id"]


def drift_row(current: npt.NDArray[np.generic], base: npt.NDArray[np.generic]) -> dict[str, object]:
    samples = [Sample("main.s.t", pa.table({"value": values})) for values in (current, base)]
    source = Source(sample=samples[0], version=1, config=None, monitor_version=0).at(2, samples[1], 1)
    (found,) = [row for row in compute(source).drift.to_pylist() if row["column_name"] == "value"]
    return dict(found)


@pytest.mark.property
@pytest.mark.filterwarnings("ignore:ks_2samp")  # SciPy's own p-value for tiny samples, which is not looked at
@given(numbers, numbers)
def test_numeric_distances_agree_with_scipy_and_keep_their_bounds(current: Numbers, base: Numbers) -> None:
    """D and W are SciPy's; D and p lie in [0, 1]; W is at least the difference of means; PSI is never negative."""
    drift = numeric_drift(current, base)

    assert drift.ks_test.statistic == pytest.approx(ks_2samp(current, base, method="exact").statistic)
    assert drift.wasserstein_distance == pytest.approx(wasserstein_distance(current, base), rel=1e-6, abs=1e-6)
    assert 0 <= drift.ks_test.statistic <= 1
    assert 0 <= ks_pvalue(drift.ks_test) <= 1
    assert drift.wasserstein_distance >= abs(current.mean() - base.mean()) - 1e-6
    assert drift.population_stability_index >= 0


@pytest.mark.property
@given(numbers, numbers)
def test_d_and_w_do_not_care_which_sample_comes_first(current: Numbers, base: Numbers) -> None:
    """Both distances are symmetric."""
    there, back = numeric_drift(current, base), numeric_drift(base, current)

    assert there.ks_test == back.ks_test
    assert there.wasserstein_distance == pytest.approx(back.wasserstein_distance)


@pytest.mark.property
@given(numbers)
def test_a_sample_does_not_drift_from_itself(sample: Numbers) -> None:
    """Against itself every distance is zero and the p-value one."""
    drift = numeric_drift(sample, sample)

    assert (drift.ks_test.statistic, drift.wasserstein_distance, drift.population_stability_index) == (0.0, 0.0, 0.0)
    assert ks_pvalue(drift.ks_test) == 1.0


@pytest.mark.property
@given(counts)
def test_categorical_distances_agree_with_scipy(pairs: Pairs) -> None:
    """JS, TV, L∞ and chi² equal SciPy's, and lie in [0, 1] where they must."""
    current, base = np.array(pairs).T
    drift = categorical_drift(current, base)
    p, q = current / current.sum(), base / base.sum()

    assert drift.js_distance == pytest.approx(jensenshannon(p, q, base=2), abs=1e-6)
    assert drift.tv_distance == pytest.approx(np.abs(p - q).sum() / 2)
    assert 0 <= drift.l_infinity_distance <= drift.tv_distance + 1e-12 <= 1 + 1e-9
    table = np.array([current, base])[:, (current + base) > 0]
    if table.shape[1] > 1:
        assert drift.chi_squared_test is not None
        assert drift.chi_squared_test.statistic == pytest.approx(chi2_contingency(table, correction=False).statistic, abs=1e-9)
