"""What a cluster file needs for its head to be found and reached: a name, a provider, and a login."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.base.errors import SpecError
from tuner.cluster.providers import provider_problems
from tuner.cluster.schema import has_provider, launcher_problems, one_line, read_cluster, schema_problems, with_defaults
from tuner.spec.reading import bounded, printable
from tuner.spec.space import shown

_BY_SSH = ("aws", "azure", "gcp", "local")


def access_problems(cluster: Mapping[str, Any]) -> list[str]:
    """A missing or invalid name, or a missing login; of a file with Ray's defaults filled in."""
    problems = []
    name, user = cluster.get("cluster_name"), (cluster.get("auth") or {}).get("ssh_user")
    if isinstance(name, str) and (not name.strip() or "/" in name):  # Ray names files after it
        problems.append(f"cluster_name: must be a name without slashes, but got {shown(name)}")
    if cluster["provider"].get("type") in _BY_SSH and not user:
        problems.append("auth.ssh_user: is required, but is missing")
    return problems


def read_for_access(path: Path) -> dict[str, Any]:
    """Reads a cluster file and checks what leads to its head; other mistakes do not matter to a cluster that runs.

    Raises:
        UsageError: it cannot be read, or something of that is missing; one line for each problem.
    """
    cluster = read_cluster(path)
    lines, sound = schema_problems(cluster)
    if has_provider(sound):
        lines += [*provider_problems(sound), *access_problems(with_defaults(sound))]
    if problems := lines or launcher_problems(cluster):
        raise SpecError(printable(str(path)), [one_line(problem) for problem in bounded(problems)])
    return cluster
