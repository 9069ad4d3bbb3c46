"""The shape of the objects that we write: KubeRay's own schema of a RayJob, with unknown keys refused at every level.

`rayjob-v1.json.xz` is `spec.versions[name=v1].schema.openAPIV3Schema` of KubeRay's CRD
(ray-operator/config/crd/bases/ray.io_rayjobs.yaml), without `status`. A CRD's schema lets the API server drop unknown
keys in silence, so a typo would take an option's effect away.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.spec.reading import printable
from tuner.spec.space import nearest, shown

if TYPE_CHECKING:
    from jsonschema import ValidationError

Object = Mapping[str, Any]
"""A Kubernetes object, as in its YAML document."""

Problems = Iterator[tuple[str, str]]
"""As (path, rule)."""

_CRD = Path(__file__).with_name("rayjob-v1.json.xz")
_TEXT = {"type": "string"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_METADATA = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "namespace": _TEXT,
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": _TEXT},
    },
    "required": ["name"],
}
"""Of an object that is created; in the CRD it is any object, as the API server knows it by itself."""
_CONFIG_MAP = {
    "type": "object",
    "properties": {
        "apiVersion": {"const": "v1"},
        "kind": {"const": "ConfigMap"},
        "metadata": _METADATA,
        "data": _TEXTS,
        "binaryData": _TEXTS,
        "immutable": {"type": "boolean"},
    },
    "required": ["apiVersion", "kind", "metadata"],
}
_INT32_MAX = 2**31 - 1
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def shape_problems(document: Object) -> list[str]:
    """What of an object's keys and types is wrong, as `path: rule`; none if all is right."""
    schemas = _schemas()
    kind = document.get("kind")
    if kind not in schemas:
        return [f"kind: must be one of {', '.join(schemas)}, but got {shown(kind)}"]
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schemas[kind]).iter_errors(document)
    return sorted(line for error in errors for line in _lines(error))


@cache
def _schemas() -> dict[str, Any]:
    ray_job = json.loads(lzma.decompress(_CRD.read_bytes()))
    ray_job["properties"] |= {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayJob"},
        "metadata": _METADATA,
    }
    ray_job["required"] = ["apiVersion", "kind", "metadata", "spec"]
    return {"RayJob": strict(ray_job), "ConfigMap": strict(_CONFIG_MAP)}


def strict(schema: Any) -> Any:
    """A schema of OpenAPI's that forbids the keys which it does not name, and numbers beyond 32 bits."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: value if key in ("enum", "default", "required") else strict(value) for key, value in schema.items()}
    is_schema = isinstance(schema.get("type"), str)  # a property may itself be named "type"
    if is_schema and "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        copy.setdefault("additionalProperties", False)
    if is_schema and schema.get("format") == "int32":
        copy = {"minimum": -_INT32_MAX - 1, "maximum": _INT32_MAX, **copy}
    return copy


def _lines(error: ValidationError) -> Iterator[str]:
    where = path_text(list(error.absolute_path))
    value, rule = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            for key in value:
                if key not in known:
                    yield f"{path_text([*error.absolute_path, key])}: unknown key{nearest(str(key), known)}"
        case "required":
            yield from (f"{path_text([*error.absolute_path, key])}: is required" for key in rule if key not in value)
        case "type":
            yield f"{where}: must be {_TYPES.get(rule, rule)}, but got {shown(value)}"
        case "anyOf":  # only whole numbers and text stand in one, as int-or-string
            yield f"{where}: must be a whole number or text, but got {shown(value)}"
        case "enum":
            yield f"{where}: must be one of {', '.join(rule)}, but got {shown(value)}"
        case "const":
            yield f"{where}: must be {rule}, but got {shown(value)}"
        case "pattern":
            yield f"{where}: must be a quantity such as 2, 500m or 8Gi, but got {shown(value)}"
        case "minimum" | "maximum":
            bound = "at least" if error.validator == "minimum" else "at most"
            yield f"{where}: must be {bound} {rule}, but got {shown(value)}"
        case _:
            yield f"{where}: {printable(error.message)}"


def path_text(parts: list[Any]) -> str:
    """A place in a document: spec.workerGroupSpecs[0].template."""
    names = [f"[{part}]" if isinstance(part, int) else f".{printable(str(part))}" for part in parts]
    return "".join(names).lstrip(".")
