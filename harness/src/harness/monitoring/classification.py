"""Model quality of a classification: scikit-learn's definitions over the union of labels and predictions, a division by zero being 0."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Classes:
    """Label and prediction of each row as codes into `names`, -1 where it is NULL or NaN; `numbers` says that names are of numbers."""

    names: tuple[str, ...]
    label: Counts
    prediction: Counts
    numbers: bool


def classes_of(label: pa.Array, prediction: pa.Array) -> Classes:
    """Return the classes of two columns, which are compared as text: `1` and `1.0` are one class only where both are numbers."""
    numbers = all(pa.types.is_integer(column.type) or pa.types.is_floating(column.type) for column in (label, prediction))
    if numbers:
        label, prediction = (pc.cast(column, pa.float64(), safe=False) for column in (label, prediction))
        label, prediction = (pc.if_else(pc.is_nan(column), None, column) for column in (label, prediction))
    texts = pa.concat_arrays([pc.cast(column, pa.string()) for column in (label, prediction)])
    names = sorted(pc.unique(texts.drop_null()).to_pylist())
    codes = pc.fill_null(pc.index_in(texts, pa.array(names, pa.string())), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Classes(tuple(names), codes[: len(label)], codes[len(label) :], numbers)


def classification_quality(classes: Classes, rows: npt.NDArray[np.int64]) -> dict[str, object] | None:
    """Return the measures over those rows that have both values, under the metric table's column names; None when no row has."""
    label, prediction = classes.label[rows], classes.prediction[rows]
    both = (label >= 0) & (prediction >= 0)
    label, prediction = label[both], prediction[both]
    if not len(label):
        return None
    present, codes = np.unique(np.concatenate((label, prediction)), return_inverse=True)
    size = len(present)
    table = np.bincount(codes[: len(label)] * size + codes[len(label) :], minlength=size * size).reshape(size, size)
    names = [classes.names[code] for code in present]
    hits = np.diagonal(table).astype(np.float64)
    labelled, predicted = table.sum(axis=1), table.sum(axis=0)
    precision, recall = _share(hits, predicted), _share(hits, labelled)
    f1 = _share(2 * hits, labelled + predicted)
    return {
        "accuracy_score": float(hits.sum() / len(label)),
        "confusion_matrix": [
            {"prediction": names[column], "label": names[row], "count": int(table[row, column])} for row, column in np.argwhere(table > 0)
        ],
        "precision": averages(names, precision, labelled),
        "recall": averages(names, recall, labelled),
        "f1_score": averages(names, f1, labelled),
    }


def _share(part: Numbers, whole: Counts) -> Numbers:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def averages(names: list[str], scores: Numbers, weights: Counts) -> dict[str, object]:
    """Return each class's score, their mean, and their mean weighted by how many rows have the class as label."""
    return {
        "one_vs_all": list(zip(names, map(float, scores), strict=True)),
        "macro": float(scores.mean()),
        "weighted": float(np.average(scores, weights=weights)),
    }
