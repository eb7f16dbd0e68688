"""What a condition task comes to. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from harness.jobs.model import ConditionOp, ConditionTask, Truth
from harness.jobs.references import Context, ReferenceProblemError, referred_values, resolve

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?\s*", re.ASCII)


class ConditionProblemError(Exception):
    """A condition that comes to neither true nor false; the message says why."""


def resolved(condition: ConditionTask, context: Context) -> ConditionTask:
    """Return the condition with its references replaced; `ReferenceProblemError` when one stands for nothing that can be compared."""
    return ConditionTask(condition.op, _operand("left", condition.left, context), _operand("right", condition.right, context))


def outcome(condition: ConditionTask) -> Truth:
    """Return what a resolved condition comes to; `ConditionProblemError` when numbers are to be compared and one is none.

    Equality is of texts ("12.0" is not "12"), order is of numbers ("12.0" is as great as "12"):
    docs.databricks.com/api/workspace/jobs/create, condition_task.op.
    """
    if condition.op in _ORDER:
        holds = _ORDER[condition.op](_number("left", condition), _number("right", condition))
    else:
        holds = (condition.left == condition.right) == (condition.op == "EQUAL_TO")
    return "true" if holds else "false"


_ORDER: Mapping[ConditionOp, Callable[[Decimal, Decimal], bool]] = {
    "GREATER_THAN": lambda left, right: left > right,
    "GREATER_THAN_OR_EQUAL": lambda left, right: left >= right,
    "LESS_THAN": lambda left, right: left < right,
    "LESS_THAN_OR_EQUAL": lambda left, right: left <= right,
}


def _operand(side: str, text: str, context: Context) -> str:
    for reference, value in referred_values(text, context):
        # docs.databricks.com/jobs/if-else: only numeric, string and boolean values; any other type makes the condition fail.
        if not isinstance(value, str | int | float | bool):
            message = f"{{{{{reference}}}}} is {type(value).__name__}; a condition compares only texts, numbers and booleans"
            raise ReferenceProblemError(f"condition_task.{side}: {message}")
    return resolve(text, context)


def _number(side: Literal["left", "right"], condition: ConditionTask) -> Decimal:
    # Assumption: the wording. Numbers are decimal, with an exponent if need be; NaN and infinity are none.
    text = condition.left if side == "left" else condition.right
    if not _NUMBER.fullmatch(text):
        said = f"{condition.op} compares numbers, and condition_task.{side} is '{text}'"
        raise ConditionProblemError(f"The condition cannot be evaluated: {said}; expected a number such as 12 or 12.5")
    return Decimal(text.strip())
