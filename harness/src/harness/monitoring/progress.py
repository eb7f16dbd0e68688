"""Up to where a monitor's metric tables are right, and when all of them must be computed again. Pure."""

from dataclasses import dataclass

import msgspec

FIGURES = 1
"""What the figures mean. Raise it with every change of a figure's definition: metric tables of an earlier harness are then made anew."""


@dataclass(frozen=True, slots=True)
class At:
    """Which Delta table (another one of the same name has another id), at which version."""

    id: str
    version: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What the metric tables were computed from, and which versions of them hold that."""

    monitor_version: int
    settings: str
    table: At
    columns: str
    baseline: At | None
    slices: tuple[tuple[str, ...], ...]
    profile: At | None = None
    drift: At | None = None


def why_all(saved: Progress | None, now: Progress) -> str | None:
    """Return why every window must be computed again; None if those that new commits touch are enough.

    Slices are not looked at: they need the table's rows.
    """
    if saved is None:
        return "nothing is known of an earlier refresh"
    changed = [
        ("the configuration", saved.monitor_version != now.monitor_version),
        ("the harness", saved.settings != now.settings),
        ("the table itself", saved.table.id != now.table.id or saved.table.version > now.table.version),
        ("the table's columns", saved.columns != now.columns),
        ("the baseline", saved.baseline != now.baseline),
        ("the metric tables", (saved.profile, saved.drift) != (now.profile, now.drift)),
    ]
    reasons = [what for what, is_changed in changed if is_changed]
    return f"changed: {', '.join(reasons)}" if reasons else None
