"""The batch benchmark's peer: MLflow's pyfunc model predicts all rows in one process, in chunks of whatever size it is fastest with.

`python benchmarks/batch_peer.py MODEL ROWS.parquet PREDICTIONS.npy [LIMIT]` prints `{"chunks": {rows: rows a second}, "cpu": …}`, where
`cpu` is processor microseconds a row with the best chunks, and keeps the predictions of the first LIMIT rows.
"""

import json
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pyarrow.parquet as pq

CHUNKS = (1_000, 10_000, 100_000, 1_000_000)


def main(model: str, rows: str, predictions: str, limit: int) -> None:
    """Measure every size of chunk."""
    frame = pq.read_table(rows).slice(0, limit).to_pandas().drop(columns="id")
    loaded = mlflow.pyfunc.load_model(model)
    loaded.predict(frame.iloc[:10_000])
    seconds, cpu = {}, {}
    for size in CHUNKS:
        began, used = time.perf_counter(), time.process_time()
        found = [loaded.predict(frame.iloc[start : start + size]) for start in range(0, len(frame), size)]
        seconds[size], cpu[size] = time.perf_counter() - began, time.process_time() - used
    best = min(seconds, key=lambda size: seconds[size])
    np.save(Path(predictions), np.concatenate(found))
    told = {"chunks": {size: len(frame) / spent for size, spent in seconds.items()}, "cpu": cpu[best] / len(frame) * 1e6}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 1 << 62)
