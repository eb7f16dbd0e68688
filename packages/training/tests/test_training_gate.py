"""The gate: literal decisions, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_fare_training.gate import compare, without_champion

errors = st.lists(st.floats(-200, 200), min_size=1, max_size=60)
pairs = st.lists(st.tuples(st.floats(-200, 200), st.floats(-200, 200)), min_size=1, max_size=60)


def columns(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(rows, dtype=float)
    return array[:, 0], array[:, 1]


def noise(seed: int, scale: float) -> np.ndarray:
    drawn: np.ndarray = np.random.default_rng(seed).normal(0, scale, 2000)
    return drawn


def test_without_a_champion_the_candidate_is_better() -> None:
    """The first model has nobody to beat."""
    decision = without_champion(np.array([1.0, -3.0]))
    assert (decision.is_better, decision.candidate_mae, decision.champion_mae) == (True, 2.0, None)
    assert decision.numbers() == {"gate_candidate_mae": 2.0}


def test_a_clear_improvement_is_better() -> None:
    """Ten per cent less error on every row is certain and enough."""
    champion = noise(1, 2.0)
    decision = compare(champion * 0.9, champion)
    assert decision.is_better
    assert decision.improvement == pytest.approx(0.1 * float(np.abs(champion).mean()))
    assert "is at least" in decision.reason


def test_a_certain_but_tiny_improvement_is_not_better() -> None:
    """A tenth of a per cent is below the minimum effect, however certain."""
    champion = noise(1, 2.0)
    decision = compare(champion * 0.999, champion)
    assert decision.lower is not None
    assert decision.lower > 0
    assert not decision.is_better
    assert "worth a change" in decision.reason


def test_an_improvement_that_may_be_chance_is_not_better() -> None:
    """Two unrelated sets of errors with nearly equal means: the interval reaches below zero."""
    decision = compare(noise(1, 1.98), noise(2, 2.0), minimum_effect=0.0)
    assert decision.lower is not None
    assert decision.lower < 0
    assert not decision.is_better


def test_too_few_rows_are_not_better_and_said_so() -> None:
    """Ten times less error on 29 rows is not enough; on 30 it is."""
    champion = noise(1, 2.0)
    few, enough = (compare(champion[:rows] * 0.1, champion[:rows]) for rows in (29, 30))
    assert (few.is_better, enough.is_better) == (False, True)
    assert few.reason.endswith("is measured on 29 rows; at least 30 are needed to tell it from chance")


def test_document_has_every_number_that_led_to_the_decision() -> None:
    """Whoever reads `gate.json` can decide again: the seed and the effect that was asked for are in it."""
    champion = noise(1, 2.0)
    decided = compare(champion * 0.9, champion, minimum_effect=0.02, seed=7)
    document = decided.document()
    assert {name: document[name] for name in ("seed", "minimum_effect", "confidence", "resamples", "rows")} == {
        "seed": 7,
        "minimum_effect": 0.02,
        "confidence": 0.95,
        "resamples": 2000,
        "rows": 2000,
    }
    assert document["needed"] == pytest.approx(0.02 * float(np.abs(champion).mean()))


def test_other_rows_are_refused() -> None:
    """Errors on different numbers of rows cannot be paired."""
    with pytest.raises(ValueError, match="errors of both models on the same rows"):
        compare(np.zeros(2), np.zeros(3))


def test_a_large_evaluation_set_needs_little_memory() -> None:
    """Draws are made in blocks; two million rows would otherwise want 32 GB."""
    errors_of_many = np.ones(50_000)
    assert compare(errors_of_many * 0.5, errors_of_many).lower == pytest.approx(0.5)


@pytest.mark.property
@settings(deadline=None)
@given(errors, st.floats(0, 1))
def test_a_model_is_never_better_than_itself(wrong: list[float], minimum_effect: float) -> None:
    """Equal errors are no improvement."""
    assert not compare(np.array(wrong), np.array(wrong), minimum_effect=minimum_effect).is_better


@pytest.mark.property
@settings(deadline=None)
@given(pairs, st.floats(0, 1))
def test_of_two_models_at_most_one_is_better(rows: list[tuple[float, float]], minimum_effect: float) -> None:
    """The improvement changes its sign when the models change places."""
    one, other = columns(rows)
    there, back = compare(one, other, minimum_effect=minimum_effect), compare(other, one, minimum_effect=minimum_effect)
    assert not (there.is_better and back.is_better)
    assert there.improvement == pytest.approx(-(back.improvement or 0.0), abs=1e-9)


@pytest.mark.property
@settings(deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_row_order_does_not_change_the_decision(rows: list[tuple[float, float]], random: object) -> None:
    """The same rows in another order give the same numbers, bit for bit."""
    shuffled = list(rows)
    getattr(random, "shuffle")(shuffled)  # noqa: B009 - hypothesis hands out an untyped generator
    assert compare(*columns(rows)) == compare(*columns(shuffled))
