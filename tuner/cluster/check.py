"""Checks a cluster file, and a sweep on it, before any machine is started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tuner.base.errors import SpecError, UsageError
from tuner.base.secrets import shipped
from tuner.cluster import shared
from tuner.cluster.access import access_problems
from tuner.cluster.capacity import capacity, idle_card_problems
from tuner.cluster.node_config import node_config_problems, node_config_warnings
from tuner.cluster.parcel import Parcel, parcel_of
from tuner.cluster.pins import locked, pin_problems, pin_warnings
from tuner.cluster.providers import provider_problems
from tuner.cluster.schema import has_provider, launcher_problems, one_line, read_cluster, schema_problems, with_defaults
from tuner.cluster.shipping import size_problems as size_problems_of_code
from tuner.cluster.sizes import size_problems
from tuner.cluster.starting import start_problems, start_warnings
from tuner.cluster.travelling import left_behind_warnings, opened_problems, package_problems, package_warnings
from tuner.inspection import Inspected, Inspection, load_checked
from tuner.inspection.work_folder import work_folder
from tuner.spec import SweepSpec
from tuner.spec.reading import bounded, printable
from tuner.spec.sharing import artifact_warning, on_nodes, storage_warning
from tuner.spec.uris import is_of_this_machine
from tuner.storage import StorageRoot


@dataclass(frozen=True)
class ClusterCheck:
    """The result; each problem names its file."""

    file: str
    max_nodes: int
    """Head and workers, at most."""
    slots: int | None = None
    """Trials that run at the same time, at most; None without a spec, or if the file does not tell."""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Judged:
    """A spec and a cluster file that fit each other."""

    spec: SweepSpec
    """With the storage and data paths that the nodes of the cluster use."""
    inspected: Inspected
    cluster: ClusterCheck
    parcel: Parcel
    """The user's files that travel."""


def judge(
    spec: Path,
    overrides: Sequence[str],
    name: str | None,
    storage: str | None,
    cluster: Path,
    include: Sequence[str] = (),
) -> Judged:
    """Checks a spec against its trainable and a cluster file, as far as this machine can.

    The trainable is tried here where its data are at hand: only the cluster may be able to read them.

    Args:
        include: files that travel besides the trainable's code.

    Raises:
        UsageError: everything that is wrong with the spec or the file; one line for each problem.
    """
    try:
        loaded = load_checked(spec, overrides, name, is_for_elsewhere=True)
    except UsageError as error:
        raise UsageError("\n".join([*str(error).splitlines(), *_problems_of(cluster)])) from None
    loaded = loaded.model_copy(update={"storage": StorageRoot.resolve(storage, loaded.storage).url})
    inspected, parcel = looked_at(loaded, spec, include)
    source = printable(str(spec))
    problems = [*inspected.problems, *package_problems(loaded)]
    try:
        found = check_cluster(cluster, loaded, source)
        opened = opened_problems(loaded, parcel, inspected.opened, shared.all_folders(read_cluster(cluster)))
    except UsageError as error:
        raise UsageError("\n".join([*(f"{source}: {line}" for line in problems), str(error)])) from None
    problems = [f"{source}: {line}" for line in [*problems, *opened]]
    if problems := [*problems, *size_problems_of_code(loaded, parcel), *found.problems]:
        raise UsageError("\n".join(problems))
    found.warnings.extend([*left_behind_warnings(parcel), *package_warnings(loaded, "the cluster")])
    found.warnings.extend(_key_warnings(loaded, read_cluster(cluster)))
    data = on_nodes(loaded.data, shared.file_mounts(read_cluster(cluster))) if loaded.data is not None else None
    return Judged(loaded.model_copy(update={"data": data or loaded.data}), inspected, found, parcel)


def looked_at(spec: SweepSpec, file: Path, include: Sequence[str]) -> tuple[Inspected, Parcel]:
    """What a trainable does here, for a sweep elsewhere, and the files that travel with it.

    Raises:
        UsageError: what is to be included cannot be.
    """
    works_in = work_folder(spec.trainable, str(file))
    inspected = Inspection(spec, is_tried=True, works_in=works_in, is_watched=True).result().of_new().elsewhere(spec)
    also = [Path(path) for path in inspected.opened if path.endswith(".py")]
    beside = Path(works_in) if works_in else None
    return inspected, parcel_of(spec, include, beside, also)


def _problems_of(cluster: Path) -> list[str]:
    """What is wrong with a cluster file by itself, which may be that it cannot be read."""
    try:
        return check_cluster(cluster).problems
    except UsageError as error:
        return str(error).splitlines()


def check_cluster(path: Path, spec: SweepSpec | None = None, source: str = "spec") -> ClusterCheck:
    """Checks a cluster file, and a spec with its final storage, without contacting anything.

    Args:
        source: how problems name the spec.

    Raises:
        UsageError: the file cannot be read.
    """
    file = printable(str(path))
    try:
        cluster = read_cluster(path)
    except SpecError as error:  # values that no such file can hold
        return ClusterCheck(file, 0, problems=str(error).splitlines())
    lines, sound = schema_problems(cluster)
    if not has_provider(sound):
        return ClusterCheck(file, 0, problems=[f"{file}: {one_line(line)}" for line in bounded(lines)])
    full = with_defaults(sound)
    installs = {
        key: value for key, value in full.items() if key in sound or key not in cluster
    }  # no default for wrong ones
    lines += [
        *provider_problems(sound),
        *access_problems(full),
        *node_config_problems(sound),
        *size_problems(sound),
        *pin_problems(installs, locked(), sound),
        *start_problems(full),
    ]
    found = lines or launcher_problems(cluster)
    problems = [f"{file}: {one_line(line)}" for line in bounded(found)]
    told = [*node_config_warnings(sound), *start_warnings(full), *pin_warnings(installs, locked())]
    warnings = [one_line(warning) for warning in told]
    if spec is None:
        return ClusterCheck(file, shared.max_nodes(full), None, problems, warnings)
    fit = capacity(spec, full)
    room = fit.problems if not lines else idle_card_problems(spec)  # a wrong file does not tell what it has
    problems += [f"{source}: {one_line(line)}" for line in [*room, *shared.problems(spec, full)]]
    warnings += [one_line(warning) for warning in [*fit.warnings, *_tracking_warnings(spec, full)]]
    return ClusterCheck(file, shared.max_nodes(full), fit.slots, problems, warnings)


def _tracking_warnings(spec: SweepSpec, cluster: Mapping[str, Any]) -> list[str]:
    """A tracking server at this machine's loopback address, which means the head itself there."""
    uri = spec.tracking.uri or ""
    if not is_of_this_machine(uri) or shared.max_nodes(cluster) <= 1:
        return []
    return [f"tracking.uri: {urlsplit(uri).hostname} is the head itself once the sweep runs there"]


def _key_warnings(spec: SweepSpec, cluster: Mapping[str, Any]) -> list[str]:
    """A bucket for which the nodes may have no key, and a tracking store without a place for artifacts."""
    told = [artifact_warning(spec.tracking.uri, spec.storage, shared.max_nodes(cluster))]
    if not _has_keys(cluster):
        way_on = "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY here, or give the nodes an IamInstanceProfile"
        told.append(storage_warning(spec, "the cluster", way_on))
    return [line for line in told if line]


def _has_keys(cluster: Mapping[str, Any]) -> bool:
    """Whether the nodes get keys to AWS from here, or have a role of their own."""
    environment = shipped(os.environ)
    if "AWS_ACCESS_KEY_ID" in environment.secret or any(name.startswith("FSSPEC_") for name in environment.secret):
        return True
    types = (cluster.get("available_node_types") or {}).values()
    return bool(types) and all("IamInstanceProfile" in (kind.get("node_config") or {}) for kind in types)
