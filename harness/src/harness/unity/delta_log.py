"""Changes the properties of a Delta table by a commit of its own, which Spark and delta-rs see as anybody's.

github.com/delta-io/delta/blob/master/PROTOCOL.md#change-metadata. Delta-rs sets properties too, but takes none away.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import mkstemp

from harness.errors import ApiError, NotEmulated

Properties = dict[str, str]
IN_COMMIT_TIMESTAMPS = "delta.enableInCommitTimestamps"
_ATTEMPTS = 20


def change_properties(folder: Path, change: Callable[[Properties], Properties], *, now: int) -> None:
    """Let the table in `folder` have the properties that `change` makes of those it has.

    `change` is asked again when somebody else committed meanwhile, and may raise.
    """
    if not any(_committed(folder, change, now) for _ in range(_ATTEMPTS)):
        message = f"The table was changed by others {_ATTEMPTS} times while its properties were to be changed; try again"
        raise ApiError(409, "ABORTED", message)


def _committed(folder: Path, change: Callable[[Properties], Properties], now: int) -> bool:
    """Return whether the change is made; False when another commit was first."""
    from deltalake import DeltaTable

    table = DeltaTable(folder)
    metadata = table.metadata()
    before = dict(metadata.configuration)
    after = change(before)
    if after == before:
        return True
    if before.get(IN_COMMIT_TIMESTAMPS) == "true":
        raise NotEmulated(f"changing over REST the keys of a table with {IN_COMMIT_TIMESTAMPS}")
    action = {
        "id": str(metadata.id),
        "name": metadata.name,
        "description": metadata.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": table.schema().to_json(),
        "partitionColumns": metadata.partition_columns,
        "configuration": after,
        "createdTime": metadata.created_time,
    }
    changed = {"properties": json.dumps({name: after.get(name) for name in before.keys() ^ after.keys()})}
    told = {"timestamp": now, "operation": "SET TBLPROPERTIES", "operationParameters": changed, "engineInfo": "workspace-harness"}
    actions = [{"commitInfo": told}, {"metaData": {key: value for key, value in action.items() if value is not None}}]
    return _put(folder / "_delta_log" / f"{table.version() + 1:020}.json", "".join(f"{json.dumps(each)}\n" for each in actions))


def _put(commit: Path, text: str) -> bool:
    """Write a commit, whole or not at all; False when there is one of this number."""
    number, name = mkstemp(prefix=".new-", dir=commit.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        draft.chmod(0o644)
        commit.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True
