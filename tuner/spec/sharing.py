"""Checks that all nodes of a cluster can reach a spec's storage, tracking store and data.

A folder counts as shared if a machine among the nodes has a network file system there, if $TUNER_SHARED_FOLDERS names
it, or if the caller says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from trainables.built_in import NAMES
from tuner.spec.models import STORAGE_SCHEMES, SweepSpec
from tuner.spec.space import shown
from tuner.spec.uris import DATABASE_SCHEMES, SERVER_SCHEMES, has_scheme

SHARED_FOLDERS = "TUNER_SHARED_FOLDERS"
"""The environment variable for folders that are the same on each node: paths separated by colons."""

NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "ceph", "fuse.ceph", "fuse.ceph-fuse", "glusterfs",
    "fuse.glusterfs", "beegfs", "beegfs_nodev", "wekafs", "panfs", "pvfs2", "ocfs2", "gfs2", "afs", "fuse.juicefs",
}  # fmt: skip
"""File systems that all machines share. Buckets mounted as folders (gcsfuse, s3fs) are left out, because files there
cannot be appended to: use s3:// or gs:// instead."""


def sharing_problems(
    spec: SweepSpec,
    nodes: int,
    folders: Iterable[str] = (),
    mounts: Mapping[str, str] | None = None,
    *,
    are_pods: bool = False,
) -> list[str]:
    """The parts of a spec that not all nodes of a cluster could reach, one line each; none for a single node.

    Args:
        folders: absolute paths that are the same on each node (see `shared_folders`).
        mounts: the `file_mounts` of a cluster file, path on each node -> path here.
        are_pods: whether the nodes are pods, which share the volumes that the launch names.
    """
    if nodes <= 1:
        return []
    folders = list(folders)
    return [
        *_storage_problems(spec.storage, nodes, folders, are_pods),
        *_tracking_problems(spec.tracking.uri, nodes),
        *_data_problems(spec.data, nodes, folders, mounts or {}, are_pods),
    ]


def artifact_warning(uri: str | None, storage: str | None, nodes: int = 1) -> str:
    """A tracking store that is a bare database, for a sweep that other machines work on; else empty.

    MLflow keeps the artifacts of such a store's new experiments in a folder of the machine that records.
    """
    is_elsewhere = nodes > 1 or "://" in (storage or "")
    if uri is None or not is_elsewhere or not has_scheme(uri, DATABASE_SCHEMES):
        return ""
    example = f"--artifact-location {storage}/mlartifacts" if "://" in (storage or "") else "--artifact-location s3://…"
    return (
        f"tracking.uri: {shown(uri)} has no place for artifacts: a new experiment's stay in ./mlruns of the machine"
        f" that records, and are lost with it; name an MLflow server, or make the experiment with one:"
        f" mlflow experiments create --experiment-name NAME {example}"
    )


def storage_warning(spec: SweepSpec, who: str, way_on: str) -> str:
    """Buckets that need keys, where the caller knows of none.

    Args:
        who: what lacks them, such as "the pods".
        way_on: how to give them.
    """
    buckets = [
        f"{name}: {url}" for name, url in (("storage", spec.storage), ("data", spec.data)) if "s3://" in (url or "")
    ]
    return f"{buckets[0]}: {who} may have no key to it; {way_on}" if buckets else ""


def on_nodes(path: str, mounts: Mapping[str, str]) -> str | None:
    """The path on each node to which `file_mounts` copies a file or folder of this machine; None if it is not copied.

    A path that is already one on the nodes is returned unchanged.
    """
    for there, here in mounts.items():
        source = os.path.abspath(os.path.expanduser(here))
        if _is_within(path, source):
            below = os.path.relpath(os.path.expanduser(path), source)
            return there if below == "." else f"{there.rstrip('/')}/{below}"
    return path if any(_is_within(path, there) for there in mounts) else None


def shared_folders() -> list[str]:
    """The folders that other machines see, too: those named in $TUNER_SHARED_FOLDERS, and network file systems."""
    import psutil

    partitions = psutil.disk_partitions(all=True)
    return named_folders() + [part.mountpoint for part in partitions if part.fstype in NETWORK_FILE_SYSTEMS]


def named_folders() -> list[str]:
    """The folders named in $TUNER_SHARED_FOLDERS."""
    words = map(os.path.expanduser, os.environ.get(SHARED_FOLDERS, "").split(os.pathsep))
    return [word for word in words if os.path.isabs(word)]


def _storage_problems(storage: str | None, nodes: int, folders: list[str], are_pods: bool) -> list[str]:
    if storage is not None and storage.startswith(tuple(f"{scheme}://" for scheme in STORAGE_SCHEMES)):
        return []
    if storage is not None and any(_is_within(storage, folder) for folder in folders):
        return []
    rule = f"must be shared by all {nodes} nodes: s3://BUCKET/…, gs://BUCKET/… or a network folder"
    return [f"storage: {rule}, but got {_got(storage, './sweeps')}{_folder_hint(storage, are_pods)}"]


def _tracking_problems(uri: str | None, nodes: int) -> list[str]:
    if uri is not None and has_scheme(uri, SERVER_SCHEMES):
        return []
    rule = f"must be a server that all {nodes} nodes reach, such as https://mlflow.example.com"
    return [f"tracking.uri: {rule}, but got {_got(uri, 'SQLite, a file of one machine')}"]


def _data_problems(
    data: str | None, nodes: int, folders: list[str], mounts: Mapping[str, str], are_pods: bool
) -> list[str]:
    is_function = data is not None and data.rpartition(":")[0].endswith(".py")  # which travels with the code
    if data is None or data in NAMES or is_function or "://" in data or on_nodes(data, mounts) is not None:
        return []
    if any(_is_within(data, folder) for folder in folders):
        return []
    rule = f"must be on all {nodes} nodes: s3://BUCKET/…, gs://BUCKET/…, a network folder"
    if are_pods:
        return [f"data: {rule}, but got {shown(data)}{_folder_hint(data, are_pods)}"]
    example = f"; in the cluster file: file_mounts: {{~/data/{PurePosixPath(data).name}: {data}}}"
    return [f"data: {rule}, or copied by file_mounts, but got {shown(data)}{example}"]


def _folder_hint(path: str | None, are_pods: bool) -> str:
    is_path = path is not None and os.path.isabs(path)
    if are_pods:
        return f"; a volume that all pods can write: --volume CLAIM:{path}" if is_path else ""
    return f"; if each node has that folder from the network, say so: export {SHARED_FOLDERS}={path}" if is_path else ""


def _got(value: str | None, default: str) -> str:
    return shown(value) if value is not None else f"none, which is {default}"


def _is_within(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it, judged by their names."""
    path, folder = (os.path.normpath(os.path.expanduser(name)) for name in (path, folder))
    return path == folder or path.startswith(folder.rstrip("/") + "/")
