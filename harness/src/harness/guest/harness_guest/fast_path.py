"""The fast way to answer a model's plain requests, taken only by models it was proven on when they were loaded.

MLflow's way from a body to an answer takes milliseconds of pandas and schema checks around microseconds of arithmetic. For an estimator of
`fast_arithmetic.py` and a body of plain numbers (`fast_bodies.py`) the arithmetic alone gives the same answer. That it does is checked for
this very model before it serves: its input example and generated rows, at and beside its thresholds, in every format, must give the same
bytes both ways; a format that does not is left to MLflow, and a model that has none left is served by MLflow alone.
"""

import json
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness_guest.fast_arithmetic import Arithmetic, NoArithmeticError, arithmetic, is_available, thresholds

BY_MLFLOW = Callable[[bytes], bytes]
"""The whole answer that MLflow's rules give to a body; it must be a good one."""
_FLOATS = ("double", "float")
_INTEGERS = ("long", "integer")
_GENERATED = 96
_SEED = 20181231


@dataclass(frozen=True)
class FastPath:
    """Answers plain bodies of one proven model."""

    reader: Any
    compute: Arithmetic
    proof: str
    wide: Any = None
    """Reads bodies with columns beside the model's; None where MLflow answers those otherwise."""

    def answers(self, bodies: Sequence[bytes]) -> list[bytes | None]:
        """Return the answer to each body, None for those that are for MLflow. Rows of all bodies are computed together."""
        from harness_guest.fast_bodies import answers

        found: list[bytes | None] = [None] * len(bodies)
        places, counts, rows = [], [], []
        for place, body in enumerate(bodies):
            read = self.reader.rows(body)
            if read is None and self.wide is not None:
                read = self.wide.rows(body)
            if read is not None:
                places.append(place)
                counts.append(len(read))
                rows.extend(read)
        if not rows:
            return found
        predictions = self.compute(self.reader.numbers(rows))
        for place, text in zip(places, answers(predictions, counts), strict=True):
            found[place] = text
        return found


def fast_path(model: Any, folder: Path, by_mlflow: BY_MLFLOW) -> FastPath:
    """Return the proven fast path of a loaded pyfunc model, or raise `NoArithmeticError` that says why it has none."""
    if not is_available():
        raise NoArithmeticError("the model's environment lacks msgspec or orjson")
    columns, kinds = _columns(model)
    estimator = _estimator(model)
    compute = arithmetic(estimator)
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and list(names) != columns:
        raise NoArithmeticError("the signature's columns are not the estimator's features in their order")
    from harness_guest.fast_bodies import FORMATS, BodyReader, cells
    from harness_guest.fast_wide import WideReader

    samples = _samples(estimator, columns, kinds, folder)

    def proven(name: str) -> bool:
        return _equal(FastPath(BodyReader(columns, kinds, [name]), compute, ""), _bodies(name, samples, columns), by_mlflow)

    kept = [name for name in FORMATS if proven(name)]
    if not kept:
        raise NoArithmeticError("its arithmetic gives other bytes than MLflow on the rows it was tried with")
    proof = f"the same bytes as MLflow on {len(samples)} rows in {', '.join(kept)}"
    path = FastPath(BodyReader(columns, kinds, kept), compute, proof)
    wider = replace(path, wide=WideReader(dict(zip(columns, cells(kinds), strict=True))))
    others = [(f"{columns[0]} {number}", value) for number, value in enumerate(("key", 7, None))]
    with _without_warnings():  # of columns that nobody sent
        equal = "dataframe_split" in kept and _equal(wider, _bodies("dataframe_split", samples, columns, others), by_mlflow)
    if equal:
        return replace(wider, proof=f"{proof}; with columns beside its own in dataframe_split")
    return path


@contextmanager
def _without_warnings() -> Iterator[None]:
    logger = logging.getLogger("mlflow.models.utils")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _columns(model: Any) -> tuple[list[str], list[str]]:
    schema = model.metadata.get_input_schema()
    if schema is None:
        raise NoArithmeticError("the model has no signature")
    if schema.is_tensor_spec() or not schema.has_input_names():
        raise NoArithmeticError("the signature has no named columns")
    if model.metadata.get_params_schema() is not None:
        raise NoArithmeticError("the signature has params")
    kinds = [str(getattr(kind, "name", kind)) for kind in schema.input_types()]
    other = sorted(set(kinds) - set(_FLOATS) - set(_INTEGERS))
    if other:
        raise NoArithmeticError(f"the signature has columns of type {', '.join(other)}")
    if not all(column.required for column in schema.inputs):
        raise NoArithmeticError("the signature has optional columns")
    return list(schema.input_names()), kinds


def _estimator(model: Any) -> Any:
    flavor = model.metadata.flavors.get("python_function", {})
    if flavor.get("loader_module") != "mlflow.sklearn":
        raise NoArithmeticError(f"it is loaded by {flavor.get('loader_module')}, not by mlflow.sklearn")
    if flavor.get("predict_fn", "predict") != "predict":
        raise NoArithmeticError(f"it answers with {flavor['predict_fn']}, not predict")
    return model.get_raw_model()


def _samples(estimator: Any, columns: Sequence[str], kinds: Sequence[str], folder: Path) -> list[list[float]]:
    """Return the rows to try: the model's example, and generated ones at, beside and between its thresholds, with integers among them."""
    draw = random.Random(_SEED)  # noqa: S311 - the same rows at every load
    at: list[list[float]] = [[0.0] for _ in columns]
    for feature, threshold in thresholds(estimator):
        at[feature].append(threshold)
    samples = _example(folder, columns)
    for number in range(_GENERATED):
        row = []
        for place, values in enumerate(at):
            value = draw.choice(values)
            beside = float(np.nextafter(np.float32(value), np.float32(draw.choice([-np.inf, np.inf]))))
            drawn = draw.choice([value, beside, draw.uniform(min(values) - 1, max(values) + 1)])
            row.append(float(round(drawn)) if kinds[place] in _INTEGERS or number % 4 == 0 else drawn)
        samples.append(row)
    return samples


def _example(folder: Path, columns: Sequence[str]) -> list[list[float]]:
    path = folder / "serving_input_example.json"
    if not path.exists():
        return []
    split = json.loads(path.read_text()).get("dataframe_split", {})
    if sorted(split.get("columns", ())) != sorted(columns):
        return []
    order = [split["columns"].index(name) for name in columns]
    rows = [[row[place] for place in order] for row in split["data"]]
    return [row for row in rows if all(type(value) in (int, float) and np.isfinite(value) for value in row)]


def _bodies(
    name: str, samples: Sequence[Sequence[float]], columns: Sequence[str], others: Sequence[tuple[str, object]] = ()
) -> list[bytes]:
    """Return bodies of all samples at once, of some, and of single ones; in each row `others` stand before the model's columns."""
    parts = [samples, samples[:7], *([sample] for sample in samples[-12:])]
    return [_body(name, part, columns, others).encode() for part in parts]


def _equal(path: FastPath, bodies: Sequence[bytes], by_mlflow: BY_MLFLOW) -> bool:
    """Return whether the bodies are answered alike both ways, together and alone."""
    try:
        expected = [by_mlflow(body) for body in bodies]
    except ValueError:  # MLflow does not take this format for this model
        return False
    return path.answers(bodies) == expected and [path.answers([body])[0] for body in bodies] == expected


def _body(name: str, samples: Sequence[Sequence[float]], columns: Sequence[str], others: Sequence[tuple[str, object]]) -> str:
    rows = [[int(value) if value.is_integer() and abs(value) < 2**53 else value for value in map(float, row)] for row in samples]
    content: object = [dict(zip(columns, row, strict=True)) for row in rows]
    if name == "dataframe_split":
        values = [value for _, value in others]
        content = {"columns": [*(column for column, _ in others), *columns], "data": [[*values, *row] for row in rows]}
    elif name == "inputs":
        content = {column: [row[place] for row in rows] for place, column in enumerate(columns)}
    return json.dumps({name: content})
