"""The story on a terminal: a line for each month as it is over, then the whole on one screen."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from replay.page import figure
from replay.story import MonthReport, Story


def line_of(month: MonthReport) -> str:
    """Return one line about a month that is over."""
    error = f"MAE {figure(month.error)} (limit {figure(month.limit)})"
    note = f" · {month.note}" if month.note else ""
    return f"{month.month}  {month.rows:,} trips  {error}  {len(month.alerts)} alerts  {month.verdict}{note}  in {month.seconds:.0f} s"


def show(story: Story, console: Console) -> None:
    """Print the months as a table, the alerts of the first month that had any, and how it ended."""
    console.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, justify in (("month", "left"), ("trips", "right"), ("MAE", "right"), ("limit", "right"), ("drift (PSI)", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # two of its words
    for heading in ("alerts", "verdict"):
        table.add_column(heading)
    for month in story.months:
        table.add_row(*_cells(month))
    console.print(table)
    first = story.first_alarm
    if first is not None:
        console.print(f"\nFirst alerts, {first.month}:")
        for alert in first.alerts:
            colour = "red" if alert.severity == "critical" else "yellow"
            console.print(f"  [{colour}]{alert.severity}[/] {escape(alert.reason)}", soft_wrap=True)
    console.print(f"\n[bold]{escape(story.ending)}[/]", soft_wrap=True)
    console.print(f"[dim]{story.seconds:.0f} s · {escape(story.page)}[/]", soft_wrap=True)


def _cells(month: MonthReport) -> list[str]:
    drift = ", ".join(f"{column} {psi:.3f}" for column, psi in month.drift)
    colour = {"ok": "green", "alert": "red"}.get(month.verdict, "dim")
    verdict = f"[{colour}]{month.verdict}[/]" + (", train again" if month.retrain else "")
    worst = "critical" if any(alert.severity == "critical" for alert in month.alerts) else "warning"
    alerts = f"{len(month.alerts)} {worst}" if month.alerts else "–"
    return [month.month, f"{month.rows:,}", figure(month.error), figure(month.limit), drift, alerts, verdict]
