import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from databricks.sdk.errors import NotFound

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
    """Return the version of `model` that gets all of the endpoint's traffic, so that predictions can be put down to it.

    Raises:
        ServingError: there is no such endpoint, or no one version gets all traffic. No permission, or a fault of the
            platform, is raised as the SDK's own error.
    """
    try:
        config = current(workspace.serving_endpoints.get(endpoint).config)
    except NotFound as error:
        raise ServingError(f"endpoint {endpoint} does not exist; create it by running `deploy`, or correct the name") from error
    version = sole_version(config, model)
    if version is None:
        shares = ", ".join(f"{name} {config.traffic.get(name, 0)} %" for name in config.names) or "nothing"
        raise ServingError(
            f"endpoint {endpoint}: expected one version of {model} with all traffic, found {shares}; run `deploy` to its end"
        )
    return version


def score_table(spark: Any, sql: ScoringSql, *, serves: Callable[[], str], progress: Callable[[str], None]) -> Scored:
    """Score every row of the source that the served version has not scored as it is; a second run changes nothing.

    A row whose sent columns changed is scored again and its prediction replaced. A row that is refused (a NULL the model
    cannot take) is kept with its error. Nothing but counts comes to this process.

    Args:
        spark: the session.
        sql: what to score, by which version, to where.
        serves: asks the endpoint which version serves; asked again after scoring, because a deployment in between
            would mix two versions under one number.
        progress: gets a line before and after the long part.

    Raises:
        ServingError: a table or column is missing or not as expected, keys are missing or repeated, another run scores
            the same table, or the served version changed while scoring (nothing is kept then).
    """
    _prepare(spark, sql)
    _finish_earlier_run(spark, sql, progress)
    pending = int(spark.sql(sql.count_pending()).first()["n"])
    progress(f"{sql.source}: {pending} rows to score by version {sql.version} of endpoint {sql.endpoint}")
    if pending:
        start = time.monotonic()
        _score(spark, sql)
        _check_version(spark, sql, serves())
        _merge(spark, sql, progress)
        seconds = time.monotonic() - start
        progress(f"{sql.source}: scored {pending} rows in {seconds:.1f} s ({pending / max(seconds, 0.001):.0f} rows/s)")
    summary = spark.sql(sql.summary()).first()
    return Scored(version=sql.version, sent=pending, rows=int(summary["n"]), errors=int(summary["errors"]))


def _prepare(spark: Any, sql: ScoringSql) -> None:
    if not spark.catalog.tableExists(sql.source):
        raise ServingError(f"table {sql.source} does not exist; it must hold the rows to score")
    columns = _types(spark.table(sql.source))
    missing = [column for column in sql.sent_columns if column not in columns]
    if missing:
        raise ServingError(f"table {sql.source}: no column {', '.join(missing)}; it has {', '.join(columns)}")
    _check_keys(spark, sql, sql.check_keys())
    key_type = columns[sql.key]
    spark.sql(sql.create(key_type)).collect()
    found, expected = _types(spark.table(sql.predictions)), _types(spark.sql(sql.empty(key_type)))
    if wrong := [f"{name} {type_} (found: {found.get(name, 'nothing')})" for name, type_ in expected.items() if found.get(name) != type_]:
        raise ServingError(
            f"table {sql.predictions}: expected {', '.join(wrong)}; it was made for something else: rename it, or give another table"
        )


def _types(frame: Any) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in frame.schema.fields}


def _check_keys(spark: Any, sql: ScoringSql, check: str) -> None:
    found = spark.sql(check).first()
    if found["without_key"] or found["repeated"]:
        raise ServingError(
            f"table {sql.source}: column {sql.key} must identify each row, but {found['without_key']} rows have no value "
            f"and {found['repeated']} repeat one; predictions could not be joined back"
        )


def _finish_earlier_run(spark: Any, sql: ScoringSql, progress: Callable[[str], None]) -> None:
    """Merge what a run that died has staged; answers put down to a version that serves no more may be another's: drop them."""
    if not spark.catalog.tableExists(sql.staging):
        return
    versions = {row["model_version"] for row in spark.sql(sql.staged_versions()).collect()}
    if versions <= {sql.version}:
        _merge(spark, sql, progress)
    else:
        progress(f"{sql.predictions}: drop answers staged for version {', '.join(sorted(versions))}, which serves no more")
        spark.sql(sql.drop_staging()).collect()


def _score(spark: Any, sql: ScoringSql) -> None:
    from pyspark.errors import AnalysisException

    try:
        spark.sql(sql.score()).collect()
    except AnalysisException as error:
        if "ALREADY_EXISTS" not in (error.getCondition() or ""):
            raise
        raise ServingError(
            f"table {sql.staging} was made by another run while this one scored; let one run at a time score {sql.predictions}, "
            "and run again: what that run has scored is kept"
        ) from error


def _merge(spark: Any, sql: ScoringSql, progress: Callable[[str], None]) -> None:
    try:
        _check_keys(spark, sql, sql.check_staging())
    except ServingError:
        spark.sql(sql.drop_staging()).collect()
        raise
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
