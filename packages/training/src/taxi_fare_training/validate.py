"""The validate task: register the run's model, compare it with the Champion on the frozen evaluation set, let it challenge or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from taxi_fare_features import KEY
from taxi_fare_training.evidence import check_unchanged, row_hash
from taxi_fare_training.gate import MINIMUM_EFFECT, SEED, Decision, Weighed, weigh, without_champion
from taxi_fare_training.grid import Report
from taxi_fare_training.model import errors, in_key_order, predictions
from taxi_fare_training.names import CHALLENGER, CHAMPION, PREDICTION
from taxi_fare_training.ports import Registry, Runs, Tables, TableVersion, TaskValues
from taxi_fare_training.train import EVALUATION_SET_TAG

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Validated:
    """The new version and what the gate said about it."""

    version: str
    champion: str | None
    decision: Decision


def validate(
    model: str,
    train_task: str,
    *,
    tables: Tables,
    runs: Runs,
    registry: Registry,
    values: TaskValues,
    report: Report,
    minimum_effect: float = MINIMUM_EFFECT,
    seed: int = SEED,
) -> Validated:
    """Register what `train_task` has logged as a version of `model`, decide, set or remove the alias Challenger, publish the decision.

    A version that is better leaves the baseline table behind: the evaluation set as it scores it, for monitors to compare with.
    """
    run_id, model_uri = values.get(train_task, "run_id"), values.get(train_task, "model_uri")
    version = registry.register(model_uri, model)
    report(f"registered {model} version {version}")
    champion = registry.version_with_alias(model, CHAMPION)
    evaluation_set, rows = _evaluation_rows(run_id, runs.tags(run_id), tables)
    candidate = predictions(registry.load(model, version), rows, f"{model} version {version}")
    weighed: Weighed | None = None
    if champion is None:
        decision = without_champion(errors(candidate, rows))
    else:
        opponent = predictions(registry.load(model, champion), rows, f"{model} version {champion}")
        weighed = weigh(errors(candidate, rows), errors(opponent, rows), minimum_effect=minimum_effect, seed=seed)
        decision = weighed.decision
    if decision.is_better:
        tables.write_baseline(evaluation_set, pd.DataFrame({KEY: rows[KEY], PREDICTION: candidate}), version=version)
        registry.set_alias(model, CHALLENGER, version=version)
    else:
        registry.remove_alias(model, CHALLENGER)
    report(f"version {version} is {'' if decision.is_better else 'not '}better than {_words(champion)}: {decision.reason}")
    runs.record(run_id, metrics=decision.numbers(), tags=_tags(model, version, champion=champion, decision=decision))
    document = {**decision.document(), "model": model, "version": version, "champion": champion, **_judged_on(evaluation_set, rows)}
    runs.attach(run_id, decision=document, picture=_picture(weighed, f"{model} version {version}, {_words(champion)}"))
    _publish(values, model, version, decision=decision)
    return Validated(version, champion, decision)


def _evaluation_rows(run_id: str, tags: Mapping[str, str], tables: Tables) -> tuple[TableVersion, pd.DataFrame]:
    """Return the evaluation set that the run was judged on, and its rows, which must still be the same."""
    missing = [name for name in (EVALUATION_SET_TAG, f"{EVALUATION_SET_TAG}_version", f"{EVALUATION_SET_TAG}_hash") if name not in tags]
    if missing:
        raise ValueError(f"run {run_id}: has no tag {', '.join(missing)}; expected a run of the train task; train again")
    table = TableVersion(tags[EVALUATION_SET_TAG], int(tags[f"{EVALUATION_SET_TAG}_version"]))
    rows = in_key_order(tables.evaluation_rows(table), f"{table.name} version {table.version}")
    check_unchanged(rows, tags[f"{EVALUATION_SET_TAG}_hash"], f"{table.name} version {table.version}")
    return table, rows


def _judged_on(table: TableVersion, rows: pd.DataFrame) -> dict[str, object]:
    return {EVALUATION_SET_TAG: table.name, f"{EVALUATION_SET_TAG}_version": table.version, f"{EVALUATION_SET_TAG}_hash": row_hash(rows)}


def _picture(weighed: Weighed | None, title: str) -> "Figure | None":
    if weighed is None:
        return None
    from taxi_fare_training.picture import gate_picture

    return gate_picture(weighed, title)


def _words(champion: str | None) -> str:
    return "no Champion" if champion is None else f"Champion version {champion}"


def _tags(model: str, version: str, *, champion: str | None, decision: Decision) -> dict[str, str]:
    return {
        "registered_model": model,
        "registered_version": version,
        "gate_is_better": str(decision.is_better).lower(),
        "gate_reason": decision.reason,
        "gate_champion_version": champion or "none",
    }


def _publish(values: TaskValues, model: str, version: str, *, decision: Decision) -> None:
    values.set("model_full_name", model)
    values.set("model_version", version)
    values.set("is_better", decision.is_better)
    values.set("test_mae", decision.candidate_mae)
