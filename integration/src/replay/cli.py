"""`harness replay drift`: found by the `harness` command through the entry points `harness.commands`."""

import datetime as dt
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import typer
from rich.console import Console

from harness.errors import UserError

if TYPE_CHECKING:  # playing needs the official client, Spark and MLflow; other commands do not wait for them
    from replay.months import Play
    from replay.stage import Stage
    from replay.story import Story

INTERRUPTED = 130
_STATES = Path(".harness") / "replays"
_SYNTHETIC_MONTHS, _REAL_MONTHS = 15, 36
_FEWEST_ROWS = 200
_SYNTHETIC_START = dt.date(2018, 1, 1)


def mount(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Play months of trips through the workflow, with a moving clock.", no_args_is_help=True)
    group.command()(drift)
    group.callback()(_group)
    app.add_typer(group, name="replay")


def _group() -> None:
    """Play months of trips through the workflow, with a moving clock."""


def drift(
    data: Annotated[Path | None, typer.Option(help="Parquet file of real trips; without it, synthetic ones in a changing world.")] = None,
    months: Annotated[int | None, typer.Option(min=2, help="Months in all (default: 15, or what the file has).")] = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM", help="First month (default: 2018-01, or the file's).")] = None,
    train: Annotated[int, typer.Option(min=1, help="Months that the model learns from.")] = 3,
    rows: Annotated[int, typer.Option(help="Trips a month, at most.")] = 2_500,
    fare_column: Annotated[str, typer.Option(help="Column of the file that is predicted.")] = "fare_amount",
    rise: Annotated[float, typer.Option("--fare-rise", help="Rise of synthetic fares, as a share.")] = 0.1,
    rise_at: Annotated[int, typer.Option(help="Month of the rise, counted from the first; 0 for none.")] = 8,
    demand: Annotated[float, typer.Option(help="Share of synthetic trips that still happen in the shock.")] = 0.25,
    shock_at: Annotated[int, typer.Option(help="Month of the shock, counted from the first; 0 for none.")] = 13,
    state: Annotated[Path | None, typer.Option(help="New folder for everything (default: one below .harness/replays).")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the story as JSON.")] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the workspace running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Train on the first months, then ask the served model month by month and see when the monitor's verdict flips, and why."""
    signal.signal(signal.SIGTERM, _interrupted)
    console = Console(highlight=False)
    try:
        first = _month(begin)
        if rows < _FEWEST_ROWS:
            raise UserError(f"--rows is {rows}; expected at least {_FEWEST_ROWS}: a fifth of a month's trips is what quality is judged by")
        from replay.months import Change

        change = Change(rise_at=rise_at or None, rise=rise, shock_at=shock_at or None, demand=demand)
        play = _play(data, first, months, rows=rows, train=train, fare_column=fare_column, change=change)
        _perform(play, _new(state), console, report=report, keep=keep)
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has been ended")
        raise typer.Exit(INTERRUPTED) from None


def _play(
    data: Path | None, first: dt.date | None, months: int | None, *, rows: int, train: int, fare_column: str, change: object
) -> "Play":
    from replay.months import Change, cast, real, synthetic

    assert isinstance(change, Change)  # noqa: S101 - made above
    if data is not None:
        found = real(data, first, months or _REAL_MONTHS, rows=rows, fare=fare_column)
        return cast(found, train, f"{data.name}: real trips, at most {rows:,} a month, drawn at random")
    made = synthetic(first or _SYNTHETIC_START, months or _SYNTHETIC_MONTHS, rows=rows, change=change)
    return cast(made, train, f"Synthetic trips, {rows:,} in a usual month")


def _perform(play: "Play", state: Path, console: Console, *, report: Path | None, keep: bool) -> None:
    from dry_run.progress import Display
    from replay.play import clock_of, perform
    from replay.screen import line_of, show
    from replay.stage import Stage, TaskFailedError

    clock = clock_of(play)
    with Display(console) as display:
        display.say(f"{play.source}; learning from {play.learned[0].label} to {play.learned[-1].label}; state in {state}")
        with Stage(state, clock, display.say) as stage:
            try:
                story = perform(play, stage, clock, lambda month: display.say(line_of(month)))
            except TaskFailedError:
                raise typer.Exit(1) from None
            show(_written(story, state, report), console)
            if keep:
                _stay(stage, console)


def _written(story: "Story", state: Path, report: Path | None) -> "Story":
    import msgspec

    from replay.page import render
    from replay.play import write_page

    told = replace(story, page=write_page(render(story), state / "drift.html"))
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    return told


def _stay(stage: "Stage", console: Console) -> None:
    for name, value in stage.environment.items():
        console.print(f"export {name}={value}", soft_wrap=True)
    console.print("[dim]the workspace stays until Ctrl-C[/]")
    signal.pause()


def _month(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise UserError(f"--from is {text}; expected a month such as 2018-01") from None


def _new(state: Path | None) -> Path:
    from harness.clock import SystemClock

    folder = state or _STATES / f"{SystemClock().now():%Y%m%d-%H%M%S}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not empty; a replay starts from nothing: give --state a new folder, or remove this one")
    return folder


def _interrupted(number: int, _: object) -> Never:
    raise KeyboardInterrupt(f"signal {number} to process {os.getpid()}")
