"""The decisions of serving endpoints, without processes."""

import re
from collections import Counter
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ApiError, NotEmulated
from harness.ids import SeededIds
from harness.serving import link, rules
from harness.serving.model import Config, ConfigInput, CreateEndpoint, Gateway, Route, Tag, TagsPatch
from harness_guest import model_frames

ONE = {"entity_name": "main.ml.fares", "entity_version": "3"}
TWO = [{**ONE, "name": "a"}, {**ONE, "name": "b"}]


def config(body: Mapping[str, object], current: Config | None = None) -> Config:
    request = msgspec.convert(body, ConfigInput, strict=False)
    return rules.new_config(request, version=2, creator="me", now=5, new_id=SeededIds().hex32, current=current)


def test_one_entity_gets_its_name_and_all_traffic() -> None:
    """Without a name it is the model's last part and version; without traffic_config it serves 100 percent."""
    made = config({"served_entities": [ONE]})
    assert [entity.name for entity in made.entities] == ["fares-3"]
    assert made.routes == (Route("fares-3", 100),)
    assert (made.version, made.entities[0].workload_size) == (2, "Small")


def test_older_words_mean_the_same() -> None:
    """served_models with model_name, quoted percentages and served_model_name are accepted."""
    body = {
        "served_models": [{"model_name": "main.ml.fares", "model_version": "3", "name": "x"}],
        "traffic_config": {"routes": [{"served_model_name": "x", "traffic_percentage": "100"}]},
    }
    assert config(body).routes == (Route("x", 100),)


def test_unchanged_entity_keeps_its_id() -> None:
    """An update that only moves traffic or scales starts no process again; another size, with other concurrency, does."""
    before = config({"served_entities": [ONE]})
    again = rules.new_config(
        msgspec.convert({"served_entities": [{**ONE, "workload_type": "CPU_LARGE", "scale_to_zero_enabled": True}]}, ConfigInput),
        version=3,
        creator="you",
        now=6,
        new_id=SeededIds(1).hex32,
        current=before,
    )
    assert again.entities[0].id == before.entities[0].id
    assert (again.entities[0].workload_type, again.entities[0].scale_to_zero_enabled) == ("CPU_LARGE", True)
    medium = msgspec.convert({"served_entities": [{**ONE, "workload_size": "Medium"}]}, ConfigInput)
    resized = rules.new_config(medium, version=4, creator="you", now=7, new_id=SeededIds(2).hex32, current=again)
    assert resized.entities[0].id != before.entities[0].id
    changed = config({"served_entities": [{**ONE, "environment_vars": {"A": "b"}}]}, again)
    assert changed.entities[0].environment_vars == {"A": "b"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "at least one served entity", id="nothing to serve"),
        pytest.param({"served_entities": [{"entity_name": "main.ml.m"}]}, "entity_version are required", id="no version"),
        pytest.param({"served_entities": [ONE, ONE]}, "names must be unique", id="same name twice"),
        pytest.param({"served_entities": TWO}, "traffic_config is required", id="two without split"),
        pytest.param({"served_entities": [{**ONE, "name": "a b"}]}, "is not valid", id="bad name"),
        pytest.param({"served_entities": [{**ONE, "workload_size": "Huge"}]}, "workload_size 'Huge'", id="bad size"),
        pytest.param(
            {"served_models": [{**ONE, "workload_type": "GPU_MEDIUM", "workload_size": "Small"}]},
            "Workload type 'GPU_MEDIUM' with size 'Small' is not supported. Please choose a node type from CPU, CPU_MEDIUM, CPU_LARGE.",
            id="no such node",
        ),
        pytest.param(
            {"served_entities": [{**ONE, "workload_size": "Small", "max_provisioned_concurrency": 8}]},
            "workload_size cannot be combined with",
            id="size and concurrency",
        ),
        pytest.param(
            {"served_entities": [{**ONE, "min_provisioned_concurrency": 8, "max_provisioned_concurrency": 4}]},
            "max at least 1 and min, got min 8 and max 4",
            id="concurrency upside down",
        ),
        pytest.param(
            {"served_entities": [{**ONE, "environment_vars": {f"V{n}": "" for n in range(51)}}]},
            "51 variables; at most 50 are allowed",
            id="51 variables",
        ),
        pytest.param({"served_entities": [{**ONE, "environment_vars": {"A B": "x"}}]}, "'A B' is not a name", id="variable's name"),
        pytest.param(
            {"served_entities": [{**ONE, "environment_vars": {"A": "{{secrets/scope}}"}}]},
            "the value of A is not a reference to a secret; expected {{secrets/scope/key}}",
            id="half a reference",
        ),
        pytest.param(
            {"served_entities": [{**ONE, "name": f"n{n}"} for n in range(16)]},
            "16 served entities; at most 15 are allowed",
            id="16 entities",
        ),
        pytest.param(
            {"served_entities": [ONE], "auto_capture_config": {"catalog_name": "main", "schema_name": "logs", "enabled": True}},
            "auto_capture_config can no longer be enabled; use ai_gateway.inference_table_config",
            id="legacy inference table",
        ),
        pytest.param(
            {"served_entities": [{**ONE, "provisioned_model_units": 50}]},
            "Served entity main.ml.fares is not eligible for Provisioned Throughput.",
            id="provisioned throughput",
        ),
        pytest.param(
            {
                "served_entities": TWO,
                "traffic_config": {
                    "routes": [
                        {"served_entity_name": "a", "traffic_percentage": 101},
                        {"served_entity_name": "b", "traffic_percentage": -1},
                    ]
                },
            },
            "percentages must be 0 to 100",
            id="percentages out of range",
        ),
        pytest.param(
            {"served_entities": TWO, "traffic_config": {"routes": [{"served_entity_name": "a", "traffic_percentage": 100}]}},
            "one route for each served entity",
            id="missing route",
        ),
        pytest.param(
            {"served_entities": [ONE], "traffic_config": {"routes": [{"served_entity_name": "fares-3", "traffic_percentage": 90}]}},
            "sum to 100",
            id="not 100 percent",
        ),
        pytest.param(
            {"served_entities": [ONE], "traffic_config": {"routes": [{"served_entity_name": "other", "traffic_percentage": 100}]}},
            "one route for each served entity",
            id="route to nobody",
        ),
    ],
)
def test_bad_configuration_is_refused(body: dict[str, object], message: str) -> None:
    """Each mistake is a 400 that names it."""
    with pytest.raises(ApiError, match=re.escape(message)) as caught:
        config(body)
    assert (caught.value.status, caught.value.error_code) == (400, "INVALID_PARAMETER_VALUE")


def test_limits_of_variables_and_entities_are_inclusive() -> None:
    """Fifty variables, fifteen entities, an inference table that is off."""
    many = [{**ONE, "name": f"n{n}", "environment_vars": {f"V{v}": "{{secrets/s/k}}" for v in range(50)}} for n in range(15)]
    routes = [{"served_entity_name": f"n{n}", "traffic_percentage": 100 if n == 0 else 0} for n in range(15)]
    body = {"served_entities": many, "traffic_config": {"routes": routes}, "auto_capture_config": {"enabled": False}}
    assert len(config(body).entities) == 15


@pytest.mark.parametrize(
    "entity",
    [
        pytest.param({"external_model": {"name": "x"}}, id="external model"),
        pytest.param({**ONE, "instance_profile_arn": "arn:aws:iam::1:instance-profile/x"}, id="instance profile"),
    ],
)
def test_what_is_not_emulated_says_so(entity: dict[str, object]) -> None:
    """Never accepted and ignored."""
    with pytest.raises(NotEmulated):
        config({"served_entities": [entity]})


@pytest.mark.parametrize("name", ["", "a b", "databricks-mine", "x" * 64, "-x"])
def test_bad_endpoint_names_are_refused(name: str) -> None:
    """Letters, digits, dash and underscore; one prefix is the platform's."""
    with pytest.raises(ApiError, match="is not valid"):
        rules.check_create(CreateEndpoint(name=name))


def test_gateway_needs_to_know_where() -> None:
    """Enabling an inference table takes a catalog and a schema."""
    with pytest.raises(ApiError, match="catalog_name and schema_name"):
        rules.check_gateway(msgspec.convert({"inference_table_config": {"enabled": True}}, Gateway), "ep")


@pytest.mark.property
@given(st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_every_hundred_points_follow_the_split(shares: list[int]) -> None:
    """Over the hundred points of the traffic each entity gets exactly its percentage."""
    total = sum(shares)
    exact = [*shares, 100 - total] if total <= 100 else [100]
    routes = [Route(f"e{number}", share) for number, share in enumerate(exact)]
    seen = Counter(rules.choose(routes, point) for point in range(100))
    assert [seen[route.served_entity_name] for route in routes] == exact


def test_tags_are_deleted_then_added() -> None:
    """A tag of the same key is overwritten."""
    patch = TagsPatch(add_tags=[Tag("b", "3")], delete_tags=["a"])
    assert rules.patched([Tag("a", "1"), Tag("b", "2")], patch) == (Tag("b", "3"),)


def test_both_sides_speak_the_same_frames() -> None:
    """The harness and the model server each have the format once; they are equal."""
    for name in ("SCORE", "PROBE", "SCORE_WITHOUT_CONTENT_TYPE", "LENGTH_BYTES"):
        assert getattr(link, name) == getattr(model_frames, name)
    assert (link.REQUEST.format, link.RESPONSE.format) == (model_frames.REQUEST.format, model_frames.RESPONSE.format)
