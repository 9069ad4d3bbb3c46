"""The options of `tuner kubernetes`, and what is wrong with them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import PurePosixPath
from posixpath import normpath

from tuner.cluster.kubernetes.naming import (
    DNS_1035,
    MAX_JOB_NAME,
    is_dns_label,
    is_dns_name,
    is_image,
    is_label_value,
)
from tuner.cluster.kubernetes.pod_template import Template, key_values, toleration_problems
from tuner.spec.fields import MAX_COUNT
from tuner.spec.space import shown

WORKING_DIRECTORY = "/home/tuner/sweep"
"""Where the ConfigMap of the sweep is mounted in every pod."""
OWN_FOLDERS = (WORKING_DIRECTORY, "/opt/tuner", "/usr/local", "/etc", "/proc", "/sys", "/dev")
"""Folders of the image and the system: a volume in, on or above them would hide what a pod needs."""
MAX_WORKERS = 8
"""The default maximum of worker pods; a sweep of few trials gets fewer."""


@dataclass(frozen=True)
class Options:
    """Where and on what a sweep runs in a Kubernetes cluster."""

    namespace: str | None = None
    image: str | None = None
    min_workers: int = 1
    max_workers: int | None = None
    trials_per_worker: int | None = None
    memory_bytes: float | None = None
    """Of each trial."""
    retries: int = 3
    """How often a job whose head was lost, or whose driver failed, is retried, each time on a new RayCluster."""
    queue: str | None = None
    service_account: str | None = None
    secrets: tuple[str, ...] = ()
    """Names of Secrets whose keys become environment variables of every pod."""
    volumes: tuple[str, ...] = ()
    """Shared folders, each as CLAIM:/PATH."""
    node_selectors: tuple[str, ...] = ()
    """Labels of the nodes, each as KEY=VALUE; with head: or worker: before it, for those pods alone."""
    tolerations: tuple[str, ...] = ()
    """Taints that the pods tolerate, each as KEY[=VALUE][:EFFECT]; with head: or worker: before it likewise."""
    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    priority_class: str | None = None
    pull_secrets: tuple[str, ...] = ()
    """Names of Secrets with which the nodes pull the image."""
    pod_template: Mapping[str, Template] = field(default_factory=dict)
    """Role -> what is laid over its pods (see `tuner.cluster.kubernetes.pod_template`)."""

    @property
    def has_keys(self) -> bool:
        """Whether the user gives the pods keys or an identity, in one way or another."""
        return bool(self.secrets or self.service_account or self.pod_template)

    def claims(self) -> dict[str, str]:
        """Path in every pod -> the PersistentVolumeClaim that is mounted there."""
        return {normpath(path): claim for claim, _, path in (volume.partition(":") for volume in self.volumes)}

    def problems(self) -> list[str]:
        """What is wrong with the options, one line each."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        names: dict[str, Iterable[str | None]] = {
            "--namespace": [self.namespace],
            "--service-account": [self.service_account],
            "--priority-class": [self.priority_class],
            "--secret": self.secrets,
            "--pull-secret": self.pull_secrets,
        }
        for option, values in names.items():
            is_valid = is_dns_label if option == "--namespace" else is_dns_name
            for name in values:
                if name is not None and not is_valid(name):
                    yield f"{option}: must be lower-case letters, digits and dashes, but got {shown(name)}"
        if self.queue is not None and not (self.queue and is_label_value(self.queue)):
            yield f"--queue: must be the name of a Kueue LocalQueue, but got {shown(self.queue)}"
        if self.image is not None and not is_image(self.image):
            yield f"--image: must be [REGISTRY/]NAME:TAG or [REGISTRY/]NAME@DIGEST, but got {shown(self.image)}"
        yield from key_values("--node-selector", self.node_selectors)
        yield from toleration_problems(self.tolerations)
        yield from key_values("--label", self.labels)
        yield from key_values("--annotation", self.annotations, are_labels=False)
        yield from self._number_problems()
        yield from self._volume_problems()

    def _number_problems(self) -> Iterator[str]:
        bounds = {
            "--min-workers": (self.min_workers, 1),
            "--max-workers": (self.max_workers, 1),
            "--trials-per-worker": (self.trials_per_worker, 1),
            "--retries": (self.retries, 0),
        }
        for option, (number, least) in bounds.items():
            if number is not None and number < least:
                yield f"{option}: must be at least {least}, but got {shown(number)}"
            if number is not None and number > MAX_COUNT:  # Kubernetes has 32 bits for most of them
                yield f"{option}: must be at most {MAX_COUNT}, but got {shown(number)}"
        if self.max_workers is not None and 1 <= self.max_workers < self.min_workers:
            yield f"--max-workers: must not be below --min-workers {self.min_workers}, but got {self.max_workers}"

    def _volume_problems(self) -> Iterator[str]:
        for volume in self.volumes:
            claim, _, path = volume.partition(":")
            where = PurePosixPath(normpath(path))
            if not is_dns_name(claim) or ":" in path or not re.fullmatch(r"/(?!/)[^\0]*", path) or str(where) == "/":
                yield f"--volume: must be CLAIM:/PATH, but got {shown(volume)}"
                continue
            for own in map(PurePosixPath, OWN_FOLDERS):
                if where.is_relative_to(own) or own.is_relative_to(where):
                    yield f"--volume: must be apart from the pods' own {own}, but got {shown(volume)}"
        if len(self.claims()) < len(self.volumes):
            yield "--volume: two claims must not have the same path"


def job_name(sweep: str) -> str:
    """The name of a sweep's RayJob: that of the sweep if Kubernetes accepts it, else a similar one.

    A similar name ends in six digits of a hash, so that two sweeps never share one.
    """
    if len(sweep) <= MAX_JOB_NAME and DNS_1035.fullmatch(sweep):
        return sweep
    word = re.sub(r"[^a-z0-9]+", "-", sweep.lower()).strip("-")
    word = word if word[:1].isalpha() else f"sweep-{word}"
    mark = hashlib.sha256(sweep.encode()).hexdigest()[:6]
    return f"{word[: MAX_JOB_NAME - 7].rstrip('-')}-{mark}"


def default_image(has_gpus: bool) -> str:
    """The image that deploy/README.md builds."""
    return f"tuner:{version('tuner')}{'-gpu' if has_gpus else ''}"


def mount_names(paths: Iterable[str]) -> dict[str, str]:
    """Path -> name of its volume in the pod."""
    return {path: f"shared-{number}" for number, path in enumerate(paths)}
