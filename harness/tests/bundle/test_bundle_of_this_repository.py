"""Our own `databricks.yml`, for each of its targets."""

from pathlib import Path

import pytest

from harness.bundle import Bundle, Choice, Identity, Source, read_sources, resolve
from harness.bundle.emulated import TASK_TYPES, check_emulated
from harness.bundle.nodes import Json
from harness.bundle.substitution import with_ids
from harness.jobs import settings
from harness.jobs.settings import parse

ROOT = Path(__file__).resolve().parents[3]
DEVELOPER = Identity("developer@harness.local", "http://127.0.0.1:1")
TARGETS = ("dev", "staging", "prod")
GRAPHS = {
    "ml_training_pipeline": {"train": [], "validate": ["train"], "deploy": ["validate"]},
    "ml_batch_inference": {"batch_inference": []},
    "ml_monitoring": {"monitoring": [], "verdict": ["monitoring"], "retrain_needed": ["verdict"], "retrain": ["retrain_needed"]},
}


def ours(target: str, **variables: str) -> Bundle:
    """Return our bundle for a target."""
    return resolve(read_sources(ROOT), choice=Choice(target, variables), identity=DEVELOPER)


def tasks(body: dict[str, Json]) -> list[dict[str, Json]]:
    """Return a job's tasks."""
    return mappings(body["tasks"])


def mappings(found: Json) -> list[dict[str, Json]]:
    """Return the items of a list of mappings."""
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, dict)]


def upstream(task: dict[str, Json]) -> list[Json]:
    """Return the keys of the tasks that a task waits for."""
    found = task.get("depends_on", [])
    assert isinstance(found, list)
    return [each["task_key"] for each in found if isinstance(each, dict)]


def parameters(bundle: Bundle, job: str) -> dict[str, Json]:
    """Return the defaults of a job's parameters."""
    found = bundle.of_kind("jobs")[job].body["parameters"]
    assert isinstance(found, list)
    return {str(each["name"]): each["default"] for each in found if isinstance(each, dict)}


@pytest.mark.parametrize("target", TARGETS)
def test_bundle_gives_three_jobs_with_their_graphs_and_no_warning(target: str) -> None:
    bundle = ours(target)
    check_emulated(bundle)

    graphs = {key: {task["task_key"]: upstream(task) for task in tasks(dict(job.body))} for key, job in bundle.of_kind("jobs").items()}

    assert bundle.warnings == ()
    assert graphs == GRAPHS
    assert {resource.kind for resource in bundle.resources} == {"jobs"}


@pytest.mark.parametrize("target", TARGETS)
def test_the_harness_s_jobs_api_takes_every_job(target: str) -> None:
    jobs = ours(target).of_kind("jobs").values()
    ids = {job.path: str(number) for number, job in enumerate(jobs)}

    for job in jobs:
        assert parse(with_ids(job.body, ids)).name == job.name


def test_task_types_that_bundles_may_use_are_those_that_jobs_can_run() -> None:
    assert settings.TASK_TYPES == TASK_TYPES


def test_f18_no_two_targets_or_catalogs_share_a_name_in_a_shared_namespace() -> None:
    """Jobs, endpoints, experiments and folders of three targets in two catalogs are all different: they may live in one workspace."""
    bundles = [ours(target, catalog=catalog) for target in TARGETS for catalog in ("main", "lab")]
    for shown in ("endpoint_name", "experiment"):
        assert len({str(parameters(bundle, "ml_training_pipeline")[shown]) for bundle in bundles}) == 6
    names = [job.name for bundle in bundles for job in bundle.of_kind("jobs").values()]
    assert len(set(names)) == len(names) == 18
    assert len({bundle.paths.root for bundle in bundles}) == 6


@pytest.mark.parametrize("target", TARGETS)
def test_f20_environment_permissions_and_notifications_are_set(target: str) -> None:
    """Every job pins its environment's version, says who may look, and has a place for who hears of failures; tasks have an environment."""
    for job in ours(target).of_kind("jobs").values():
        body = dict(job.body)
        environments = {str(each["environment_key"]): each["spec"] for each in mappings(body["environments"])}
        assert all(spec["environment_version"] == "5" for spec in mappings(list(environments.values())))
        assert {"group_name": "users", "permission_level": "CAN_VIEW"} in [permission.body() for permission in job.permissions]
        assert "email_notifications" in body
        assert body["timeout_seconds"] == 7200
        assert {task["environment_key"] for task in tasks(body) if "python_wheel_task" in task} <= set(environments)


@pytest.mark.parametrize("target", TARGETS)
def test_bundle_resolved_is_itself(target: str) -> None:
    bundle = ours(target)

    assert resolve([Source("databricks.yml", bundle.as_yaml())], choice=Choice(), identity=DEVELOPER) == bundle


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("job", list(GRAPHS))
def test_f20_every_job_is_bounded_and_starts_only_when_asked(target: str, job: str) -> None:
    body = dict(ours(target).of_kind("jobs")[job].body)

    schedule = body.get("schedule", {"pause_status": "PAUSED", "timezone_id": "UTC"})
    assert isinstance(schedule, dict)
    assert (schedule["pause_status"], schedule["timezone_id"]) == ("PAUSED", "UTC")
    assert body["max_concurrent_runs"] == 1
    assert body["queue"] == {"enabled": True}
    wheels = [task for task in tasks(body) if "python_wheel_task" in task]
    assert all(task["max_retries"] == 1 and task["timeout_seconds"] and task["min_retry_interval_millis"] for task in wheels)


@pytest.mark.parametrize(
    ("target", "endpoint"),
    [
        pytest.param("dev", "main_dev_developer_taxi_fares_fare_predictor_model", id="dev"),
        pytest.param("staging", "main_staging_taxi_fares_fare_predictor_model", id="staging"),
        pytest.param("prod", "main_taxi_fares_fare_predictor_model", id="prod"),
    ],
)
def test_f18_endpoint_s_name_differs_between_targets_and_fits(target: str, endpoint: str) -> None:
    """All targets of a workspace share one namespace of endpoints; a name has at most 63 characters."""
    assert parameters(ours(target), "ml_training_pipeline")["endpoint_name"] == endpoint
    assert len(endpoint) <= 63


def test_f18_catalog_given_on_the_command_line_reaches_tables_and_endpoint() -> None:
    found = parameters(ours("prod", catalog="lab"), "ml_monitoring")

    assert (found["catalog"], found["endpoint_name"]) == ("lab", "lab_taxi_fares_fare_predictor_model")


def test_every_job_parameter_that_a_task_names_is_declared() -> None:
    bundle = ours("dev")
    for key, job in bundle.of_kind("jobs").items():
        named = {text.split("}}")[0] for task in tasks(dict(job.body)) for text in str(task).split("{{job.parameters.")[1:]}
        assert named == set(parameters(bundle, key)) or named < set(parameters(bundle, key))
        assert named
