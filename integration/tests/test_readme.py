"""What the README and the pages behind it tell a user to type exists."""

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import _commands

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "packages/*/README.md", "harness/README.md", "integration/README.md", "examples/*/README.md")
    for path in ROOT.glob(pattern)
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\./run (.+?)(?:\s+#.*)?$", README, flags=re.MULTILINE)


def told_of_the_harness() -> Iterator[str]:
    """Yield every `harness …` that a page shows as a command: a line of a shell, or in backticks."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8").replace("\n", " ")
        yield from re.findall(r"`(?:\./run )?harness ((?:[a-z]|--)[^`]*)`", text)
    yield from (line.removeprefix("harness ") for line in COMMANDS if line.startswith("harness "))


@functools.cache
def told_by(*command: str) -> tuple[int, str]:
    """Return the exit status and the text of a command's `--help`: of the installed program, or of one of its commands, in this process."""
    program, *words = command
    if words:
        done = CliRunner().invoke(_commands(), [*words, "--help"])
        return done.exit_code, done.stdout
    installed = subprocess.run([str(ROOT / ".venv" / "bin" / program), "--help"], capture_output=True, text=True, check=False)
    return installed.returncode, installed.stdout


def unknown(line: str) -> list[str]:
    """Return the words of a `harness …` line that the command line does not know."""
    words = line.split()
    command, status, told = words[:1], *told_by("harness", *words[:1])
    if words[0].startswith("-"):
        return [word for word in words if word not in told_by("harness")[1]]
    if status == 0 and "COMMAND [ARGS]" in told:  # a group: the next word is a command of it
        command = words[:2]
        status, told = told_by("harness", *command)
    options = [word for word in words[len(command) :] if word.startswith("-") and word not in told]
    return options if status == 0 else [" ".join(command)]


def test_f19_readme_has_its_two_commands() -> None:
    """The door: one command runs the main job, one passes the tests; the door knows them."""
    assert {"dry-run", "tests"} <= set(COMMANDS)
    door = (ROOT / "run").read_text(encoding="utf-8")
    assert all(f"    {command.split()[0]}) " in door for command in COMMANDS)


@pytest.mark.parametrize("line", sorted(set(told_of_the_harness())))
def test_f19_command_that_a_page_names_exists(line: str) -> None:
    """Each `harness …` of the README and the pages behind it names a command and options that the command line knows."""
    assert unknown(line) == []


@pytest.mark.parametrize("line", ["fly", "serving fly ENDPOINT", "up --fly", "--fly"])
def test_f19_command_that_does_not_exist_is_found(line: str) -> None:
    """The check before this one can fail."""
    assert unknown(line) != []


def test_f19_options_of_the_dry_run_are_those_of_the_readme() -> None:
    """All of them, and no other."""
    shown = {match.split()[0] for match in re.findall(r"^\| `(-[^`]*)` \|", README, flags=re.MULTILINE)}
    status, told = told_by("dry-run")
    options = set(re.findall(r"(?<![\w-])--[a-z]+", told)) - {"--help"}

    assert status == 0
    assert {"--target" if option == "-t" else option for option in shown} == options


def test_f19_variables_that_the_set_up_page_names_are_the_bundles() -> None:
    """A variable of `databricks.yml` stands on the page, with its name, and no other does."""
    page = (ROOT / "docs" / "SETUP.md").read_text(encoding="utf-8").split("| variable | default | meaning |")[1].split("\n\n")[0]
    bundle = (ROOT / "databricks.yml").read_text(encoding="utf-8").split("\nvariables:\n")[1].split("\nartifacts:\n")[0]

    assert re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE) == re.findall(r"^  (\w+):$", bundle, flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_f19_files_that_a_page_links_to_exist(page: Path) -> None:
    """Links to other sites are not followed."""
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / page.parent / link).exists()] == []


def test_ci_is_the_test_command_of_the_readme() -> None:
    """`.ci/run` calls `./run tests` and nothing else."""
    assert "exec ./run tests" in (ROOT / ".ci" / "run").read_text()


def test_the_door_asks_for_python_itself_and_not_for_a_shim(tmp_path: Path) -> None:
    """Uv takes a shim (pyenv's) for another Python, and would make the environment anew each time, under a harness that runs."""
    for name, does in {"python3": f'exec "{sys.executable}" "$@"', "uv": 'echo "$@" >>"$0.asked"; [ "$1" = --version ]'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run([ROOT / "run", "python"], env=environment, capture_output=True, text=True, check=False)
    asked = (tmp_path / "uv.asked").read_text().split()
    assert (ended.returncode, asked[asked.index("--python") + 1]) == (2, str(Path(sys.executable).resolve()))
