"""How Kubernetes objects may be named and labelled."""

from __future__ import annotations

import re

MAX_JOB_NAME = 47
"""KubeRay appends six characters for the cluster and ten for its services; a Kubernetes name has at most 63."""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
ELASTIC = "kueue.x-k8s.io/elastic-job"
"""The annotation of a job that waits in a queue and whose number of workers may change."""

DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")

_REGISTRY = r"(localhost(:\d+)?|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?|[A-Za-z0-9-]+:\d+|\[[0-9A-Fa-f:]+\](:\d+)?)/"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_TAG, _DIGEST = r":\w[\w.-]{0,127}", r"@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z0-9]+)*:[0-9A-Fa-f]{32,}"
_IMAGE = re.compile(rf"({_REGISTRY})?{_PART}(/{_PART})*({_TAG}|({_TAG})?{_DIGEST})", re.ASCII)
"""The grammar of references (github.com/distribution/reference), with a tag or a digest."""


def is_image(reference: str) -> bool:
    """Whether an image has a tag or a digest: without one it would be `latest`, which changes."""
    return len(reference) <= 1024 and _IMAGE.fullmatch(reference) is not None


def is_dns_label(name: str) -> bool:
    """Whether a name is valid for a namespace, or as a part of other names."""
    return len(name) <= 63 and _DNS_1123.fullmatch(name) is not None


def is_dns_name(name: str) -> bool:
    """Whether a name is valid for a Secret, a claim or a service account."""
    return len(name) <= 253 and all(is_dns_label(part) for part in name.split("."))


def is_qualified_name(key: str) -> bool:
    """Whether a text is a valid key of labels, annotations and taints: [PREFIX/]NAME."""
    prefix, separator, name = key.rpartition("/")
    return bool(name) and is_label_value(name) and (not separator or is_dns_name(prefix))


def is_label_value(text: str) -> bool:
    """Whether a text is a valid label value, such as the name of a queue."""
    return _LABEL_VALUE.fullmatch(text) is not None
