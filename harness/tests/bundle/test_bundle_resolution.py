"""From the text of `databricks.yml` to what it means for one target."""

from collections.abc import Callable

import pytest

from harness.bundle import Bundle
from harness.bundle.nodes import Json

Resolve = Callable[..., Bundle]

JOB = """
resources:
  jobs:
    nightly:
      name: nightly
      tasks:
        - task_key: only
          environment_key: default
          python_wheel_task: {package_name: p, entry_point: main}
      environments:
        - environment_key: default
          spec: {environment_version: "5"}
"""
NAMED = "bundle: {name: demo}\n"
BELOW_SCHEMA = "{name: n, catalog_name: c, schema_name: s}"


def body(bundle: Bundle, path: str) -> dict[str, Json]:
    """Return what is sent for a resource."""
    return dict(next(each.body for each in bundle.resources if each.path == path))


def value(bundle: Bundle, name: str) -> Json:
    """Return a variable's value."""
    found = bundle.tree.find("variables", name, "default")
    return found.plain() if found is not None else None


class TestVariables:
    TEXT = NAMED + "variables: {where: {default: base}}\ntargets: {a: {default: true}, b: {variables: {where: target}}}\n"

    def test_default_stands_where_nothing_else_is_said(self, resolved: Resolve) -> None:
        assert value(resolved(self.TEXT), "where") == "base"

    def test_target_overrides_the_default(self, resolved: Resolve) -> None:
        assert value(resolved(self.TEXT, target="b"), "where") == "target"

    def test_environment_overrides_the_target(self, resolved: Resolve) -> None:
        assert value(resolved(self.TEXT, target="b", environment={"BUNDLE_VAR_where": "env"}), "where") == "env"

    def test_command_line_overrides_the_environment(self, resolved: Resolve) -> None:
        found = resolved(self.TEXT, target="b", environment={"BUNDLE_VAR_where": "env"}, variables={"where": "flag"})

        assert value(found, "where") == "flag"

    def test_variables_refer_to_each_other_and_to_the_user(self, resolved: Resolve) -> None:
        text = NAMED + "variables: {a: {default: '${var.b}_x'}, b: {default: '${workspace.current_user.short_name}'}}\n"

        assert value(resolved(text), "a") == "ann_lee_x"

    def test_complex_variable_takes_its_reference_s_place(self, resolved: Resolve) -> None:
        text = (
            NAMED
            + "variables: {mail: {type: complex, default: {on_failure: [a@b.c]}}}\n"
            + JOB
            + "      email_notifications: ${var.mail}\n"
        )

        assert body(resolved(text), "resources.jobs.nightly")["email_notifications"] == {"on_failure": ["a@b.c"]}

    def test_part_of_a_complex_variable_can_be_meant(self, resolved: Resolve) -> None:
        text = NAMED + "variables: {a: {default: '${var.c.list[1]}'}, c: {type: complex, default: {list: [x, y]}}}\n"

        assert value(resolved(text), "a") == "y"

    def test_name_of_a_reference_may_be_made_of_references(self, resolved: Resolve) -> None:
        text = NAMED + "variables: {a: {default: '${var.${bundle.target}_size}'}, dev_size: {default: small}}\ntargets: {dev: {}}\n"

        assert value(resolved(text), "a") == "small"

    def test_text_from_outside_becomes_the_number_that_is_wanted(self, resolved: Resolve) -> None:
        text = NAMED + "variables: {limit: {}}\n" + JOB + "      timeout_seconds: ${var.limit}\n"

        assert body(resolved(text, variables={"limit": "60"}), "resources.jobs.nightly")["timeout_seconds"] == 60

    def test_number_stays_as_written_where_text_is_wanted(self, resolved: Resolve) -> None:
        text = NAMED + JOB.replace('environment_version: "5"', "environment_version: 3.10")

        environments = body(resolved(text), "resources.jobs.nightly")["environments"]
        assert environments == [{"environment_key": "default", "spec": {"environment_version": "3.10"}}]


def test_platform_s_own_references_are_left_alone(resolved: Resolve) -> None:
    """`{{…}}` is for the run, not for the bundle."""
    text = NAMED + JOB.replace("entry_point: main}", "entry_point: main, parameters: ['{{job.run_id}}', '{{job.id}}-${bundle.name}']}")

    tasks = body(resolved(text), "resources.jobs.nightly")["tasks"]
    assert isinstance(tasks, list)
    assert isinstance(tasks[0], dict)
    wheel = tasks[0]["python_wheel_task"]
    assert isinstance(wheel, dict)
    assert wheel["parameters"] == ["{{job.run_id}}", "{{job.id}}-demo"]


def test_target_s_task_is_merged_into_the_bundle_s_by_its_key(resolved: Resolve) -> None:
    text = NAMED + JOB + "targets: {t: {resources: {jobs: {nightly: {tasks: [{task_key: only, timeout_seconds: 9}]}}}}}\n"

    assert body(resolved(text), "resources.jobs.nightly")["tasks"] == [
        {
            "task_key": "only",
            "environment_key": "default",
            "python_wheel_task": {"package_name": "p", "entry_point": "main"},
            "timeout_seconds": 9,
        }
    ]


def test_target_s_environment_and_parameter_are_merged_by_their_keys(resolved: Resolve) -> None:
    override = "{environments: [{environment_key: default, spec: {dependencies: [numpy]}}], parameters: [{name: a, default: '2'}]}"
    text = (
        NAMED + JOB + f"      parameters: [{{name: a, default: '1'}}]\ntargets: {{t: {{resources: {{jobs: {{nightly: {override}}}}}}}}}\n"
    )

    found = body(resolved(text), "resources.jobs.nightly")
    assert found["environments"] == [{"environment_key": "default", "spec": {"environment_version": "5", "dependencies": ["numpy"]}}]
    assert found["parameters"] == [{"name": "a", "default": "2"}]


class TestDevelopment:
    TARGET = "targets: {dev: {mode: development}}\n"

    def test_job_is_named_tagged_and_allowed_to_run_beside_itself(self, resolved: Resolve) -> None:
        found = body(resolved(NAMED + JOB + self.TARGET), "resources.jobs.nightly")

        assert found["name"] == "[dev ann_lee] nightly"
        assert found["tags"] == {"dev": "ann_lee"}
        assert found["max_concurrent_runs"] == 4

    @pytest.mark.parametrize(
        ("written", "expected"),
        [pytest.param("", "PAUSED", id="nothing said"), pytest.param(", pause_status: UNPAUSED", "UNPAUSED", id="said by the job")],
    )
    def test_schedule_is_paused_unless_the_job_says_otherwise(self, resolved: Resolve, written: str, expected: str) -> None:
        schedule = f"      schedule: {{quartz_cron_expression: '0 0 8 * * ?', timezone_id: UTC{written}}}\n"

        found = body(resolved(NAMED + JOB + schedule + self.TARGET), "resources.jobs.nightly")["schedule"]

        assert isinstance(found, dict)
        assert found["pause_status"] == expected

    def test_job_keeps_its_own_number_of_runs(self, resolved: Resolve) -> None:
        found = body(resolved(NAMED + JOB + "      max_concurrent_runs: 1\n" + self.TARGET), "resources.jobs.nightly")

        assert found["max_concurrent_runs"] == 1

    @pytest.mark.parametrize(
        ("path", "text", "expected"),
        [
            pytest.param("schemas.x", "schemas: {x: {name: s, catalog_name: c}}", "dev_ann_lee_s", id="schema"),
            pytest.param(
                "registered_models.x", "registered_models: {x: {name: m, catalog_name: c, schema_name: s}}", "dev_ann_lee_m", id="model"
            ),
            pytest.param("volumes.x", "volumes: {x: {name: v, catalog_name: c, schema_name: s}}", "v", id="volume"),
            pytest.param("experiments.x", "experiments: {x: {name: /Users/a/e}}", "/Users/a/[dev ann_lee] e", id="experiment"),
        ],
    )
    def test_names_carry_the_developer_as_their_kind_allows(self, resolved: Resolve, path: str, text: str, expected: str) -> None:
        found = resolved(f"{NAMED}resources: {{{text}}}\n{self.TARGET}")

        assert body(found, f"resources.{path}")["name"] == expected

    def test_reference_to_a_resource_gives_its_prefixed_name(self, resolved: Resolve) -> None:
        volume = "{name: v, catalog_name: c, schema_name: '${resources.schemas.s.name}'}"
        resources = f"resources: {{schemas: {{s: {{name: s, catalog_name: c}}}}, volumes: {{v: {volume}}}}}\n"

        found = resolved(NAMED + resources + self.TARGET)

        assert body(found, "resources.volumes.v")["schema_name"] == "dev_ann_lee_s"


def test_id_of_a_schema_is_its_full_name_and_id_of_a_job_waits_for_the_deployment(resolved: Resolve) -> None:
    other = "    other: {tasks: [{task_key: t, run_job_task: {job_id: '${resources.jobs.nightly.id}'}}]}\n"
    text = NAMED + JOB + "      description: ${resources.schemas.s.id}\n" + other + "  schemas: {s: {name: s, catalog_name: c}}\n"

    found = resolved(text)

    assert body(found, "resources.jobs.nightly")["description"] == "c.s"
    assert body(found, "resources.jobs.other")["tasks"] == [{"task_key": "t", "run_job_task": {"job_id": "${resources.jobs.nightly.id}"}}]


def test_paths_start_from_the_file_they_are_written_in(resolved: Resolve) -> None:
    job = JOB.replace(
        'environment_version: "5"', "dependencies: [../a/dist/*.whl, ./b.whl, '../a/c.whl[x]', numpy>=2, /Volumes/c/s/v/d.whl]"
    )

    found = resolved(NAMED + "artifacts: {a: {type: whl}}\n", files={"resources/jobs.yml": job})

    assert found.artifacts[0].path == "."
    assert body(found, "resources.jobs.nightly")["environments"] == [
        {
            "environment_key": "default",
            "spec": {"dependencies": ["./a/dist/*.whl", "./resources/b.whl", "./a/c.whl[x]", "numpy>=2", "/Volumes/c/s/v/d.whl"]},
        }
    ]


def test_deployment_lives_in_the_user_s_folder_unless_said_otherwise(resolved: Resolve) -> None:
    usual, chosen = resolved(NAMED), resolved(NAMED + "workspace: {root_path: ~/x, state_path: /Shared/s}\n")

    assert usual.paths.root == "/Workspace/Users/Ann.Lee@example.com/.bundle/demo/default"
    assert usual.paths.artifacts == "/Workspace/Users/Ann.Lee@example.com/.bundle/demo/default/artifacts"
    assert (chosen.paths.root, chosen.paths.state) == ("/Workspace/Users/Ann.Lee@example.com/x", "/Workspace/Shared/s")


def test_bundle_s_permissions_hold_for_every_job_in_the_job_s_words(resolved: Resolve) -> None:
    text = NAMED + JOB + "permissions: [{level: CAN_RUN, group_name: team}, {level: CAN_VIEW, user_name: x@y.z}]\n"

    permissions = next(iter(resolved(text).resources)).permissions
    assert [each.body() for each in permissions] == [
        {"group_name": "team", "permission_level": "CAN_MANAGE_RUN"},
        {"user_name": "x@y.z", "permission_level": "CAN_VIEW"},
    ]


def test_run_as_of_the_bundle_is_that_of_jobs_without_their_own(resolved: Resolve) -> None:
    text = NAMED + JOB + "run_as: {service_principal_name: robot}\n"

    assert body(resolved(text), "resources.jobs.nightly")["run_as"] == {"service_principal_name": "robot"}


def test_unknown_key_is_warned_of_with_its_place_and_what_is_accepted(resolved: Resolve) -> None:
    found = resolved(NAMED, files={"resources/jobs.yml": JOB + "      max_concurent_runs: 1\n"})

    warning = next(iter(found.warnings))
    assert (warning.at, warning.path) == ("resources/jobs.yml:13:7", "resources.jobs.nightly.max_concurent_runs")
    assert "max_concurrent_runs" in warning.accepted
    assert str(warning).startswith(
        "resources/jobs.yml:13:7: resources.jobs.nightly.max_concurent_runs: unknown key, ignored; accepted here: "
    )


def test_yes_and_on_are_text_and_merge_keys_merge(resolved: Resolve) -> None:
    text = NAMED + "variables:\n  a: &base {description: yes, default: on}\n  b: {<<: *base, default: own}\n"

    found = resolved(text)

    assert (value(found, "a"), value(found, "b")) == ("on", "own")
