"""Laws of alerts, over rows of the metric tables as they may be: what grows, stands still, comes later or in another order."""

import datetime as dt
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.monitoring.alerts import find_alerts

Row = dict[str, object]
NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)


def window(number: int) -> Row:
    return {"start": day(number), "end": day(number + 1)}


def drift_row(number: int, column: str, *, gap: float, apart: float, stability: float, pvalue: float) -> Row:
    return {
        "window": window(number),
        "granularity": "1 day",
        "model": "*",
        "column_name": column,
        "drift_type": "BASELINE",
        "count_delta": 0,
        "ks_test": {"statistic": gap, "pvalue": pvalue},
        "wasserstein_distance": apart,
        "population_stability_index": stability,
    }


def profile_row(number: int | None, column: str) -> Row:
    plain: Row = {"granularity": None if number is None else "1 day", "model": "*", "column_name": column, "count": 500}
    return plain | {"window": None if number is None else window(number), "quantiles": [float(n) for n in range(100)]}


def told(drift: Sequence[Row]) -> set[tuple[str, dt.datetime]]:
    places = [(int((row["window"]["start"] - day(0)).days), str(row["column_name"])) for row in drift]  # type: ignore[index]  # ours
    profile = [profile_row(None, column) for _, column in places] + [profile_row(number, column) for number, column in places]
    return {(alert.column_name, alert.window_start) for alert in find_alerts(profile, drift, now=NOW, model_id_column="model")}


effects = st.fixed_dictionaries(
    {
        "gap": st.floats(0, 1),
        "apart": st.floats(0, 100),
        "stability": st.floats(0, 5),
        "pvalue": st.sampled_from([0.0, 1e-9, 0.001, 0.003, 0.02, 0.5, 1.0]),
    }
)
drifts = st.dictionaries(st.tuples(st.integers(0, 3), st.sampled_from("abcd")), effects, max_size=10)


def drift_rows(given_: Mapping[tuple[int, str], Mapping[str, float]]) -> list[Row]:
    return [drift_row(number, column, **values) for (number, column), values in given_.items()]


@settings(max_examples=40)
@given(drifts, st.integers(0, 3), st.sampled_from("abcd"), st.floats(0, 3), st.floats(0, 1))
def test_a_larger_shift_never_alarms_less(
    given_: dict[tuple[int, str], dict[str, float]], number: int, column: str, grown: float, shrunk: float
) -> None:
    """Raise a column's distances and lower its p-value: every alert stays."""
    before = told(drift_rows(given_))
    changed = {key: dict(values) for key, values in given_.items()}
    if (number, column) in changed:
        one = changed[number, column]
        changed[number, column] = {name: value * (shrunk if name == "pvalue" else 1 + grown) for name, value in one.items()}

    assert before <= told(drift_rows(changed))


@settings(max_examples=40)
@given(drifts)
def test_a_constant_column_adds_no_alert(given_: dict[tuple[int, str], dict[str, float]]) -> None:
    """A column that never changes makes the others' evidence no stronger."""
    still = [drift_row(number, "still", gap=0.0, apart=0.0, stability=0.0, pvalue=1.0) for number in range(4)]

    assert told(drift_rows(given_) + still) <= told(drift_rows(given_))


@settings(max_examples=40)
@given(drifts, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_means_nothing(given_: dict[tuple[int, str], dict[str, float]], order: object) -> None:
    """Metric tables have no order."""
    shuffled = drift_rows(given_)
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis' random

    assert told(shuffled) == told(drift_rows(given_))


@settings(max_examples=40)
@given(drifts, drifts)
def test_later_windows_take_nothing_back(
    given_: dict[tuple[int, str], dict[str, float]], later: dict[tuple[int, str], dict[str, float]]
) -> None:
    """What alarmed yesterday alarms today."""
    more = drift_rows({(number + 4, column): values for (number, column), values in later.items()})

    assert {alert for alert in told(drift_rows(given_) + more) if alert[1] < day(4)} == told(drift_rows(given_))
