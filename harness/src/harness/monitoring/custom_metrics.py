"""Figures that users define: the rules of their templates, and the SQL that they mean. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.errors import ApiError
from harness.monitoring.model import CustomMetric, DataProfilingConfig
from harness.monitoring.schemas import PROFILE_COLUMNS, RESERVED, TABLE

_TYPE = "DATA_PROFILING_CUSTOM_METRIC_TYPE_"
# What a Delta table without column mapping refuses in the name of a column.
_NAME = re.compile(r"[^ ,;{}()\n\t=.`]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_SIDE = re.compile(r"`?\b(current_df|base_df)\b`?(?:\s*\.\s*`?([A-Za-z_][A-Za-z_0-9]*)`?)?")
_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_SIDES = {"current_df": "current_df", "base_df": "base_df"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A custom metric for one input column: an SQL expression, of its declared type, and the words that it consists of."""

    name: str
    column: str
    expression: str

    @property
    def words(self) -> frozenset[str]:
        """Everything in the expression that may name a column, in lower case."""
        return frozenset(word.lower() for word in _WORD.findall(self.expression))


def of_type(config: DataProfilingConfig, kind: str) -> list[CustomMetric]:
    """Return the metrics of a type: AGGREGATE, DERIVED or DRIFT."""
    return [metric for metric in config.custom_metrics if metric.type == _TYPE + kind]


def figures(config: DataProfilingConfig, kind: str) -> list[Figure]:
    """Return the expressions of all metrics of a type, one for each input column."""
    return [
        Figure(metric.name, column, f"CAST(({_rendered(metric, _variables(config, metric, column))}) AS {output_type(metric)})")
        for metric in of_type(config, kind)
        for column in metric.input_columns
    ]


def check_metrics(config: DataProfilingConfig) -> None:
    """Raise the platform's 400, with its code words, for metrics that no refresh could compute."""
    names = [metric.name.lower() for metric in config.custom_metrics]
    taken = RESERVED | ({config.inference_log.model_id_column.lower()} if config.inference_log is not None else set())
    for metric in config.custom_metrics:
        where = f"data_profiling_config.custom_metrics '{metric.name}'"
        if not _NAME.fullmatch(metric.name) or names.count(metric.name.lower()) > 1 or metric.name.lower() in taken:
            raise refused("INVALID_PARAMETER_VALUE", f"{where}: the name must be one a column can have, used once, and no other column's")
        if not metric.input_columns or not all(metric.input_columns):
            raise refused("INVALID_PARAMETER_VALUE", f"{where}: input_columns needs column names, or '{TABLE}'")
        output_type(metric)
    aggregates = of_type(config, "AGGREGATE")
    for metric in aggregates:
        _check_variables(config, metric, "INVALID_PARAMETER_VALUE")
    for metric in of_type(config, "DERIVED"):
        _check_derived(metric, aggregates)
    known = PROFILE_COLUMNS | {metric.name.lower() for metric in (*aggregates, *of_type(config, "DERIVED"))}
    for metric in of_type(config, "DRIFT"):
        _check_variables(config, metric, "INVALID_DRIFT_METRIC")
        _check_drift(metric, known)


def output_type(metric: CustomMetric) -> str:
    """Return the SQL name of the type that a metric declares, or raise the platform's 400."""
    from pyspark.errors import PySparkException
    from pyspark.sql.types import StructField

    try:
        field = json.loads(metric.output_data_type)
        return str(StructField.fromJson({"nullable": True, "metadata": {}} | field).dataType.simpleString())
    except (ValueError, KeyError, TypeError, AttributeError, PySparkException) as error:
        message = (
            f"data_profiling_config.custom_metrics '{metric.name}': output_data_type must be the JSON of a StructField, such as "
            f"""{{"name": "output", "type": "double", "nullable": true, "metadata": {{}}}}; found {metric.output_data_type}"""
        )
        raise refused("INVALID_PARAMETER_VALUE", message) from error


def refused(code: str, message: str) -> ApiError:
    """Return the 400 that says `code`, which also leads the message when it is one of the platform's for metrics."""
    return ApiError(400, code, message if code == "INVALID_PARAMETER_VALUE" else f"{code}: {message}")


def _variables(config: DataProfilingConfig, metric: CustomMetric, column: str) -> Mapping[str, str]:
    if metric.type == f"{_TYPE}DRIFT":
        return _SIDES
    log = config.inference_log
    answers = {} if log is None else {"prediction_col": log.prediction_column, "label_col": log.label_column}
    found = {name: answer for name, answer in answers.items() if answer is not None}
    return found if column == TABLE else found | {"input_column": column}


def _rendered(metric: CustomMetric, variables: Mapping[str, str]) -> str:
    return _ENVIRONMENT.from_string(metric.definition).render(variables)


def _check_variables(config: DataProfilingConfig, metric: CustomMetric, code: str) -> None:
    try:
        named = meta.find_undeclared_variables(_ENVIRONMENT.parse(metric.definition))
        for column in metric.input_columns:
            variables = _variables(config, metric, column)
            if unknown := sorted(named - variables.keys()):
                # The wording is the platform's.
                raise refused("UNDEFINED_TEMPLATE_VARIABLE", f"{', '.join(unknown)}. Please specify: [{', '.join(sorted(variables))}]")
            if not _rendered(metric, variables).strip():
                raise refused(code, f"'{metric.name}': the definition is empty; expected one SQL expression")
    except TemplateError as error:
        raise refused(code, f"'{metric.name}': the definition is not a template: {error}") from error


def _check_derived(metric: CustomMetric, aggregates: Sequence[CustomMetric]) -> None:
    def invalid(why: str) -> ApiError:
        return refused("INVALID_DERIVED_METRIC", f"'{metric.name}': {why}")

    if "{{" in metric.definition or "{%" in metric.definition:
        raise invalid("a derived metric names aggregate metrics as they are, without a template")
    words = {word.lower() for word in _WORD.findall(metric.definition)}
    used = [aggregate for aggregate in aggregates if aggregate.name.lower() in words]
    if not used and not words & PROFILE_COLUMNS:
        known = ", ".join(aggregate.name for aggregate in aggregates) or "none"
        raise invalid(f"the definition uses no metric of its row; the aggregate metrics are: {known}")
    for aggregate in used:
        if not set(metric.input_columns) <= set(aggregate.input_columns):
            columns = ", ".join(aggregate.input_columns)
            raise invalid(f"'{aggregate.name}' is a metric of {columns}; input_columns must be among them")


def _check_drift(metric: CustomMetric, known: frozenset[str]) -> None:
    sides = _SIDE.findall(_rendered(metric, _SIDES))
    if not sides or not all(name for _, name in sides):
        raise refused("INVALID_DRIFT_METRIC", f"'{metric.name}': expected metrics such as {{{{current_df}}}}.m - {{{{base_df}}}}.m")
    unknown = sorted({name for _, name in sides if name.lower() not in known})
    if unknown:
        raise refused("INVALID_DRIFT_METRIC", f"'{metric.name}': {', '.join(unknown)}: no such metric in the profile table")
