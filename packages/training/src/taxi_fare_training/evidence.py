"""What a set of rows was, in one line: so that a run can say later on what it was trained and judged."""

import hashlib

import numpy as np
import pandas as pd

from taxi_fare_features import FEATURE_COLUMNS, KEY, TARGET


class ChangedRowsError(ValueError):
    """A table version no longer reads as it did when the run was recorded."""


def row_hash(rows: pd.DataFrame) -> str:
    """Return a SHA-256 over key, features and label of all rows: the same in any order, another one when any value changes.

    The rows are put in the order of their keys, which are unique; each column then goes in as its name and its values: texts by line,
    numbers as little-endian doubles (which hold every INT exactly).
    """
    ordered = rows.sort_values(KEY)
    digest = hashlib.sha256(f"{KEY}\n".encode() + "\n".join(ordered[KEY]).encode())
    for name in (*FEATURE_COLUMNS, TARGET):
        digest.update(f"\n{name}\n".encode())
        digest.update(ordered[name].to_numpy(dtype="<f8", na_value=np.nan).tobytes())
    return digest.hexdigest()


def check_unchanged(rows: pd.DataFrame, recorded: str, where: str) -> None:
    """Raise when `rows`, read from `where`, are not those whose hash was recorded."""
    found = row_hash(rows)
    if found != recorded:
        raise ChangedRowsError(
            f"{where}: reads otherwise than when the model was trained (hash {found[:12]}, recorded {recorded[:12]}); "
            "the table was rewritten or made anew under its name; train again"
        )
