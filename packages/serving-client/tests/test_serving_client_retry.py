"""How long a wait is, as a law and in cases."""

import pytest
from databricks.sdk.errors import TooManyRequests
from hypothesis import given
from hypothesis import strategies as st

from serving_client import Retry
from serving_client.address import retry_after

DATE, IN_SEVEN = "Tue, 24 Nov 2026 10:00:00 GMT", "Tue, 24 Nov 2026 10:00:07 GMT"


@given(st.floats(0, 1), st.integers(1, 5000), st.none() | st.integers(0, 10_000))
def test_f15_every_wait_is_bounded_and_jittered(jitter: float, attempt: int, asked: int | None) -> None:
    """A wait is between half and all of its step, or what the endpoint asks for and up to a second more."""
    error = TooManyRequests("busy", retry_after_secs=asked)
    step = min(30.0, 2.0 ** min(attempt - 1, 60))
    wait = Retry(jitter=lambda: jitter).wait(attempt, error)
    assert max(step / 2, asked or 0) <= wait <= max(step, (asked or 0) + 1)


def test_f15_one_retry_without_jitter_would_come_back_together() -> None:
    """Two clients that failed at the same moment do not wait equally long."""
    waits = {Retry().wait(6, TooManyRequests("busy")) for _ in range(50)}
    assert len(waits) > 25


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Retry-After": "120"}, 120, id="seconds"),
        pytest.param({"Retry-After": IN_SEVEN, "Date": DATE}, 7, id="date, by the answer's own clock"),
        pytest.param({"Retry-After": DATE, "Date": IN_SEVEN}, 0, id="date that has passed"),
        pytest.param({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0, id="date without a clock"),
        pytest.param({"Retry-After": "soon"}, None, id="neither"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: int | None) -> None:
    """RFC 9110, 10.2.3: a number of seconds or a date."""
    assert retry_after(headers) == seconds
