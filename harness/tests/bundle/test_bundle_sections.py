"""Variables from everywhere, paths of notebooks, presets of every kind, and what is told before a deployment."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.bundle import Bundle, Choice, Identity, read_sources, resolve
from harness.bundle.files import read_overrides
from harness.bundle.local_paths import check_local_files
from harness.cli import _commands
from harness.errors import NotEmulated, UserError

Resolve = Callable[..., Bundle]
NAMED = "bundle: {name: demo}\n"
ANN = Identity("Ann.Lee@example.com", "http://127.0.0.1:1")


def test_a_lookup_is_the_id_of_what_the_workspace_has() -> None:
    """Asked once, by kind and name; a value from anywhere else spares it."""
    asked = []

    def find(kind: str, name: str) -> str:
        asked.append((kind, name))
        return "17"

    from harness.bundle import Source

    text = NAMED + "variables: {w: {lookup: {warehouse: Small}}}\nresources: {schemas: {s: {name: 's_${var.w}', catalog_name: main}}}\n"
    found = resolve([Source("databricks.yml", text)], choice=Choice(), identity=ANN, find=find)
    resolve([Source("databricks.yml", text)], choice=Choice(variables={"w": "3"}), identity=ANN, find=find)

    assert found.resources[0].name == "s_17"
    assert asked == [("warehouse", "Small")]


@pytest.mark.parametrize(
    ("lookup", "message"),
    [
        pytest.param("{}", "expected exactly one of alert, cluster", id="nothing"),
        pytest.param("{wharehouse: a}", "expected exactly one of", id="another kind"),
        pytest.param("{job: '${var.b}'}", "variables.a.lookup.job: expected a name written out", id="a reference"),
        pytest.param("{job: nightly}", "databricks.yml:2:26: variables.a: no workspace to look up the job 'nightly' in", id="no workspace"),
    ],
)
def test_a_lookup_that_finds_nothing_says_where(resolved: Resolve, lookup: str, message: str) -> None:
    """And how to go without."""
    with pytest.raises(UserError, match=message):
        resolved(f"{NAMED}variables: {{a: {{lookup: {lookup}}}}}\n")


def test_a_file_of_overrides_lies_between_the_target_and_the_environment(tmp_path: Path) -> None:
    """Complex values too."""
    (tmp_path / "databricks.yml").write_text(
        NAMED
        + "variables: {a: {default: 1}, b: {default: 1}, c: {type: complex, default: {x: 1}}}\n"
        + "targets: {dev: {variables: {a: 2, b: 2}}}\n"
        + "resources: {schemas: {s: {name: '${var.a}-${var.b}-${var.c.x}', catalog_name: m}}}\n"
    )
    folder = tmp_path / ".databricks" / "bundle" / "dev"
    folder.mkdir(parents=True)
    (folder / "variable-overrides.json").write_text(json.dumps({"a": 3, "b": 3, "c": {"x": 3}}))

    choice = Choice(environment={"BUNDLE_VAR_b": "4"}, overrides=read_overrides(tmp_path))
    found = resolve(read_sources(tmp_path), choice=choice, identity=ANN)

    assert found.resources[0].name == "3-4-3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[1]", "expected an object of variables and their values, found list", id="a list"),
        pytest.param("{", "dev/variable-overrides.json: no JSON", id="no JSON"),
        pytest.param('{"x": 1}', "unknown variable 'x'", id="another variable"),
    ],
)
def test_a_file_of_overrides_that_cannot_be_says_so(tmp_path: Path, text: str, message: str) -> None:
    """By its name."""
    (tmp_path / "databricks.yml").write_text(NAMED + "targets: {dev: {}}\n")

    with pytest.raises(UserError, match=message):
        resolve(read_sources(tmp_path), choice=Choice(overrides={"dev": text}), identity=ANN)


JOBS = """bundle: {name: demo}
include: [resources/*.yml]
"""
NIGHTLY = """resources:
  jobs:
    nightly:
      environments: [{environment_key: e, spec: {environment_version: "5", dependencies: ["-r ../requirements.txt", "../dist/*.whl"]}}]
      tasks:
        - {task_key: a, notebook_task: {notebook_path: ../src/a.py}}
        - {task_key: b, environment_key: e, spark_python_task: {python_file: ../src/b.py}}
        - task_key: c
          for_each_task: {inputs: "[1]", task: {task_key: d, notebook_task: {notebook_path: ../src/d.ipynb}}}
        - {task_key: f, notebook_task: {notebook_path: /Workspace/Shared/f}}
"""


def test_paths_start_at_the_file_they_are_written_in(tmp_path: Path) -> None:
    """Of notebooks, scripts, requirements files, in For each tasks too; those of the workspace stay. What is not there is told."""
    (tmp_path / "resources").mkdir()
    (tmp_path / "databricks.yml").write_text(JOBS)
    (tmp_path / "resources" / "nightly.yml").write_text(NIGHTLY)

    found = resolve(read_sources(tmp_path), choice=Choice(), identity=ANN)

    job = found.resources[0].body
    text = json.dumps(job)
    for path in ("./src/a.py", "./src/b.py", "./src/d.ipynb", "-r ./requirements.txt", "./dist/*.whl", "/Workspace/Shared/f"):
        assert f'"{path}"' in text
    with pytest.raises(UserError, match=r"resources/nightly.yml:6:41: resources.jobs.nightly: notebook_path: no file ./src/a.py in "):
        check_local_files(found.tree, tmp_path)
    (tmp_path / "src").mkdir()
    for name in ("src/a.py", "src/b.py", "src/d.ipynb", "requirements.txt"):
        (tmp_path / name).write_text("# Databricks notebook source\n")
    check_local_files(found.tree, tmp_path)


def test_a_notebook_is_named_with_its_extension(resolved: Resolve, tmp_path: Path) -> None:
    """As the platform's client wants it."""
    text = NAMED + "resources: {jobs: {j: {tasks: [{task_key: t, notebook_task: {notebook_path: src/a}}]}}}\n"

    with pytest.raises(UserError, match=r"notebook .\./src/a. has no extension; expected the file's name, with .py or .ipynb"):
        check_local_files(resolved(text).tree, tmp_path)


def test_development_prefixes_and_pauses_every_kind(resolved: Resolve) -> None:
    """Endpoints as names in Unity Catalog, legacy models as jobs; a monitor loses its schedule; artifacts follow their preset."""
    text = (
        NAMED
        + "artifacts: {a: {type: whl, path: a}}\n"
        + "targets: {dev: {mode: development, presets: {artifacts_dynamic_version: true}}}\n"
        + "resources:\n  model_serving_endpoints: {e: {name: fares}}\n  models: {m: {name: old}}\n"
        + "  quality_monitors: {q: {table_name: m.s.t, assets_dir: /x, output_schema_name: m.s,"
        + " schedule: {quartz_cron_expression: '0 0 8 * * ?', timezone_id: UTC}}}\n"
    )

    found = resolved(text)

    assert {resource.kind: resource.name for resource in found.resources if resource.name} == {
        "model_serving_endpoints": "dev_ann_lee_fares",
        "models": "[dev ann_lee] old",
    }
    monitor = next(resource for resource in found.resources if resource.kind == "quality_monitors")
    assert "schedule" not in monitor.body
    assert found.artifacts[0].dynamic_version


@pytest.mark.parametrize(
    ("rest", "error", "message"),
    [
        pytest.param(
            "run_as: {user_name: bob@example.com}\nresources: {model_serving_endpoints: {e: {name: x}}}\n",
            UserError,
            "run_as: resources.model_serving_endpoints run as whoever deploys",
            id="run as another",
        ),
        pytest.param("run_as: {user_name: a, service_principal_name: b}\n", UserError, "run_as: expected exactly one", id="run as two"),
        pytest.param("python: {resources: ['r:load']}\n", NotEmulated, "python: resources made by Python code", id="Python resources"),
    ],
)
def test_sections_that_cannot_be_followed_say_so(resolved: Resolve, rest: str, error: type[Exception], message: str) -> None:
    """Before anything is built."""
    with pytest.raises(error, match=message):
        resolved(NAMED + rest)


TASKS = "resources: {{jobs: {{j: {{parameters: [{{name: p, default: '1'}}], tasks: [{}]}}}}}}\n"


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        pytest.param("{task_key: t, notebook_task: {}}", "notebook_task: 'notebook_path' is missing", id="no notebook"),
        pytest.param("{task_key: t, for_each_task: {inputs: '[1]'}}", "for_each_task: 'task' is missing", id="nothing to repeat"),
        pytest.param(
            "{task_key: t, for_each_task: {inputs: '[1]', task: {task_key: t, notebook_task: {notebook_path: /x}}}}",
            "task_key 't' is another task's",
            id="the same key inside",
        ),
        pytest.param(
            "{task_key: t, for_each_task: {inputs: '[1]', task: {task_key: u, environment_key: e, notebook_task: {notebook_path: /x}}}}",
            r"for_each_task.task.environment_key: 'e' is not in 'environments:'",
            id="no such environment inside",
        ),
        pytest.param(
            "{task_key: t, notebook_task: {notebook_path: /x, base_parameters: {a: '{{job.parameters.q}}'}}}",
            r"tasks\[0\]: \{\{job.parameters.q\}\}: the job declares no such parameter; declared: p",
            id="no such parameter",
        ),
        pytest.param(
            "{task_key: t, notebook_task: {notebook_path: /x}}, "
            "{task_key: u, notebook_task: {notebook_path: /x, base_parameters: {a: '{{tasks.t.values.v}}'}}}",
            r"tasks\[1\]: \{\{tasks.t…\}\}: 't' is no task that comes before this one",
            id="not upstream",
        ),
        pytest.param(
            "{task_key: t, python_wheel_task: {package_name: p, entry_point: m, parameters: [a], named_parameters: {b: c}}}",
            "'parameters' and 'named_parameters' exclude each other",
            id="both kinds of parameters",
        ),
    ],
)
def test_what_a_task_lacks_is_told_with_its_place(resolved: Resolve, tasks: str, message: str) -> None:
    """Line and column are those of what is wrong."""
    with pytest.raises(UserError, match=message) as found:
        resolved(NAMED + TASKS.format(tasks))
    assert str(found.value).startswith("databricks.yml:2:")


def test_validate_needs_no_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lists what would be deployed, or prints all of it as JSON; what is wrong ends with the place."""
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    (tmp_path / "databricks.yml").write_text(NAMED + "resources: {schemas: {s: {name: x, catalog_name: m}}}\nunknown: 1\n")
    arguments = ["validate", "--bundle", str(tmp_path), "--state", str(tmp_path / "none")]

    text = CliRunner().invoke(_commands(), arguments)
    document = CliRunner().invoke(_commands(), [*arguments, "--output", "json"])
    (tmp_path / "databricks.yml").write_text(NAMED + "resources: {schemas: {s: {name: x}}}\n")
    wrong = CliRunner().invoke(_commands(), arguments)

    assert text.exit_code == 0
    assert "schemas.s  x" in text.output
    assert "valid, 1 warning" in text.output
    assert "databricks.yml:3:1: unknown: unknown key" in text.output
    assert json.loads(document.stdout)["resources"]["schemas"]["s"] == {"name": "x", "catalog_name": "m"}
    assert isinstance(wrong.exception, UserError)
