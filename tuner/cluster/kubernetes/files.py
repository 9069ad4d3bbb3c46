"""The spec and the user's code as a ConfigMap, which is the working directory of every pod."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuner.base.errors import UsageError
from tuner.cluster.launched import SPEC
from tuner.cluster.shipping import CODE
from tuner.inspection.provenance.beside import imported_beside
from tuner.spec import SweepSpec, dump_yaml

MAX_BYTES = 2**20
"""Of a ConfigMap."""


def shipped_files(spec: SweepSpec) -> dict[str, str]:
    """Path in the working directory -> text: the spec, the user's file, and the files beside it that it imports.

    Raises:
        UsageError: a file is not text, or all together are too large.
    """
    files: dict[str, str] = {}
    file, _, class_name = spec.trainable.rpartition(":")
    if file.endswith(".py"):
        folder = Path(file).parent
        files = {f"{CODE}/{path.relative_to(folder)}": _text(path) for path in sorted(imported_beside(Path(file)))}
        spec = spec.model_copy(update={"trainable": f"{CODE}/{Path(file).name}:{class_name}"})
    files[SPEC] = dump_yaml(spec.resolved())
    size_bytes = sum(len(text.encode()) for item in files.items() for text in item)
    if size_bytes > MAX_BYTES:
        largest = max(files, key=lambda path: len(files[path]))
        raise UsageError(
            f"{spec.trainable}: the spec and the trainable's code must be at most 1 MiB for a ConfigMap, but got"
            f" {size_bytes / 2**20:.1f} MiB (the largest: {largest}); put packages into the image, data into a bucket"
        )
    return files


def config_map_data(files: dict[str, str]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The data of a ConfigMap, whose keys cannot hold slashes, and the items that map keys to paths in a volume."""
    keys = {path: path if "/" not in path else f"file-{number}" for number, path in enumerate(sorted(files))}
    return {keys[path]: files[path] for path in sorted(files)}, [
        {"key": key, "path": path} for path, key in keys.items()
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            f"{path}: what goes to Kubernetes with a sweep must be UTF-8 text; put this file into the image or a bucket"
        ) from None
