"""The gate: is a candidate better than the Champion, beyond what chance and taste explain?"""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 42
MINIMUM_EFFECT = 0.005
CELLS = 4_000_000  # drawn at a time: 32 MB of row numbers, however large the evaluation set


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict and the numbers behind it; improvements are in dollars of mean absolute error, positive = the candidate is better.

    Without a Champion there is nothing to improve on: the candidate is better and the comparison's numbers are None.
    """

    is_better: bool
    reason: str
    candidate_mae: float
    champion_mae: float | None = None
    improvement: float | None = None
    lower: float | None = None
    upper: float | None = None

    def numbers(self) -> dict[str, float]:
        """Return what there is to log as metrics."""
        known = {
            "gate_candidate_mae": self.candidate_mae,
            "gate_champion_mae": self.champion_mae,
            "gate_improvement": self.improvement,
            "gate_improvement_lower": self.lower,
            "gate_improvement_upper": self.upper,
        }
        return {name: value for name, value in known.items() if value is not None}


def without_champion(candidate: np.ndarray) -> Decision:
    """Return the decision when no model carries the alias Champion."""
    return Decision(is_better=True, reason="there is no Champion yet", candidate_mae=_mae(candidate))


def compare(candidate: np.ndarray, champion: np.ndarray, *, minimum_effect: float = MINIMUM_EFFECT) -> Decision:
    """Return whether the candidate's errors are smaller than the Champion's on the same rows, row by row.

    Better means: the mean improvement reaches `minimum_effect` (a share of the Champion's MAE) and the 95 % bootstrap interval of the
    paired differences lies above zero. The order of the rows does not matter.
    """
    if candidate.shape != champion.shape or candidate.size == 0:
        raise ValueError(f"errors of both models on the same rows expected; found {candidate.shape} and {champion.shape}")
    differences = np.abs(champion) - np.abs(candidate)
    improvement = float(np.sort(differences).mean())
    lower, upper = _interval(differences)
    champion_mae = _mae(champion)
    needed = minimum_effect * champion_mae
    enough, certain = improvement > 0 and improvement >= needed, lower > 0
    return Decision(
        is_better=enough and certain,
        reason=_reason(improvement, needed, lower=lower, upper=upper, enough=enough, certain=certain),
        candidate_mae=_mae(candidate),
        champion_mae=champion_mae,
        improvement=improvement,
        lower=lower,
        upper=upper,
    )


def _mae(errors: np.ndarray) -> float:
    return float(np.sort(np.abs(errors)).mean())


def _interval(differences: np.ndarray) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean; sorted first, so that it belongs to the set of rows and not to their order."""
    ordered = np.sort(differences)
    draws = np.random.default_rng(SEED)
    at_once = max(1, CELLS // ordered.size)
    sizes = [min(at_once, RESAMPLES - start) for start in range(0, RESAMPLES, at_once)]
    means = np.concatenate([ordered[draws.integers(0, ordered.size, (size, ordered.size))].mean(axis=1) for size in sizes])
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(means, (tail, 1 - tail))
    return float(lower), float(upper)


def _reason(improvement: float, needed: float, *, lower: float, upper: float, enough: bool, certain: bool) -> str:
    interval = f"improvement {improvement:+.4f} (95 % interval {lower:+.4f} to {upper:+.4f})"
    if enough and certain:
        return f"{interval} is at least {needed:.4f} and above zero"
    if not enough:
        return f"{interval} is less than the {needed:.4f} that are worth a change"
    return f"{interval} may be chance"
