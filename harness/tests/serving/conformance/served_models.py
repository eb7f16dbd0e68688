"""The models on which our endpoints are compared with MLflow's server: one of each kind that answers bodies in a way of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """An input of a model: its name and MLflow's word for its type."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model: its inputs, what requests to it are made of, and how it is saved to a folder."""

    save: Callable[[Path], None]
    columns: tuple[Column, ...]
    shape: str = "table"
    """What its requests look like: "table", "tensor", "outputs" or "hinted"."""
    params: tuple[str, ...] = ()


WINE = ("alcohol", "acidity", "sugar", "ph", "density", "sulphates")
REQUIREMENTS = ["mlflow", "scikit-learn"]

# Says all it was given, types included, so that the two servers can only agree when their models saw the same.
ECHO = """
import mlflow
import numpy as np
import pandas as pd


def shown(value):
    if isinstance(value, pd.DataFrame):
        columns = [[repr(c), str(value[c].dtype) if value.columns.is_unique else "", [shown(v) for v in value.iloc[:, i]]]
                   for i, c in enumerate(value.columns)]
        return ["frame", [repr(i) for i in value.index], columns]
    if isinstance(value, np.ndarray):
        return ["array", str(value.dtype), list(value.shape), repr(value.tolist())]
    if isinstance(value, dict):
        return ["dict", {str(key): shown(item) for key, item in value.items()}]
    return [type(value).__name__, repr(value)]


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return {"input": shown(model_input), "params": shown(params or {})}


mlflow.models.set_model(Echo())
"""
OUTPUTS = """
import datetime
import decimal
import mlflow
import numpy as np
import pandas as pd

BIG = 2**60 + 1
MADE = {
    "frame": lambda n: pd.DataFrame({"p": [1.5] * n, "q": ["caf\\u00e9"] * n, "d": [pd.Timestamp("2026-01-02")] * n}),
    "frame with index": lambda n: pd.DataFrame({"p": [1] * n}, index=[f"r{i}" for i in range(n)]),
    "frame with nulls": lambda n: pd.DataFrame({"p": [None] * n, "q": [float("nan")] * n, "t": [pd.NaT] * n}),
    "frame of two equal columns": lambda n: pd.DataFrame([[1, 2]] * n, columns=["p", "p"]),
    "frame of numbered columns": lambda n: pd.DataFrame([[1, 2]] * n),
    "series": lambda n: pd.Series([1.5] * n),
    "named series": lambda n: pd.Series([1.5] * n, name="fare"),
    "dict": lambda n: {"a": [1] * n, "b": {"c": None, "d": True}},
    "dict of arrays": lambda n: {"a": np.ones(n), "b": np.array(["x"] * n)},
    "list": lambda n: [1, "a", None, True, 0.1, -0.0],
    "list of dicts": lambda n: [{"a": np.float32(0.1), "b": np.int64(BIG)}] * n,
    "str": lambda n: "h\\u00e9llo \\U0001f600",
    "number": lambda n: 0.1,
    "none": lambda n: None,
    "float64": lambda n: np.full(n, 0.1),
    "float32": lambda n: np.full(n, 0.1, dtype=np.float32),
    "float16": lambda n: np.full(n, 0.1, dtype=np.float16),
    "int": lambda n: np.full(n, BIG),
    "uint8": lambda n: np.arange(n, dtype=np.uint8),
    "bool": lambda n: np.full(n, True),
    "text array": lambda n: np.array(["a", "\\u00e9"] * n),
    "object array": lambda n: np.array([None, "a", 1.5] * n, dtype=object),
    "bytes": lambda n: [b"abc"] * n,
    "datetime array": lambda n: np.full(n, np.datetime64("2026-01-02T03:04:05.678901234")),
    "timedelta array": lambda n: np.full(n, np.timedelta64(5, "s")),
    "datetime": lambda n: [datetime.datetime(2026, 1, 2, 3, 4, 5), datetime.date(2026, 1, 2)],
    "timestamp": lambda n: [pd.Timestamp("2026-01-02T03:04:05.123456789Z")],
    "scalar": lambda n: np.float32(0.1),
    "scalar array": lambda n: np.array(1.5),
    "2-d": lambda n: np.arange(2.0 * n).reshape(n, 2),
    "3-d": lambda n: np.zeros((n, 1, 2)),
    "empty": lambda n: np.array([]),
    "not finite": lambda n: np.array([np.nan, np.inf, -np.inf, -0.0]),
    "extremes": lambda n: np.array([5e-324, 1.7976931348623157e308, 1e16, 123456789012345680.0, 1e-5, 0.0001]),
    "nested": lambda n: {"a": [{"b": (1, 2)}, [np.arange(2)]]},
    "tuple": lambda n: (np.float64(1.5), "a"),
    "int keys": lambda n: {1: "a", 2.5: "b", None: "c", True: "d"},
    "tuple keys": lambda n: {(1, 2): "a"},
    "set": lambda n: {1},
    "decimal": lambda n: [decimal.Decimal("1.5")],
    "object": lambda n: [object()],
    "categories": lambda n: pd.Series(["a"] * n, dtype="category"),
    "nullable": lambda n: pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "s": pd.array(["a", None], dtype="string")}),
}


def fail(kind):
    if kind == "raise":
        raise RuntimeError("no")
    if kind == "raise mlflow":
        raise mlflow.MlflowException("boom")
    if kind == "raise not found":
        raise mlflow.MlflowException("boom", error_code=mlflow.protos.databricks_pb2.RESOURCE_DOES_NOT_EXIST)
    if kind == "raise unavailable":
        raise mlflow.MlflowException("boom", error_code=mlflow.protos.databricks_pb2.TEMPORARILY_UNAVAILABLE)
    if kind == "raise in a cause":
        raise KeyError("k") from ValueError("v")
    if kind == "recurse":
        return fail(kind)
    raise ValueError(f"unknown kind {kind!r}")


class Outputs(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        kind = model_input["kind"].iloc[0]
        return MADE[kind](len(model_input)) if kind in MADE else fail(kind)


mlflow.models.set_model(Outputs())
"""
HINTED = """
import mlflow
import pydantic


class Point(pydantic.BaseModel):
    x: float
    n: int = 3
    label: str | None = None


class Hinted(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[Point]) -> list[str]:
        return [repr(point) for point in model_input]


mlflow.models.set_model(Hinted())
"""


def _table(names: Sequence[str], rows: int = 400) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(rows, len(names))), columns=list(names))


def _target(table: pd.DataFrame) -> Any:
    return np.sin(table.iloc[:, 0]) + 0.3 * table.iloc[:, -1] ** 2


def _sklearn(model: Any, table: pd.DataFrame, target: Any, *, signed: bool = True) -> Callable[[Path], None]:
    def save(folder: Path) -> None:
        import mlflow
        from mlflow.models import infer_signature

        fitted = model.fit(table, target)
        signature = infer_signature(table, fitted.predict(table)) if signed else None
        mlflow.sklearn.save_model(
            fitted, str(folder), signature=signature, serialization_format="cloudpickle", pip_requirements=REQUIREMENTS
        )

    return save


def _code(code: str, *, inputs: Any = None, params: Any = None) -> Callable[[Path], None]:
    def save(folder: Path) -> None:
        import mlflow
        from mlflow.models import ModelSignature

        source = folder.with_suffix(".py")
        source.write_text(code)
        signature = ModelSignature(inputs=inputs, params=params) if inputs is not None else None
        more = {} if signature is None else {"signature": signature}  # None, said, would forbid the signature of type hints
        mlflow.pyfunc.save_model(str(folder), python_model=str(source), pip_requirements=REQUIREMENTS, **more)

    return save


def _doubles(names: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(name, "double") for name in names)


def kinds() -> dict[str, Kind]:
    """Return the kinds of models by name."""
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestClassifier
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    wine = _table(WINE)
    boosted = GradientBoostingRegressor(n_estimators=60, max_depth=3, random_state=0)
    counts = (wine["ph"] * 10).astype("int64")
    counted = wine.assign(n=counts, i=-counts.astype("int32"), f=wine["sugar"].astype("float32"))[["n", "i", "f", "ph"]]
    homes = pd.DataFrame({"colour": ["red", "blue", "gr\u00fcn", "red"] * 20, "size": np.arange(80.0)})
    by_name = ColumnTransformer([("c", OneHotEncoder(handle_unknown="ignore"), ["colour"]), ("s", StandardScaler(), ["size"])])
    labels = np.where(_target(wine) > 0.5, "high", "low")
    types = ("integer", "long", "float", "double", "boolean", "string", "datetime")
    typed = [*(ColSpec(kind, kind) for kind in types), ColSpec("double", "maybe", required=False)]
    columns = (*(Column(kind, kind) for kind in types), Column("maybe", "double"))
    options = ParamSchema(
        [
            ParamSpec("temperature", "double", 0.5),
            ParamSpec("n", "long", 3),
            ParamSpec("word", "string", "a"),
            ParamSpec("flag", "boolean", default=False),
            ParamSpec("stops", "string", ["x"], shape=(-1,)),
        ]
    )
    pair = Schema([ColSpec("double", "a"), ColSpec("long", "b")])
    named = Schema([TensorSpec(np.dtype("float64"), (-1, 2), "t"), TensorSpec(np.dtype("int64"), (-1,), "u")])
    return {
        "gbr": Kind(_sklearn(boosted, wine, _target(wine)), _doubles(WINE)),
        "gbr-mixed": Kind(
            _sklearn(GradientBoostingRegressor(n_estimators=20, random_state=0), counted, _target(wine)),
            (Column("n", "long"), Column("i", "integer"), Column("f", "float"), Column("ph", "double")),
        ),
        "gbr-unsigned": Kind(_sklearn(boosted, wine, _target(wine), signed=False), _doubles(WINE)),
        "forest": Kind(_sklearn(RandomForestClassifier(n_estimators=5, random_state=0), wine, labels), _doubles(WINE)),
        "hist": Kind(_sklearn(HistGradientBoostingRegressor(max_iter=20, random_state=0), wine, _target(wine)), _doubles(WINE)),
        "linear": Kind(_sklearn(LinearRegression(), wine, _target(wine)), _doubles(WINE)),
        "pipeline": Kind(
            _sklearn(make_pipeline(by_name, LinearRegression()), homes, np.arange(80.0)),
            (Column("colour", "string"), Column("size", "double")),
        ),
        "typed": Kind(_code(ECHO, inputs=Schema(typed)), columns),
        "params": Kind(
            _code(ECHO, inputs=pair, params=options),
            (Column("a", "double"), Column("b", "long")),
            params=("temperature", "n", "word", "flag", "stops"),
        ),
        "unsigned": Kind(_code(ECHO), (Column("a", "double"), Column("b", "string"), Column("c", "boolean"))),
        "tensor": Kind(_code(ECHO, inputs=Schema([TensorSpec(np.dtype("float32"), (-1, 2))])), _doubles(("0", "1")), shape="tensor"),
        "named-tensors": Kind(_code(ECHO, inputs=named), (Column("t", "double"), Column("u", "long")), shape="tensor"),
        "outputs": Kind(_code(OUTPUTS), (Column("kind", "output"),), shape="outputs"),
        "hinted": Kind(_code(HINTED), (Column("x", "double"), Column("n", "long"), Column("label", "string")), shape="hinted"),
    }
