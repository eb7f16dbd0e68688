from typing import Any

from monitoring_unpacker.schema import Field, Schema

# A float column is kept as DOUBLE: compared with DOUBLE labels or features, FLOAT values would no longer be equal.
_SQL_TYPES = {
    "boolean": "BOOLEAN",
    "integer": "INT",
    "long": "BIGINT",
    "float": "DOUBLE",
    "double": "DOUBLE",
    "string": "STRING",
    "datetime": "TIMESTAMP",
}
_KINDS = {"f": "DOUBLE", "i": "BIGINT", "u": "BIGINT", "b": "BOOLEAN"}


def schema_of(signature: Any, *, key: Field) -> Schema:
    """Return the schema of a model's traffic, from its MLflow signature (`mlflow.models.get_model_info(uri).signature`).

    What has no SQL type of its own (tensors, arrays, objects, several outputs) is kept as JSON text.
    """
    features = tuple(
        key if spec.name == key.name else Field(spec.name or str(index), _sql_type(spec))
        for index, spec in enumerate(signature.inputs.inputs)
    )
    outputs = signature.outputs.inputs if signature.outputs else []
    if len(outputs) != 1:
        return Schema(features, key, Field("prediction", "STRING"))
    return Schema(features, key, Field("prediction", _output_type(outputs[0])), output=outputs[0].name)


def _sql_type(spec: Any) -> str:
    return _SQL_TYPES.get(getattr(spec.type, "name", ""), "STRING")


def _output_type(spec: Any) -> str:
    shape = getattr(spec, "shape", None)
    if shape is None:
        return _sql_type(spec)
    # One number a row, as an array or as a column vector; anything wider is JSON text.
    return _KINDS.get(spec.type.kind, "STRING") if tuple(shape[1:]) in ((), (1,)) else "STRING"
