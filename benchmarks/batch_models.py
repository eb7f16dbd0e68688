"""Makes what the batch benchmark scores, in a process of its own: `python benchmarks/batch_models.py FOLDER ROWS`.

Two GradientBoostingRegressors of 100 trees of depth 3 with a signature of six columns: `doubles`, and `mixed`, of which three are long.
Rows go to `FOLDER/doubles.parquet` and `FOLDER/mixed.parquet`, with a key `id`.
"""

import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn
from mlflow.models import infer_signature
from serving_models import COLUMNS, boosting, training_data

LONG = ["alcohol", "sugar", "density"]  # of `mixed`
CHUNK = 1_000_000


def with_longs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with three columns of whole numbers, such as hours and codes are."""
    return rows.assign(**{name: (rows[name] * 20).round().astype("int64") for name in LONG})


def save(folder: Path, name: str) -> None:
    """Fit and save one model; the same every time."""
    rows, target = training_data(0)
    rows = with_longs(rows) if name == "mixed" else rows
    model = boosting().fit(rows, target)
    mlflow.sklearn.save_model(
        model,
        str(folder / "models" / name),
        signature=infer_signature(rows, model.predict(rows)),
        input_example=rows.head(2),
        serialization_format="cloudpickle",
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"],
    )


def rows_to_score(count: int, start: int, name: str) -> pa.Table:
    """Return rows `start` to `start + count`."""
    draw = np.random.default_rng([7, start])
    rows = pd.DataFrame(draw.normal(size=(count, len(COLUMNS))), columns=COLUMNS)
    rows = with_longs(rows) if name == "mixed" else rows
    return pa.Table.from_pandas(rows.assign(id=np.arange(start, start + count)), preserve_index=False)


def main(folder: Path, count: int) -> None:
    """Save both models and their rows."""
    for name in ("doubles", "mixed"):
        save(folder, name)
        starts = range(0, count, CHUNK)
        with pq.ParquetWriter(folder / f"{name}.parquet", rows_to_score(1, 0, name).schema) as file:
            for start in starts:
                file.write_table(rows_to_score(min(CHUNK, count - start), start, name), row_group_size=100_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
