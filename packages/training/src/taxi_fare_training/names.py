"""The names of everything the tasks read and write, from `catalog`, `schema` and `model_name`."""

from dataclasses import dataclass

TEST_METRICS = ("test_mae", "test_rmse", "test_r2")
CHAMPION = "Champion"
CHALLENGER = "Challenger"
PREDICTION = "prediction"


@dataclass(frozen=True, slots=True)
class Names:
    """Three-level names in one schema."""

    catalog: str
    schema: str
    model_name: str = "fare_predictor_model"

    @property
    def schema_name(self) -> str:
        """Where all of it lies: `catalog.schema`."""
        return f"{self.catalog}.{self.schema}"

    @property
    def model(self) -> str:
        """The registered model."""
        return f"{self.schema_name}.{self.model_name}"

    @property
    def feature_table(self) -> str:
        """Key, features, label and split of every usable trip."""
        return f"{self.schema_name}.feature_table"

    @property
    def evaluation_set(self) -> str:
        """The frozen rows on which every model is judged."""
        return f"{self.schema_name}.evaluation_set"

    @property
    def baseline(self) -> str:
        """The evaluation set as the version scores it that was judged better last."""
        return f"{self.model}_baseline"

    @property
    def volume(self) -> str:
        """The volume's own name inside the schema."""
        return "mlflow_artifacts"


def quoted(name: str) -> str:
    """Return a dotted name as SQL writes it safely.

    >>> quoted("main.my-schema.trips")
    '`main`.`my-schema`.`trips`'
    """
    parts = name.replace("`", "").split(".")
    return ".".join(f"`{part}`" for part in parts)
