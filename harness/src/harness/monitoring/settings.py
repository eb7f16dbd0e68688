"""Whether monitors compute as exactly as they can, or as the platform seems to: `HARNESS_MONITORS` in the environment of the harness."""

import datetime as dt
from dataclasses import dataclass

from harness.errors import UserError

SETTING = "HARNESS_MONITORS"
EXACT, PLATFORM = "exact", "platform"


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """`lookback` and `quantile_grid` as `MonitoringService` has them."""

    lookback: dt.timedelta | None = None
    quantile_grid: bool = False


def monitor_settings(value: str) -> MonitorSettings:
    """Return the settings that a value means: all windows, compared exactly; or the last 30 days, by a thousand quantiles."""
    if value == EXACT:
        return MonitorSettings()
    if value == PLATFORM:
        # 30 days before the monitor's creation: docs.databricks.com, data profiling, footnote on the first run.
        return MonitorSettings(lookback=dt.timedelta(days=30), quantile_grid=True)
    raise UserError(f"{SETTING}={value}: expected {EXACT} or {PLATFORM}")
