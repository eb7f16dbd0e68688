"""How good the probabilities of a classification are: logarithmic loss and areas under curves, as scikit-learn defines them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from harness.monitoring.classification import Classes, averages
from harness.monitoring.columns import Mask, Rows

Numbers = npt.NDArray[np.float64]

_LEAST = float(np.finfo(np.float64).eps)  # a probability of 0 for what happened: as in scikit-learn's `log_loss`


@dataclass(frozen=True, slots=True)
class Probabilities:
    """The entries of each row's map: which row, which class, how probable; `valid` says which rows have a map."""

    valid: Mask
    first: Rows
    counts: Rows
    codes: Rows
    values: Numbers


def probabilities_of(column: pa.MapArray, classes: Classes) -> Probabilities:
    """Return the probabilities that `column` holds of `classes`; those of a class that never occurs are left out."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    offsets = column.offsets.to_numpy().astype(np.int64)
    found = pc.index_in(_texts(column.keys, numbers=classes.numbers), pa.array(classes.names, pa.string()))
    codes = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    values = pc.cast(column.items, pa.float64()).to_numpy(zero_copy_only=False)
    counts = np.where(valid, np.diff(offsets), 0)
    # Assumption: a class that a map does not name, or names with NULL or NaN, has probability 0 there.
    return Probabilities(valid, offsets[:-1], counts, codes, np.where(np.isnan(values), 0.0, values))


def probability_quality(probabilities: Probabilities, classes: Classes, rows: Rows) -> dict[str, object]:
    """Return the measures over those rows that have both a label and a map; nothing when no row has."""
    rows = rows[(classes.label[rows] >= 0) & probabilities.valid[rows]]
    if not len(rows):
        return {}
    label = classes.label[rows]
    present, counts = np.unique(label, return_counts=True)
    held, areas = np.zeros(len(rows)), []
    for code, scores in zip(present, _scores(probabilities, rows, present), strict=True):
        hits = label == code
        held[hits] = scores[hits]
        areas.append(_area(scores, hits))
    # Assumption: probabilities are taken as they are, not rescaled to a sum of 1.
    loss = float(-np.mean(np.log(np.sort(np.clip(held, _LEAST, 1 - _LEAST)))))
    # Assumption: one class against all others; NULL while there is only one, which no curve can tell from anything.
    names = [classes.names[code] for code in present]
    return {"log_loss": loss, "roc_auc_score": averages(names, np.array(areas), counts) if len(names) > 1 else None}


def _area(scores: Numbers, positive: Mask) -> float:
    """Return how often a row of the class scores above one of another, ties counting half (Mann and Whitney); 0 of one class alone."""
    hits = int(positive.sum())
    pairs = hits * (len(scores) - hits)
    above = float(rankdata(scores)[positive].sum()) - hits * (hits + 1) / 2
    return above / pairs if pairs else 0.0


def _scores(probabilities: Probabilities, rows: Rows, present: Rows) -> Iterator[Numbers]:
    """Yield of each present class its probability in each row."""
    counts = probabilities.counts[rows]
    owners = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    entries = np.repeat(probabilities.first[rows], counts) + within
    codes = probabilities.codes[entries]
    order = np.argsort(codes, kind="stable")
    for start, end in zip(np.searchsorted(codes[order], present), np.searchsorted(codes[order], present, side="right"), strict=True):
        own = order[start:end]
        scores = np.zeros(len(rows))
        scores[owners[own]] = probabilities.values[entries[own]]
        yield scores


def _texts(keys: pa.Array, *, numbers: bool) -> pa.Array:
    """Return the classes' names as `classes_of` writes them: numbers by value."""
    if not numbers:
        return pc.cast(keys, pa.string())
    if pa.types.is_string(keys.type):  # names that are no numbers are of no class here
        keys = pc.if_else(pc.match_substring_regex(keys, r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"), keys, None)
    return pc.cast(pc.cast(keys, pa.float64()), pa.string())
