"""What users are told names what they named: no schema of the engine's own, no catalog of Spark's, no folder of the state."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings are not what these test

SCHEMA = "main.names"
STATEMENTS = """
SELECT * FROM {s}.none
SELECT * FROM main.none.t
SELECT nope FROM {s}.t
SELECT {s}.none(1)
SELECT * FROM {s}.none(1)
SELECT * FROM {s}.t VERSION AS OF 77
SELECT * FROM {s}.t TIMESTAMP AS OF '2001-01-01'
SELECT * FROM table_changes('{s}.t', 90)
SELECT 1 / 0 FROM {s}.t
SELECT CAST(name AS INT) FROM {s}.t
INSERT INTO {s}.t VALUES (1)
INSERT INTO {s}.t VALUES (NULL, 'a')
INSERT INTO {s}.t VALUES (-1, 'a')
INSERT INTO {s}.t VALUES ('x', 'a')
INSERT INTO {s}.t SELECT 1 AS id, 'a' AS name, 2 AS more
INSERT INTO {s}.v VALUES (1)
INSERT INTO {s}.none VALUES (1)
UPDATE {s}.t SET nope = 1
UPDATE {s}.t SET id = NULL
DELETE FROM {s}.t WHERE nope = 1
MERGE INTO {s}.t t USING (SELECT 1 AS id UNION ALL SELECT 1) u ON t.id = u.id WHEN MATCHED THEN UPDATE SET name = 'x'
MERGE INTO {s}.t t USING {s}.none u ON t.id = u.id WHEN MATCHED THEN DELETE
CREATE TABLE {s}.t (a INT)
CREATE TABLE {s}.v (a INT)
CREATE TABLE main.none.t (a INT)
CREATE TABLE {s}.gone (a INT, b INT GENERATED ALWAYS AS (nope + 1))
CREATE TABLE {s}.gone (a INT) PARTITIONED BY (nope)
CREATE TABLE {s}.gone CLONE {s}.none
CREATE VIEW {s}.t AS SELECT 1 AS a
CREATE VIEW {s}.w AS SELECT nope FROM {s}.t
CREATE SCHEMA {s}
DROP SCHEMA {s}
DROP TABLE {s}.none
DROP VIEW {s}.none
DROP FUNCTION {s}.none
ALTER TABLE {s}.t ADD COLUMN id INT
ALTER TABLE {s}.t DROP COLUMN name
ALTER TABLE {s}.t ALTER COLUMN id TYPE STRING
ALTER TABLE {s}.t ADD CONSTRAINT no CHECK (id > 10)
ALTER TABLE {s}.t SET TBLPROPERTIES ('delta.none' = '1')
ALTER TABLE {s}.t RENAME TO {s}.v
ALTER TABLE {s}.none RENAME TO {s}.x
RESTORE TABLE {s}.t TO VERSION AS OF 99
OPTIMIZE {s}.none
OPTIMIZE {s}.t ZORDER BY (nope)
VACUUM {s}.t RETAIN 0 HOURS
COPY INTO {s}.none FROM '/nowhere' FILEFORMAT = CSV
COPY INTO {s}.t FROM '/nowhere' FILEFORMAT = CSV
DESCRIBE {s}.t
DESCRIBE EXTENDED {s}.t
DESCRIBE EXTENDED {s}.v
DESCRIBE DETAIL {s}.t
DESCRIBE HISTORY {s}.t
DESCRIBE SCHEMA EXTENDED {s}
DESCRIBE FUNCTION EXTENDED {s}.f
SHOW CREATE TABLE {s}.t
SHOW CREATE TABLE {s}.v
SHOW TBLPROPERTIES {s}.t
SHOW TABLE EXTENDED IN {s} LIKE '*'
SHOW COLUMNS IN {s}.t
SHOW TABLES IN {s}
SHOW VIEWS IN {s}
SHOW USER FUNCTIONS IN {s}
EXPLAIN EXTENDED SELECT * FROM {s}.t WHERE id = 1
EXPLAIN FORMATTED SELECT * FROM {s}.v
EXPLAIN FORMATTED INSERT INTO {s}.t VALUES (5, 'a')
SELECT _metadata.file_path FROM {s}.t
OPTIMIZE {s}.t
VACUUM {s}.t
""".strip().splitlines()


@pytest.fixture(scope="module")
def session(workbench: Any) -> Iterator[Any]:
    """A session beside a table, a view and a function."""
    spark = workbench.session()
    for statement in (
        "CREATE SCHEMA {s}",
        "CREATE TABLE {s}.t (id BIGINT NOT NULL, name STRING)",
        "ALTER TABLE {s}.t ADD CONSTRAINT pos CHECK (id > 0)",
        "INSERT INTO {s}.t VALUES (1, 'a')",
        "CREATE VIEW {s}.v AS SELECT id FROM {s}.t",
        "CREATE FUNCTION {s}.f(x INT) RETURNS INT RETURN x",
    ):
        spark.sql(statement.format(s=SCHEMA))
    yield spark
    spark.stop()


def told(action: Callable[[], Any]) -> str:
    from pyspark.errors import PySparkException

    try:
        return str(action())
    except PySparkException as error:
        return str(error).split("JVM stacktrace")[0]


def leaks(text: str, workbench: Any) -> list[str]:
    inner = ("main__", "spark_catalog", "__harness", str(workbench.layout.state), "io.unitycatalog")
    return [each for each in inner if each in text]


@pytest.mark.parametrize("statement", [pytest.param(each, id=each[:60]) for each in STATEMENTS])
def test_statements_tell_users_names(workbench: Any, session: Any, statement: str) -> None:
    """Whether they fail or describe."""
    text = told(lambda: session.sql(statement.format(s=SCHEMA)).collect())

    assert leaks(text, workbench) == [], text


def test_frames_tell_users_names(workbench: Any, session: Any, tmp_path: Path) -> None:
    """Whether they read, write, stream or use DeltaTable."""
    from delta.tables import DeltaTable

    name, other = f"{SCHEMA}.t", session.range(3)

    def stream(frame: Any) -> Any:
        writer = frame.writeStream.trigger(availableNow=True).option("checkpointLocation", str(tmp_path / "checkpoint"))
        return writer.toTable(name).awaitTermination()

    texts = [
        told(lambda: session.table(f"{SCHEMA}.none").collect()),
        told(lambda: session.table(name).select("nope").collect()),
        told(lambda: other.write.saveAsTable(name)),
        told(lambda: other.selectExpr("id AS more").write.mode("append").saveAsTable(name)),
        told(lambda: other.selectExpr("id > 1 AS id").write.mode("append").saveAsTable(name)),
        told(lambda: other.writeTo(f"{SCHEMA}.none").append()),
        told(lambda: other.writeTo(name).create()),
        told(lambda: other.write.format("csv").saveAsTable(f"{SCHEMA}.files")),
        told(lambda: stream(session.readStream.table(f"{SCHEMA}.none"))),
        told(lambda: stream(session.readStream.table(f"{SCHEMA}.v"))),
        told(lambda: stream(session.readStream.table(name).selectExpr("-id AS id", "name"))),
        told(lambda: DeltaTable.forName(session, f"{SCHEMA}.none").toDF().collect()),
        told(lambda: DeltaTable.forName(session, f"{SCHEMA}.none").delete()),
        told(lambda: DeltaTable.forName(session, name).update("nope = 1", {"name": "'b'"})),
        told(lambda: DeltaTable.forName(session, name).restoreToVersion(99)),
        told(lambda: DeltaTable.forName(session, name).detail().collect()),
        told(lambda: DeltaTable.forName(session, name).history().collect()),
        told(lambda: DeltaTable.create(session).tableName(name).addColumn("a", "INT").execute()),
    ]

    assert [(text, found) for text in texts if (found := leaks(text, workbench))] == []
    assert all(text != "None" for text in (texts[2], texts[6], texts[12])), texts
