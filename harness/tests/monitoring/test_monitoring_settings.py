"""How exactly monitors compute, by the harness's environment."""

import datetime as dt

import pytest

from harness.errors import UserError
from harness.monitoring.settings import MonitorSettings, monitor_settings


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("exact", MonitorSettings(lookback=None, quantile_grid=False), id="everything, exactly"),
        pytest.param("platform", MonitorSettings(lookback=dt.timedelta(days=30), quantile_grid=True), id="thirty days, by quantiles"),
    ],
)
def test_a_setting_says_how_monitors_compute(value: str, expected: MonitorSettings) -> None:
    """Two ways are known."""
    assert monitor_settings(value) == expected


def test_another_setting_is_refused() -> None:
    """With what is expected."""
    with pytest.raises(UserError, match="HARNESS_MONITORS=grid: expected exact or platform"):
        monitor_settings("grid")
