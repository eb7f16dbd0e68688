"""What is logged with the model."""

from importlib.metadata import version

from taxi_fare_training.mlflow_runs import pinned_requirements, signature


def test_requirements_are_the_installed_versions() -> None:
    """Every package that loading needs, pinned; MLflow itself first, so that it adds no pin of its own."""
    names = [requirement.split("==")[0] for requirement in pinned_requirements()]
    assert names[0] in {"mlflow", "mlflow-skinny"}
    assert names[1:] == ["cloudpickle", "numpy", "pandas", "scikit-learn"]
    assert all(requirement == f"{name}=={version(name)}" for name, requirement in zip(names, pinned_requirements(), strict=True))


def test_the_signature_takes_a_double_and_longs_and_gives_a_double() -> None:
    """The distance is a DOUBLE, all else is LONG, the key is not an input."""
    inputs = [(column.name, column.type.name) for column in signature().inputs]
    integers = [(name, "long") for name in ("pickup_hour", "pickup_dayofweek", "pickup_month", "is_weekend", "is_rush_hour")]
    assert inputs == [("trip_distance", "double"), *integers]
    assert [column.type.name for column in signature().outputs] == ["double"]
