"""What a user adds to the pods: flags, and a pod template file merged into ours."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.base.errors import UsageError
from tuner.cluster.kubernetes.naming import is_label_value, is_qualified_name
from tuner.spec.space import nearest, shown

ROLES = ("head", "worker")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TOLERATION = re.compile(r"(?P<key>[^=:]+)(=(?P<value>[^:]*))?(:(?P<effect>\w+))?")
_OURS = ("image", "workingDir", "command", "args")
"""Fields of Ray's container that the manifest or the operator sets."""
_MERGED_BY = {"volumeMounts": "mountPath", "tolerations": None, "ports": None, "envFrom": None}
"""What tells the items of a list apart; else their names. Those of None are added."""
_POD_FIELDS = (
    "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "containers", "dnsConfig", "dnsPolicy",
    "enableServiceLinks", "ephemeralContainers", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers",
    "hostname", "imagePullSecrets", "initContainers", "nodeName", "nodeSelector", "os", "overhead", "preemptionPolicy",
    "priority", "priorityClassName", "readinessGates", "resourceClaims", "resources", "restartPolicy",
    "runtimeClassName", "schedulerName", "schedulingGates", "securityContext", "serviceAccount", "serviceAccountName",
    "setHostnameAsFQDN", "shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds", "tolerations",
    "topologySpreadConstraints", "volumes",
)  # fmt: skip

Template = Mapping[str, Any]


def read_template(path: Path) -> dict[str, Template]:
    """What a pod template file adds to the pods of each role: a pod template for all, or one each for head and worker.

    Raises:
        UsageError: it cannot be read, or holds what cannot be merged; one line for each problem.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        written = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--pod-template {path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    except YAMLError as error:
        raise UsageError(f"--pod-template {path}: is no YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(written, dict):
        raise UsageError(f"--pod-template {path}: must be a pod template, a mapping, but got {shown(written)}")
    by_role = written if written and set(written) <= set(ROLES) else dict.fromkeys(ROLES, written)
    found = {role: _unwrapped(template) for role, template in by_role.items()}
    if problems := dict.fromkeys(line for template in found.values() for line in _problems(template)):
        raise UsageError("\n".join(f"--pod-template {path}: {line}" for line in problems))
    return found


def merged(ours: Any, theirs: Any, key: str = "") -> Any:
    """Their part laid over ours: mappings are merged, lists by the names of their items, other values replaced."""
    if isinstance(ours, dict) and isinstance(theirs, Mapping):
        return {**ours, **{name: merged(ours.get(name), value, name) for name, value in theirs.items()}}
    if isinstance(ours, list) and isinstance(theirs, Sequence) and not isinstance(theirs, str):
        return _merged_lists(ours, theirs, _MERGED_BY.get(key, "name"))
    return copy.deepcopy(theirs)


def with_template(pod: dict[str, Any], template: Template) -> dict[str, Any]:
    """A pod template of ours with the user's laid over it. A container without an image is laid over Ray's."""
    spec = dict(template.get("spec") or {})
    own = pod["spec"]["containers"][0]
    containers = [
        {**container, "name": own["name"]} if "image" not in container else container
        for container in spec.get("containers") or ()
    ]
    spec = {**spec, **({"containers": containers} if containers else {})}
    made: dict[str, Any] = merged(copy.deepcopy(pod), {**template, "spec": spec})
    return made


def key_values(option: str, written: Sequence[str], are_labels: bool = True) -> Iterator[str]:
    """What is wrong with KEY=VALUE options, one line each."""
    for text in written:
        _, rest = of_role(text)
        name, separator, value = rest.partition("=")
        if not separator or not is_qualified_name(name) or (are_labels and not is_label_value(value)):
            example = "example.com/pool=spot" if are_labels else "example.com/owner=me"
            yield f"{option}: must be KEY=VALUE, such as {example}, but got {shown(text)}"


def toleration_problems(written: Sequence[str]) -> Iterator[str]:
    """What is wrong with `--toleration` options, one line each."""
    for text in written:
        found = _TOLERATION.fullmatch(of_role(text)[1])
        effect = found["effect"] if found else None
        if found is None or not is_qualified_name(found["key"]) or not is_label_value(found["value"] or ""):
            yield f"--toleration: must be KEY, KEY=VALUE or KEY=VALUE:EFFECT, but got {shown(text)}"
        elif effect is not None and effect not in _EFFECTS:
            rule = f"must have an effect of {', '.join(_EFFECTS)}"
            yield f"--toleration: {rule}, but got {shown(effect)}{nearest(effect, _EFFECTS)}"


def toleration(written: str) -> dict[str, str]:
    """A toleration as an object; without a value it tolerates all of the key's."""
    found = _TOLERATION.fullmatch(written)
    assert found is not None  # it was checked
    value = {"operator": "Equal", "value": found["value"]} if found["value"] is not None else {"operator": "Exists"}
    return {"key": found["key"], **value, **({"effect": found["effect"]} if found["effect"] else {})}


def of_role(written: str) -> tuple[str, str]:
    """The role that a flag is for, and the rest: `worker:pool=gpu`; an empty role is all."""
    role, separator, rest = written.partition(":")
    return (role, rest) if separator and role in ROLES else ("", written)


def for_role(written: Sequence[str], role: str) -> list[str]:
    """The flags for the pods of a role, without it."""
    return [rest for own, rest in map(of_role, written) if own in ("", role)]


def _unwrapped(written: Any) -> Template:
    """A template out of a Pod or a PodTemplate."""
    if isinstance(written, dict) and written.get("kind") == "PodTemplate" and isinstance(written.get("template"), dict):
        written = written["template"]
    if isinstance(written, dict):
        return {key: value for key, value in written.items() if key not in ("apiVersion", "kind")}
    return {"": written}


def _problems(template: Template) -> Iterator[str]:
    if "" in template:
        yield f"must be a pod template, a mapping, but got {shown(template[''])}"
        return
    for key in template:
        if key not in ("metadata", "spec"):
            yield f"{key}: unknown key{nearest(str(key), ('metadata', 'spec', *ROLES))}"
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    for name, part in (("metadata", metadata), ("spec", spec)):
        if not isinstance(part, dict):
            yield f"{name}: must be a mapping, but got {shown(part)}"
            return
    for key in metadata:
        if key not in ("labels", "annotations"):
            yield f"metadata.{key}: must be labels or annotations: the operator names the pods"
    for key in spec:
        if key not in _POD_FIELDS:
            yield f"spec.{key}: unknown key{nearest(str(key), _POD_FIELDS)}"
    yield from _item_problems(spec)


def _item_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    for part in ("containers", "volumes"):
        items = spec.get(part) or []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            yield f"spec.{part}: must be a list of mappings, but got {shown(items)}"
            return
    containers = spec.get("containers") or []
    over_ours = [(number, container) for number, container in enumerate(containers) if "image" not in container]
    for number, container in over_ours:
        for key in _OURS:
            if key in container:
                yield f"spec.containers[{number}].{key}: is set by Tuner and the operator, so leave it out"
    if len(over_ours) > 1:
        yield "spec.containers: only one may be without an image, which is laid over Ray's"
    if any(volume.get("name") == "sweep" for volume in spec.get("volumes") or []):
        yield "spec.volumes: must not be named sweep, as the volume with the spec and the code is"


def _merged_lists(ours: list[Any], theirs: Sequence[Any], by: str | None) -> list[Any]:
    made = list(ours)
    for item in theirs:
        name = _named(item, by)
        same = [number for number, own in enumerate(made) if name is not None and _named(own, by) == name]
        if same:
            made[same[0]] = merged(made[same[0]], item)
        elif item not in made:
            made.append(copy.deepcopy(item))
    return made


def _named(item: Any, by: str | None) -> Any:
    return item.get(by) if by is not None and isinstance(item, Mapping) else None
