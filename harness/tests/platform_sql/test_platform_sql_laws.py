"""Laws of the statements: names come back as they were written, and no text reaches where it should not."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config import Layout
from harness.errors import NotEmulated
from harness.platform_sql import model
from harness.platform_sql.model import SqlError
from harness.platform_sql.reading import read
from harness.unity.service import UnityService

pytestmark = pytest.mark.property

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1)
PLACES = [
    "/",
    "..",
    "../x",
    "a/b",
    "a\\b",
    "~",
    "/etc",
    "%2e%2e",
    "..%2f",
    ".hidden",
    "_removed_x",
    "con",
    "a\x00b",
    "\u202e",
    "`",
    "main",
    "a" * 300,
]
NAMES = TEXTS | st.sampled_from(PLACES)


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@given(TEXTS, TEXTS, TEXTS)
def test_a_quoted_name_is_read_as_it_is(catalog: str, schema: str, volume: str) -> None:
    """Whatever is in it: periods, quotes, words of SQL, ends of lines."""
    assert read(f"DROP VOLUME {quoted(catalog)}.{quoted(schema)}.{quoted(volume)}") == model.DropVolume(
        (catalog, schema, volume), if_exists=False
    )
    assert read("DROP VOLUME IDENTIFIER(?0)", [f"{quoted(catalog)}.{quoted(volume)}"]) == model.DropVolume(
        (catalog, volume), if_exists=False
    )


@given(TEXTS, TEXTS)
def test_a_value_is_never_read_as_sql(comment: str, key: str) -> None:
    assert read("COMMENT ON CATALOG c IS ?0", [comment]) == model.Comment(model.Securable("catalog", ("c",)), comment)
    tagged = model.ChangeTags(model.Securable("catalog", ("c",)), put={key: comment})
    assert read("ALTER CATALOG c SET TAGS (?1 = ?0)", [comment, key]) == tagged


@given(st.text(max_size=80), st.lists(st.none() | st.text(max_size=5), max_size=2))
def test_any_text_is_a_statement_or_refused(text: str, values: list[str | None]) -> None:
    """And nothing else happens, whatever stands in it."""
    for start in ("", "CREATE CATALOG ", "GRANT ", "LIST ?0 ", "ALTER TABLE a SET TAGS ("):
        with contextlib.suppress(SqlError, NotEmulated):
            read(start + text, values)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(NAMES)
def test_a_catalog_or_volume_of_any_name_is_refused_or_lies_in_the_state_folder(
    run: Any, unity: UnityService, layout: Layout, tmp_path: Path, name: str
) -> None:
    """Its folder has its name in lower case, and goes with it."""
    for statement in (f"CREATE CATALOG {quoted(name)}", f"CREATE VOLUME main.default.{quoted(name)}"):
        try:
            run(statement)
        except SqlError as refused:
            assert refused.condition in {"INVALID_PARAMETER_VALUE", "CATALOG_ALREADY_EXISTS"}  # noqa: PT017 - either is right
            continue
        made = layout.warehouse / name.lower() if "CATALOG" in statement else unity.volume_path("main", "default", name)
        assert made.is_dir()
        assert made.resolve().parent == made.parent
        run(statement.replace("CREATE", "DROP"))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert sorted(path.name for path in layout.warehouse.iterdir()) == ["main", "samples", "system"]
    assert [*layout.files.glob("Volumes/main/default/*")] == []
