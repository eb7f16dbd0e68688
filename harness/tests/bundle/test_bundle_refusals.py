"""Bad bundles: one sentence each, with the place, what was expected and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.bundle import Bundle, read_sources
from harness.bundle.emulated import check_emulated
from harness.errors import NotEmulated, UserError

Resolve = Callable[..., Bundle]
NAMED = "bundle: {name: demo}\n"
TASK = "{task_key: t, environment_key: e, python_wheel_task: {package_name: p, entry_point: m}}"

CONDITION = "{task_key: c, condition_task: {op: EQUAL_TO, left: a, right: b}}"
TWO_JOBS = """bundle: {name: demo}
resources:
  jobs:
    a: {tasks: [{task_key: t, run_job_task: {job_id: 1}}, {task_key: u, run_job_task: {job_id: "${resources.jobs.b.id}"}}]}
    b: {tasks: [{task_key: t, run_job_task: {job_id: "${resources.jobs.a.id}"}}]}
"""


def job(tasks: str, rest: str = "") -> str:
    """Return a bundle with one job."""
    return f"{NAMED}resources:\n  jobs:\n    j:\n      environments: [{{environment_key: e}}]\n      tasks: [{tasks}]\n{rest}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("bundle: [", "databricks.yml:1:10: not valid YAML: ", id="not YAML"),
        pytest.param("- a\n", "databricks.yml:1:1: the document is no mapping", id="a list"),
        pytest.param(
            "a: 1\na: 2\n", "databricks.yml:2:1: key 'a' stands twice in one mapping (first at databricks.yml:1:1)", id="key twice"
        ),
        pytest.param("resources: {}\n", "databricks.yml: 'bundle:' is missing", id="no bundle"),
        pytest.param("bundle: {uuid: x}\n", "databricks.yml: bundle.name is missing", id="no name"),
        pytest.param("bundle: demo\n", "databricks.yml:1:1: bundle: expected a mapping, found 'demo'", id="text for a mapping"),
        pytest.param(NAMED + "include: a.yml\n", "databricks.yml:2:1: include: expected a list, found 'a.yml'", id="text for a list"),
        pytest.param(
            NAMED + "variables: {x: {}}\n",
            "databricks.yml:2:13: variable 'x' has no value for target 'default'; give one with --var x=…, BUNDLE_VAR_x",
            id="variable without a value",
        ),
        pytest.param(
            NAMED + "variables: {x: {default: '${var.y}'}, y: {default: '${var.x}'}}\n",
            "references go in a circle: var.y -> var.x -> var.y",
            id="circle of variables",
        ),
        pytest.param(
            NAMED + "variables: {x: {default: '${var.z}'}}\n", "databricks.yml:2:17: unknown reference ${var.z}", id="unknown variable"
        ),
        pytest.param(
            NAMED + "variables: {x: {default: 'a${var.c}'}, c: {type: complex, default: {a: 1}}}\n",
            "${var.c} is no text, so it cannot stand inside 'a${var.c}'",
            id="mapping inside text",
        ),
        pytest.param(NAMED + "targets: {a: {}, b: {}}\n", "no target is 'default: true'; name one with -t: a, b", id="no default target"),
        pytest.param(
            NAMED + "targets: {a: {mode: dev}}\n", "mode 'dev' is not known; expected one of development, production", id="unknown mode"
        ),
        pytest.param(NAMED + "targets: {a: {mode: production}}\n", "set workspace.root_path (or run_as)", id="production in a home"),
        pytest.param(
            NAMED + "workspace: {host: https://real.example.com}\n",
            "databricks.yml:2:13: the bundle pins workspace.host https://real.example.com, and this workspace is http://127.0.0.1:1",
            id="another host",
        ),
        pytest.param(
            job(TASK, "      timeout_seconds: soon\n"),
            "databricks.yml:7:7: resources.jobs.j.timeout_seconds: expected a whole number",
            id="no number",
        ),
        pytest.param(
            job("{task_key: t, sqll_task: {}}"),
            "databricks.yml:6:29: resources.jobs.j.tasks[0].sqll_task: unknown task type 'sqll_task'; expected one of ",
            id="unknown task type",
        ),
        pytest.param(job("{task_key: t}"), "resources.jobs.j.tasks[0]: the task has no type; expected exactly one of ", id="no task type"),
        pytest.param(job("{notebook_task: {}}"), "resources.jobs.j.tasks[0]: 'task_key' is missing", id="no task key"),
        pytest.param(job(""), "resources.jobs.j: a job needs at least one task", id="no task"),
        pytest.param(
            job(TASK.replace("task_key: t,", "task_key: t, depends_on: [{task_key: u}],")),
            "resources.jobs.j.tasks[0].depends_on: no task 'u' in this job; expected one of t",
            id="unknown dependency",
        ),
        pytest.param(
            job(TASK.replace("task_key: t,", "task_key: t, depends_on: [{task_key: t}],")),
            "resources.jobs.j: tasks wait for each other in a circle: t -> t",
            id="circle of tasks",
        ),
        pytest.param(
            job(TASK.replace("environment_key: e", "environment_key: f")),
            "resources.jobs.j.tasks[0].environment_key: 'f' is not in 'environments:'; expected one of e",
            id="unknown environment",
        ),
        pytest.param(
            NAMED + "resources: {schemas: {s: {name: s}}}\n", "resources.schemas.s: 'catalog_name' is missing", id="schema without catalog"
        ),
        pytest.param(
            job(TASK, "      description: ${resources.jobs.k.id}\n"),
            "databricks.yml:7:7: unknown reference ${resources.jobs.k.id}",
            id="unknown resource",
        ),
        pytest.param(
            TWO_JOBS,
            "databricks.yml:4:88: resources refer to each other's ids in a circle: "
            "resources.jobs.a -> resources.jobs.b -> resources.jobs.a; remove one reference",
            id="jobs that run each other",
        ),
        pytest.param(
            job("{task_key: t, run_job_task: {job_id: '${resources.jobs.j.id}'}}"),
            "databricks.yml:6:44: resources refer to each other's ids in a circle: resources.jobs.j -> resources.jobs.j",
            id="job that runs itself",
        ),
        pytest.param(
            job("{task_key: t, run_job_task: {job_id: '${resources.jobs.other.id}'}}"),
            "databricks.yml:6:44: unknown reference ${resources.jobs.other.id}",
            id="job that is not there",
        ),
        pytest.param(
            job("{task_key: t, run_job_task: {}}"), "databricks.yml:6:29: resources.jobs.j.tasks[0].run_job_task: 'job_id'", id="no job"
        ),
        pytest.param(
            job("{task_key: t, condition_task: {op: EQUAL_TO, left: a}}"),
            "databricks.yml:6:29: resources.jobs.j.tasks[0].condition_task: 'right' is missing; add it",
            id="half a condition",
        ),
        pytest.param(
            job("{task_key: t, condition_task: {op: LIKE, left: a, right: b}}"),
            "resources.jobs.j.tasks[0].condition_task.op: 'LIKE' is not known; expected one of EQUAL_TO, GREATER_THAN",
            id="unknown operator",
        ),
        pytest.param(
            job(f"{TASK}, {{task_key: u, depends_on: [{{task_key: t, outcome: 'true'}}], run_job_task: {{job_id: 1}}}}"),
            "resources.jobs.j.tasks[1].depends_on: task 't' is no condition_task and has no 'outcome'; remove it",
            id="outcome of what is no condition",
        ),
        pytest.param(
            job(f"{CONDITION}, {{task_key: u, depends_on: [{{task_key: c, outcome: yes}}], run_job_task: {{job_id: 1}}}}"),
            'resources.jobs.j.tasks[1].depends_on: outcome \'yes\' is not known; expected "true" or "false"',
            id="unknown outcome",
        ),
    ],
)
def test_bad_bundle_is_refused_in_one_sentence(resolved: Resolve, text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        resolved(text)

    assert message in str(refused.value)


def test_unknown_target_is_answered_with_those_there_are(resolved: Resolve) -> None:
    with pytest.raises(UserError, match=r"databricks\.yml:2:1: unknown target 'qa'; expected one of dev, prod"):
        resolved(NAMED + "targets: {dev: {}, prod: {}}\n", target="qa")


def test_unknown_variable_on_the_command_line_is_answered_with_those_there_are(resolved: Resolve) -> None:
    with pytest.raises(UserError, match=r"--var y=…: unknown variable 'y'; declared in the bundle: x"):
        resolved(NAMED + "variables: {x: {default: 1}}\n", variables={"y": "1"})


def test_complex_variable_is_not_taken_from_the_command_line(resolved: Resolve) -> None:
    with pytest.raises(UserError, match="--var x: variable 'x' is complex and takes no text"):
        resolved(NAMED + "variables: {x: {type: complex, default: {}}}\n", variables={"x": "{}"})


def test_resource_defined_in_two_files_is_refused_with_both_places(resolved: Resolve) -> None:
    schema = "resources: {schemas: {s: {name: s, catalog_name: c}}}\n"

    with pytest.raises(UserError, match=r"b\.yml:1:23: resources\.schemas\.s is defined twice \(first at a\.yml:1:23\)"):
        resolved(NAMED, files={"a.yml": schema, "b.yml": schema})


def test_unreadable_include_is_refused_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "databricks.yml").write_text(NAMED + "include: [jobs/*.yml, more.yml]\n")

    with pytest.raises(UserError, match=r"databricks\.yml:2:23: include: there is no file 'more\.yml'"):
        read_sources(tmp_path)


def test_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no databricks\.yml in this folder"):
        read_sources(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            "      schedule: {timezone_id: UTC, quartz_cron_expression: 0 8 * * *}",
            r"databricks\.yml:7:36: resources\.jobs\.j\.schedule\.quartz_cron_expression: '0 8 . . .' is no Quartz expression \(5 fields",
            id="unix cron",
        ),
        pytest.param(
            "      schedule: {timezone_id: Mars, quartz_cron_expression: '0 0 8 * * ?'}",
            r"databricks\.yml:7:18: resources\.jobs\.j\.schedule\.timezone_id: 'Mars' is no time zone; expected a name such as UTC",
            id="zone",
        ),
        pytest.param(
            "      schedule: {timezone_id: UTC}", r"7:\d+: resources\.jobs\.j\.schedule: 'quartz_cron_expression' is missing", id="no cron"
        ),
        pytest.param(
            "      continuous: {}\n      trigger: {periodic: {interval: 1, unit: DAYS}}",
            r"resources\.jobs\.j: trigger and continuous; a job has one of schedule, trigger and continuous",
            id="two ways to start",
        ),
    ],
)
def test_a_job_that_could_not_start_by_itself_is_told_with_its_place(resolved: Resolve, settings: str, message: str) -> None:
    """Before anything is built."""
    with pytest.raises(UserError, match=message):
        resolved(job(TASK, f"{settings}\n"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param(
            job("{task_key: t, sql_task: {warehouse_id: a}}"), r"databricks\.yml:6:29: resources\.jobs\.j\.tasks\[0\]\.sql_task", id="SQL"
        ),
        pytest.param(job(TASK.replace("environment_key: e", "existing_cluster_id: c")), r"tasks\[0\]\.existing_cluster_id", id="cluster"),
        pytest.param(
            job("{task_key: t, run_job_task: {job_id: 7, sql_params: {a: b}}}"),
            r"databricks\.yml:6:55: resources\.jobs\.j\.tasks\[0\]\.run_job_task\.sql_params",
            id="parameters for SQL",
        ),
        pytest.param(NAMED + "workspace: {file_path: /Volumes/c/s/v}\n", "/Volumes/c/s/v", id="files in a volume"),
        pytest.param(job(TASK, "      trigger: {model: {condition: MODEL_CREATED}}\n"), r"jobs\.j\.trigger\.model", id="model trigger"),
        pytest.param(
            job(TASK, "      trigger: {file_arrival: {url: s3://b/x}}\n"),
            r"7:32: resources\.jobs\.j\.trigger\.file_arrival\.url 's3://b/x' \(supported: a folder below /Volumes\)",
            id="files elsewhere",
        ),
    ],
)
def test_what_the_harness_does_not_do_is_refused_before_a_deployment(resolved: Resolve, text: str, what: str) -> None:
    with pytest.raises(NotEmulated, match=what + ".* not emulated"):
        check_emulated(resolved(text))


def test_kind_of_resource_that_the_harness_does_not_deploy_is_refused(resolved: Resolve) -> None:
    with pytest.raises(NotEmulated, match=r"databricks\.yml:2:13: deploying resources\.pipelines with a bundle is not emulated"):
        resolved(NAMED + "resources: {pipelines: {p: {name: x}}}\n")
