"""What a launch ships: this project, the spec, the user's files, and the private variables of the driver.

The project and the code become the working directory of the job, which Ray brings to every node, also to nodes that
join later. The spec names the user's file relative to that directory, so that another cluster can resume the sweep.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import trainables
import tuner
from tuner.base.errors import UsageError
from tuner.cluster.launched import SPEC
from tuner.cluster.parcel import Parcel, parcel_of
from tuner.spec import SweepSpec, dump_yaml

MAX_CODE_BYTES = 20 * 2**20
"""Of a user's files; data belong in the storage, which each node reads by itself."""


def pack(spec: SweepSpec, private: Mapping[str, str], folder: Path, parcel: Parcel | None = None) -> None:
    """Fills a folder with everything that the head needs for a sweep.

    Args:
        spec: with absolute paths and its storage.
        private: variables for the driver only.
        parcel: the user's files; by default the code of the trainable.

    Raises:
        UsageError: the user's files are too large.
    """
    parcel = parcel if parcel is not None else parcel_of(spec)
    if wrong := size_problems(spec, parcel):
        raise UsageError("\n".join(wrong))
    project = folder / "project"
    project.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for package in (tuner, trainables):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, project / source.name, ignore=ignore)
    for name, path in parcel.files.items():
        place = project / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    shipped = parcel.shipped(spec)
    (project / SPEC).write_text(dump_yaml(shipped.resolved()), encoding="utf-8")
    environment = folder / "environment"
    environment.touch(mode=0o600)
    environment.write_text(json.dumps(dict(private)))


def size_problems(spec: SweepSpec, parcel: Parcel) -> list[str]:
    """One line if the user's files are too large to ship."""
    size_bytes = parcel.size_bytes
    if size_bytes <= MAX_CODE_BYTES:
        return []
    return [
        f"{spec.trainable.rpartition(':')[0]}: it and the files beside it that travel must be smaller than"
        f" {MAX_CODE_BYTES // 2**20} MiB, but got {size_bytes / 2**20:.0f} MiB (the largest: {parcel.largest.name});"
        " data belong in a bucket or a shared folder"
    ]
