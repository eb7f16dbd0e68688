"""Makes what the serving benchmark serves and sends, in a process of its own so that the benchmark imports neither MLflow nor scikit-learn.

`python benchmarks/serving_models.py FOLDER NAME…` saves the models of those names (see MODELS), and `rows.json`.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import sklearn
from mlflow.models import infer_signature
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor

COLUMNS = ["alcohol", "acidity", "sugar", "ph", "density", "sulphates"]
ROWS = 10_000


def boosting() -> GradientBoostingRegressor:
    """Return the model that the targets speak of: 100 trees of depth 3."""
    return GradientBoostingRegressor(n_estimators=100, max_depth=3, random_state=0)


# How each is made, and the seed of its training data: `second` is another model than `boosting`, so that nothing of theirs can be shared.
MODELS: Mapping[str, tuple[Callable[[], Any], int]] = {
    "boosting": (boosting, 0),
    "second": (boosting, 1),
    "hist": (lambda: HistGradientBoostingRegressor(max_iter=100, random_state=0), 0),
    "forest": (lambda: RandomForestRegressor(n_estimators=100, max_depth=8, random_state=0, n_jobs=1), 0),
}


def training_data(seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return 4,000 rows of six doubles and what to predict."""
    draw = np.random.default_rng(seed)
    rows = pd.DataFrame(draw.normal(size=(4000, len(COLUMNS))), columns=COLUMNS)
    noise = draw.normal(scale=0.1, size=len(rows))
    return rows, np.sin(rows.alcohol) + rows.acidity * rows.sugar + 0.3 * rows.ph**2 - rows.density + noise


def rows_to_send(model: GradientBoostingRegressor) -> np.ndarray:
    """Return rows of which half are ordinary, and half lie where a shortcut would go wrong: on the trees' thresholds and beside them."""
    draw = np.random.default_rng(7)
    rows = draw.normal(size=(ROWS, len(COLUMNS)))
    trees = [tree.tree_ for tree in model.estimators_.ravel()]
    feature, threshold = (np.concatenate([getattr(tree, name) for tree in trees]) for name in ("feature", "threshold"))
    for column in range(len(COLUMNS)):
        at = draw.choice(threshold[feature == column], ROWS // 2)
        near = [
            at,
            np.nextafter(at, np.inf),
            np.nextafter(at, -np.inf),
            at.astype(np.float32),
            np.nextafter(at.astype(np.float32), np.float32(9)),
        ]
        rows[: ROWS // 2, column] = np.choose(draw.integers(len(near), size=len(at)), near)
    rows[:100] *= 1e30  # far out, and still what a float32 can hold
    rows[100:200] *= 1e-300
    rows[200:300] = np.round(rows[200:300])
    return rows


def save(name: str, folder: Path) -> None:
    """Fit and save one model; the same every time."""
    make, seed = MODELS[name]
    rows, target = training_data(seed)
    model = make().fit(rows, target)
    mlflow.sklearn.save_model(
        model,
        str(folder / name),
        signature=infer_signature(rows, model.predict(rows)),
        input_example=rows.head(2),
        serialization_format="cloudpickle",
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"],
    )


def main(folder: Path, names: Sequence[str]) -> None:
    """Save the models and the rows."""
    for name in names:
        save(name, folder)
    make, seed = MODELS["boosting"]
    rows = rows_to_send(make().fit(*training_data(seed)))
    (folder / "rows.json").write_text(json.dumps({"columns": COLUMNS, "data": rows.tolist()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
