"""What is logged with the model, and what the model then takes."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from mlflow.pyfunc import PyFuncModel

from taxi_fare_features import MODEL_TYPES, feature_frame
from taxi_fare_training.mlflow_runs import pinned_requirements, signature
from taxi_fare_training.model import fit, model_inputs
from taxi_fare_training.unity_registry import UnusableModelError, predict_function

MakeTrips = Callable[[int, int], pd.DataFrame]


def test_requirements_are_the_installed_versions() -> None:
    """Every package that loading needs, pinned; MLflow itself first, so that it adds no pin of its own."""
    names = [requirement.split("==")[0] for requirement in pinned_requirements()]
    assert names[0] in {"mlflow", "mlflow-skinny"}
    assert names[1:] == ["cloudpickle", "numpy", "pandas", "scikit-learn"]
    assert all(requirement == f"{name}=={version(name)}" for name, requirement in zip(names, pinned_requirements(), strict=True))


def test_the_signature_takes_a_double_and_longs_and_gives_a_double() -> None:
    """The distance is a DOUBLE, all else is LONG, the key is not an input, and a FLOAT is nowhere."""
    inputs = [(column.name, column.type.name) for column in signature().inputs]
    integers = [(name, "long") for name in ("pickup_hour", "pickup_dayofweek", "pickup_month", "is_weekend", "is_rush_hour")]
    assert inputs == [("trip_distance", "double"), *integers]
    assert [column.type.name for column in signature().outputs] == ["double"]


@pytest.fixture
def rows(make_trips: MakeTrips) -> pd.DataFrame:
    """Rows of the feature table, with distances that no FLOAT holds."""
    frame = feature_frame(make_trips(60, 3))
    return frame.assign(trip_distance=frame["trip_distance"] + 1 / 3)


@pytest.fixture
def make_model(rows: pd.DataFrame, tmp_path: Path) -> Callable[..., PyFuncModel]:
    """Return a maker of models that were saved and loaded again, with the given signature or with ours."""
    import mlflow.pyfunc
    import mlflow.sklearn

    model = fit(rows, {"n_estimators": [5]}, report=lambda _: None).model

    def make(**signed: object) -> PyFuncModel:
        path = str(tmp_path / "model")
        arguments: dict[str, object] = {"signature": signature(), **signed}
        mlflow.sklearn.save_model(model, path, pip_requirements=pinned_requirements(), serialization_format="cloudpickle", **arguments)
        return mlflow.pyfunc.load_model(path)

    return make


def test_what_ai_query_sends_is_accepted_without_loss(rows: pd.DataFrame, make_model: Callable[..., PyFuncModel]) -> None:
    """DOUBLE and INT as Spark has them, and the same numbers by way of JSON, give the predictions of the training types, bit for bit."""
    predict = predict_function(make_model(), "models:/a.b.c/1")
    spark = rows[list(MODEL_TYPES)].astype({name: "int32" for name, kind in MODEL_TYPES.items() if kind == "long"})
    by_json = [json.loads(json.dumps(record)) for record in spark.to_dict(orient="records")]

    expected = list(predict(model_inputs(rows)))
    assert list(predict(spark)) == expected
    assert list(predict(pd.DataFrame(by_json))) == expected


def test_model_without_signature_is_refused(make_model: Callable[..., PyFuncModel]) -> None:
    """Nothing says which columns it takes, in which order: it is not compared with anything."""
    with pytest.raises(UnusableModelError, match=r"models:/a\.b\.c/1: has no signature; expected inputs among trip_distance, pickup_hour"):
        predict_function(make_model(signature=None), "models:/a.b.c/1")


def test_model_of_other_features_is_refused(make_model: Callable[..., PyFuncModel]) -> None:
    """A Champion from before a change of the features is named with the columns that are missing now."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    other = ModelSignature(inputs=Schema([ColSpec("double", "trip_distance"), ColSpec("long", "tolls")]), outputs=signature().outputs)
    with pytest.raises(UnusableModelError, match=r"models:/a\.b\.c/1: takes tolls, which the feature table does not have"):
        predict_function(make_model(signature=other), "models:/a.b.c/1")
