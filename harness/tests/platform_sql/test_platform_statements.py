"""What the statements of Unity Catalog do, by the catalog itself, as REST shows it too."""

from collections.abc import Callable

import pytest

from harness.platform_sql.model import Answer, SqlError
from harness.unity.service import UnityService

Run = Callable[[str], Answer]


def test_a_catalog_is_made_described_and_dropped(run: Run, unity: UnityService) -> None:
    run("CREATE CATALOG IF NOT EXISTS Sales COMMENT 'it''s ours'")

    assert unity.namespaces.catalog("sales").comment == "it's ours"
    assert run("SHOW CATALOGS LIKE 's*'").rows == (("sales",), ("samples",), ("system",))
    assert run("DESCRIBE CATALOG sales").rows == (("Catalog Name", "sales"), ("Comment", "it's ours"), ("Owner", "dev@harness.local"))

    run("DROP CATALOG sales")
    assert [each.name for each in unity.namespaces.catalogs()] == ["main", "samples", "system"]


def test_a_volume_is_made_renamed_listed_and_dropped(run: Run, unity: UnityService) -> None:
    run("CREATE VOLUME files COMMENT 'raw'")
    run("ALTER VOLUME main.default.files RENAME TO landing")
    unity.volume_path("main", "default", "landing").joinpath("a.csv").write_text("1\n2\n")

    assert run("SHOW VOLUMES").rows == (("default", "landing"),)
    assert run("DESCRIBE VOLUME landing").rows == (
        ("landing", "main", "default", "dev@harness.local", "/Volumes/main/default/landing", "MANAGED", "raw"),
    )
    assert [row[:3] for row in run("LIST '/Volumes/main/default/landing'").rows] == [("/Volumes/main/default/landing/a.csv", "a.csv", 4)]

    run("DROP VOLUME landing")
    assert run("SHOW VOLUMES IN main.default").rows == ()


def test_grants_are_those_of_rest(run: Run, unity: UnityService) -> None:
    run("CREATE VOLUME files")
    run("GRANT READ VOLUME, WRITE VOLUME ON VOLUME files TO `ann@example.com`")
    run("REVOKE WRITE VOLUME ON VOLUME files FROM `ann@example.com`")

    assert unity.grants.get("volume", "main.default.files").privileges == {"ann@example.com": ["READ_VOLUME"]}
    assert run("SHOW GRANTS `ann@example.com` ON VOLUME files").rows == (
        ("ann@example.com", "READ VOLUME", "VOLUME", "main.default.files"),
    )
    assert run("SHOW GRANTS bob ON VOLUME files").rows == ()


@pytest.mark.parametrize(
    ("statement", "condition", "sql_state"),
    [
        pytest.param("CREATE CATALOG main", "CATALOG_ALREADY_EXISTS", "42710", id="catalog is there"),
        pytest.param("DROP CATALOG none", "NO_SUCH_CATALOG_EXCEPTION", "42704", id="no catalog"),
        pytest.param("DROP VOLUME none", "UC_VOLUME_NOT_FOUND", "42704", id="no volume"),
        pytest.param("CREATE VOLUME main.none.v", "SCHEMA_NOT_FOUND", "42704", id="no schema"),
        pytest.param("GRANT SELECT ON TABLE none TO ann", "TABLE_OR_VIEW_NOT_FOUND", "42P01", id="no table"),
        pytest.param("CREATE CATALOG `a/../b`", "INVALID_PARAMETER_VALUE", "56000", id="not a name"),
        pytest.param("CREATE CATALOG a b", "PARSE_SYNTAX_ERROR", "42601", id="a word too many"),
    ],
)
def test_what_cannot_be_is_refused_as_sql_says_it(run: Run, statement: str, condition: str, sql_state: str) -> None:
    with pytest.raises(SqlError) as refused:
        run(statement)

    assert (refused.value.condition, refused.value.sql_state) == (condition, sql_state)
