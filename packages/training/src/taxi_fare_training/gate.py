"""The gate: is a candidate better than the Champion, beyond what chance and taste explain?"""

from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 42
MINIMUM_EFFECT = 0.005
# Resampling few rows shows less chance than there is: of two equal models one was "certainly" better in 51 % of 600 draws of one row,
# in 9 % of five, in 5 % of eight to twelve, in 3 % of thirty.
MINIMUM_ROWS = 30
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
    needed: float | None = None
    """The least improvement that counts."""
    rows: int = 0
    minimum_effect: float | None = None
    """The least improvement that counts, as a share of the Champion's error."""
    seed: int | None = None

    def document(self) -> dict[str, object]:
        """Return all of it, as the JSON file that is logged with the run."""
        rules = {"confidence": CONFIDENCE, "resamples": RESAMPLES, "minimum_rows": MINIMUM_ROWS}
        return {**asdict(self), **rules, "unit": "dollars of mean absolute error"}

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


@dataclass(frozen=True, slots=True)
class Weighed:
    """A decision and what a picture of it shows: by how many dollars each row's error is smaller, and the mean of each resample."""

    decision: Decision
    differences: np.ndarray
    means: np.ndarray


def without_champion(candidate: np.ndarray) -> Decision:
    """Return the decision when no model carries the alias Champion."""
    return Decision(is_better=True, reason="there is no Champion yet", candidate_mae=_mae(candidate), rows=len(candidate))


def compare(candidate: np.ndarray, champion: np.ndarray, *, minimum_effect: float = MINIMUM_EFFECT, seed: int = SEED) -> Decision:
    """Return whether the candidate's errors are smaller than the Champion's on the same rows, row by row; see `weigh`."""
    return weigh(candidate, champion, minimum_effect=minimum_effect, seed=seed).decision


def weigh(candidate: np.ndarray, champion: np.ndarray, *, minimum_effect: float = MINIMUM_EFFECT, seed: int = SEED) -> Weighed:
    """Return the decision whether the candidate is better, with what led to it.

    Better means: the mean improvement reaches `minimum_effect` (a share of the Champion's MAE) and the 95 % bootstrap interval of the
    paired differences, of 30 rows at least, lies above zero. The order of the rows does not matter.
    """
    if candidate.shape != champion.shape or candidate.size == 0:
        raise ValueError(f"errors of both models on the same rows expected; found {candidate.shape} and {champion.shape}")
    differences = np.abs(champion) - np.abs(candidate)
    improvement = float(np.sort(differences).mean())
    means = _resampled(differences, seed)
    lower, upper = _interval(means)
    champion_mae = _mae(champion)
    needed = minimum_effect * champion_mae
    verdict, why = _verdict(improvement, needed, lower=lower, rows=len(differences))
    decision = Decision(
        is_better=verdict,
        reason=f"improvement {improvement:+.4f} (95 % interval {lower:+.4f} to {upper:+.4f}) {why}",
        candidate_mae=_mae(candidate),
        champion_mae=champion_mae,
        improvement=improvement,
        lower=lower,
        upper=upper,
        needed=needed,
        rows=len(differences),
        minimum_effect=minimum_effect,
        seed=seed,
    )
    return Weighed(decision, differences, means)


def _mae(errors: np.ndarray) -> float:
    return float(np.sort(np.abs(errors)).mean())


def _resampled(differences: np.ndarray, seed: int) -> np.ndarray:
    """Return the means of the bootstrap's resamples; sorted first, so that they belong to the set of rows and not to their order."""
    ordered = np.sort(differences)
    draws = np.random.default_rng(seed)
    at_once = max(1, CELLS // ordered.size)
    sizes = [min(at_once, RESAMPLES - start) for start in range(0, RESAMPLES, at_once)]
    return np.concatenate([ordered[draws.integers(0, ordered.size, (size, ordered.size))].mean(axis=1) for size in sizes])


def _interval(means: np.ndarray) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean."""
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(means, (tail, 1 - tail))
    return float(lower), float(upper)


def _verdict(improvement: float, needed: float, *, lower: float, rows: int) -> tuple[bool, str]:
    """Return whether the candidate is better, and why: what one says of the improvement."""
    if improvement <= 0 or improvement < needed:
        return False, f"is less than the {needed:.4f} that are worth a change"
    if rows < MINIMUM_ROWS:
        return False, f"is measured on {rows} rows; at least {MINIMUM_ROWS} are needed to tell it from chance"
    if lower <= 0:
        return False, "may be chance"
    return True, f"is at least {needed:.4f} and above zero"
