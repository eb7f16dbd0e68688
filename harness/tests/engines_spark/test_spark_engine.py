"""Spark, Delta and ai_query through Spark Connect, as a task on the platform meets them."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException

from harness.errors import UserError

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings are not what these test

Sql = Callable[..., list[tuple[object, ...]]]


def test_three_level_table_is_a_folder_with_history(sql: Sql, warehouse: Path) -> None:
    """A table can be made, written, merged into, read as of a version, and lies in catalog/schema/table."""
    sql("CREATE TABLE {s}.t (id INT, x DOUBLE) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    sql("INSERT INTO {s}.t VALUES (1, 2.0), (2, 3.0)")
    sql(
        "MERGE INTO {s}.t t USING (SELECT 1 id, 9.0D x UNION ALL SELECT 5, 5.0D) s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    assert sql("SELECT * FROM {s}.t ORDER BY id") == [(1, 9.0), (2, 3.0), (5, 5.0)]
    assert sql("SELECT * FROM {s}.t VERSION AS OF 1 ORDER BY id") == [(1, 2.0), (2, 3.0)]
    assert [row[4] for row in sql("DESCRIBE HISTORY {s}.t")] == ["MERGE", "WRITE", "CREATE TABLE"]
    changes = sql("SELECT id, _change_type FROM table_changes('{s}.t', 2) ORDER BY id, _change_type")
    assert changes == [(1, "update_postimage"), (1, "update_preimage"), (5, "insert")]
    assert (warehouse / "main/test_three_level_table_is_a_folder_with_history/t/_delta_log").is_dir()


def test_table_from_query_can_be_replaced_renamed_and_dropped(sql: Sql) -> None:
    """CTAS, CREATE OR REPLACE, RENAME and DROP keep what they should and remove the rest."""
    sql("CREATE TABLE {s}.u AS SELECT 1 AS a")
    sql("CREATE OR REPLACE TABLE {s}.u AS SELECT 2 AS a, 3 AS b")
    sql("ALTER TABLE {s}.u RENAME TO {s}.w")
    assert sql("SELECT * FROM {s}.w") == [(2, 3)]
    assert [row[1] for row in sql("SHOW TABLES IN {s}")] == ["w"]
    sql("DROP TABLE {s}.w")
    assert sql("SHOW TABLES IN {s}") == []


def test_data_frames_write_and_read_three_level_names(workbench: Any, sql: Sql) -> None:
    """`saveAsTable` makes, appends to and overwrites a table."""
    assert sql("SELECT 1") == [(1,)]
    session = workbench.session()
    name = "main.test_data_frames_write_and_read_three_level_names.d"
    session.range(3).write.saveAsTable(name)
    session.range(2).write.mode("append").saveAsTable(name)
    assert session.table(name).count() == 5
    session.range(7).withColumnRenamed("id", "n").write.mode("overwrite").option("overwriteSchema", "true").saveAsTable(name)
    assert (session.table(name).columns, session.table(name).count()) == (["n"], 7)


def test_table_written_without_spark_is_there_at_once(sql: Sql, warehouse: Path) -> None:
    """A table of delta-rs, its later rows, and its removal show without registration."""
    import pyarrow as pa
    from deltalake import write_deltalake

    path = warehouse / "main/test_table_written_without_spark_is_there_at_once/rs"
    write_deltalake(str(path), pa.table({"k": [1, 2]}))
    assert sql("SELECT count(*) FROM {s}.rs") == [(2,)]
    write_deltalake(str(path), pa.table({"k": [3]}), mode="append")
    assert sql("SELECT max(k) FROM {s}.rs") == [(3,)]
    path.rename(path.with_name("_removed"))
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        sql("SELECT count(*) FROM {s}.rs")


def test_others_read_what_python_functions_made(workbench: Any, sql: Sql, warehouse: Path) -> None:
    """However a table is made, widened or replaced of their strings, delta-rs reads it: they name no collation."""
    from delta.tables import DeltaTable as SparkTable
    from deltalake import DeltaTable
    from pyspark.sql.functions import udf

    session = workbench.session()
    schema = "main.test_others_read_what_python_functions_made"
    deep = udf(lambda number: ([str(number)], {"k": str(number)}), "struct<a: array<string>, m: map<string, string>>")
    frame = session.range(2).select("id", udf(str, "string")("id").alias("s"), deep("id").alias("d"))
    frame.createOrReplaceTempView("made")
    sql("CREATE TABLE {s}.typed (s STRING COLLATE UTF8_BINARY NOT NULL COMMENT 'c')")
    sql("ALTER TABLE {s}.typed ADD COLUMN t STRING COLLATE UTF8_BINARY")
    for name in ("appended", "replaced", "merged"):
        sql(f"CREATE TABLE {{s}}.{name} (id BIGINT)")

    frame.writeTo(f"{schema}.written").create()
    session.sql("CREATE TABLE IDENTIFIER(:name) AS SELECT * FROM made", {"name": f"{schema}.selected"})
    frame.write.option("mergeSchema", "true").mode("append").saveAsTable(f"{schema}.appended")
    frame.write.option("overwriteSchema", "true").mode("overwrite").saveAsTable(f"{schema}.replaced")
    merge = SparkTable.forName(session, f"{schema}.merged").alias("t").merge(frame.alias("s"), "t.id = s.id")
    merge.withSchemaEvolution().whenNotMatchedInsertAll().execute()
    SparkTable.create(session).tableName(f"{schema}.built").addColumns(frame.schema).execute()

    names = sorted(folder.name for folder in (warehouse / schema.replace(".", "/")).iterdir() if not folder.name.startswith("."))
    schemas = [DeltaTable(warehouse / schema.replace(".", "/") / name).schema().to_json() for name in names]
    assert names == ["appended", "built", "merged", "replaced", "selected", "typed", "written"]
    assert all('"s"' in found and "collate" not in found.lower() for found in schemas)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param(
            "SELECT * FROM {s}.nope", r"TABLE_OR_VIEW_NOT_FOUND.*`main`.`test_errors_name_what_the_user_named`.`nope`", id="no table"
        ),
        pytest.param("CREATE TABLE main.nowhere.t (a INT)", r"SCHEMA_NOT_FOUND.*`main`.`nowhere`", id="no schema"),
        pytest.param("DROP SCHEMA {s}", r"SCHEMA_NOT_EMPTY.*`test_errors_name_what_the_user_named`", id="schema in use"),
        pytest.param("CREATE TABLE {s}.full (a INT)", r"TABLE_OR_VIEW_ALREADY_EXISTS.*`full`", id="taken"),
        pytest.param("CREATE TABLE {s}.pq (a INT) USING parquet", r"pq: USING parquet needs a LOCATION", id="not delta"),
        pytest.param(
            "CREATE TABLE {s}.over (a INT) LOCATION 'unity:/main/s/x'",
            r"LOCATION_OVERLAP.*unity:/main/s/x.*over",
            id="a managed table's place",
        ),
        pytest.param("CREATE TABLE {s}.`../../out` (a INT)", r"name '../../out': expected no period", id="leaves the tree"),
    ],
)
def test_errors_name_what_the_user_named(sql: Sql, statement: str, message: str) -> None:
    """An error says the user's own names."""
    sql("CREATE TABLE IF NOT EXISTS {s}.full (a INT)")
    with pytest.raises(Exception, match=message):
        sql(statement)


def test_parameters_and_use_catalog_work(sql: Sql) -> None:
    """Named and positional parameters reach the query, and USE CATALOG is understood."""
    assert sql("SELECT :a + 1", args={"a": 1}) == [(2,)]
    assert sql("SELECT ? + ?", args=[1, 2]) == [(3,)]
    sql("USE CATALOG main")
    assert sql("SELECT current_catalog(), current_timezone()") == [("main", "UTC")]


def test_new_catalog_is_visible_in_an_open_session(workbench: Any, sql: Sql) -> None:
    """A catalog made while a session is open can be used by its next statement."""
    with pytest.raises(AnalysisException, match="made_later"):
        sql("SHOW SCHEMAS IN made_later")
    workbench.engine.add_catalog("made_later")
    sql("CREATE SCHEMA made_later.s")
    sql("CREATE TABLE made_later.s.t AS SELECT 1 AS a")
    assert sql("SELECT a FROM made_later.s.t") == [(1,)]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("ai_query('sum', named_struct('a', a, 'b', b), 'DOUBLE')", id="positional"),
        pytest.param("ai_query(endpoint => 'sum', request => named_struct('a', a, 'b', b), returnType => 'DOUBLE')", id="named"),
        pytest.param("ai_query('sum', named_struct('a', a, 'b', b), 'returnType', 'DOUBLE')", id="old form"),
        pytest.param("ai_query('sum', named_struct('a', a, 'b', b))", id="inferred"),
    ],
)
def test_ai_query_scores_rows(sql: Sql, call: str) -> None:
    """Every way to write the call gives a DOUBLE per row."""
    query = "SELECT a, p, typeof(p) FROM (SELECT a, CALL AS p FROM VALUES (1.0D, 2.0D), (3.0D, 4.0D) AS v(a, b)) ORDER BY a"
    assert sql(query.replace("CALL", call)) == [(1.0, 3.0, "double"), (3.0, 7.0, "double")]


def test_ai_query_return_type_decides_the_value(sql: Sql) -> None:
    """STRING gives a number's JSON text, one plain value goes as the endpoint's first column, NULL goes as null."""
    assert sql("SELECT ai_query('sum', 3.5D, returnType => 'STRING')") == [("3.5",)]
    assert sql("SELECT ai_query('sum', named_struct('a', 1.0D, 'b', CAST(NULL AS DOUBLE)), 'DOUBLE')") == [(1.0,)]


def test_ai_query_sends_few_requests_with_the_first_column_named(workbench: Any, sql: Sql) -> None:
    """12,500 rows of one partition travel in requests of at most 5,000 rows."""
    workbench.serving.requests.clear()
    assert sql("SELECT sum(ai_query('sum', id, 'DOUBLE')) FROM range(0, 12500, 1, 1)") == [(12500 * 12499 / 2,)]
    assert sorted(len(sent["data"]) for sent in workbench.serving.requests) == [2500, 5000, 5000]
    assert {tuple(sent["columns"]) for sent in workbench.serving.requests} == {("a",)}


def test_ai_query_marks_only_the_rows_at_fault(sql: Sql) -> None:
    """With failOnError => false good rows of a refused request keep their results."""
    found = sql(
        "SELECT id, r.result, r.errorMessage LIKE '[REMOTE_FUNCTION_HTTP_FAILED_ERROR]%negative%' FROM (SELECT id, "
        "ai_query('sum', named_struct('a', id), returnType => 'DOUBLE', failOnError => false) r FROM range(-1, 4, 1, 1)) ORDER BY id"
    )
    assert found == [(-1, None, True), (0, 0.0, None), (1, 1.0, None), (2, 2.0, None), (3, 3.0, None)]


def test_ai_query_fails_the_query_for_one_bad_row(sql: Sql) -> None:
    """By default a refused row fails the statement with the platform's condition and the endpoint's message."""
    with pytest.raises(Exception, match=r"\[REMOTE_FUNCTION_HTTP_FAILED_ERROR\].*code 400.*negative"):
        sql("SELECT ai_query('sum', named_struct('a', id), 'DOUBLE') FROM range(-1, 2)")


def test_ai_query_tries_again_when_the_endpoint_is_busy(workbench: Any, sql: Sql) -> None:
    """Two answers of 429 are not seen by the query."""
    workbench.serving.refusals = 0
    assert sql("SELECT ai_query('busy', named_struct('a', 1), 'DOUBLE')") == [(1.0,)]
    assert workbench.serving.refusals == 2


@pytest.mark.parametrize(
    ("call", "condition"),
    [
        pytest.param("ai_query('nope', named_struct('a', 1), 'DOUBLE')", "REMOTE_FUNCTION_HTTP_FAILED_ERROR", id="no endpoint"),
        pytest.param("ai_query('untyped', named_struct('a', 1))", "AI_FUNCTION_MODEL_SCHEMA_PARSE_ERROR", id="no schema"),
        pytest.param("ai_query('sum', 1, 'NoType')", "AI_FUNCTION_UNSUPPORTED_RETURN_TYPE", id="no type"),
        pytest.param("ai_query('sum')", "WRONG_NUM_ARGS", id="no request"),
        pytest.param(
            "ai_query('sum', 1, returnType => 'DOUBLE', modelParameters => named_struct('t', 1))",
            "AI_FUNCTION_INVALID_MODEL_PARAMETERS.UNSUPPORTED_ENDPOINT_TYPE",
            id="parameters",
        ),
    ],
)
def test_ai_query_is_refused_at_analysis(sql: Sql, call: str, condition: str) -> None:
    """What is wrong with the call itself is Spark's AnalysisException, before any row is read."""
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException) as raised:
        sql(f"SELECT {call}")
    assert raised.value.getCondition() == condition
    assert f"[{condition}]" in str(raised.value)


def test_ai_query_feeds_a_table(sql: Sql) -> None:
    """CREATE TABLE AS and MERGE take predictions."""
    sql("CREATE TABLE {s}.p AS SELECT id, ai_query('sum', named_struct('a', id), 'DOUBLE') AS y FROM range(3)")
    sql(
        "MERGE INTO {s}.p t USING (SELECT id, ai_query('sum', named_struct('a', id, 'b', 10), 'DOUBLE') AS y FROM range(2, 4)) s "
        "ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    assert sql("SELECT * FROM {s}.p ORDER BY id") == [(0, 0.0), (1, 1.0), (2, 12.0), (3, 13.0)]


def test_nothing_is_written_in_the_working_directory(workbench: Any) -> None:
    """The engine's scratch lies in the state folder."""
    assert not [name for name in ("metastore_db", "spark-warehouse", "artifacts", "derby.log") if Path(name).exists()]
    assert (workbench.layout.state / "spark").is_dir()


def test_port_in_use_is_named(workbench: Any) -> None:
    """A port that is taken is refused with its number, before anything starts."""
    from harness.engines.spark import _free_port

    assert workbench.engine.alive()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} for Spark Connect"):
            _free_port(port)


def test_killed_engine_leaves_no_process_and_a_new_one_has_the_tables(workbench: Any) -> None:
    """Kill -9 of the driver ends its JVM and workers; after a restart tables are there with their history."""
    session = workbench.session()
    session.sql("CREATE SCHEMA main.killed").collect()
    session.sql("CREATE TABLE main.killed.kept AS SELECT ai_query('sum', named_struct('a', 5), 'DOUBLE') AS a").collect()
    session.stop()  # a client would try for minutes to say goodbye to an engine that is gone
    driver = workbench.engine._process.pid
    family = _descendants(driver)
    assert len(family) >= 2
    os.kill(driver, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while [pid for pid in family if _running(pid)] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in family if _running(pid)] == []
    workbench.restart()
    session = workbench.session()
    assert session.sql("SELECT a FROM main.killed.kept").collect()[0][0] == 5.0
    session.sql("INSERT INTO main.killed.kept VALUES (6.0)").collect()
    assert session.sql("DESCRIBE HISTORY main.killed.kept").count() == 2
    session.stop()


def _descendants(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:  # it ended while we looked
                continue
    found = [child for child, parent in parents.items() if parent == pid]
    return [*found, *(grandchild for child in found for grandchild in _descendants(child))]


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
