# ruff: noqa: S608 - table and column names cannot be parameters; every part is quoted by `quoted` and `literal` or checked
import re
from dataclasses import dataclass

_ENDPOINT = re.compile(r"[A-Za-z0-9_-]+")
# What a returnType may be made of; it goes into the statement as a literal and into a column definition as it is.
_TYPE = re.compile(r"[A-Za-z0-9_ ,:<>()]+")


def quoted(name: str) -> str:
    """Return a dotted name with each part in backticks, so that any character and any word may be in it."""
    return ".".join(f"`{part.replace('`', '``')}`" for part in name.split("."))


def literal(text: str) -> str:
    """Return `text` as a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSql:
    """The statements that score the rows of one table by one served version, each row once.

    `ai_query` is not deterministic for the engine: in a MERGE it might be evaluated again for every pass over the
    source. Its answers therefore go to a staging table first (one evaluation a row, one atomic commit), and the MERGE
    reads that. A staging table left by a run that died holds answers already paid for: the next run merges it first,
    if the version that gave them still serves.

    Beside each prediction stands a hash of the columns that were sent. A row whose hash differs has changed since and
    is scored again; its prediction is replaced.
    """

    endpoint: str
    version: str
    source: str
    predictions: str
    key: str
    request_columns: tuple[str, ...]
    return_type: str = "DOUBLE"
    retry_errors: bool = False

    def __post_init__(self) -> None:
        if not _ENDPOINT.fullmatch(self.endpoint):
            raise ValueError(f"endpoint: expected letters, digits, '-' and '_', got {self.endpoint!r}")
        if not _TYPE.fullmatch(self.return_type):
            raise ValueError(f"return type: expected a SQL type such as DOUBLE, got {self.return_type!r}")
        if not self.request_columns:
            raise ValueError("request columns: expected at least one column to send, got none")

    @property
    def staging(self) -> str:
        """The table that holds answers between `ai_query` and the MERGE."""
        return f"{self.predictions}_staging"

    @property
    def sent_columns(self) -> tuple[str, ...]:
        """What travels in a request: the key first, then the request columns, each once."""
        return tuple(dict.fromkeys((self.key, *self.request_columns)))

    def columns(self, key_type: str) -> dict[str, str]:
        """Return the columns of the predictions table with their types."""
        return {
            self.key: key_type,
            "prediction": self.return_type,
            "error": "STRING",
            "model_version": "STRING",
            "endpoint": "STRING",
            "scored_at": "TIMESTAMP",
            "request_hash": "BIGINT",
        }

    def create(self, key_type: str) -> str:
        """Return the statement that creates the predictions table with its change data feed when it is missing."""
        columns = ", ".join(f"{quoted(column)} {type_}" for column, type_ in self.columns(key_type).items())
        return (
            f"CREATE TABLE IF NOT EXISTS {quoted(self.predictions)} ({columns}) USING DELTA "
            "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        )

    def empty(self, key_type: str) -> str:
        """Return the query of no rows with the types that the predictions table must have."""
        casts = ", ".join(f"CAST(NULL AS {type_}) AS {quoted(column)}" for column, type_ in self.columns(key_type).items())
        return f"SELECT {casts} WHERE FALSE"

    def check_keys(self) -> str:
        """Return the query of two numbers: rows without a key, and rows whose key another row has too."""
        return self._keys_of(self.source)

    def check_staging(self) -> str:
        """Return the same of the staged answers: rows may have come to the source between its check and the scoring."""
        return self._keys_of(self.staging)

    def staged_versions(self) -> str:
        """Return the query of the versions that the staged answers are put down to."""
        return f"SELECT DISTINCT model_version FROM {quoted(self.staging)}"

    def count_pending(self) -> str:
        """Return the query of how many rows this version has not scored as they are now."""
        return f"SELECT COUNT(*) AS n FROM {quoted(self.source)} AS source {self._pending()}"

    def score(self) -> str:
        """Return the statement that asks the endpoint, once per pending row, and keeps the answers whole."""
        fields = ", ".join(f"{literal(column)}, source.{quoted(column)}" for column in self.sent_columns)
        return (
            f"CREATE TABLE {quoted(self.staging)} USING DELTA AS SELECT source.{quoted(self.key)}, "
            f"ai_query({literal(self.endpoint)}, named_struct({fields}), returnType => {literal(self.return_type)}, failOnError => false) "
            f"AS answer, {literal(self.version)} AS model_version, current_timestamp() AS scored_at, {self._hash()} AS request_hash "
            f"FROM {quoted(self.source)} AS source {self._pending()}"
        )

    def merge(self) -> str:
        """Return the statement that moves staged answers to the predictions: one row a key and version.

        An answer replaces what stands there when that is an error, or the answer to other values.
        """
        key = quoted(self.key)
        values = {
            key: f"staged.{key}",
            "prediction": "staged.answer.result",
            "error": "staged.answer.errorMessage",
            "model_version": "staged.model_version",
            "endpoint": literal(self.endpoint),
            "scored_at": "staged.scored_at",
            "request_hash": "staged.request_hash",
        }
        kept = {key, "model_version", "endpoint"}
        updates = ", ".join(f"{column} = {value}" for column, value in values.items() if column not in kept)
        return (
            f"MERGE INTO {quoted(self.predictions)} AS scored USING {quoted(self.staging)} AS staged "
            f"ON scored.{key} = staged.{key} AND scored.model_version = staged.model_version "
            f"WHEN MATCHED AND (scored.error IS NOT NULL OR NOT scored.request_hash <=> staged.request_hash) THEN UPDATE SET {updates} "
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(values)}) VALUES ({', '.join(values.values())})"
        )

    def drop_staging(self) -> str:
        """Return the statement that removes the staging table."""
        return f"DROP TABLE IF EXISTS {quoted(self.staging)}"

    def summary(self) -> str:
        """Return the query of this version's rows and errors."""
        return f"SELECT COUNT(*) AS n, COUNT(error) AS errors FROM {quoted(self.predictions)} WHERE model_version = {literal(self.version)}"

    def _keys_of(self, table: str) -> str:
        key = quoted(self.key)
        return (
            f"SELECT COALESCE(SUM(CASE WHEN {key} IS NULL THEN n ELSE 0 END), 0) AS without_key, "
            f"COALESCE(SUM(CASE WHEN {key} IS NOT NULL THEN n - 1 ELSE 0 END), 0) AS repeated "
            f"FROM (SELECT {key}, COUNT(*) AS n FROM {quoted(table)} GROUP BY {key})"
        )

    def _hash(self) -> str:
        # xxhash64 passes over NULLs, so that (NULL, 1) and (1, NULL) would be the same: whether a value is NULL is hashed too.
        # The columns' names are, because the same values in other columns are another request.
        columns = [f"source.{quoted(column)}" for column in self.sent_columns]
        values = ", ".join(f"{column} IS NULL, {column}" for column in columns)
        return f"xxhash64({literal(', '.join(self.sent_columns))}, {values})"

    def _pending(self) -> str:
        retried = " AND scored.error IS NULL" if self.retry_errors else ""
        key = quoted(self.key)
        return (
            f"LEFT ANTI JOIN {quoted(self.predictions)} AS scored ON scored.{key} = source.{key} "
            f"AND scored.model_version = {literal(self.version)} AND scored.request_hash = {self._hash()}{retried}"
        )
