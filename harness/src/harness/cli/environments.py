"""`harness env check`: would the project's wheels install and import on Databricks serverless?"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.config import USER_NAME
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.bundle.nodes import Json
    from harness.engines.compatibility import Subject, Verdict
    from harness.engines.platform_versions import PlatformVersion

_CHECKED = ("2", "3", "4", "5", "6")
_COLOURS = {"ok": "green", "unknown": "yellow"}
_AT_ONCE = 4
_Checked = list[tuple["Subject", list["Verdict"]]]


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    group = typer.Typer(help="Environments of Databricks serverless.", no_args_is_help=True)
    group.command()(check)
    group.callback()(lambda: None)  # a group of one command is still a group
    app.add_typer(group, name="env")


def check(
    bundle: Annotated[
        Path | None, typer.Option(help="Folder with databricks.yml (default: here or above, unless wheels are given).")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="Target of the bundle.")] = None,
    var: Annotated[list[str] | None, typer.Option("--var", help="name=value of a bundle variable; may be given again.")] = None,
    wheel: Annotated[list[Path] | None, typer.Option(help="A wheel to look at instead; may be given again.")] = None,
    version: Annotated[list[str] | None, typer.Option(help="Environment version; may be given again (default: 2 to 6).")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell for each wheel, or each environment of the bundle's jobs, on which serverless environment versions it would install and import.

    Exit 0 when it would on the versions asked for (else: the one that the job declares; for a wheel, any of them), 1 when not, 2 when that
    cannot be told, for instance without a network.
    """
    from harness.engines.platform_versions import platform_version

    subjects = list(_wheels(wheel)) if wheel else list(_environments(bundle, target, var))
    if not subjects:
        raise UserError("no job of the bundle has an environment with dependencies; name wheels with --wheel FILE")
    declared = {subject.declared for subject in subjects if subject.declared}
    looked_at = version or sorted({*_CHECKED, *declared})
    checked = _check_all(subjects, [platform_version(each) for each in looked_at])
    _print(checked, as_json=as_json)
    raise typer.Exit(_status(checked, asked=bool(version)))


def _check_all(subjects: Sequence["Subject"], versions: Sequence["PlatformVersion"]) -> _Checked:
    from harness.engines.compatibility import check as judge

    with ThreadPoolExecutor(_AT_ONCE) as pool:  # uv waits for the index most of the time
        running = [(subject, [pool.submit(judge, subject, each) for each in versions]) for subject in subjects]
        return [(subject, [each.result() for each in verdicts]) for subject, verdicts in running]


def _wheels(paths: Sequence[Path]) -> Iterator["Subject"]:
    from harness.engines.compatibility import Subject
    from harness.engines.dependencies import read_dependencies

    everything = read_dependencies([str(path.resolve()) for path in paths]).wheels
    for path, distribution in everything.items():
        beside = {other: each for other, each in everything.items() if other != path}
        yield Subject(distribution.name, read_dependencies([str(path)]), beside=beside)


def _environments(folder: Path | None, target: str | None, var: Sequence[str] | None) -> Iterator["Subject"]:
    from harness.bundle import Choice, Identity, find_bundle, read_offline
    from harness.bundle.build import build_artifacts
    from harness.bundle.wheels import find_wheels
    from harness.cli.opening import pairs
    from harness.engines.compatibility import Subject
    from harness.engines.dependencies import read_dependencies

    at = (find_bundle(Path.cwd()) if folder is None else folder).resolve()
    choice = Choice(target or os.environ.get("DATABRICKS_BUNDLE_TARGET") or None, pairs(var, "--var"), dict(os.environ))
    found = read_offline(at, Identity(USER_NAME, ""), choice)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    wheels = find_wheels(found, at, build_artifacts(found.artifacts, at, lambda line: console.print(escape(line))))
    for key, job in found.of_kind("jobs").items():
        for environment in _mappings(job.body.get("environments")):
            (spec,) = _mappings([environment.get("spec")]) or [{}]
            dependencies = spec.get("dependencies")
            texts = [str(text) for text in dependencies] if isinstance(dependencies, list) else []
            lines = [each for text in texts for each in _local(text, wheels.of_dependency, at, found.paths.files)]
            declared = str(spec.get("environment_version") or spec.get("client") or "")
            yield Subject(f"{key}.{environment.get('environment_key')}", read_dependencies(lines), declared)


def _mappings(value: "Json") -> list["Mapping[str, Json]"]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _local(text: str, wheels: "Mapping[str, Sequence[Path]]", folder: Path, files: str) -> list[str]:
    """Return a dependency of a job as it stands on this machine."""
    from harness.bundle.paths import local_wheel

    if text in wheels:
        extras = (local_wheel(text) or ("", ""))[1]
        return [f"{path}{extras}" for path in wheels[text]]
    if text.startswith(("-r ", "--requirement ")):  # the file beside the bundle, or what was synchronized from it to the workspace
        return [f"-r {folder / text.partition(' ')[2].strip().removeprefix(f'{files}/')}"]
    return [text]


def _print(checked: _Checked, *, as_json: bool) -> None:
    if as_json:
        found = [
            {"name": subject.name, "declared": subject.declared or None, "versions": [asdict(each) for each in verdicts]}
            for subject, verdicts in checked
        ]
        print(json.dumps(found, indent=2))  # noqa: T201 - what was asked for
        return
    console = Console(soft_wrap=True, highlight=False)
    table = Table("", *(f"v{verdict.version}" for verdict in checked[0][1]), box=None, pad_edge=False)
    for subject, verdicts in checked:
        cells = [
            f"[{_COLOURS.get(each.status, 'red')}]{each.status}[/]{' *' if each.version == subject.declared else ''}" for each in verdicts
        ]
        table.add_row(escape(subject.name), *cells)
    console.print(table)
    if any(subject.declared for subject, _ in checked):
        console.print("* the version that the job declares")
    for subject, verdicts in checked:
        for verdict in (each for each in verdicts if each.details):
            console.print(f"{escape(subject.name)}, v{verdict.version}: {escape('; '.join(verdict.details))}")


def _status(checked: _Checked, *, asked: bool) -> int:
    worst = 0
    for subject, verdicts in checked:
        counted = [each for each in verdicts if asked or each.version == subject.declared] or verdicts
        statuses = {each.status for each in counted}
        fine = statuses == {"ok"} if asked or subject.declared else "ok" in statuses
        worst = max(worst, 0 if fine else 2 if "unknown" in statuses else 1)
    return worst
