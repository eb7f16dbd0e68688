"""A model's signature, and the OpenAPI document the platform makes of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

Json = dict[str, object]
_TYPES: Mapping[str, Json] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
}
_DTYPES = {
    "float64": "double",
    "float32": "float",
    "int64": "long",
    "int32": "integer",
    "bool": "boolean",
    "str": "string",
    "object": "string",
}
_UNKNOWN: Json = {"type": "object", "format": "unknown"}


@dataclass(frozen=True, slots=True)
class Signature:
    """The lists of an MLmodel's signature, as MLflow writes them."""

    inputs: tuple[Json, ...]
    outputs: tuple[Json, ...]
    params: tuple[Json, ...]


def read_signature(model_folder: Path) -> Signature | None:
    """Return the signature in the folder's `MLmodel`, or None when the model was logged without one."""
    document = yaml.safe_load((model_folder / "MLmodel").read_text())
    signature = document.get("signature")
    if not signature or not signature.get("inputs"):
        return None
    return Signature(*(tuple(json.loads(signature.get(part) or "[]")) for part in ("inputs", "outputs", "params")))


def openapi(endpoint: str, version: int, host_url: str, signatures: Mapping[str, Signature]) -> Json:
    """Return the OpenAPI 3.1 document of an endpoint: one path per served entity."""
    paths = {f"/served-models/{served}/invocations": {"post": _operation(signature)} for served, signature in signatures.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": endpoint, "version": str(version)},
        "servers": [{"url": f"{host_url}/serving-endpoints/{endpoint}"}],
        "paths": paths,
    }


def _operation(signature: Signature) -> Json:
    named = all("name" in column for column in signature.inputs)
    bodies = [_split(signature), _records(signature)] if named else [_tensor(signature, "inputs"), _tensor(signature, "instances")]
    predictions = {"type": "object", "properties": {"predictions": {"type": "array", "items": _output(signature)}}}
    return {
        "requestBody": {"content": {"application/json": {"schema": {"oneOf": bodies}}}},
        "responses": {"200": {"description": "Successful operation", "content": {"application/json": {"schema": predictions}}}},
    }


def _split(signature: Signature) -> Json:
    names = [column["name"] for column in signature.inputs]
    columns: Json = {
        "description": f"required fields: {', '.join(_required(signature))}",
        "type": "array",
        "items": {"type": "string", "enum": names},
    }
    row: Json = {"type": "array", "prefixItems": [_type(column) for column in signature.inputs]}
    return _body(
        signature, "dataframe_split", {"type": "object", "properties": {"columns": columns, "data": {"type": "array", "items": row}}}
    )


def _records(signature: Signature) -> Json:
    properties = {str(column["name"]): _type(column) for column in signature.inputs}
    record: Json = {"required": _required(signature), "type": "object", "properties": properties}
    return _body(signature, "dataframe_records", {"type": "array", "items": record})


def _tensor(signature: Signature, key: str) -> Json:
    return _body(signature, key, {"type": "array", "items": _type(signature.inputs[0])})


def _body(signature: Signature, key: str, shape: Json) -> Json:
    properties: Json = {key: shape}
    if signature.params:
        # Defaults are texts, whatever the type: so in the example of the documentation.
        params = {str(param["name"]): {**_type(param), "default": str(param.get("default"))} for param in signature.params}
        properties["params"] = {"type": "object", "properties": params}
    return {"type": "object", "properties": properties}


def _output(signature: Signature) -> Json:
    if len(signature.outputs) == 1:
        return _type(signature.outputs[0])
    if not signature.outputs:
        return dict(_UNKNOWN)
    return {"type": "object", "properties": {str(column.get("name")): _type(column) for column in signature.outputs}}


def _required(signature: Signature) -> list[str]:
    return [str(column["name"]) for column in signature.inputs if column.get("required", True)]


def _type(column: Json) -> Json:
    kind = str(column.get("type"))
    spec = column.get("tensor-spec")
    if isinstance(spec, dict):
        kind = _DTYPES.get(str(spec.get("dtype")), "")
    return dict(_TYPES.get(kind, _UNKNOWN))
