"""What the statements of Unity Catalog do, by the catalog itself, as REST shows it too."""

from typing import Any

import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from harness.config import Layout
from harness.names import FullName
from harness.platform_sql.model import SqlError
from harness.unity.grants import Change
from harness.unity.information_rows import InformationSchema
from harness.unity.model import METASTORE_ID, Constraint
from harness.unity.service import UnityService


def grants(unity: UnityService, kind: str, name: str) -> dict[str, list[str]]:
    return unity.grants.get(kind, name).privileges


def tags(unity: UnityService, kind: str, name: str) -> dict[str, str]:
    return {tag.key: tag.value for tag in unity.tags.list(kind, name)}


def test_a_catalog_is_made_described_and_dropped(run: Any, unity: UnityService) -> None:
    run("CREATE CATALOG IF NOT EXISTS Sales COMMENT ?0 OPTIONS (?1 = ?2)", "it's ours", "k", "v")
    run("CREATE CATALOG IF NOT EXISTS sales COMMENT ?0", "not again")
    run("COMMENT ON CATALOG sales IS ?0", "old \\ ones")
    run("ALTER CATALOG sales SET OWNER TO `ann@example.com`")
    run("ALTER CATALOG sales ENABLE PREDICTIVE OPTIMIZATION")
    run("ALTER CATALOG sales OPTIONS (?0 ?1)", "l", "w")

    assert run("SHOW CATALOGS LIKE ?0", "s*|MA.N").rows == (("main",), ("sales",), ("samples",), ("system",))
    basic = (("Catalog Name", "sales"), ("Comment", "old \\ ones"), ("Owner", "ann@example.com"), ("Catalog Type", "Regular"))
    assert run("DESCRIBE CATALOG SALES").rows == basic
    more = run("DESC CATALOG EXTENDED sales").rows
    assert more[:4] == basic
    assert [name for name, _ in more[4:]] == ["Created By", "Created At", "Updated By", "Updated At"]
    about = unity.namespaces.catalog("sales").about
    assert (about.owner, about.enable_predictive_optimization, about.options) == ("ann@example.com", "ENABLE", {"l": "w"})

    run("DROP CATALOG sales RESTRICT")
    run("DROP CATALOG IF EXISTS sales")
    assert [each.name for each in unity.namespaces.catalogs()] == ["main", "samples", "system"]


def test_a_catalog_with_something_in_it_goes_only_by_cascade(run: Any, unity: UnityService) -> None:
    run("CREATE CATALOG sales")
    run("CREATE VOLUME sales.default.files")

    with pytest.raises(SqlError, match="not empty"):
        run("DROP CATALOG sales")
    assert run("SHOW VOLUMES IN sales.default").rows == (("default", "files"),)
    run("DROP CATALOG sales CASCADE;")
    assert "sales" not in [each.name for each in unity.namespaces.catalogs()]


def test_a_volume_is_made_renamed_listed_and_dropped(run: Any, unity: UnityService) -> None:
    run("CREATE VOLUME files COMMENT ?0", "raw")
    run("ALTER VOLUME main.default.files RENAME TO landing")
    run("ALTER VOLUME landing OWNER TO ann")
    folder = unity.volume_path("main", "default", "landing")
    folder.joinpath("a.csv").write_text("1\n2\n")
    folder.joinpath("b").mkdir()

    assert run("SHOW VOLUMES").rows == (("default", "landing"),)
    assert run("SHOW VOLUMES FROM default LIKE ?0", "f*").rows == ()
    assert run("DESCRIBE VOLUME landing").schema == (
        "name STRING, catalog STRING, database STRING, owner STRING, storageLocation STRING, volumeType STRING, comment STRING"
    )
    assert run("DESCRIBE VOLUME landing").rows == (
        ("landing", "main", "default", "ann", "/Volumes/main/default/landing", "MANAGED", "raw"),
    )
    listed = [row[:3] for row in run("LIST ?0", "/Volumes/main/default/landing/").rows]
    assert listed == [("/Volumes/main/default/landing/a.csv", "a.csv", 4), ("/Volumes/main/default/landing/b", "b", 0)]
    assert [row[1] for row in run("LIST ?0 LIMIT 1", "/Volumes/main/default/landing").rows] == ["a.csv"]
    assert run("LIST ?0 LIMIT ?1", "/Volumes/main/default/landing", "0").rows == ()
    assert [row[0] for row in run("LIST ?0", "/Volumes/main/default/landing/a.csv").rows] == ["/Volumes/main/default/landing/a.csv"]

    run("DROP VOLUME landing")
    assert run("SHOW VOLUMES IN main.default").rows == ()


def test_a_name_begins_where_the_session_stands(run: Any, unity: UnityService) -> None:
    """One part in its schema, two in its catalog; three are whole."""
    unity.namespaces.create_schema("main", "other")

    for name in ("one", "other.two", "main.other.three"):
        run(f"CREATE VOLUME {name}")

    assert [each.full_name for each in unity.volumes.in_schema("main", "default")] == ["main.default.one"]
    assert [each.full_name for each in unity.volumes.in_schema("main", "other")] == ["main.other.three", "main.other.two"]


def test_grants_are_those_of_rest(run: Any, unity: UnityService) -> None:
    run("CREATE VOLUME files")
    run("GRANT READ VOLUME, WRITE VOLUME ON VOLUME files TO `ann@example.com`")
    run("GRANT USE SCHEMA ON DATABASE default TO users")
    run("GRANT ALL PRIVILEGES ON CATALOG main TO admins")
    run("GRANT CREATE CATALOG ON METASTORE TO makers")
    run("REVOKE WRITE VOLUME ON VOLUME files FROM `ann@example.com`")

    assert grants(unity, "volume", "main.default.files") == {"ann@example.com": ["READ_VOLUME"]}
    assert grants(unity, "metastore", METASTORE_ID) == {"makers": ["CREATE_CATALOG"]}
    assert grants(unity, "schema", "main.default") == {"users": ["USE_SCHEMA"]}
    assert run("SHOW GRANTS `ann@example.com` ON VOLUME files").rows == (
        ("ann@example.com", "READ VOLUME", "VOLUME", "main.default.files"),
    )
    assert run("SHOW GRANT ON VOLUME files").rows == (
        ("admins", "ALL PRIVILEGES", "CATALOG", "main"),
        ("ann@example.com", "READ VOLUME", "VOLUME", "main.default.files"),
        ("users", "USE SCHEMA", "SCHEMA", "main.default"),
    )
    assert run("SHOW GRANTS bob ON VOLUME files").rows == ()


def test_grants_of_rest_are_shown(run: Any, unity: UnityService) -> None:
    unity.registry.create("main.default.fares", user="ann")
    unity.grants.update("function", "main.default.fares", [Change("users", add=["EXECUTE"])])

    assert run("SHOW GRANTS ON MODEL fares").rows == (("users", "EXECUTE", "FUNCTION", "main.default.fares"),)


def test_tags_are_those_of_rest(run: Any, unity: UnityService, make_table: Any) -> None:
    make_table("main.default.trips")
    run("ALTER CATALOG main SET TAGS (?0 = ?1)", "cost", "hr")
    run("ALTER SCHEMA main.default SET TAGS (?0 = ?1, ?2)", "a", "1", "key only")
    run("ALTER TABLE trips SET TAGS (?0 = ?1)", "gold", "yes")
    run("ALTER TABLE trips ALTER COLUMN Fare SET TAGS (?0 = ?1)", "money", "usd")
    run("SET TAG ON COLUMN trips.fare `pii` = none")
    run("CREATE VOLUME files")
    run("ALTER VOLUME files SET TAGS (?0 = ?1)", "v", "1")
    run("ALTER VOLUME files SET TAGS (?0 = ?1)", "v", "2")

    assert tags(unity, "catalogs", "main") == {"cost": "hr"}
    assert tags(unity, "schemas", "main.default") == {"a": "1", "key only": ""}
    assert tags(unity, "tables", "main.default.trips") == {"gold": "yes"}
    assert tags(unity, "columns", "main.default.trips.fare") == {"money": "usd", "pii": "none"}
    assert tags(unity, "volumes", "main.default.files") == {"v": "2"}

    said = InformationSchema(unity)
    assert said.rows("main", "catalog_tags") == [("main", "cost", "hr")]
    assert said.rows("main", "schema_tags") == [("main", "default", "a", "1"), ("main", "default", "key only", "")]
    assert said.rows("main", "table_tags") == [("main", "default", "trips", "gold", "yes")]
    assert said.rows("main", "column_tags")[0] == ("main", "default", "trips", "fare", "money", "usd")
    assert said.rows("main", "volume_tags") == [("main", "default", "files", "v", "2")]

    run("ALTER TABLE trips CHANGE COLUMN fare UNSET TAGS (?0, ?1)", "money", "never there")
    run("UNSET TAG ON COLUMN trips.fare pii")
    run("UNSET TAG ON SCHEMA default ?0", "key only")
    assert tags(unity, "columns", "main.default.trips.fare") == {}
    assert tags(unity, "schemas", "main.default") == {"a": "1"}


def test_what_identifier_gives_is_a_name_and_nothing_else(run: Any, unity: UnityService) -> None:
    run("CREATE VOLUME IDENTIFIER(?0)", "main.`default`.Files")
    run("CREATE CATALOG IF NOT EXISTS IDENTIFIER(?0)", "sales")

    assert run("SHOW VOLUMES IN main.IDENTIFIER(?0)", "default").rows == (("default", "files"),)
    assert unity.namespaces.catalog("sales").name == "sales"


@pytest.mark.parametrize(
    ("statement", "condition", "sql_state"),
    [
        pytest.param("CREATE CATALOG main", "CATALOG_ALREADY_EXISTS", "42710", id="catalog is there"),
        pytest.param("DROP CATALOG none", "NO_SUCH_CATALOG_EXCEPTION", "42704", id="no catalog"),
        pytest.param("DROP VOLUME none", "UC_VOLUME_NOT_FOUND", "42704", id="no volume"),
        pytest.param("CREATE VOLUME main.none.v", "SCHEMA_NOT_FOUND", "42704", id="no schema"),
        pytest.param("CREATE VOLUME none.s.v", "NO_SUCH_CATALOG_EXCEPTION", "42704", id="no catalog above"),
        pytest.param("GRANT SELECT ON TABLE none TO ann", "TABLE_OR_VIEW_NOT_FOUND", "42P01", id="no table"),
        pytest.param("GRANT FLY ON CATALOG main TO ann", "INVALID_PARAMETER_VALUE", "22023", id="no privilege"),
        pytest.param("GRANT READ VOLUME ON FUNCTION f TO ann", "RESOURCE_DOES_NOT_EXIST", "56000", id="no function"),
        pytest.param("GRANT USE CATALOG ON SCHEMA default TO ann", "INVALID_PARAMETER_VALUE", "22023", id="privilege of another kind"),
        pytest.param("CREATE CATALOG `a/../b`", "INVALID_PARAMETER_VALUE", "22023", id="path"),
        pytest.param("CREATE CATALOG `..`", "INVALID_PARAMETER_VALUE", "22023", id="periods"),
        pytest.param("CREATE CATALOG __harness", "INVALID_PARAMETER_VALUE", "22023", id="reserved"),
        pytest.param(f"CREATE CATALOG {'c' * 256}", "INVALID_PARAMETER_VALUE", "22023", id="long"),
        pytest.param("CREATE CATALOG my-sales", "INVALID_IDENTIFIER", "42602", id="hyphen without quotes"),
        pytest.param("CREATE CATALOG größe", "INVALID_IDENTIFIER", "42602", id="letter without quotes"),
        pytest.param("CREATE VOLUME a.b.c.d", "IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", id="four parts"),
        pytest.param("SHOW VOLUMES IN a.b.c", "IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", id="three parts"),
        pytest.param("CREATE CATALOG IDENTIFIER(?0)", "IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", id="computed parts"),
        pytest.param("CREATE CATALOG IDENTIFIER(?1)", "UNEXPECTED_NULL", "22004", id="null"),
        pytest.param("CREATE VOLUME IDENTIFIER(?2)", "PARSE_SYNTAX_ERROR", "42601", id="computed statement"),
        pytest.param("CREATE CATALOG a.b", "PARSE_SYNTAX_ERROR", "42601", id="a part too many"),
        pytest.param("CREATE CATALOG a b", "PARSE_SYNTAX_ERROR", "42601", id="a word too many"),
        pytest.param("CREATE CATALOG", "PARSE_SYNTAX_ERROR", "42601", id="no name"),
        pytest.param("SHOW CATALOGS; SHOW CATALOGS", "PARSE_SYNTAX_ERROR", "42601", id="two statements"),
        pytest.param("ALTER SCHEMA default ALTER COLUMN c SET TAGS (?0)", "PARSE_SYNTAX_ERROR", "42601", id="column of a schema"),
        pytest.param("ALTER VOLUME a.b.c RENAME TO a.d.c", "INVALID_PARAMETER_VALUE", "22023", id="rename to another schema"),
        pytest.param("ALTER CATALOG main SET TAGS (?0 = ?0, ?0 = ?0)", "DUPLICATE_KEY", "23505", id="tag twice"),
        pytest.param("ALTER CATALOG main SET TAGS (?0)", "INVALID_PARAMETER_VALUE", "22023", id="tag's key"),
        pytest.param("UNSET TAG ON CATALOG main never", "NOT_FOUND", "56000", id="no tag"),
        pytest.param("LIST ?2", "INVALID_PARAMETER_VALUE", "22023", id="no path"),
        pytest.param("LIST ?2 LIMIT ?2", "INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE", "42K0E", id="no number"),
        pytest.param("CREATE EXTERNAL VOLUME v LOCATION ?0", "UNSUPPORTED_FEATURE", "0A000", id="external volume"),
        pytest.param("CREATE FOREIGN CATALOG f USING CONNECTION c", "UNSUPPORTED_FEATURE", "0A000", id="foreign catalog"),
        pytest.param("GRANT USE CONNECTION ON CONNECTION c TO ann", "UNSUPPORTED_FEATURE", "0A000", id="connection"),
        pytest.param("GRANT SELECT ON METASTORE TO ann", "INVALID_PARAMETER_VALUE", "22023", id="privilege of the metastore"),
        pytest.param("ALTER CATALOG main RENAME TO other", "UNSUPPORTED_FEATURE", "0A000", id="rename a catalog"),
        pytest.param("ALTER VOLUME v OPTIONS (?2 = ?2)", "PARSE_SYNTAX_ERROR", "42601", id="options of a volume"),
        pytest.param("ALTER FUNCTION f SET TAGS (?1)", "UNEXPECTED_NULL", "22004", id="null key"),
    ],
)
def test_what_cannot_be_is_refused_as_sql_says_it(run: Any, unity: UnityService, statement: str, condition: str, sql_state: str) -> None:
    """And leaves nothing behind."""
    with pytest.raises(SqlError) as refused:
        run(statement, "a.b", None, "v; DROP CATALOG main")

    assert (refused.value.condition, refused.value.sql_state) == (condition, sql_state)
    assert [each.name for each in unity.namespaces.catalogs()] == ["main", "samples", "system"]
    assert unity.volumes.in_schema("main", "default") == []
    assert grants(unity, "catalog", "main") == {}
    assert tags(unity, "catalogs", "main") == {}


def test_keys_are_dropped_by_name_and_by_kind(run: Any, unity: UnityService, layout: Layout) -> None:
    """A primary key that a foreign key refers to goes only by CASCADE, with that; IF EXISTS forgives a key, no table."""
    fields = Schema([Field("id", PrimitiveType("long"), nullable=False), Field("other", PrimitiveType("long"))])
    for name in ("parent", "child"):
        DeltaTable.create(layout.warehouse / "main/default" / name, fields)
    parent, child = FullName("main", "default", "parent"), FullName("main", "default", "child")
    primary, foreign = Constraint("pk", ["id"]), Constraint("fk", ["other"], str(parent))

    def declare(*declared: tuple[FullName, Constraint]) -> None:
        for table, key in declared:
            unity.constraints.create(table, key)

    def names(table: FullName) -> list[str]:
        return [key.name for key in unity.relations.get(table).constraints]

    declare((parent, primary), (child, primary), (child, foreign))
    with pytest.raises(SqlError, match=r"is referred to by main\.default\.child") as refused:
        run("ALTER TABLE parent DROP PRIMARY KEY RESTRICT")
    assert refused.value.sql_state == "22023"
    run("ALTER TABLE child DROP CONSTRAINT PK")
    assert names(child) == ["fk"]
    run("ALTER TABLE main.default.parent DROP PRIMARY KEY IF EXISTS CASCADE;")
    assert (names(parent), names(child)) == ([], [])

    declare((parent, primary), (child, foreign))
    run("ALTER TABLE child DROP FOREIGN KEY (`OTHER`)")
    run("ALTER TABLE child DROP FOREIGN KEY IF EXISTS (other)")
    run("ALTER TABLE child DROP CONSTRAINT IF EXISTS fk")
    assert names(child) == []
    for statement, state in (
        ("ALTER TABLE child DROP FOREIGN KEY (other)", "42704"),
        ("ALTER TABLE child DROP CONSTRAINT fk", "42704"),
        ("ALTER TABLE nope DROP PRIMARY KEY IF EXISTS", "42P01"),
        ("ALTER VOLUME child DROP PRIMARY KEY", "42601"),
    ):
        with pytest.raises(SqlError) as refused:
            run(statement)
        assert refused.value.sql_state == state
