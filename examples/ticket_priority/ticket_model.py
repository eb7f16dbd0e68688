"""The stranger's model: the priority of a support ticket from categories, a flag and an age; a custom pyfunc, logged from this file."""

from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

COLUMNS = ("product", "channel", "is_customer", "age_hours")
UNKNOWN = "unknown"

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("string", "product", required=False),
            ColSpec("string", "channel", required=False),
            ColSpec("boolean", "is_customer"),
            ColSpec("double", "age_hours"),
        ]
    ),
    outputs=Schema([ColSpec("string")]),
    params=ParamSchema([ParamSpec("default", "string", "normal")]),
)


class TicketPriority(mlflow.pyfunc.PythonModel):
    """Names the most frequent priority of tickets alike, or `params["default"]` where training saw none."""

    def load_context(self, context: Any) -> None:
        """Read the table that fitting left."""
        table = pd.read_parquet(context.artifacts["priorities"])
        self._known = {tuple(row[:-1]): row[-1] for row in table.itertuples(index=False)}

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[str]:  # noqa: ARG002 - MLflow's
        """Return one priority a row."""
        default = (params or {}).get("default", "normal")
        return [self._known.get(key, default) for key in keys(model_input)]


def keys(rows: pd.DataFrame) -> list[tuple[str, str, bool, bool]]:
    """Return what tickets must have in common to be alike; a category that is missing counts as one."""
    products, channels = (rows[name].where(rows[name].notna(), UNKNOWN) for name in ("product", "channel"))
    return list(zip(products, channels, rows["is_customer"].astype(bool), rows["age_hours"] > 24, strict=True))


def fit(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the most frequent priority of each kind of ticket."""
    kinds = pd.DataFrame(keys(rows), columns=["product", "channel", "is_customer", "is_old"], index=rows.index)
    return kinds.assign(priority=rows["priority"]).groupby(list(kinds.columns))["priority"].agg(lambda each: each.mode()[0]).reset_index()


mlflow.models.set_model(TicketPriority())
