"""Time zones by Java's names."""

import datetime as dt
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.zones import UnknownZoneError, zone


@pytest.mark.parametrize(("name", "hours"), [("PST", -8), ("EST", -5), ("IST", 5.5), ("UTC", 0), ("Europe/Berlin", 1)], ids=str)
def test_java_s_names_mean_what_they_mean_to_java(name: str, hours: float) -> None:
    """In January, where they have summer time."""
    assert dt.datetime(2026, 1, 15, tzinfo=zone(name)).utcoffset() == dt.timedelta(hours=hours)


@given(st.sampled_from(sorted(available_timezones())))
def test_every_zone_of_the_tz_database_is_taken(name: str) -> None:
    """By its own name."""
    assert zone(name).key == name


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "PSTX"])
def test_a_name_of_no_zone_is_told(name: str) -> None:
    """With an example of what is expected."""
    with pytest.raises(UnknownZoneError, match="expected a name such as UTC or Europe/Berlin"):
        zone(name)
