"""The validate task: register the run's model, compare it with the Champion on the frozen evaluation set, let it challenge or not."""

from collections.abc import Mapping
from dataclasses import dataclass

from taxi_fare_training.gate import MINIMUM_EFFECT, Decision, compare, without_champion
from taxi_fare_training.grid import Report
from taxi_fare_training.model import errors, in_key_order
from taxi_fare_training.names import CHALLENGER, CHAMPION
from taxi_fare_training.ports import Registry, Runs, Tables, TableVersion, TaskValues
from taxi_fare_training.train import EVALUATION_SET_TAG, EVALUATION_VERSION_TAG


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
) -> Validated:
    """Register what `train_task` has logged as a version of `model`, decide, set or remove the alias Challenger, publish the decision."""
    run_id, model_uri = values.get(train_task, "run_id"), values.get(train_task, "model_uri")
    version = registry.register(model_uri, model)
    report(f"registered {model} version {version}")
    champion = registry.version_with_alias(model, CHAMPION)
    rows = in_key_order(tables.evaluation_rows(_evaluation_set(run_id, runs.tags(run_id))), "evaluation set")
    candidate_errors = errors(registry.load(model, version), rows)
    if champion is None:
        decision = without_champion(candidate_errors)
    else:
        champion_errors = errors(registry.load(model, champion), rows)
        decision = compare(candidate_errors, champion_errors, minimum_effect=minimum_effect)
    if decision.is_better:
        registry.set_alias(model, CHALLENGER, version=version)
    else:
        registry.remove_alias(model, CHALLENGER)
    report(f"version {version} is {'' if decision.is_better else 'not '}better than {_words(champion)}: {decision.reason}")
    runs.record(run_id, metrics=decision.numbers(), tags=_tags(model, version, champion=champion, decision=decision))
    _publish(values, model, version, decision=decision)
    return Validated(version, champion, decision)


def _evaluation_set(run_id: str, tags: Mapping[str, str]) -> TableVersion:
    if EVALUATION_SET_TAG not in tags or EVALUATION_VERSION_TAG not in tags:
        missing = f"run {run_id}: has no tags '{EVALUATION_SET_TAG}' and '{EVALUATION_VERSION_TAG}'"
        raise ValueError(f"{missing}; expected a run of the train task; train again")
    return TableVersion(tags[EVALUATION_SET_TAG], int(tags[EVALUATION_VERSION_TAG]))


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
