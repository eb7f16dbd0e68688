"""The verdict: literal findings, what lasts, and how often chance alone alarms."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.thresholds import Thresholds, read_thresholds
from monitoring_unpacker.verdict import Drift, Quality, Requests, Verdict, asked_before, judge

DEFAULTS = Thresholds()
FIRST = datetime(2026, 1, 5, tzinfo=UTC)


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number)


def quality(number: int | None, error: float = 1.0, rows: int = 1000) -> Quality:
    return Quality(None if number is None else day(number), rows, error, 2.5 * error**2)


def drift(number: int, distance: float = 0.01, column: str = "fare", rows: int = 1000) -> Drift:
    return Drift(day(number), column, rows, rows, 2000, distance)


def measured(start: datetime | None, errors: np.ndarray) -> Quality:
    return Quality(start, len(errors), float(np.abs(errors).mean()), float((errors**2).mean()))


def kolmogorov(one: np.ndarray, other: np.ndarray) -> float:
    samples = [np.sort(one), np.sort(other)]
    points = np.concatenate(samples)
    shares = [np.searchsorted(sample, points, side="right") / len(sample) for sample in samples]
    return float(np.abs(shares[0] - shares[1]).max())


def test_f21_error_that_lasts_is_an_alert_that_asks_for_a_training() -> None:
    """Two of the three newest windows are a third worse than the baseline: alert, retrain, and a sentence that says so."""
    found = judge([quality(None), quality(0), quality(1, 1.3), quality(2, 1.35)], [], DEFAULTS)

    assert (found.outcome, found.retrain) == ("alert", True)
    assert found.reason == "2026-01-07 00:00: mean absolute error 1.35 (+35% against 1, limit 1.151) over 1000 labelled rows"


def test_single_bad_window_is_ok() -> None:
    """One window above its limit is remembered, and does not last."""
    found = judge([quality(None), quality(0), quality(1, 1.4), quality(2)], [], DEFAULTS)

    assert (found.outcome, found.retrain, [finding.alert for finding in found.findings]) == ("ok", False, [False, True, False])
    assert found.reason == "3 checks, 1 of single windows above their limits, none that lasts"


def test_labels_that_come_late_are_judged_when_they_come() -> None:
    """The newest windows of a check are those that it can judge: here labels come three windows after the rows."""
    windows = [quality(None), quality(0), quality(1, 1.4), quality(2, 1.4)]
    found = judge(windows, [drift(number) for number in range(6)], DEFAULTS)
    assert ([finding.check for finding in found.persistent], found.retrain) == (["error"], True)


def test_old_alerts_do_not_count() -> None:
    """What was bad a month ago and is good now asks for nothing."""
    found = judge([quality(None), quality(0, 2.0), quality(1, 2.0), quality(2), quality(3), quality(4)], [], DEFAULTS)
    assert found.outcome == "ok"


def test_without_a_baseline_windows_are_compared_with_those_before() -> None:
    """The first window has nothing to be compared with."""
    found = judge([quality(0), quality(1), quality(2, 1.5), quality(3, 1.6)], [], DEFAULTS)
    assert [finding.start for finding in found.findings] == [day(1), day(2), day(3)]
    assert found.retrain


@pytest.mark.parametrize(
    ("windows", "changes"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([quality(0)], [], id="one window"),
        pytest.param([quality(None), quality(0, 9.0, rows=29), quality(1, 9.0, rows=29)], [], id="too few labelled rows"),
        pytest.param([quality(None, rows=3), quality(0, 9.0, rows=29)], [], id="baseline too small"),
        pytest.param([], [drift(0, 0.9, rows=29)], id="too few rows to drift"),
        pytest.param([Quality(None, 100), Quality(day(0), 100)], [], id="no labels"),
    ],
)
def test_too_little_is_no_data_and_never_a_training(windows: list[Quality], changes: list[Drift]) -> None:
    """Nothing to say is said, and starts nothing."""
    found = judge(windows, changes, DEFAULTS)
    assert (found.outcome, found.retrain, found.findings) == ("no_data", False, ())
    assert found.reason == "no window has enough rows and something to compare with"


def test_drift_of_a_column_that_lasts_is_named() -> None:
    """Each column by itself: the one that drifted twice is the reason."""
    changes = [drift(0, 0.2), drift(1, 0.25), drift(0, 0.3, "tip"), drift(1, 0.02, "tip"), drift(0, 0.05, "zone"), drift(1, 0.05, "zone")]
    found = judge([], changes, DEFAULTS)
    assert [finding.column for finding in found.persistent if finding.check == "drift"] == ["fare"]
    assert found.reason == "2026-01-06 00:00: fare drifted by 0.250 (limit 0.100) over 1000 rows"


def test_nulls_alert_and_start_no_training() -> None:
    """A column that is suddenly empty is for those who deliver it; a window without any value has no distance at all."""
    empty = [replace(drift(number), rows=0, distance=None, nulls=1.0, null_rise=1.0) for number in (0, 1)]
    found = judge([], empty, DEFAULTS)
    assert (found.outcome, found.retrain) == ("alert", False)
    assert found.reason == "2026-01-06 00:00: fare is NULL in 100.0% (against 0.0%, limit 5.0%) of 1000 rows"


def test_accuracy_of_a_classification_that_falls_is_an_alert() -> None:
    """Points of accuracy, not shares of it."""
    found = judge([Quality(None, 500, accuracy=0.9), *[Quality(day(number), 500, accuracy=0.8) for number in (0, 1)]], [], DEFAULTS)
    assert (found.outcome, found.retrain) == ("alert", True)
    assert found.reason.startswith("2026-01-06 00:00: accuracy 0.800 (against 0.900, limit 0.856)")


def test_absolute_limit_holds_whatever_the_reference_says() -> None:
    """A team that can bear two dollars says so: a bad baseline excuses nothing, and none is needed."""
    bound = replace(DEFAULTS, error_limit=2.0)
    found = judge([quality(None, 2.1), quality(0, 2.1), quality(1, 2.1)], [], bound)
    assert (found.outcome, found.retrain) == ("alert", True)
    assert found.reason == "2026-01-06 00:00: mean absolute error 2.1 (+0% against 2.1, limit 2) over 1000 labelled rows"
    alone = judge([quality(0, 2.1), quality(1, 2.1)], [], bound)
    assert alone.reason == "2026-01-06 00:00: mean absolute error 2.1 (+0% against 2.1, limit 2) over 1000 labelled rows"
    assert judge([quality(0, 1.9)], [], bound).outcome == "ok"


def test_labels_that_stay_away_alert_where_they_are_expected() -> None:
    """Labels may come late, so by default nobody waits for them; and no training can mend it."""
    windows = [Quality(day(number), 0, total=1000, labelled=100) for number in (0, 1)]
    assert judge(windows, [], DEFAULTS).outcome == "no_data"
    found = judge(windows, [], replace(DEFAULTS, unlabelled=0.5))
    assert (found.outcome, found.retrain) == ("alert", False)
    assert found.reason == "2026-01-06 00:00: 90.0% of 1000 rows have no label (limit 50.0%)"


def test_requests_that_cannot_be_read_alert_and_start_no_training() -> None:
    """Figures over the rest would look fine; also when there is no rest at all."""
    found = judge([], [], DEFAULTS, requests=[Requests(day(0), 100, 6), Requests(day(1), 100, 100), Requests(day(2), 29, 29)])
    assert (found.outcome, found.retrain) == ("alert", False)
    assert found.reason == "2026-01-06 00:00: 100.0% of 100 requests are in quarantine (limit 5.0%)"


def test_requests_alone_say_nothing_about_the_model() -> None:
    """All were read, and no window can be judged: that is no data, not ok."""
    assert judge([], [], DEFAULTS, requests=[Requests(day(0), 100, 0)]).outcome == "no_data"


def test_same_windows_ask_only_once() -> None:
    """A training is asked for again only by a later window, or of another version."""
    found = judge([quality(None), quality(0, 2.0), quality(1, 2.0)], [], DEFAULTS)
    assert not asked_before(found.persistent, {}, "3")
    assert asked_before(found.persistent, {"3": day(1)}, "3")
    assert not asked_before(found.persistent, {"3": day(0)}, "3")
    assert not asked_before(found.persistent, {"2": day(1)}, "3")


def stationary(seed: int, rows: int) -> tuple[Verdict, int]:
    """Return the verdict over twenty windows of one law: errors with heavy tails, a skewed and a categorical column."""
    draws = np.random.default_rng(seed)
    base, base_zones = draws.gamma(2.0, 1.5, 2000), draws.choice(6, 2000)
    windows, changes = [measured(None, draws.laplace(0, 1.3, 2000))], []
    for number in range(20):
        windows.append(measured(day(number), draws.laplace(0, 1.3, rows)))
        changes.append(Drift(day(number), "distance", rows, rows, 2000, kolmogorov(draws.gamma(2.0, 1.5, rows), base)))
        zones = [np.bincount(sample, minlength=6) / len(sample) for sample in (draws.choice(6, rows), base_zones)]
        changes.append(Drift(day(number), "zone", rows, rows, 2000, float(np.abs(zones[0] - zones[1]).sum() / 2), categories=6))
    return judge(windows, changes, DEFAULTS), 20


@pytest.mark.parametrize("rows", [33, 200, 2000, 50_000])
def test_chance_alarms_in_at_most_one_window_of_twenty(rows: int) -> None:
    """Of 400 windows without any change, at most 5 % hold an alert, whether small or large; nothing lasts."""
    alarmed = windows = 0
    for seed in range(20):
        found, count = stationary(seed, rows)
        alarmed += len({finding.start for finding in found.findings if finding.alert})
        windows += count
        assert found.outcome == "ok", found.reason
    assert alarmed <= 0.05 * windows


@pytest.mark.parametrize("reference", [None, 40, 2000], ids=["no baseline", "small baseline", "baseline"])
@pytest.mark.parametrize("rows", [30, 100, 500, 5000])
def test_heavy_tails_alarm_no_oftener(rows: int, reference: int | None) -> None:
    """Few rows of a law with a long tail mostly miss it: what the other side shows of the spread counts too."""
    alarmed = asked = 0
    for seed in range(30):
        draws = np.random.default_rng(seed)
        baseline = [] if reference is None else [measured(None, draws.lognormal(0, 1.5, reference))]
        found = judge([*baseline, *(measured(day(number), draws.lognormal(0, 1.5, rows)) for number in range(20))], [], DEFAULTS)
        alarmed += sum(finding.alert for finding in found.findings)
        asked += found.retrain
    assert alarmed <= 0.05 * 30 * 20
    assert asked <= 1


@pytest.mark.parametrize("rows", [100, 1000])
def test_fares_that_rise_by_a_tenth_are_found_within_two_windows(rows: int) -> None:
    """A model that learned the old fares is off by a tenth of each fare: the second window after the change gives the verdict."""
    draws = np.random.default_rng(7)
    windows = [measured(None, draws.normal(0, 1.6, 2000))]
    for number in range(6):
        fares = draws.gamma(2.2, 6.0, rows) + 2.5
        windows.append(measured(day(number), draws.normal(0, 1.6, rows) - (0.1 * fares if number >= 4 else 0.0)))

    assert judge(windows[:-2], [], DEFAULTS).outcome == "ok"
    assert judge(windows[:-1], [], DEFAULTS).outcome == "ok"
    assert judge(windows, [], DEFAULTS).retrain


def test_shock_of_demand_is_found_as_drift() -> None:
    """Trips a third longer than those of the baseline, twice."""
    draws = np.random.default_rng(3)
    base = draws.gamma(2.0, 1.5, 2000)
    changes = [Drift(day(n), "distance", 500, 500, 2000, kolmogorov(draws.gamma(2.0, 1.5, 500) * 1.33, base)) for n in range(2)]
    assert judge([], changes, DEFAULTS).retrain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "is not JSON", id="not JSON"),
        pytest.param("[1]", "expected an object such as", id="list"),
        pytest.param('{"mae": 1}', "unknown key 'mae'; known: error_rise, accuracy_drop", id="unknown"),
        pytest.param('{"rows": 30.5}', "rows is 30.5; expected a whole number", id="fraction of a row"),
        pytest.param('{"drift": "0.1"}', "drift is '0.1'; expected a number", id="text"),
        pytest.param('{"drift": -1}', "drift is -1; expected a number from 0 on", id="negative"),
        pytest.param('{"alerts": 4}', "alerts 4, windows 3, rows 30; expected 1 <= alerts <= windows", id="more alerts than windows"),
        pytest.param('{"quarantine": 1.1}', "quarantine is 1.1; expected a share from 0 to 1", id="more than all"),
        pytest.param('{"error_limit": 0}', "error_limit is 0; expected a number above 0, or null", id="no error at all"),
        pytest.param('{"drift": null}', "drift is None; expected a number", id="null"),
        pytest.param('{"drift": NaN}', "drift is nan; expected a number from 0 on", id="NaN"),
        pytest.param('{"false_alarms": 0}', "expected a share between 0 and 1", id="no false alarm at all"),
    ],
)
def test_bad_thresholds_are_refused_by_name(text: str, message: str) -> None:
    """The key, what it is, and what was expected."""
    with pytest.raises(MonitoringError, match=message):
        read_thresholds(text)


def test_thresholds_left_out_are_the_defaults() -> None:
    """Only what is given changes."""
    assert read_thresholds('{"error_rise": 0.2, "error_limit": null}') == replace(DEFAULTS, error_rise=0.2)
    assert read_thresholds('{"error_limit": 3}').error_limit == 3
