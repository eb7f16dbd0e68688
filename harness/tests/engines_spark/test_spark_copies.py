"""`COPY INTO` and `CLONE`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings are not what these test

Sql = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with four rows in three files, one of them below."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "1.csv").write_text("id,name\n1,a\n2,b\n")
    (folder / "2.csv").write_text("id,name\n3,c\n")
    (folder / "sub/3.csv").write_text("id,name\n4,d\n")
    (folder / "_ignored.csv").write_text("id,name\n9,z\n")
    return folder


def test_files_are_loaded_once(sql: Sql, files: Path) -> None:
    """By pattern, by folder, again; and by force."""
    sql("CREATE TABLE {s}.t (id BIGINT, name STRING)")
    every = f"COPY INTO {{s}}.t FROM '{files}' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"

    assert sql(f"-- some\nCOPY INTO {{s}}.t FROM '{files}' FILEFORMAT = csv PATTERN = '*.csv' FORMAT_OPTIONS (header = true)") == [
        (3, 3, 0)
    ]
    assert sql(every) == [(1, 1, 0)]
    assert sql(every) == [(0, 0, 0)]
    assert sql("SELECT * FROM {s}.t ORDER BY id") == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    forced = every.replace("FORMAT_OPTIONS", "FILES = ('2.csv') FORMAT_OPTIONS")
    assert sql(forced + " COPY_OPTIONS ('force' = 'true')") == [(1, 1, 0)]
    assert sql("DESCRIBE HISTORY {s}.t")[0][4] == "COPY INTO"


def test_what_is_loaded_can_be_chosen_and_can_bring_columns(sql: Sql, files: Path) -> None:
    """Expressions over the files' columns and metadata; new columns only where the schema may grow; a table without columns."""
    sql("CREATE TABLE {s}.t (id BIGINT)")
    sql("CREATE TABLE {s}.empty")
    chosen = (
        "COPY INTO {s}.t FROM (SELECT id::BIGINT * 10 AS id, upper(name) AS name, _metadata.file_name AS f FROM '<files>/2.csv')"
        " FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"
    ).replace("<files>", str(files))

    with pytest.raises(Exception, match=r"COPY_INTO_SCHEMA_MISMATCH_WITH_TARGET_TABLE[\s\S]*unknown columns: name, f"):
        sql(chosen)
    sql(chosen + " COPY_OPTIONS ('mergeSchema' = 'true')")
    sql(
        f"COPY INTO {{s}}.empty FROM '{files}/*.csv' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true', 'inferSchema' = 'true')"
        " COPY_OPTIONS ('mergeSchema' = 'true')"
    )

    assert sql("SELECT * FROM {s}.t") == [(30, "C", "2.csv")]
    assert sql("SELECT * FROM {s}.empty ORDER BY id") == [(1, "a"), (2, "b"), (3, "c")]


def test_columns_are_matched_by_their_places(sql: Sql, tmp_path: Path) -> None:
    """All that can be written, or those named; columns that are not get their default. Values may be parameters."""
    (tmp_path / "1.csv").write_text("a,1\nb,2\n")
    sql(
        "CREATE TABLE {s}.t (id BIGINT GENERATED ALWAYS AS IDENTITY, name STRING, n INT, twice INT GENERATED ALWAYS AS (n * 2),"
        " more STRING DEFAULT 'd') TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
    )
    sql("CREATE TABLE {s}.two (n STRING, m BIGINT)")
    table = "main.test_columns_are_matched_by_their_places.t"

    loaded = sql("COPY INTO IDENTIFIER(:t) (name, n) FROM :path FILEFORMAT = CSV", args={"t": table, "path": str(tmp_path)})
    sql("COPY INTO {s}.two BY POSITION FROM ? FILEFORMAT = CSV PATTERN = ?", args=[str(tmp_path), "*.csv"])

    assert loaded == [(2, 2, 0)]
    assert sql("SELECT name, n, twice, more FROM {s}.t ORDER BY n") == [("a", 1, 2, "d"), ("b", 2, 4, "d")]
    assert sql("SELECT * FROM {s}.two ORDER BY m") == [("a", 1), ("b", 2)]


def test_corrupt_files_are_passed_over_and_counted(sql: Sql, workbench: Any, tmp_path: Path) -> None:
    """When the statement says so; else nothing is loaded."""
    workbench.session().range(3).coalesce(1).write.parquet(str(tmp_path / "in"))
    (tmp_path / "in/broken.parquet").write_bytes(b"PAR1 and no more")
    sql("CREATE TABLE {s}.t (id BIGINT)")
    copy = f"COPY INTO {{s}}.t FROM '{tmp_path}/in' FILEFORMAT = PARQUET"

    with pytest.raises(Exception, match=r"CANNOT_READ_FILE|FAILED_READ_FILE|not a Parquet file"):
        sql(copy)
    assert sql(copy + " FORMAT_OPTIONS ('ignoreCorruptFiles' = 'true')") == [(3, 3, 1)]
    assert sql(copy) == [(0, 0, 0)]


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        pytest.param("{s}.none FROM '/x' FILEFORMAT = CSV", "TABLE_OR_VIEW_NOT_FOUND.*main.*none", id="no table"),
        pytest.param("{s}.t FROM '/no/such' FILEFORMAT = CSV", "PATH_NOT_FOUND.*/no/such", id="no path"),
        pytest.param("{s}.t FROM '/x' FILEFORMAT = XLS", "PARSE_SYNTAX_ERROR.*csv, json.*xls", id="no format"),
        pytest.param("{s}.t FROM '/x' FILEFORMAT = CSV SOME", "PARSE_SYNTAX_ERROR.*'SOME'", id="unknown clause"),
        pytest.param("{s}.t FROM '/x'", "PARSE_SYNTAX_ERROR.*end of input.*FILEFORMAT", id="half a statement"),
        pytest.param("{s}.t FROM '/x' FILEFORMAT = AVRO", "FILEFORMAT = AVRO.*is not emulated", id="avro"),
        pytest.param("{s}.t (id) FROM '<files>' FILEFORMAT = CSV", r"COPY_INTO_COLUMN_ARITY_MISMATCH.*TOO_MANY.*id", id="too many"),
        pytest.param("{s}.t (no) FROM '<files>' FILEFORMAT = CSV", r"UNRESOLVED_COLUMN.*`no`", id="no column"),
        pytest.param(
            "{s}.t BY POSITION FROM '<files>' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')",
            r"COPY_INTO_FEATURE_INCOMPATIBLE_SETTING.*'header'",
            id="places and names",
        ),
        pytest.param("{s}.t FROM '/x' FILEFORMAT = CSV VALIDATE ALL", "VALIDATE is not emulated", id="validate"),
        pytest.param("{s}.t FROM '/x' FILEFORMAT = CSV COPY_OPTIONS ('a' = 'b')", "COPY_OPTIONS 'a' is not emulated", id="option"),
    ],
)
def test_copies_are_refused(sql: Sql, files: Path, rest: str, message: str) -> None:
    """With the place, and nothing loaded."""
    sql("CREATE TABLE IF NOT EXISTS {s}.t (id BIGINT)")
    with pytest.raises(Exception, match=re.compile(message, re.DOTALL)):
        sql(f"COPY INTO {rest}".replace("<files>", str(files)))
    assert sql("SELECT count(*) FROM {s}.t") == [(0,)]


def test_a_deep_clone_has_files_of_its_own(sql: Sql, warehouse: Path) -> None:
    """Rows deleted, columns mapped, clustered; made again, it copies what is new only; an old version with other properties."""
    sql("CREATE TABLE {s}.t (a INT, b INT) CLUSTER BY (a) TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    sql("INSERT INTO {s}.t SELECT /*+ COALESCE(1) */ id, id FROM range(4)")
    sql("DELETE FROM {s}.t WHERE a = 1")

    ((_, count, _, copied, *_),) = sql("CREATE TABLE {s}.deep CLONE {s}.t")
    sql("INSERT INTO {s}.t VALUES (9, 9)")
    again = sql("CREATE OR REPLACE TABLE {s}.deep DEEP CLONE {s}.t")
    nothing = sql("CREATE OR REPLACE TABLE {s}.deep DEEP CLONE {s}.t")
    sql("CREATE TABLE {s}.old DEEP CLONE {s}.t VERSION AS OF 1 TBLPROPERTIES (k = 'v')")
    sql("DROP TABLE {s}.t")

    assert (count, copied, again[0][3], nothing[0][2:4]) == (1, 1, 1, (0, 0))
    assert sql("SELECT a FROM {s}.deep ORDER BY a") == [(0,), (2,), (3,), (9,)]
    assert sql("SELECT a FROM {s}.old ORDER BY a") == [(0,), (1,), (2,), (3,)]
    assert ("k", "v") in sql("SHOW TBLPROPERTIES {s}.old")
    assert "CLUSTER BY (a)" in str(sql("SHOW CREATE TABLE {s}.deep"))
    assert [row[4] for row in sql("DESCRIBE HISTORY {s}.deep")] == ["CLONE", "CLONE", "CLONE"]
    log = (warehouse / "main/test_a_deep_clone_has_files_of_its_own/deep/_delta_log/00000000000000000001.json").read_text()
    assert "unity:" not in log


def test_a_shallow_clone_reads_the_other_s_files(sql: Sql, tmp_path: Path) -> None:
    """And can be replaced, cloned deeply, and lie elsewhere."""
    sql("CREATE TABLE {s}.t AS SELECT 1 AS a")
    sql("CREATE TABLE {s}.shallow SHALLOW CLONE {s}.t")
    sql("INSERT INTO {s}.t VALUES (2)")
    assert sql("SELECT a FROM {s}.shallow") == [(1,)]

    sql("CREATE OR REPLACE TABLE {s}.shallow SHALLOW CLONE {s}.t")
    sql(f"CREATE TABLE {{s}}.deep CLONE {{s}}.shallow LOCATION '{tmp_path / 'deep'}'")
    sql("DROP TABLE {s}.shallow")
    sql("DROP TABLE {s}.t")

    assert sql("SELECT a FROM {s}.deep ORDER BY a") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param("CREATE TABLE {s}.x CLONE {s}.none", "TABLE_OR_VIEW_NOT_FOUND.*main.*none", id="no source"),
        pytest.param("CREATE TABLE {s}.t CLONE {s}.t", "TABLE_OR_VIEW_ALREADY_EXISTS.*main.*t", id="taken"),
        pytest.param("CREATE TABLE main.none.x CLONE {s}.t", "SCHEMA_NOT_FOUND.*`none`", id="no schema"),
        pytest.param("CREATE TABLE {s}.x CLONE {s}.t VERSION AS OF 9", "DELTA_VERSION_NOT_FOUND.*version 9", id="no version"),
    ],
)
def test_clones_are_refused(sql: Sql, statement: str, message: str) -> None:
    """And make nothing."""
    sql("CREATE TABLE IF NOT EXISTS {s}.t (id BIGINT)")
    with pytest.raises(Exception, match=re.compile(message, re.DOTALL)):
        sql(statement)
    assert [row[1] for row in sql("SHOW TABLES IN {s}")] == ["t"]
