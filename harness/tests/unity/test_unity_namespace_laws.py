"""The namespace of volumes and schemas against a model of it: sequences of any calls, harnesses that die in between, callers at once."""

import shutil
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.errors import ApiError
from harness.ids import RandomIds
from harness.names import FullName
from harness.state import Store
from harness.unity.model import Change
from harness.unity.service import UnityService

SCHEMAS, NAMES = ("a", "b"), ("x", "y")
schemas, names = st.sampled_from(SCHEMAS), st.sampled_from(NAMES)


def _service(layout: Layout) -> tuple[UnityService, Store]:
    store = Store(layout.database)
    return UnityService(layout=layout, clock=SystemClock(), ids=RandomIds(), store=store, user=USER_NAME), store


class Killed(BaseException):
    """The harness dies here: nothing after this line happens."""


def _die(_: object) -> None:
    raise Killed


class Namespace(RuleBasedStateMachine):
    """What there is, by name, with the id it was made with; ids that were seen never come back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.layout = Layout(self.folder / "state").make()
        self.service, self.store = _service(self.layout)
        self.schemas: dict[str, str] = {}
        self.volumes: dict[tuple[str, str], str] = {}
        self.tables: dict[tuple[str, str], str] = {}
        self.used: set[str] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def _new(self, id_: str) -> str:
        assert id_ not in self.used
        self.used.add(id_)
        return id_

    def _refused(self, act: Callable[[], object], code: str) -> None:
        with pytest.raises(ApiError) as refused:
            act()
        assert refused.value.error_code == code

    @rule(schema=schemas, by_spark=st.booleans())
    def make_schema(self, schema: str, *, by_spark: bool) -> None:
        """By REST, or as a folder, as Spark makes it."""
        if schema in self.schemas:
            self._refused(lambda: self.service.namespaces.create_schema("main", schema), "SCHEMA_ALREADY_EXISTS")
        elif by_spark:
            (self.layout.warehouse / "main" / schema).mkdir()
            self.schemas[schema] = self._new(self.service.schema_id("main", schema))
        else:
            self.schemas[schema] = self._new(self.service.namespaces.create_schema("main", schema).schema_id)

    @rule(schema=schemas, force=st.booleans())
    def delete_schema(self, schema: str, *, force: bool) -> None:
        act = partial(self.service.delete_schema, f"main.{schema}", force=force)
        holds = [key for key in (*self.volumes, *self.tables) if key[0] == schema]
        if schema not in self.schemas:
            self._refused(act, "SCHEMA_DOES_NOT_EXIST")
        elif holds and not force:
            self._refused(act, "SCHEMA_NOT_EMPTY")
        else:
            act()
            self._forget(schema)

    @rule(schema=schemas)
    def drop_schema_by_spark(self, schema: str) -> None:
        """Cascading: its folders go."""
        if schema in self.schemas:
            shutil.rmtree(self.layout.warehouse / "main" / schema)
            shutil.rmtree(self.layout.files / "Volumes/main" / schema, ignore_errors=True)
            self._forget(schema)

    def _forget(self, schema: str) -> None:
        del self.schemas[schema]
        self.volumes = {key: id_ for key, id_ in self.volumes.items() if key[0] != schema}
        self.tables = {key: id_ for key, id_ in self.tables.items() if key[0] != schema}

    @rule(schema=schemas, new_name=schemas)
    def rename_schema(self, schema: str, new_name: str) -> None:
        """What it holds goes along and stays what it is."""
        act = partial(self.service.update_schema, f"main.{schema}", Change(new_name=new_name), user=USER_NAME)
        if schema not in self.schemas:
            self._refused(act, "SCHEMA_DOES_NOT_EXIST")
        elif new_name != schema and new_name in self.schemas:
            self._refused(act, "SCHEMA_ALREADY_EXISTS")
        else:
            act()
            self.schemas[new_name] = self.schemas.pop(schema)
            self.volumes = {(new_name if key == schema else key, name): id_ for (key, name), id_ in self.volumes.items()}
            self.tables = {(new_name if key == schema else key, name): id_ for (key, name), id_ in self.tables.items()}

    @rule(schema=schemas, name=names)
    def make_table(self, schema: str, name: str) -> None:
        if schema in self.schemas and (schema, name) not in self.tables:
            DeltaTable.create(self.layout.warehouse / "main" / schema / name, Schema([Field("id", PrimitiveType("long"))]))
            self.tables[schema, name] = self._new(self.service.table_id(FullName("main", schema, name)))

    @rule(schema=schemas, name=names)
    def delete_table(self, schema: str, name: str) -> None:
        act = partial(self.service.relations.delete, FullName("main", schema, name))
        if (schema, name) in self.tables:
            act()
            del self.tables[schema, name]
        else:
            self._refused(act, "TABLE_DOES_NOT_EXIST" if schema in self.schemas else "SCHEMA_DOES_NOT_EXIST")

    @rule(schema=schemas, name=names)
    def make_volume(self, schema: str, name: str) -> None:
        act = partial(self.service.volumes.create, FullName("main", schema, name))
        if schema not in self.schemas:
            self._refused(act, "SCHEMA_DOES_NOT_EXIST")
        elif (schema, name) in self.volumes:
            self._refused(act, "RESOURCE_ALREADY_EXISTS")
        else:
            id_ = self.volumes[schema, name] = self._new(act().volume_id)
            (self._path(schema, name) / "owner").write_text(id_)

    @rule(schema=schemas, name=names, new_name=names, dies=st.booleans())
    def rename_volume(self, schema: str, name: str, new_name: str, *, dies: bool) -> None:
        """A harness that dies between what it writes down and the files finishes when it starts again."""
        act = partial(self.service.volumes.update, FullName("main", schema, name), new_name=new_name)
        if (schema, name) not in self.volumes:
            self._refused(act, "VOLUME_DOES_NOT_EXIST" if schema in self.schemas else "SCHEMA_DOES_NOT_EXIST")
        elif name != new_name and (schema, new_name) in self.volumes:
            self._refused(act, "RESOURCE_ALREADY_EXISTS")
        else:
            if dies and name != new_name:
                self._dying(act)
            else:
                act()
            self.volumes[schema, new_name] = self.volumes.pop((schema, name))

    def _dying(self, act: Callable[[], object]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.service.volumes, "_finish", _die)
            with pytest.raises(Killed):
                act()
        self.restart()

    @rule(schema=schemas, name=names)
    def delete_volume(self, schema: str, name: str) -> None:
        act = partial(self.service.volumes.delete, FullName("main", schema, name))
        if (schema, name) in self.volumes:
            act()
            del self.volumes[schema, name]
        else:
            self._refused(act, "VOLUME_DOES_NOT_EXIST" if schema in self.schemas else "SCHEMA_DOES_NOT_EXIST")

    @rule()
    def restart(self) -> None:
        self.store.close()
        (self.layout.warehouse / "main" / ".removed-half").mkdir(exist_ok=True)
        (self.layout.warehouse / "main" / ".new-half").mkdir(exist_ok=True)
        self.service, self.store = _service(self.layout)

    @invariant()
    def is_as_the_model_says(self) -> None:
        found = {each.name: each.schema_id for each in self.service.namespaces.schemas("main") if each.name != "default"}
        assert found == self.schemas
        for schema in self.schemas:
            told = {(schema, each.name): each.volume_id for each in self.service.volumes.in_schema("main", schema)}
            assert told == {key: id_ for key, id_ in self.volumes.items() if key[0] == schema}
            there = {(schema, name.name): self.service.table_id(name) for name in self.service.relations.names("main", schema)}
            assert there == {key: id_ for key, id_ in self.tables.items() if key[0] == schema}
        for (schema, name), id_ in self.volumes.items():
            assert (self._path(schema, name) / "owner").read_text() == id_

    @invariant()
    def nothing_half_made_is_left(self) -> None:
        left = [path.name for root in (self.layout.warehouse, self.layout.files / "Volumes") for path in root.rglob(".*-*")]
        assert [name for name in left if not name.endswith("-half")] == []

    def _path(self, schema: str, name: str) -> Path:
        return self.service.volume_path("main", schema, name)


TestNamespace = pytest.mark.property(Namespace.TestCase)
TestNamespace.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def _at_once(acts: list[Callable[[], object]]) -> Counter[str]:
    """Return how often each outcome is, when all begin together."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        start.wait()
        try:
            act()
        except ApiError as error:
            return error.error_code
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return Counter(pool.map(run, acts))


@pytest.fixture
def service(tmp_path: Path) -> UnityService:
    """Return a Unity Catalog of the test's own."""
    return _service(Layout(tmp_path / "state").make())[0]


MANY = 8


def test_one_of_many_makes_a_name_and_one_removes_it(service: UnityService) -> None:
    """Catalogs, schemas and volumes; again and again, each time with another id."""
    ids: set[str] = set()
    name = FullName("c", "s", "v")
    for _ in range(5):
        assert _at_once([lambda: service.namespaces.create_catalog("c")] * MANY) == {"done": 1, "CATALOG_ALREADY_EXISTS": MANY - 1}
        assert _at_once([lambda: service.namespaces.create_schema("c", "s")] * MANY) == {"done": 1, "SCHEMA_ALREADY_EXISTS": MANY - 1}
        assert _at_once([lambda: service.volumes.create(name)] * MANY) == {"done": 1, "RESOURCE_ALREADY_EXISTS": MANY - 1}
        ids |= {service.volumes.get(name).volume_id, service.schema_id("c", "s"), service.namespaces.catalog("c").catalog_id}
        assert _at_once([lambda: service.volumes.delete(name)] * MANY) == {"done": 1, "VOLUME_DOES_NOT_EXIST": MANY - 1}
        gone = _at_once([lambda: service.delete_schema("c.s", force=True)] * MANY)
        assert gone == {"done": 1, "SCHEMA_DOES_NOT_EXIST": MANY - 1}
        assert _at_once([lambda: service.delete_catalog("c", force=True)] * MANY)["done"] == 1
    assert len(ids) == 15


def test_one_of_many_renames_a_volume(service: UnityService) -> None:
    service.volumes.create(FullName("main", "default", "v"))
    targets = [f"v{number}" for number in range(MANY)]

    outcome = _at_once([lambda new=new: service.volumes.update(FullName("main", "default", "v"), new_name=new) for new in targets])  # type: ignore[misc]

    assert outcome == {"done": 1, "VOLUME_DOES_NOT_EXIST": MANY - 1}
    (left,) = service.volumes.in_schema("main", "default")
    assert [each.name for each in service.volume_folder(left).parent.iterdir()] == [left.name]


def test_a_schema_is_removed_whole_or_kept_whole(service: UnityService, tmp_path: Path) -> None:
    """A table that another makes while its schema is removed is either in no schema or in one that is still there."""
    folder = tmp_path / "state/warehouse/main/s"
    schema = Schema([Field("id", PrimitiveType("long"))])

    def make(name: str) -> None:
        with suppress(DeltaError, OSError):  # whoever loses is told so
            DeltaTable.create(folder / name, schema)

    for number in range(10):
        service.namespaces.create_schema("main", "s")

        outcome = _at_once([partial(make, f"t{number}"), partial(service.delete_schema, "main.s", force=False)])

        there = [each.name for each in service.namespaces.schemas("main") if each.name == "s"]
        if there:  # the table won, or its writer made the folder anew
            assert {name.name for name in service.relations.names("main", "s")} <= {f"t{number}"}
            service.delete_schema("main.s", force=True)
        assert outcome["done"] >= 1
        assert not folder.exists()
