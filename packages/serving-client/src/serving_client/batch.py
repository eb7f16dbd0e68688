import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving_client.batch_sql import ScoringSql
from serving_client.errors import ServingError
from serving_client.plan import current, sole_version

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


@dataclass(frozen=True, slots=True)
class Scored:
    """What a run of `score_table` leaves: how many rows it sent, and this version's rows and errors in the table."""

    version: str
    sent: int
    rows: int
    errors: int


def served_version(workspace: "WorkspaceClient", endpoint: str, *, model: str) -> str:
    """Return the version of `model` that gets all of the endpoint's traffic, so that predictions can be put down to it."""
    config = current(workspace.serving_endpoints.get(endpoint).config)
    version = sole_version(config, model)
    if version is None:
        shares = ", ".join(f"{name} {config.traffic.get(name, 0)} %" for name in config.names) or "nothing"
        raise ServingError(
            f"endpoint {endpoint}: expected one version of {model} with all traffic, found {shares}; run `deploy` to its end"
        )
    return version


def score_table(spark: Any, sql: ScoringSql, *, serves: Callable[[], str], progress: Callable[[str], None]) -> Scored:
    """Score every row of the source that the served version has not scored yet; a second run changes nothing.

    Args:
        spark: the session.
        sql: what to score, by which version, to where.
        serves: asks the endpoint which version serves; asked again after scoring, because a deployment in between
            would mix two versions under one number.
        progress: gets a line before and after the long part.

    Raises:
        ServingError: keys are missing or repeated, or the served version changed while scoring (nothing is kept then).
    """
    columns = {field.name: field.dataType.simpleString() for field in spark.table(sql.source).schema.fields}
    missing = [column for column in (sql.key, *sql.request_columns) if column not in columns]
    if missing:
        raise ServingError(f"table {sql.source}: no column {', '.join(missing)}; it has {', '.join(columns)}")
    _check_keys(spark, sql)
    spark.sql(sql.create(columns[sql.key])).collect()
    _merge(spark, sql, progress)
    pending = int(spark.sql(sql.count_pending()).first()["n"])
    progress(f"{sql.source}: {pending} rows to score by version {sql.version} of endpoint {sql.endpoint}")
    if pending:
        start = time.monotonic()
        spark.sql(sql.score()).collect()
        _check_version(spark, sql, serves())
        _merge(spark, sql, progress)
        seconds = time.monotonic() - start
        progress(f"{sql.source}: scored {pending} rows in {seconds:.1f} s ({pending / max(seconds, 0.001):.0f} rows/s)")
    summary = spark.sql(sql.summary()).first()
    return Scored(version=sql.version, sent=pending, rows=int(summary["n"]), errors=int(summary["errors"]))


def _check_keys(spark: Any, sql: ScoringSql) -> None:
    found = spark.sql(sql.check_keys()).first()
    if found["without_key"] or found["repeated"]:
        raise ServingError(
            f"table {sql.source}: column {sql.key} must identify each row, but {found['without_key']} rows have no value "
            f"and {found['repeated']} repeat one; predictions could not be joined back"
        )


def _merge(spark: Any, sql: ScoringSql, progress: Callable[[str], None]) -> None:
    if not spark.catalog.tableExists(sql.staging):
        return
    progress(f"{sql.predictions}: merge the staged answers")
    spark.sql(sql.merge()).collect()
    spark.sql(sql.drop_staging()).collect()


def _check_version(spark: Any, sql: ScoringSql, version: str) -> None:
    if version == sql.version:
        return
    spark.sql(sql.drop_staging()).collect()
    raise ServingError(
        f"endpoint {sql.endpoint}: version {version} replaced version {sql.version} while rows were scored; none were kept, run again"
    )
