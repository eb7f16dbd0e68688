"""Boards of the monitors that there are: their tables found, read, and drawn."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from harness.clock import Clock
from harness.dashboard.monitor.distributions import Details
from harness.dashboard.monitor.facts import TABLE, Facts, Group
from harness.dashboard.monitor.judging import Judge
from harness.dashboard.monitor.reading import Wanted, read_details, read_facts
from harness.dashboard.monitor.render import FILE_BYTES, Addresses, list_page, page, single_file
from harness.dashboard.monitor.sections import Board
from harness.dashboard.monitor.subject import Subject, Subjects
from harness.errors import ApiError

Folder = Callable[[str], Path]
"""Where the Delta table of this full name lies."""


class Boards:
    """Draws the monitors' dashboards from their metric tables as they are at the moment of the call."""

    def __init__(self, *, subjects: Subjects, folder: Folder, clock: Clock) -> None:
        self._subjects = subjects
        self._folder = folder
        self._clock = clock

    def list(self, address: Callable[[str], str]) -> str:
        """Return the page of all monitors."""
        return list_page([(address(one.table), one) for one in self._subjects.all()])

    def page(self, table: str, query: Mapping[str, str], *, addresses: Addresses) -> str:
        """Return the page of a table's monitor, of what `query` chooses."""
        subject = self._subject(table)
        facts, path, judge = self._read(subject)

        def details(group: Group, column: str, starts: tuple[int, ...]) -> Details:
            wanted = Wanted([group], starts, [column])
            return Details(read_details(path, wanted, model_id=subject.model_id))

        return page(Board(subject, facts, details, judge.alerts), query, addresses=addresses, now=judge.now)

    def file(self, table: str, *, budget: int = FILE_BYTES) -> str:
        """Return the dashboard of a table's monitor as one file that holds as many choices as `budget` bytes allow."""
        subject = self._subject(table)
        facts, path, judge = self._read(subject)
        groups = _groups(facts)
        judge.judge(groups)

        @lru_cache(maxsize=32)
        def read(starts: tuple[int, ...], *, whole: bool) -> Details:
            wanted = Wanted(groups, starts, [] if whole else None)
            return Details(read_details(path, wanted, model_id=subject.model_id))

        def details(_group: Group, column: str, starts: tuple[int, ...]) -> Details:
            return read(starts, whole=column == TABLE)

        return single_file(Board(subject, facts, details, judge.alerts), now=judge.now, budget=budget)

    def _read(self, subject: Subject) -> tuple[Facts, Path, Judge]:
        profile, drift = self._folder(subject.profile_table), self._folder(subject.drift_table)
        facts = read_facts(profile, drift, model_id=subject.model_id)
        return facts, profile, Judge(subject, facts, profile, drift, self._clock.now())

    def _subject(self, table: str) -> Subject:
        found: Sequence[Subject] = self._subjects.all()
        wanted = table.lower()
        known = next((one for one in found if one.table.lower() == wanted), None)
        if known is None:
            names = ", ".join(one.table for one in found) or "none"
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Table '{table}' has no monitor; tables that have one: {names}")
        return known


def _groups(facts: Facts) -> list[Group]:
    rows = facts.groups.select(["granularity", "model", "slice_key", "slice_value"]).to_pylist()
    return [Group(row["granularity"], row["model"], row["slice_key"], row["slice_value"]) for row in rows]
