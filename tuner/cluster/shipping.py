"""What a launch ships to the cluster: this project, the spec, the user's code, and the private variables of the driver.

The project and the code become the working directory of the job, which Ray brings to every node, also to nodes that
join later. The spec names the user's file relative to that directory, so that another cluster can resume the sweep.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import trainables
import tuner
from tuner.base.errors import UsageError
from tuner.cluster.launched import SPEC
from tuner.inspection.provenance.beside import imported_beside
from tuner.spec import SweepSpec, dump_yaml

CODE = "code"
MAX_CODE_BYTES = 20 * 2**20
"""Of a user's code; data belong in the storage, which each node reads by itself."""


def pack(spec: SweepSpec, private: Mapping[str, str], folder: Path) -> None:
    """Fills a folder with everything that the head needs for a sweep.

    Args:
        spec: with absolute paths and its storage.
        private: variables for the driver only.

    Raises:
        UsageError: the user's code is too large.
    """
    if wrong := code_problems(spec):
        raise UsageError("\n".join(wrong))
    project = folder / "project"
    project.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for package in (tuner, trainables):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, project / source.name, ignore=ignore)
    trainable = spec.trainable
    file, _, class_name = trainable.rpartition(":")
    if file.endswith(".py"):
        _copy_code(Path(file), project / CODE)
        trainable = f"{CODE}/{Path(file).name}:{class_name}"
    shipped = spec.model_copy(update={"trainable": trainable})
    (project / SPEC).write_text(dump_yaml(shipped.resolved()), encoding="utf-8")
    environment = folder / "environment"
    environment.touch(mode=0o600)
    environment.write_text(json.dumps(dict(private)))


def code_problems(spec: SweepSpec) -> list[str]:
    """One line if the user's code is too large to ship; none if the file is missing."""
    file = Path(spec.trainable.rpartition(":")[0])
    if file.suffix != ".py":
        return []
    copied = sorted(path for path in imported_beside(file) if os.path.isfile(path))
    size_bytes = sum(path.stat().st_size for path in copied)
    if size_bytes <= MAX_CODE_BYTES:
        return []
    largest = max(copied, key=lambda path: path.stat().st_size)
    return [
        f"{file}: it and the files beside it that it imports must be smaller than"
        f" {MAX_CODE_BYTES // 2**20} MiB, but got {size_bytes / 2**20:.0f} MiB (the largest: {largest.name}); data"
        f" belong in a bucket or a shared folder"
    ]


def _copy_code(file: Path, target: Path) -> None:
    """Copies the user's file and the modules and packages beside it that it imports, directly or not."""
    for path in sorted(imported_beside(file)):
        place = target / path.relative_to(file.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
