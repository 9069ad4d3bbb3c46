"""Mistakes in `node_config` that Ray's schema accepts: misspelt keys, and values that the cloud would refuse.

AWS keys come from botocore's description of EC2, Google Cloud keys from its client's, if that is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuner.cluster.providers import PROVIDERS
from tuner.spec.space import nearest, shown

_ADDED_BY_RAY = {"SubnetIds": {"type": "list"}}
_GCP_INSTANCE = (
    "advancedMachineFeatures", "canIpForward", "confidentialInstanceConfig", "deletionProtection", "description",
    "disks", "displayDevice", "guestAccelerators", "hostname", "instanceEncryptionKey", "keyRevocationActionType",
    "labels", "machineType", "metadata", "minCpuPlatform", "name", "networkInterfaces", "networkPerformanceConfig",
    "params", "privateIpv6GoogleAccess", "reservationAffinity", "resourcePolicies", "scheduling", "serviceAccounts",
    "shieldedInstanceConfig", "shieldedInstanceIntegrityPolicy", "sourceMachineImage", "tags",
)  # fmt: skip
_GCP_TEMPLATE = "sourceInstanceTemplate"
"""A field of the request, not of the instance."""
_TPU_KEYS = ("acceleratorType", "acceleratorConfig")


def node_config_problems(cluster: Mapping[str, Any]) -> list[str]:
    """Unknown keys and values in each node type's `node_config`."""
    kind = cluster["provider"].get("type")
    judge = {"aws": _aws_node_problems, "gcp": _gcp_node_problems}.get(kind)
    if judge is None:
        return []
    types = (cluster.get("available_node_types") or {}).items()
    return [
        problem
        for name, node in types
        for problem in judge(node.get("node_config") or {}, f"available_node_types.{name}.node_config")
    ]


def node_config_warnings(cluster: Mapping[str, Any]) -> list[str]:
    """A note if `node_config` could not be checked."""
    kind, types = cluster["provider"].get("type"), cluster.get("available_node_types")
    if not types or kind in ("aws", "gcp") or kind not in PROVIDERS:
        return []
    return [f"available_node_types: node_config was not checked: the keys of provider {kind} are not known here"]


def _aws_node_problems(config: Mapping[str, Any], path: str) -> Iterator[str]:
    if "InstanceType" not in config and "LaunchTemplate" not in config:
        yield f"{path}.InstanceType: is required, but is missing"
    yield from _shape_problems(config, _run_instances(), path)


def _gcp_node_problems(config: Mapping[str, Any], path: str) -> Iterator[str]:
    if any(key in config for key in _TPU_KEYS):
        return
    if "machineType" not in config and _GCP_TEMPLATE not in config:
        yield f"{path}.machineType: is required, but is missing"
    yield from _shape_problems({k: v for k, v in config.items() if k != _GCP_TEMPLATE}, _gcp_instance(), path)


def _shape_problems(value: Any, shape: Mapping[str, Any], path: str) -> Iterator[str]:
    """What does not match a shape: {type, members | member | values}, taken from the cloud's description."""
    kind = shape["type"]
    if kind == "mapping":
        if shape.get("or_list") and isinstance(value, list):
            for index, nested in enumerate(value):
                yield from _shape_problems(nested, {**shape, "or_list": False}, f"{path}[{index}]")
            return
        if not isinstance(value, Mapping):
            yield f"{path}: must be a mapping, but got {shown(value)}"
            return
        members = shape["members"]()
        for key, nested in value.items():
            if key not in members:
                yield f"{path}.{key}: unknown key{nearest(str(key), members)}"
            else:
                yield from _shape_problems(nested, members[key], f"{path}.{key}")
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path}: must be a list, but got {shown(value)}"
            return
        for index, nested in enumerate(value):
            yield from _shape_problems(nested, shape["member"](), f"{path}[{index}]") if "member" in shape else ()
    elif kind in _SCALARS and type(value) is not _SCALARS[kind][0]:
        yield f"{path}: must be {_SCALARS[kind][1]}, but got {shown(value)}"
    elif isinstance(value, str) and (values := shape.get("values")) and value not in values:
        yield from _value_problem(value, values, path)


_SCALARS = {"whole": (int, "a whole number"), "bool": (bool, "true or false"), "text": (str, "text")}


def _value_problem(value: str, values: list[str], path: str) -> Iterator[str]:
    """Clouds add machine families faster than botocore is updated: of unknown families nothing is checked."""
    if path.endswith(".InstanceType"):
        family = value.partition(".")[0]
        values = [known for known in values if known.partition(".")[0] == family]
        if not values:
            return
    yield f"{path}: must be a value that the cloud knows, but got {shown(value)}{nearest(value, values)}"


def _run_instances() -> dict[str, Any]:
    shape = _from_botocore(_ec2().operation_model("RunInstances").input_shape)
    members = shape["members"]
    return {"type": "mapping", "members": lambda: {**members(), **_ADDED_BY_RAY}}


def _from_botocore(shape: Any) -> dict[str, Any]:
    """One level; deeper levels are described when they are needed."""
    if shape.type_name == "structure":
        return {"type": "mapping", "members": lambda: {k: _from_botocore(v) for k, v in shape.members.items()}}
    if shape.type_name == "list":
        return {"type": "list", "member": lambda: _from_botocore(shape.member)}
    kinds = {"integer": "whole", "long": "whole", "boolean": "bool", "string": "text"}
    return {"type": kinds.get(shape.type_name, "any"), "values": getattr(shape, "enum", None)}


@cache
def _ec2() -> Any:
    from botocore.session import Session

    return Session().get_service_model("ec2")


def _gcp_instance() -> dict[str, Any]:
    schemas = _gcp_schemas()
    if schemas is None:
        return {"type": "mapping", "members": lambda: {key: {"type": "any"} for key in _GCP_INSTANCE}}
    return _from_discovery({"$ref": "Instance"}, schemas)


@cache
def _gcp_schemas() -> dict[str, Any] | None:
    """Google's description of Compute Engine; None if its client is not installed."""
    package = find_spec("googleapiclient")
    folder = Path(*(package.submodule_search_locations or ())) if package else Path()
    document = folder / "discovery_cache" / "documents" / "compute.v1.json"
    return dict(json.loads(document.read_text())["schemas"]) if document.is_file() else None


def _from_discovery(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """From Google's description. Google also accepts lists of one mapping, which Ray's examples have, for a mapping."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    if schema.get("type") == "object" and "properties" in schema:
        return {"type": "mapping", "members": partial(_members, schema["properties"], schemas), "or_list": True}
    if schema.get("type") == "array":
        return {"type": "list", "member": lambda: _from_discovery(schema["items"], schemas)}
    return {"type": "any", "values": schema.get("enum")}


def _members(properties: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: _from_discovery(schema, schemas) for key, schema in properties.items()}
