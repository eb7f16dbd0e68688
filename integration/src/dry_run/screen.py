"""The end of a dry run on one screen."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dry_run.report import JobReport, Report


def show(report: Report, console: Console, *, state: str, next_steps: list[str]) -> None:
    """Print `report`: jobs and tasks, then the figures, then what to try next."""
    console.print()
    verdict = "[bold green]SUCCESS[/]" if report.succeeded else "[bold red]FAILED[/]"
    console.print(f"{verdict} in {report.seconds:.0f} s · {report.data.rows:,} trips from {report.data.source} · state in {state}")
    if report.jobs:
        console.print(_jobs(report.jobs))
    console.print(_figures(report))
    for step in next_steps:
        console.print(f"  [dim]›[/] {step}", soft_wrap=True, highlight=False)


def _jobs(jobs: Sequence[JobReport]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("job", "task", "state"):
        table.add_column(heading)
    table.add_column("seconds", justify="right")
    for job in jobs:
        for number, task in enumerate(job.tasks):
            colour = {"SUCCESS": "green", "EXCLUDED": "dim"}.get(task.result_state, "red")
            table.add_row(job.name if number == 0 else "", task.task_key, f"[{colour}]{task.result_state}[/]", f"{task.seconds:.1f}")
    return table


def _figures(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in _lines(report):
        table.add_row(name, value)
    return table


def _lines(report: Report) -> list[tuple[str, str]]:
    lines = [("phases", " · ".join(f"{name} {seconds:.0f} s" for name, seconds in report.phases.items()))]
    if report.model:
        metrics = " ".join(f"{name.removeprefix('test_')} {value:.3f}" for name, value in report.model.metrics.items())
        aliases = " ".join(f"@{alias} → {version}" for alias, version in report.model.aliases.items())
        lines.append(("model", f"{report.model.name} version {report.model.version} ({aliases}) {metrics}"))
    if report.endpoint:
        lines.append(("endpoint", f"{report.endpoint.name} {report.endpoint.ready}, serving version {report.endpoint.served_version}"))
    if report.predictions:
        lines.append(("predicted", f"{report.predictions.rows:,} rows, {report.predictions.errors:,} errors"))
    if report.payload:
        lines.append(("logged", f"{report.payload.rows:,} requests"))
    if report.processed:
        done = report.processed
        lines.append(("processed", f"{done.rows:,} rows, {done.labelled:,} labelled, {done.quarantined:,} quarantined"))
    if report.monitor:
        found = report.monitor
        quality = f"MAE {_figure(found.mean_absolute_error)} R² {_figure(found.r2_score)}"
        lines.append(("monitor", f"{quality} · {found.profile_rows:,} profile and {found.drift_rows:,} drift rows"))
    if report.verdict:
        judged = report.verdict
        colour = {"ok": "green", "alert": "red"}.get(judged.verdict, "dim")
        asked = "a training was started" if judged.retrain else "no training asked for"
        checks = f"{judged.checks:,} checks, {judged.alerts:,} above their limits, {asked}"
        lines.append(("verdict", f"[{colour}]{judged.verdict}[/] · {checks}"))
        if judged.verdict == "alert":
            lines.append(("", escape(judged.reason)))
    if report.dashboard:
        lines.append(("page", report.dashboard))
    return lines


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
