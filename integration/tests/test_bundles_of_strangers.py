"""Three bundles that know nothing of the harness, driven as their owners would: by the command line, from their own folder."""

# ruff: noqa: E501 - a row of the table of mistakes is one mistake

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.jobs import Run

from harness.cli import main

pytestmark = pytest.mark.platform
BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
NOTHING_TO_DO = "0 to add, 0 to change, 0 to delete"
ME = "/Workspace/Users/developer@harness.local"


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed, as one text."""

    status: int
    text: str


@dataclass(frozen=True)
class Copy:
    """A stranger's bundle in a folder of its own, for a catalog of its own."""

    folder: Path
    catalog: str

    def command(self, *arguments: str) -> Said:
        """Run `harness …` as a process, in the bundle's folder."""
        told = [sys.executable, "-m", "harness", *arguments, "--var", f"catalog={self.catalog}"]
        environment = {**os.environ, "COLUMNS": "400"}
        done = subprocess.run(
            told, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=900
        )
        return Said(done.returncode, done.stdout)

    def succeeds(self, *arguments: str) -> str:
        """Run `harness …`, which must end with 0, and return what it printed."""
        said = self.command(*arguments)
        assert said.status == 0, said.text
        return said.text

    def edit(self, name: str, old: str, new: str) -> None:
        """Put `new` where a file says `old`."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


@pytest.fixture
def copy(tmp_path: Path, catalog: str) -> Callable[[str, str], Copy]:
    """Copies a bundle as it is in the repository; `inside` is the folder of its databricks.yml."""

    def make(name: str, inside: str = ".") -> Copy:
        ignored = shutil.ignore_patterns("dist", "__pycache__", ".databricks")
        shutil.copytree(BUNDLES / name, tmp_path / name, ignore=ignored)
        return Copy(tmp_path / name / inside, catalog)

    return make


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs `harness …` in this process, which costs no start of one."""

    def run(bundle: Copy, *arguments: str) -> Said:
        monkeypatch.chdir(bundle.folder)
        monkeypatch.setattr(sys, "argv", ["harness", *arguments, "--var", f"catalog={bundle.catalog}"])
        monkeypatch.setenv("COLUMNS", "400")
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        return Said(int(left.value.code or 0), told.out + told.err)

    return run


@pytest.fixture
def holds(workspace: WorkspaceClient, catalog: str) -> Callable[[], dict[str, Any]]:
    """Says what the workspace holds that a bundle can make."""

    def look() -> dict[str, Any]:
        schemas = [schema.name or "" for schema in workspace.schemas.list(catalog)]
        return {
            "jobs": sorted(job.job_id or 0 for job in workspace.jobs.list()),
            "experiments": sorted(found.name or "" for found in workspace.experiments.search_experiments(max_results=1000)),
            "endpoints": sorted(found.name or "" for found in workspace.serving_endpoints.list()),
            "schemas": sorted(schemas),
            "volumes": sorted(found.full_name or "" for name in schemas for found in workspace.volumes.list(catalog, name)),
            "models": sorted(found.full_name or "" for found in workspace.registered_models.list()),
            "files": sorted(files(workspace, f"{ME}/.bundle")),
        }

    return look


def files(workspace: WorkspaceClient, folder: str) -> Iterator[str]:
    try:
        yield from (found.path or "" for found in workspace.workspace.list(folder, recursive=True))
    except NotFound:
        return


def last_run(workspace: WorkspaceClient, name: str) -> Run:
    """The newest run of the job that ends in `name`, with its tasks."""
    found = next(run for run in workspace.jobs.list_runs() if (run.run_name or "").endswith(name))
    return workspace.jobs.get_run(found.run_id or 0)


def states(run: Run) -> dict[str, str]:
    """Each task's result; of a task that was tried again, the last."""
    return {
        task.task_key: task.state.result_state.value
        for task in sorted(run.tasks or [], key=lambda task: task.attempt_number or 0)
        if task.state is not None and task.state.result_state is not None
    }


def output(workspace: WorkspaceClient, run: Run, task_key: str) -> Any:
    (task,) = [task for task in run.tasks or [] if task.task_key == task_key][-1:]
    return workspace.jobs.get_run_output(task.run_id or 0)


def test_a_bundle_of_one_wheel(workspace: WorkspaceClient, catalog: str, copy: Any, holds: Any) -> None:
    """Deployed twice, run, told of, deployed to production beside it, and taken away: the workspace is as it was."""
    bundle, before = copy("wheel_only"), holds()

    bundle.succeeds("validate")
    first = bundle.succeeds("deploy")
    again = bundle.succeeds("deploy")
    schema = next(name for name in holds()["schemas"] if name.endswith("_bakery"))
    ran = bundle.succeeds("run", "bakery_demand", "--params", "days=28")
    told = bundle.succeeds("summary")
    run = last_run(workspace, "bakery_demand")
    (job,) = [
        found for found in workspace.jobs.list() if found.settings is not None and (found.settings.name or "").endswith("bakery_demand")
    ]
    (note,) = workspace.files.list_directory_contents(f"/Volumes/{catalog}/{schema}/reports")
    content = workspace.files.download(note.path or "").contents
    report = content.read().decode() if content is not None else ""
    bundle.succeeds("destroy", "--auto-approve")

    assert "5 to add, 0 to change, 0 to delete" in first
    assert NOTHING_TO_DO in again
    assert schema == "dev_developer_bakery"
    assert states(run) == {"sales": "SUCCESS", "fit": "SUCCESS", "report": "SUCCESS"}
    assert f"sales │ 84 rows in {catalog}.dev_developer_bakery.sales" in ran
    assert re.fullmatch(r"version 1\nharbour: 1\d\d\nmarket: 1\d\d\nstation: [23]\d\d\n", report)
    assert job.settings is not None
    assert job.settings.name == "[dev developer] bakery_demand"
    assert job.settings.max_concurrent_runs == 2
    assert job.settings.tags == {"product": "bread", "stage": "trial", "dev": "developer"}
    assert job.settings.schedule is not None
    assert job.settings.schedule.pause_status is not None
    assert job.settings.schedule.pause_status.value == "PAUSED"
    assert f"{catalog}.dev_developer_bakery.reports" in told
    assert holds() == before


def test_a_bundle_in_production_has_its_own_names(workspace: WorkspaceClient, catalog: str, copy: Any, call: Any, holds: Any) -> None:
    """Another target is another deployment: its presets, variables and permissions, and it is destroyed alone."""
    bundle, before = copy("wheel_only"), holds()

    first = call(bundle, "deploy", "-t", "prod")
    again = call(bundle, "deploy", "-t", "prod")
    (job,) = [found for found in workspace.jobs.list() if found.settings is not None and found.settings.name == "prod bakery_demand"]
    permissions = workspace.permissions.get("jobs", str(job.job_id)).access_control_list or []
    schemas = holds()["schemas"]
    granted = workspace.grants.get("SCHEMA", f"{catalog}.prod_bakery_prod").privilege_assignments or []
    gone = call(bundle, "destroy", "-t", "prod", "--auto-approve")

    assert (first.status, again.status, gone.status) == (0, 0, 0), first.text + again.text + gone.text
    assert NOTHING_TO_DO in again.text
    assert {entry.group_name or entry.user_name for entry in permissions} >= {"developer@harness.local", "users"}
    assert "prod_bakery_prod" in schemas
    assert {each.principal: [privilege.value for privilege in each.privileges or []] for each in granted} == {
        "account users": ["SELECT", "USE_SCHEMA"]
    }
    assert holds() == before


def test_a_bundle_of_notebooks(workspace: WorkspaceClient, copy: Any, holds: Any) -> None:
    """What is late decides which branch runs; notebooks, a script, a loop and another job say what they found."""
    bundle, before = copy("notebooks"), holds()

    first = bundle.succeeds("deploy")
    again = bundle.succeeds("deploy")
    late = bundle.succeeds("run", "loans")
    with_letters, letters = last_run(workspace, "library loans"), last_run(workspace, "library letters")
    calm = bundle.succeeds("run", "loans", "--params", "tolerated=100")
    without = last_run(workspace, "library loans")
    rows = {row["branch"]: row["late"] for row in json.loads(json.dumps(branches(workspace, with_letters)))}
    bundle.succeeds("destroy", "--auto-approve")

    assert "2 to add, 0 to change, 0 to delete" in first
    assert NOTHING_TO_DO in again
    common = {"prepare": "SUCCESS", "branches": "SUCCESS", "titles": "SUCCESS", "too_many_late": "SUCCESS", "closing": "SUCCESS"}
    assert states(with_letters) == {**common, "letters": "SUCCESS", "nothing_to_do": "EXCLUDED"}
    assert states(without) == {**common, "letters": "EXCLUDED", "nothing_to_do": "SUCCESS"}
    assert json.loads(output(workspace, with_letters, "prepare").notebook_output.result) == {"east": 1, "north": 3, "south": 2}
    assert output(workspace, with_letters, "titles").notebook_output.result == "Rivers of Ice"
    assert output(workspace, letters, "write").notebook_output.result == "3 letters"
    assert rows == {"east": 0, "north": 2, "south": 1}
    assert "three of 6 are late" in late
    assert "Please bring back: A Winter Garden" in late
    assert "three late, 100 tolerated; Spark counted 101" in calm
    assert re.search(r"\[dev developer\] library loans of 20\d\d-\d\d-\d\d: 3 branches, 3 late", calm)
    assert {name: found for name, found in holds().items() if name != "schemas"} == {
        name: found for name, found in before.items() if name != "schemas"
    }


def branches(workspace: WorkspaceClient, run: Run) -> list[dict[str, Any]]:
    """What each round of the loop returned."""
    (loop,) = [task for task in run.tasks or [] if task.task_key == "branches"]
    rounds = workspace.jobs.get_run(loop.run_id or 0).iterations or []
    told = [workspace.jobs.get_run_output(each.run_id or 0).notebook_output for each in rounds]
    pairs = [(found.result or "").split("=") for found in told if found is not None]
    return [{"branch": branch, "late": int(late)} for branch, late in pairs]


def test_a_bundle_of_several_wheels(workspace: WorkspaceClient, copy: Any, holds: Any) -> None:
    """Code shared from beside the bundle; a retry; and every `run_if`, when all goes well and when a task fails."""
    bundle, before = copy("several_wheels", "project"), holds()

    first = bundle.succeeds("deploy")
    again = bundle.succeeds("deploy")
    well = bundle.succeeds("run", "readings")
    good = last_run(workspace, "water readings")
    ill = bundle.command("run", "readings", "--params", "broken=yes").text
    bad = last_run(workspace, "water readings")
    bundle.edit("ingest/src/meter_ingest/tasks.py", "are well", "are very well")
    bundle.succeeds("deploy")
    better = bundle.succeeds("run", "readings")
    uploaded = holds()["files"]
    bundle.succeeds("destroy", "--auto-approve")

    assert "3 to add, 0 to change, 0 to delete" in first
    assert NOTHING_TO_DO in again
    assert states(good) == {
        "take_in": "SUCCESS",
        "check": "SUCCESS",
        "alert": "SUCCESS",
        "call_the_plumber": "EXCLUDED",
        "nothing_left": "EXCLUDED",
        "some_news": "SUCCESS",
        "good_night": "SUCCESS",
    }
    assert [task.attempt_number for task in good.tasks or [] if task.task_key == "take_in"] == [0, 1]
    assert "21 readings are well" in well
    assert states(bad) == {
        "take_in": "SUCCESS",
        "check": "FAILED",
        "alert": "UPSTREAM_FAILED",
        "call_the_plumber": "SUCCESS",
        "nothing_left": "SUCCESS",
        "some_news": "SUCCESS",
        "good_night": "SUCCESS",
    }
    assert bad.state is not None
    assert bad.state.result_state is not None
    assert bad.state.result_state.value == "SUCCESS_WITH_FAILURES"
    assert "RuntimeError: the main pipe is broken" in ill
    assert "21 readings are very well" in better
    assert any(path.endswith("/files/shared/src/meter_common/__init__.py") for path in uploaded)
    assert not any(path.endswith("README.md") for path in uploaded)
    assert holds() == before


@dataclass(frozen=True)
class Bad:
    """One mistake in one file: where a message must point to (`at`: a piece of the line), and what it says."""

    says: str
    file: str
    old: str
    new: str
    at: str
    bundle: str = "wheel_only"


JOB = "resources/bakery_demand.job.yml"
LOANS = "resources/loans.job.yml"
STORES = "resources/stores.yml"
MISTAKES = {
    "a cycle": Bad("circle", JOB, "- task_key: sales\n", "- task_key: sales\n          depends_on:\n            - task_key: report\n", "task_key:"),
    "no task key": Bad("task_key", JOB, "- task_key: fit\n          depends_on:", "- depends_on:", "- depends_on:"),
    "the same task key twice": Bad("fit", JOB, "- task_key: report\n", "- task_key: fit\n", "- task_key: fit"),
    "a dependency that is no task": Bad("baked", JOB, "  - task_key: sales\n          environment", "  - task_key: baked\n          environment", "- task_key: sales"),
    "an unknown task type": Bad("python_weel_task", JOB, "python_wheel_task", "python_weel_task", "python_weel_task"),
    "a task type that is not emulated": Bad("sql_task", JOB, "python_wheel_task:", "sql_task:", ""),
    "two task types": Bad("python_wheel_task", JOB, "          python_wheel_task:", "          notebook_task: {notebook_path: ../x.py}\n          python_wheel_task:", ""),
    "an entry point that is not in the wheel": Bad("baking", JOB, "entry_point: sales", "entry_point: baking", "entry_point: baking"),
    "a package that is not in the environment": Bad("bread", JOB, "package_name: bakery_demand", "package_name: bread", "package_name: bread"),
    "parameters that are no list": Bad(
        "parameters", JOB, '            parameters:\n              - --table\n              - "{{job.parameters.catalog}}.{{job.parameters.schema}}.sales"\n              - --days\n              - "{{job.parameters.days}}"', "            parameters: --table", "parameters: --table"
    ),
    "parameters of both kinds": Bad("named_parameters", JOB, "            entry_point: sales\n", "            entry_point: sales\n            named_parameters: {table: x}\n", ""),
    "a parameter that the job has not": Bad("dayz", JOB, "job.parameters.days", "job.parameters.dayz", "dayz"),
    "a task value of a task that is not before": Bad("tasks.fitt", JOB, "tasks.fit.values", "tasks.fitt.values", "tasks.fitt"),
    "an unknown environment": Bad("defauld", JOB, "          environment_key: default\n          python_wheel_task", "          environment_key: defauld\n          python_wheel_task", "defauld"),
    "no environment": Bad("environment_key", JOB, "          environment_key: default\n          python_wheel_task", "          python_wheel_task", ""),
    "a cluster": Bad("new_cluster", JOB, "          environment_key: default\n          max_retries", "          new_cluster: {num_workers: 2, spark_version: 15.4.x-scala2.12}\n          max_retries", "new_cluster"),
    "a wheel that nobody builds": Bad("dust/*.whl", JOB, "../dist/*.whl", "../dust/*.whl", "dust/*.whl"),
    "a requirements file that is not there": Bad("nothing.txt", JOB, "- ../dist/*.whl", "- -r ../nothing.txt", "nothing.txt"),
    "a schedule that is none": Bad("quartz_cron_expression", JOB, "0 30 4 ? * MON-FRI", "30 4 * * 1-5", "30 4 * * 1-5"),
    "a permission that jobs have not": Bad("CAN_BAKE", JOB, "CAN_MANAGE_RUN", "CAN_BAKE", "CAN_BAKE"),
    "a number that is none": Bad("timeout_seconds", JOB, "timeout_seconds: 900", "timeout_seconds: soon", "timeout_seconds: soon"),
    "an undefined variable": Bad("var.cataloge", JOB, "${var.catalog}", "${var.cataloge}", "cataloge"),
    "a resource that is not in the bundle": Bad("resources.schemas.bakary", JOB, "resources.schemas.bakery", "resources.schemas.bakary", "bakary"),
    "a kind of resource that is not emulated": Bad("pipelines", STORES, "resources:\n", "resources:\n  pipelines:\n    bread:\n      name: bread\n", ""),
    "an include that matches nothing": Bad("recources/jobs.yml", "databricks.yml", "resources/*.yml", "recources/jobs.yml", "recources/jobs.yml"),
    "YAML that is none": Bad("yml", JOB, "      tasks:", "      tasks: [", ""),
    "a key twice": Bad("description", JOB, "      tags:", "      description: again\n      tags:", "description: again"),
    "another workspace": Bad(
        "https://adb-1.2.azuredatabricks.net", "databricks.yml", "    mode: development\n", "    mode: development\n    workspace:\n      host: https://adb-1.2.azuredatabricks.net\n", "adb-1.2"
    ),
    "a project that does not build": Bad("build", "pyproject.toml", "[project]", "[project", ""),
    "an artifact's folder that is not there": Bad("./bakery", "databricks.yml", "    path: .\n", "    path: ./bakery\n", ""),
    "a missing notebook": Bad("prepared.py", LOANS, "../src/prepare.py", "../src/prepared.py", "prepared.py", "notebooks"),
    "a missing script": Bad("something.py", LOANS, "../src/nothing_to_do.py", "../src/something.py", "something.py", "notebooks"),
    "a script in the place of a notebook": Bad("nothing_to_do", LOANS, "../src/closing.py", "../src/nothing_to_do.py", "nothing_to_do", "notebooks"),
    "an unknown comparison": Bad("IS_MORE_THAN", LOANS, "op: GREATER_THAN", "op: IS_MORE_THAN", "IS_MORE_THAN", "notebooks"),
    "a loop without its inputs": Bad("inputs", LOANS, '            inputs: "{{tasks.prepare.values.branches}}"\n', "", "for_each_task", "notebooks"),
    "an unknown run_if": Bad("WHENEVER", LOANS, "run_if: NONE_FAILED", "run_if: WHENEVER", "WHENEVER", "notebooks"),
    "an outcome of a task that is no condition": Bad(
        "outcome", LOANS, "            - task_key: branches\n", '            - task_key: branches\n              outcome: "true"\n', "", "notebooks"
    ),
    "a complex variable that lacks what is asked": Bad("var.reading.column", LOANS, "${var.reading.days}", "${var.reading.column}", "var.reading.column", "notebooks"),
    "a trigger's unknown unit": Bad("FORTNIGHTS", LOANS, "unit: DAYS", "unit: FORTNIGHTS", "FORTNIGHTS", "notebooks"),
}  # fmt: skip


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in MISTAKES.items()])
def test_a_mistake_is_told_before_anything_is_done(bad: Bad, copy: Any, call: Any, holds: Any) -> None:
    """Exit status 2, a message with file and line, and a workspace as it was."""
    bundle, before = copy(bad.bundle), holds()
    bundle.edit(bad.file, bad.old, bad.new)

    said = call(bundle, "deploy")

    assert said.status == 2, said.text
    assert bad.says in said.text
    lines = [number for number, line in enumerate((bundle.folder / bad.file).read_text().splitlines(), 1) if bad.at and bad.at in line]
    pointed = re.search(r"(?P<file>[\w./-]+\.yml):(?P<line>\d+)(:\d+)?: ", said.text)
    assert pointed is not None, said.text
    assert not lines or (pointed["file"].endswith(bad.file) and int(pointed["line"]) in lines), said.text
    assert "Traceback" not in said.text
    assert holds() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["deploy", "-t", "stagging"], "stagging", id="a target that is not there"),
        pytest.param(["deploy", "--var", "flour=wheat"], "flour", id="a variable that is not there"),
        pytest.param(["deploy", "--var", "flour"], "expected name=value", id="a variable without a value"),
        pytest.param(["run", "bakery"], "bakery_demand", id="a job that is not there"),
        pytest.param(["run", "bakery_demand", "--params", "weeks=2"], "weeks", id="a job parameter that is not there"),
        pytest.param(["run", "bakery_demand"], "not deployed", id="a job that is not deployed"),
    ],
)
def test_a_mistake_at_the_command_line_is_told(arguments: list[str], says: str, copy: Any, call: Any, holds: Any) -> None:
    """Exit status 2 and what is there instead."""
    bundle, before = copy("wheel_only"), holds()

    said = call(bundle, *arguments)

    assert said.status == 2, said.text
    assert says in said.text
    assert "Traceback" not in said.text
    assert holds() == before
