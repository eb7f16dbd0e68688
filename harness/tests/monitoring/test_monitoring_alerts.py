"""Alerts over the metric tables: what is worth one, what chance explains, and laws."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.monitoring.alert_checks import discoveries
from harness.monitoring.alerts import Alert, AlertThresholds, find_alerts
from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.sample import Sample

Row = dict[str, object]
NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)


def config(problem: str = "REGRESSION") -> InferenceLogConfig:
    return InferenceLogConfig(
        problem_type=f"INFERENCE_PROBLEM_TYPE_{problem}",  # type: ignore[arg-type]  # one of two
        timestamp_column="at",
        granularities=("AGGREGATION_GRANULARITY_1_DAY",),
        prediction_column="prediction",
        model_id_column="model",
        label_column="label",
    )


def rows(number: int, columns: Mapping[str, object], size: int = 400) -> pa.Table:
    """Return rows of one day; the prediction is off by one, up or down, so that the mean absolute error is 1."""
    predictions = np.linspace(10.0, 20.0, size)
    plain: dict[str, object] = {
        "at": pa.array([day(number)] * size, pa.timestamp("us", tz="UTC")),
        "model": ["1"] * size,
        "distance": np.random.default_rng(number).normal(5.0, 2.0, size),
        "prediction": predictions,
        "label": predictions + np.resize([1.0, -1.0], size),
    }
    return pa.table({name: pa.array(values) for name, values in (plain | dict(columns)).items()})


def metrics(*days: pa.Table, baseline: pa.Table | None = None, problem: str = "REGRESSION", slicing: str | None = None) -> Metrics:
    table = pa.concat_tables(days)
    expressions = (slicing,) if slicing else ()

    def sample(each: pa.Table) -> Sample:
        return Sample("main.s.t", each, [each[name].cast(pa.string()) for name in expressions])

    base = None if baseline is None else sample(baseline.drop_columns(["at"]))
    return compute(
        Source(sample=sample(table), version=1, config=config(problem), monitor_version=0, baseline=base, slicing=expressions),
    )


def alerts(found: Metrics, *, now: dt.datetime = NOW, limits: AlertThresholds | None = None, model: str | None = "*") -> list[Alert]:
    told = find_alerts(
        found.profile.to_pylist(), found.drift.to_pylist(), now=now, model_id_column="model", label_column="label", thresholds=limits
    )
    return [alert for alert in told if alert.model_id == model]


def test_a_shifted_column_is_told_with_its_figure_range_window_and_model() -> None:
    """The sentence says what a person needs: when, of whom, what, how far, how far is usual."""
    found = metrics(rows(1, {"distance": np.linspace(4.0, 14.0, 400)}), baseline=rows(0, {"distance": np.linspace(0.0, 10.0, 400)}))

    (alert,) = alerts(found, model="1")

    assert (alert.window_start, alert.window_end, alert.granularity) == (day(1), day(2), "1 day")
    assert (alert.slice_key, alert.slice_value, alert.model_id) == (None, None, "1")
    assert (alert.column_name, alert.measure, alert.severity) == ("distance", "population_stability_index", "critical")
    assert (alert.low, alert.high) == (0.0, 0.1)
    assert alert.reason == (
        "2026-03-02 (1 day), model 1: distance is not distributed as in the baseline: on average 9 instead of 5; "
        f"stability index (PSI) {alert.value:.3g}, usual below 0.1 (p-value 2e-29)."
    )


def test_worse_predictions_are_told_beside_what_sampling_explains() -> None:
    """Errors of 1.5 instead of 1 alarm, critically: five times the tenth that matters."""
    worse = rows(1, {"label": np.linspace(10.0, 20.0, 400) + np.resize([1.5, -1.5], 400)})

    (alert,) = alerts(metrics(worse, baseline=rows(0, {})))

    assert (alert.column_name, alert.measure, alert.value, alert.severity) == (":table", "mean_average_error", 1.5, "critical")
    assert (alert.low, alert.high) == (1.0, 1.1)
    assert alert.reason == (
        "2026-03-02 (1 day), all models: the mean absolute error is 1.5 over 400 labelled rows, in the baseline it is 1, usual up to 1.1."
    )


def test_without_a_baseline_quality_is_compared_with_the_windows_before() -> None:
    """The third day is worse than the first two."""
    label = np.linspace(10.0, 20.0, 400) + np.resize([1.25, -1.25], 400)

    found = [alert for alert in alerts(metrics(rows(0, {}), rows(1, {}), rows(2, {"label": label}))) if alert.column_name == ":table"]

    assert [(alert.window_start, alert.severity) for alert in found] == [(day(2), "critical")]
    assert "in the windows before it is 1," in found[0].reason


def test_an_accuracy_that_falls_alarms() -> None:
    """Nine in ten right, then eight in ten."""
    truth = np.resize(["a", "b"], 400)

    def answers(number: int, wrong: int) -> pa.Table:
        given = np.where(np.arange(400) < wrong, np.where(truth == "a", "b", "a"), truth)
        return rows(number, {"prediction": given, "label": truth})

    found = alerts(metrics(answers(1, 80), baseline=answers(0, 40), problem="CLASSIFICATION"))

    assert [(alert.measure, alert.value, alert.severity) for alert in found] == [("accuracy_score", 0.8, "critical")]
    assert found[0].reason.startswith("2026-03-02 (1 day), all models: the accuracy is 0.800 over 400 labelled rows")


@pytest.mark.parametrize(
    ("columns", "measure"),
    [
        pytest.param({"distance": [None] * 100 + [5.0] * 300}, "percent_null", id="numbers stay away"),
        pytest.param({"zone": ["north"] * 200 + ["south"] * 200}, "tv_distance", id="another mix of categories"),
    ],
)
def test_other_columns_alarm_by_the_measure_that_fits(columns: Mapping[str, Sequence[object]], measure: str) -> None:
    """NULLs of any column, categories of a text."""
    usual: dict[str, object] = {"distance": [5.0] * 400, "zone": ["north"] * 320 + ["south"] * 80}

    found = alerts(metrics(rows(1, usual | dict(columns)), baseline=rows(0, usual)))

    assert [(alert.measure, alert.severity) for alert in found] == [(measure, "critical")]


def test_a_collapse_of_demand_alarms() -> None:
    """A fifth of the rows that came on each of the four days before."""
    found = alerts(metrics(*(rows(number, {}) for number in range(4)), rows(4, {}, size=80)))

    assert [(alert.window_start, alert.measure, alert.value, alert.low, alert.high) for alert in found] == [
        (day(4), "count", 80.0, 200.0, 600.0)
    ]
    assert found[0].reason == "2026-03-05 (1 day), all models: 80 rows came, usual are 400, from 200 to 600."


def test_an_unfinished_window_is_not_judged() -> None:
    """The day of the shift counts once it is over."""
    found = metrics(rows(1, {"distance": np.linspace(40.0, 50.0, 400)}), baseline=rows(0, {}))

    assert alerts(found, now=day(2) - dt.timedelta(seconds=1)) == []
    assert [alert.column_name for alert in alerts(found, now=day(2))] == ["distance"]


def test_a_window_says_the_same_when_others_have_followed() -> None:
    """With a baseline, the rows of a day in the metric tables are those that it had when it was the newest."""
    days, base = [rows(number, {}) for number in range(4)], rows(9, {})
    early, late = metrics(*days[:2], baseline=base), metrics(*days, baseline=base)

    for then, now in ((early.profile, late.profile), (early.drift, late.drift)):
        told = [row for row in now.to_pylist() if row["window"] is None or row["window"]["end"] <= day(2)]
        assert sorted(map(repr, told)) == sorted(map(repr, then.to_pylist()))


def test_few_rows_are_not_judged() -> None:
    """Below the fewest rows even another world says nothing."""
    far = {"distance": np.full(29, 50.0), "label": np.full(29, 500.0)}

    assert alerts(metrics(rows(1, far, size=29), baseline=rows(0, {}))) == []


def test_labels_that_are_still_to_come_are_no_fall_in_quality() -> None:
    """Of the newest day only the worst tenth has labels: neither its error nor its NULLs alarm; once all are there it is judged."""
    truth = np.linspace(10.0, 20.0, 400) + np.resize([1.0, -1.0], 400)
    early = pa.array([value + 9 if number < 40 else None for number, value in enumerate(truth)])
    usual = [rows(number, {}) for number in range(3)]

    assert alerts(metrics(*usual, rows(3, {"label": early}), baseline=rows(9, {}))) == []
    found = alerts(metrics(*usual, rows(3, {"label": truth + 9}), baseline=rows(9, {})))
    assert {alert.measure for alert in found if alert.column_name == ":table"} == {"mean_average_error"}


def test_a_column_that_tells_the_time_is_not_judged() -> None:
    """The month or weekday is another in each window; a sensor that is stuck at one value alarms."""
    base = rows(9, {"weekday": np.resize(np.arange(7.0), 400), "sensor": np.linspace(0.0, 1.0, 400)})
    days = [rows(number, {"weekday": np.full(400, float(number)), "sensor": np.full(400, 0.25)}) for number in range(4)]

    assert [(alert.column_name, alert.window_start) for alert in alerts(metrics(*days, baseline=base))] == [
        ("sensor", day(number)) for number in range(4)
    ]


def test_a_column_of_names_is_not_judged() -> None:
    """Request ids are others in every window; a text that changes once and stays so alarms."""
    days = [
        rows(number, {"request": [f"{number} {row % 4}" for row in range(400)], "zone": ["north" if number < 3 else "nord"] * 400})
        for number in range(5)
    ]

    assert [(alert.column_name, alert.window_start) for alert in alerts(metrics(*days))] == [("zone", day(3))]


def test_a_column_that_the_baseline_lacks_is_not_judged() -> None:
    """What the model does not know is no drift of its data."""
    base = rows(9, {}).append_column("zone", pa.array(["north"] * 400))
    days = [rows(0, {"zone": ["north"] * 400, "status": [200] * 400}), rows(1, {"zone": ["north"] * 400, "status": [500] * 400})]

    assert alerts(metrics(*days, baseline=base)) == []
    assert [alert.column_name for alert in alerts(metrics(*days))] == ["status"]


def test_a_column_may_be_left_out() -> None:
    """`ignore` names columns that nobody wants to hear of."""
    found = metrics(rows(1, {"distance": np.linspace(40.0, 50.0, 400)}), baseline=rows(0, {}))

    assert alerts(found, limits=AlertThresholds(ignore=frozenset({"distance"}))) == []


def test_a_slice_alarms_by_itself() -> None:
    """One zone's trips are longer: its slice says so first, the whole does not."""
    zones = np.resize(["north", "south", "south", "south", "south", "south", "south", "south"], 800)
    usual = np.linspace(4.0, 6.0, 800)
    longer = np.where(zones == "north", usual + 0.9, usual)

    base = rows(0, {"zone": zones, "distance": usual}, 800)
    found = metrics(rows(1, {"zone": zones, "distance": longer}, 800), baseline=base, slicing="zone")

    assert [(alert.slice_key, alert.slice_value, alert.column_name) for alert in alerts(found)] == [("zone", "north", "distance")]


def test_one_absurd_value_is_no_drift() -> None:
    """A fare of 429,490.20 among four hundred moves the mean by a thousand and the distribution by nothing."""
    usual = np.random.default_rng(7).normal(13.0, 9.0, 400)
    broken = np.concatenate([usual[1:], [429490.2]])

    assert alerts(metrics(rows(1, {"distance": broken}), baseline=rows(0, {"distance": usual}))) == []


def test_benjamini_and_hochberg() -> None:
    """The largest rank that passes takes all smaller p-values with it."""
    assert discoveries({"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.9}, 0.05) == {"a", "b", "c"}
    assert discoveries({"a": 0.02, "b": 0.06, "c": 0.9}, 0.05) == frozenset()
    assert discoveries({}, 0.05) == frozenset()


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        pytest.param({"stability": 0.0}, "alert thresholds: stability is 0.0; expected a number above 0", id="no effect"),
        pytest.param({"shift": float("nan")}, "alert thresholds: shift is nan; expected a number above 0", id="not a number"),
        pytest.param({"false_alarms": 1.0}, "alert thresholds: false_alarms is 1.0; expected a share between 0 and 1", id="always"),
        pytest.param({"labelled": -0.1}, "alert thresholds: labelled is -0.1; expected a share from 0 to 1", id="negative share"),
        pytest.param({"rows": 1}, "alert thresholds: rows is 1; expected at least 2", id="one row"),
    ],
)
def test_a_bad_threshold_is_refused(given_: dict[str, float], message: str) -> None:
    """With its name, its value and what was expected."""
    with pytest.raises(UserError, match=message):
        AlertThresholds(**given_)  # type: ignore[arg-type]  # one of them


@pytest.mark.parametrize("size", [60, 2_000])
def test_a_world_that_stands_still_is_quiet(size: int) -> None:
    """Of forty windows of one law, five columns each, at most two alarm."""
    draws = np.random.default_rng(size)

    def columns(count: int) -> dict[str, object]:
        predictions = draws.normal(13.0, 9.0, count)
        return {
            "distance": draws.lognormal(0.6, 0.9, count),
            "hour": draws.integers(0, 24, count).astype(float),
            "zone": draws.choice([f"zone {number}" for number in range(30)], count),
            "prediction": predictions,
            "label": predictions + draws.laplace(0.0, 1.4, count),
        }

    days = [rows(number, columns(size), size) for number in range(40)]

    found = alerts(metrics(*days, baseline=rows(0, columns(10_000), 10_000)))

    assert len({alert.window_start for alert in found}) <= 2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60), st.integers(1, 4))
def test_identical_windows_never_alarm(values: list[float], days: int) -> None:
    """Whatever the values and the baseline: a window that is like it differs by nothing."""
    same = {"distance": values, "prediction": values, "label": [value + 1 for value in values]}
    size = len(values)

    found = metrics(*(rows(number, same, size) for number in range(days)), baseline=rows(0, same, size))

    assert alerts(found) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 3.0), st.floats(1.0, 4.0))
def test_what_alarms_by_its_gap_or_distance_alarms_further_out(seed: int, shift: float, times: float) -> None:
    """Moving a column further from its baseline keeps the alert that its distances gave."""
    values = np.random.default_rng(seed).normal(0.0, 1.0, 200)
    # The stability index of few rows is no monotone figure: it is left out.
    limits = AlertThresholds(stability=1e9)

    def alarms(by: float) -> bool:
        still = {"prediction": values, "label": values + 1}
        found = metrics(rows(1, still | {"distance": values + by}, 200), baseline=rows(0, still | {"distance": values}, 200))
        return bool(alerts(found, limits=limits))

    assert alarms(shift * times) or not alarms(shift)
