"""What the API server rejects in an object's `metadata`, and in labels elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.cluster.kubernetes.operator.schema import Object, Problems
from tuner.cluster.kubernetes.naming import is_dns_label, is_dns_name, is_label_value
from tuner.spec.space import shown

_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def metadata_problems(metadata: Object) -> Problems:
    if not is_dns_name(metadata["name"]):
        rule = "must be lower-case letters, digits and dashes, with dots between"
        yield "metadata.name", f"{rule}, but got {shown(metadata['name'])}"
    if not is_dns_label(metadata.get("namespace", "default")):
        rule = "must be lower-case letters, digits and dashes"
        yield "metadata.namespace", f"{rule}, but got {shown(metadata['namespace'])}"
    yield from label_problems("metadata.labels", metadata.get("labels", {}))
    for key in metadata.get("annotations", {}):
        if not _LABEL_KEY.fullmatch(key):
            yield f"metadata.annotations.{key}", "must be named as [PREFIX/]NAME"


def label_problems(path: str, labels: Mapping[str, str]) -> Problems:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield f"{path}.{key}", "must be named as [PREFIX/]NAME"
        if not is_label_value(value):
            yield f"{path}.{key}", f"must be at most 63 letters, digits, dashes, dots, but got {shown(value)}"
