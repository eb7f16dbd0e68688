"""The two tasks over fakes at their ports, and the command lines."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE

from taxi_fare_features import SPLIT, MissingColumnError, feature_frame
from taxi_fare_training import tasks
from taxi_fare_training.evidence import ChangedRowsError, row_hash
from taxi_fare_training.grid import GridError
from taxi_fare_training.model import Fitted, Metrics, NoRowsError, Predict, model_inputs
from taxi_fare_training.names import Names, quoted
from taxi_fare_training.ports import LoggedModel, RecordedRows, TableVersion
from taxi_fare_training.train import Trained, train
from taxi_fare_training.validate import Validated, validate

MakeTrips = Callable[[int, int], pd.DataFrame]

GRID = {"n_estimators": [20, 40], "max_depth": [2]}
MODEL = "main.taxi.fares"


class MemoryTables:
    """Tables that live in frames; the evaluation set is frozen at the first call."""

    def __init__(self, trips: pd.DataFrame) -> None:
        self.trips = trips
        self.features = pd.DataFrame()
        self.frozen: pd.DataFrame | None = None
        self.prepared = 0
        self.baseline = pd.DataFrame()

    def prepare(self) -> None:
        self.prepared += 1

    def refresh_features(self, source_table: str) -> TableVersion:
        self.features = feature_frame(self.trips, source_table)
        return TableVersion("main.taxi.feature_table", 0)

    def freeze_evaluation_set(self) -> TableVersion | None:
        test_rows = self.features[self.features[SPLIT] == "test"]
        if self.frozen is None and not test_rows.empty:
            self.frozen = test_rows
        return None if self.frozen is None else TableVersion("main.taxi.evaluation_set", 0)

    def training_rows(self, features: TableVersion) -> pd.DataFrame:
        assert features.name == "main.taxi.feature_table"
        return self.features[self.features[SPLIT] == "train"]

    def write_baseline(self, evaluation_set: TableVersion, predictions: pd.DataFrame, *, version: str) -> None:
        self.baseline = predictions.assign(model_version=version, evaluation_set=evaluation_set.name)

    def evaluation_rows(self, evaluation_set: TableVersion) -> pd.DataFrame:
        assert (evaluation_set, self.frozen is None) == (TableVersion("main.taxi.evaluation_set", 0), False)
        assert self.frozen is not None
        return self.frozen


class MemoryRuns:
    """Runs in a list; a logged model is found again by its address."""

    def __init__(self) -> None:
        self.models: dict[str, Predict] = {}
        self.run_tags: dict[str, dict[str, str]] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.attached: list[tuple[Mapping[str, object], Figure | None]] = []

    def log_training(
        self, fitted: Fitted, metrics: Metrics, *, example: pd.DataFrame, tags: Mapping[str, str], data: Sequence[RecordedRows]
    ) -> LoggedModel:
        assert len(example) == 5
        assert [rows.use for rows in data] == ["train", "evaluate"]
        run_id = f"run-{len(self.run_tags) + 1}"
        self.run_tags[run_id] = dict(tags)
        self.metrics[run_id] = {"test_mae": metrics.mae}
        self.models[f"models:/m-{run_id}"] = fitted.model.predict
        return LoggedModel(run_id, f"models:/m-{run_id}")

    def tags(self, run_id: str) -> Mapping[str, str]:
        return self.run_tags[run_id]

    def record(self, run_id: str, *, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        self.metrics[run_id].update(metrics)
        self.run_tags[run_id].update(tags)

    def attach(self, run_id: str, *, decision: Mapping[str, object], picture: Figure | None) -> None:
        assert run_id in self.run_tags
        self.attached.append((decision, picture))


class MemoryRegistry:
    """Versions and aliases of models; `outage` is raised by every look-up of an alias."""

    def __init__(self, runs: MemoryRuns) -> None:
        self.runs = runs
        self.versions: list[Predict] = []
        self.aliases: dict[str, str] = {}
        self.outage: Exception | None = None

    def register(self, model_uri: str, name: str) -> str:
        assert name == MODEL
        self.versions.append(self.runs.models[model_uri])
        return str(len(self.versions))

    def version_with_alias(self, name: str, alias: str) -> str | None:
        assert name == MODEL
        if self.outage is not None:
            raise self.outage
        return self.aliases.get(alias)

    def set_alias(self, name: str, alias: str, *, version: str) -> None:
        assert name == MODEL
        self.aliases[alias] = version

    def remove_alias(self, name: str, alias: str) -> None:
        assert name == MODEL
        self.aliases.pop(alias, None)

    def load(self, name: str, version: str) -> Predict:
        assert name == MODEL
        return self.versions[int(version) - 1]


class MemoryTaskValues:
    """One space of values, as if every task had the key `train`."""

    def __init__(self) -> None:
        self.published: dict[str, str | float | bool] = {}

    def set(self, key: str, value: str | float | bool) -> None:  # noqa: FBT001 - a value, not a flag
        self.published[key] = value

    def get(self, task_key: str, key: str) -> str:
        assert task_key == "train"
        return str(self.published[key])


class Workspace:
    """All fakes together, and the lines that were reported."""

    def __init__(self, trips: pd.DataFrame) -> None:
        self.tables = MemoryTables(trips)
        self.runs = MemoryRuns()
        self.registry = MemoryRegistry(self.runs)
        self.task_values = MemoryTaskValues()
        self.lines: list[str] = []

    def train(self) -> Trained:
        return train("samples.nyctaxi.trips", GRID, tables=self.tables, log=self.runs, values=self.task_values, report=self.lines.append)

    def validate(self) -> Validated:
        return validate(
            MODEL,
            "train",
            tables=self.tables,
            runs=self.runs,
            registry=self.registry,
            values=self.task_values,
            report=self.lines.append,
        )


@pytest.fixture
def workspace(make_trips: MakeTrips) -> Workspace:
    """Return a workspace whose source has 400 trips."""
    return Workspace(make_trips(400, 1))


def far_off(inputs: pd.DataFrame) -> np.ndarray:
    """Predict nonsense: a Champion that any model beats."""
    return np.full(len(inputs), 150.0)


def exact(workspace: Workspace) -> Predict:
    """Return a model that knows every fare: a Champion that no model beats."""

    def predict(inputs: pd.DataFrame) -> np.ndarray:
        assert workspace.tables.frozen is not None
        fares: np.ndarray = workspace.tables.frozen.sort_values("trip_id")["fare_amount"].to_numpy()
        assert len(inputs) == len(fares)
        return fares

    return predict


def champion(workspace: Workspace, predict: Predict) -> None:
    """Let a model with this predict function be version 1 and Champion."""
    workspace.registry.versions.append(predict)
    workspace.registry.aliases["Champion"] = "1"


def test_train_publishes_run_model_and_error(workspace: Workspace) -> None:
    """The next task finds run, model and MAE in the task values, the run names its tables and versions."""
    trained = workspace.train()
    assert workspace.task_values.published == {"run_id": "run-1", "model_uri": "models:/m-run-1", "test_mae": trained.metrics.mae}
    assert trained.metrics.mae < 1.5
    rows = workspace.tables.training_rows(TableVersion("main.taxi.feature_table", 0))
    assert workspace.tables.frozen is not None
    assert workspace.runs.run_tags["run-1"] == {
        "source_table": "samples.nyctaxi.trips",
        "feature_table": "main.taxi.feature_table",
        "feature_table_version": "0",
        "feature_table_rows": str(len(rows)),
        "feature_table_hash": row_hash(rows),
        "evaluation_set": "main.taxi.evaluation_set",
        "evaluation_set_version": "0",
        "evaluation_set_rows": str(len(workspace.tables.frozen)),
        "evaluation_set_hash": row_hash(workspace.tables.frozen),
    }
    assert workspace.tables.prepared == 1


def test_train_reports_its_progress(workspace: Workspace) -> None:
    """Features, each fold of the search, the best parameters and the run each have a line."""
    workspace.train()
    assert [line.split()[0] for line in workspace.lines] == ["features", "features", "grid", "grid", "grid", "grid", "run"]
    assert "grid search 6/6 max_depth=2 n_estimators=20,40 fold" in workspace.lines[4]


def test_row_order_of_the_source_changes_nothing(workspace: Workspace, make_trips: MakeTrips) -> None:
    """A shuffled source gives the same model, metric for metric."""
    other = Workspace(make_trips(400, 1).sample(frac=1.0, random_state=5, ignore_index=True))
    assert workspace.train().metrics == other.train().metrics


@pytest.mark.parametrize(
    "unusable",
    [
        pytest.param(lambda trips: trips.iloc[:0], id="empty source"),
        pytest.param(lambda trips: trips.assign(fare_amount=0.0), id="all filtered out"),
        pytest.param(lambda trips: trips.assign(fare_amount=np.nan), id="no label"),
    ],
)
def test_a_source_without_usable_trips_is_an_error(workspace: Workspace, unusable: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Nothing to train on: the message says what a usable trip is, no run is logged, and a later run with trips is as good as a first."""
    trips = workspace.tables.trips
    workspace.tables.trips = unusable(trips)
    with pytest.raises(NoRowsError, match=r"feature_table of samples\.nyctaxi\.trips, split 'train': has no rows; .* `fare_amount` < 200"):
        workspace.train()
    assert (workspace.runs.run_tags, workspace.tables.frozen) == ({}, None)

    workspace.tables.trips = trips
    assert workspace.train().metrics.mae < 1.5


def test_trips_that_are_all_training_rows_are_an_error(workspace: Workspace) -> None:
    """Nothing to judge on: an empty evaluation set is never frozen, else no later run could be judged."""
    rows = feature_frame(workspace.tables.trips)
    workspace.tables.trips = workspace.tables.trips[(rows["split"] == "train").to_numpy()]
    with pytest.raises(
        NoRowsError, match=r"feature_table of samples\.nyctaxi\.trips, split 'test': has no rows; about a fifth of all trips"
    ):
        workspace.train()
    assert (workspace.runs.run_tags, workspace.tables.frozen) == ({}, None)


def test_an_evaluation_set_that_is_empty_is_refused(workspace: Workspace) -> None:
    """Its rows are gone under the recorded version: nothing is registered as better."""
    workspace.train()
    assert workspace.tables.frozen is not None
    workspace.tables.frozen = workspace.tables.frozen.iloc[:0]
    with pytest.raises(NoRowsError, match=r"main\.taxi\.evaluation_set version 0: has no rows"):
        workspace.validate()
    assert workspace.registry.aliases == {}


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(lambda inputs: np.full(len(inputs), np.nan), id="not a number"),
        pytest.param(lambda inputs: np.full(len(inputs), np.inf), id="infinite"),
        pytest.param(lambda inputs: np.zeros(len(inputs) - 1), id="a row less"),
        pytest.param(lambda inputs: np.zeros((len(inputs), 2)), id="two columns"),
    ],
)
@pytest.mark.parametrize("who", ["candidate", "champion"])
def test_answers_that_are_no_fares_are_refused(workspace: Workspace, answers: Predict, who: str) -> None:
    """A NaN is smaller than nothing and larger than nothing: no verdict may rest on one, the first model's least of all."""
    workspace.train()
    if who == "champion":
        champion(workspace, answers)
    else:
        workspace.runs.models["models:/m-run-1"] = answers
    with pytest.raises(ValueError, match=r"main\.taxi\.fares version 1: answered .* expected one finite number a row"):
        workspace.validate()
    assert "Challenger" not in workspace.registry.aliases


def test_a_source_without_a_column_is_an_error_that_names_the_table(workspace: Workspace) -> None:
    """The error of the feature rules reaches the user."""
    workspace.tables.trips = workspace.tables.trips.drop(columns="pickup_zip")
    with pytest.raises(MissingColumnError, match=r"samples\.nyctaxi\.trips: column 'pickup_zip' is missing"):
        workspace.train()


def test_a_bad_grid_fails_before_anything_is_made(workspace: Workspace) -> None:
    """No schema is created for a task that cannot run."""
    with pytest.raises(GridError):
        train("s", {"depth": [1]}, tables=workspace.tables, log=workspace.runs, values=workspace.task_values, report=print)
    assert workspace.tables.prepared == 0


def test_the_first_model_challenges(workspace: Workspace) -> None:
    """Without a Champion the new version is better and carries the alias Challenger."""
    trained = workspace.train()
    assert workspace.validate().decision.is_better
    assert workspace.registry.aliases == {"Challenger": "1"}
    published = {name: workspace.task_values.published[name] for name in ("model_full_name", "model_version", "is_better")}
    assert published == {"model_full_name": MODEL, "model_version": "1", "is_better": True}
    assert workspace.task_values.published["test_mae"] == pytest.approx(trained.metrics.mae)


def test_a_better_model_challenges_the_champion(workspace: Workspace) -> None:
    """Beating the Champion sets the alias and leaves the numbers on the run."""
    champion(workspace, far_off)
    workspace.train()
    assert workspace.validate().decision.is_better
    assert workspace.registry.aliases == {"Champion": "1", "Challenger": "2"}
    assert workspace.runs.run_tags["run-1"]["gate_champion_version"] == "1"
    assert workspace.runs.run_tags["run-1"]["gate_is_better"] == "true"
    assert workspace.runs.metrics["run-1"]["gate_champion_mae"] > 100


def test_f17_challenger_only_while_it_challenges(workspace: Workspace) -> None:
    """Set on a better version, moved by the next better one, gone with the first that is not better."""
    champion(workspace, far_off)
    workspace.train()
    workspace.validate()
    assert workspace.registry.aliases == {"Champion": "1", "Challenger": "2"}
    workspace.train()
    workspace.validate()
    assert workspace.registry.aliases == {"Champion": "1", "Challenger": "3"}
    workspace.registry.versions[0] = exact(workspace)
    workspace.train()
    workspace.validate()
    assert workspace.registry.aliases == {"Champion": "1"}


def test_f17_a_worse_model_leaves_no_challenger_behind(workspace: Workspace) -> None:
    """The alias of an earlier challenger goes as well: nobody challenges now."""
    champion(workspace, exact(workspace))
    workspace.registry.aliases["Challenger"] = "1"
    workspace.train()
    assert not workspace.validate().decision.is_better
    assert workspace.registry.aliases == {"Champion": "1"}
    assert workspace.task_values.published["is_better"] is False


def test_the_same_data_again_keep_the_champion(workspace: Workspace) -> None:
    """A second run trains the same model: it does not win against itself."""
    workspace.train()
    champion(workspace, workspace.runs.models["models:/m-run-1"])
    workspace.train()
    assert not workspace.validate().decision.is_better


def test_f13_training_rows_are_marked_and_never_judged_on(workspace: Workspace) -> None:
    """Every row is 'train' or 'test'; no row that was trained on is in the evaluation set, nor in the baseline."""
    workspace.train()
    workspace.validate()
    marked = workspace.tables.features
    trained_on = set(marked[marked["split"] == "train"]["trip_id"])
    assert set(marked["split"]) == {"train", "test"}
    assert workspace.tables.frozen is not None
    assert not trained_on & set(workspace.tables.frozen["trip_id"])
    assert not trained_on & set(workspace.tables.baseline["trip_id"])


def test_f21_a_better_version_leaves_the_baseline_behind(workspace: Workspace) -> None:
    """The evaluation set as the new version scores it, bit for bit; a version that is not better leaves it as it is."""
    workspace.train()
    workspace.validate()
    made = workspace.tables.baseline
    assert workspace.tables.frozen is not None
    rows = workspace.tables.frozen.sort_values("trip_id")
    assert list(made["trip_id"]) == list(rows["trip_id"])
    assert set(made["model_version"]) == {"1"}
    assert list(made["prediction"]) == list(workspace.runs.models["models:/m-run-1"](model_inputs(rows)))

    champion(workspace, exact(workspace))
    workspace.train()
    assert not workspace.validate().decision.is_better
    assert set(workspace.tables.baseline["model_version"]) == {"1"}


def test_decision_is_attached_with_its_numbers_and_a_picture(workspace: Workspace) -> None:
    """Without a Champion only the numbers; with one the picture besides."""
    workspace.train()
    workspace.validate()
    champion(workspace, far_off)
    workspace.train()
    decided = workspace.validate().decision
    (first, none), (second, picture) = workspace.runs.attached
    assert (first["is_better"], first["reason"], none) == (True, "there is no Champion yet", None)
    assert (second["improvement"], second["rows"], second["confidence"]) == (decided.improvement, decided.rows, 0.95)
    assert (second["model"], second["version"], second["champion"]) == (MODEL, "3", "1")
    judged_on = ("main.taxi.evaluation_set", 0, workspace.runs.run_tags["run-2"]["evaluation_set_hash"])
    assert (second["evaluation_set"], second["evaluation_set_version"], second["evaluation_set_hash"]) == judged_on
    assert picture is not None
    words = [text.get_text() for text in picture.axes[0].get_legend().get_texts()] + [picture.axes[0].get_xlabel()]
    assert words[0].startswith("95% interval ")
    assert [word.rpartition(" ")[0] for word in words[1:4]] == ["mean improvement", "least that counts", "no"]
    assert "dollars a trip" in words[4]


def test_evaluation_set_that_was_rewritten_is_refused(workspace: Workspace) -> None:
    """The same table version with another label is not what the run was judged on: nothing is decided."""
    workspace.train()
    assert workspace.tables.frozen is not None
    workspace.tables.frozen = workspace.tables.frozen.assign(fare_amount=workspace.tables.frozen["fare_amount"] + 0.01)
    with pytest.raises(ChangedRowsError, match=r"main\.taxi\.evaluation_set version 0: reads otherwise than when the model was trained"):
        workspace.validate()
    assert workspace.registry.aliases == {}


def test_evaluation_set_with_a_missing_label_is_refused(workspace: Workspace) -> None:
    """A NULL label would make every mean a NaN, and a NaN wins no comparison: it is counted and named."""
    workspace.train()
    assert workspace.tables.frozen is not None
    workspace.tables.frozen = workspace.tables.frozen.assign(fare_amount=np.nan)
    with pytest.raises(NoRowsError, match=r"main\.taxi\.evaluation_set version 0: (\d+) of \1 rows have no fare_amount"):
        workspace.validate()


@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(ConnectionError("registry is down"), id="connection"),
        pytest.param(MlflowException("down", error_code=TEMPORARILY_UNAVAILABLE), id="unavailable"),
        pytest.param(MlflowException("no", error_code=PERMISSION_DENIED), id="permission"),
    ],
)
def test_f06_an_outage_is_no_missing_champion(workspace: Workspace, outage: Exception) -> None:
    """The task fails and promotes nothing; a gate that reads any error as "no Champion" lets a worse model challenge the best one."""
    champion(workspace, exact(workspace))
    before = dict(workspace.registry.aliases)
    workspace.train()
    workspace.registry.outage = outage
    with pytest.raises(type(outage)):
        workspace.validate()
    assert (workspace.registry.aliases, "is_better" in workspace.task_values.published) == (before, False)

    workspace.registry.version_with_alias = swallowing(workspace.registry.version_with_alias)  # type: ignore[method-assign]  # the fault
    assert workspace.validate().decision.is_better

    del workspace.registry.version_with_alias
    workspace.registry.outage = None
    assert not workspace.validate().decision.is_better


def swallowing(look_up: Callable[[str, str], str | None]) -> Callable[[str, str], str | None]:
    """Return the faulty look-up: whatever goes wrong, there is no Champion."""

    def found(name: str, alias: str) -> str | None:
        try:
            return look_up(name, alias)
        except (OSError, MlflowException):
            return None

    return found


def test_a_run_of_another_task_is_refused(workspace: Workspace) -> None:
    """Without the evaluation set's name and version there is nothing to compare on."""
    workspace.train()
    workspace.runs.run_tags["run-1"] = {}
    with pytest.raises(
        ValueError,
        match="run run-1: has no tag evaluation_set, evaluation_set_version, evaluation_set_hash; expected a run of the train task",
    ):
        workspace.validate()


def test_names_follow_from_catalog_schema_and_model() -> None:
    """The names that the jobs agree on."""
    names = Names("main", "taxi")
    assert names.model == "main.taxi.fare_predictor_model"
    assert (names.feature_table, names.evaluation_set, names.volume) == (
        "main.taxi.feature_table",
        "main.taxi.evaluation_set",
        "mlflow_artifacts",
    )
    assert quoted("main.my-schema.`t`") == "`main`.`my-schema`.`t`"


@pytest.mark.parametrize("task", [pytest.param(tasks.train, id="train"), pytest.param(tasks.validate, id="validate")])
def test_help_is_answered_without_a_platform(task: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` lists the flags and exits 0."""
    with pytest.raises(SystemExit) as ended:
        task(["--help"])
    assert ended.value.code == 0
    assert "--catalog" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        pytest.param("{", "is not JSON", id="not JSON"),
        pytest.param("[3]", "expected an object such as", id="list"),
        pytest.param('{"depth": [3]}', "unknown parameter 'depth'; supported:", id="unknown parameter"),
    ],
)
def test_a_bad_grid_on_the_command_line_is_a_usage_error(grid: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and one sentence, before Spark or MLflow is touched."""
    with pytest.raises(SystemExit) as ended:
        tasks.train(["--catalog", "c", "--schema", "s", "--source-table", "t", "--experiment", "e", "--parameter-grid", grid])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        pytest.param("--seed", "-1", "is -1; expected a whole number from 0 to 4294967295", id="negative seed"),
        pytest.param("--seed", "4294967296", "is 4294967296; expected a whole number", id="large seed"),
        pytest.param("--seed", "x", "is x; expected a whole number", id="seed is a word"),
        pytest.param("--minimum-effect", "-0.1", "is -0.1; expected a share from 0 to 1", id="negative effect"),
        pytest.param("--minimum-effect", "nan", "is nan; expected a share from 0 to 1", id="effect is no number"),
    ],
)
def test_a_bad_number_on_the_command_line_is_a_usage_error(flag: str, value: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 before a model is registered."""
    with pytest.raises(SystemExit) as ended:
        tasks.validate(["--catalog", "c", "--schema", "s", f"{flag}={value}"])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
