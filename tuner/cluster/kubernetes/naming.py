"""How Kubernetes objects may be named and labelled."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tuner.cluster.kubernetes.schema import Object, Problems
from tuner.spec.space import shown

DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")

_REGISTRY = r"(localhost(:\d+)?|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?|[A-Za-z0-9-]+:\d+|\[[0-9A-Fa-f:]+\](:\d+)?)/"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_TAG, _DIGEST = r":\w[\w.-]{0,127}", r"@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z0-9]+)*:[0-9A-Fa-f]{32,}"
_IMAGE = re.compile(rf"({_REGISTRY})?{_PART}(/{_PART})*({_TAG}|({_TAG})?{_DIGEST})", re.ASCII)
"""The grammar of references (github.com/distribution/reference), with a tag or a digest."""


def is_image(reference: str) -> bool:
    """Whether an image is named in full: without a tag it would be `latest`, another one each time."""
    return len(reference) <= 1024 and _IMAGE.fullmatch(reference) is not None


def is_dns_label(name: str) -> bool:
    """Whether a name can be a namespace's, or a part of any object's."""
    return len(name) <= 63 and _DNS_1123.fullmatch(name) is not None


def is_dns_name(name: str) -> bool:
    """Whether a name can be a secret's, a claim's or a service account's."""
    return len(name) <= 253 and all(is_dns_label(part) for part in name.split("."))


def is_label_value(text: str) -> bool:
    """Whether a text can be a label's value, as a queue's name is."""
    return _LABEL_VALUE.fullmatch(text) is not None


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
