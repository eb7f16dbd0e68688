"""The decisions of serving endpoints, without processes."""

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
    """An update that only moves traffic starts no process again."""
    before = config({"served_entities": [ONE]})
    again = rules.new_config(
        msgspec.convert({"served_entities": [{**ONE, "workload_size": "Medium"}]}, ConfigInput),
        version=3,
        creator="you",
        now=6,
        new_id=SeededIds(1).hex32,
        current=before,
    )
    assert again.entities[0].id == before.entities[0].id
    assert again.entities[0].workload_size == "Medium"
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
    with pytest.raises(ApiError, match=message) as caught:
        config(body)
    assert (caught.value.status, caught.value.error_code) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "entity",
    [
        pytest.param({"external_model": {"name": "x"}}, id="external model"),
        pytest.param({**ONE, "workload_type": "GPU_SMALL"}, id="GPU"),
        pytest.param({**ONE, "environment_vars": {"A": "{{secrets/s/k}}"}}, id="secret"),
    ],
)
def test_what_is_not_emulated_says_so(entity: dict[str, object]) -> None:
    """Never accepted and ignored."""
    with pytest.raises(NotEmulated):
        config({"served_entities": [entity]})


def test_route_optimized_is_not_emulated() -> None:
    """Its invocations have another host and other tokens."""
    with pytest.raises(NotEmulated, match="route_optimized"):
        rules.check_create(CreateEndpoint(name="x", route_optimized=True))


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
