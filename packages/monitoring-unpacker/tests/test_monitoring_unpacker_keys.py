"""Why labels are joined by a key: what a join on features does to the same rows."""

from collections import Counter
from typing import Any

import numpy as np

from monitoring_unpacker import Field, Schema, pack, unpack

SCHEMA = Schema((Field("distance", "DOUBLE"), Field("hour", "BIGINT")), Field("trip", "STRING"), Field("prediction", "DOUBLE"))


def trips(count: int) -> list[dict[str, Any]]:
    """Return trips whose distances have two decimals, as meters give them, so that some trips have equal features."""
    draws = np.random.default_rng(4)
    distances, hours = draws.gamma(2.0, 1.5, count).round(2).tolist(), draws.integers(7, 10, count).tolist()
    pairs = enumerate(zip(distances, hours, strict=True))
    return [{"distance": distance, "hour": hour, "trip": f"t{number}", "prediction": 1.0} for number, (distance, hour) in pairs]


def unpacked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the inference table gives back of them."""
    found = unpack(pack(rows), SCHEMA)
    assert isinstance(found, list)
    return found


def test_f01_labels_joined_by_key_are_all_there_and_by_float_features_are_lost() -> None:
    """A feature that was parsed as FLOAT equals its DOUBLE only by luck: most labels find no row. By key every one does."""
    rows = trips(2000)
    labels = {row["trip"]: 10.0 for row in rows}
    features = {(row["distance"], row["hour"]) for row in rows}

    by_key = [labels.get(row["trip"]) for row in unpacked(rows)]
    by_float = [(float(np.float32(row["distance"])), row["hour"]) in features for row in unpacked(rows)]

    assert by_key.count(None) == 0
    assert sum(by_float) < 0.2 * len(rows)


def test_f02_rows_out_are_rows_in_and_a_join_on_features_multiplies_them() -> None:
    """Trips with equal features meet each other's labels. By key every row meets its own, once."""
    rows = trips(2000)
    alike = Counter((row["distance"], row["hour"]) for row in rows)

    by_features = sum(alike[row["distance"], row["hour"]] for row in unpacked(rows))
    by_key = [row["trip"] for row in unpacked(rows)]

    assert by_features > 1.2 * len(rows)
    assert by_key == [row["trip"] for row in rows]
