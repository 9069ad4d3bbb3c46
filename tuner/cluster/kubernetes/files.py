"""The spec and the user's files as a ConfigMap, which is the working directory of every pod."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.base.errors import UsageError
from tuner.cluster.launched import SPEC
from tuner.cluster.parcel import Parcel
from tuner.spec import SweepSpec, dump_yaml

MAX_BYTES = 2**20
"""Of a ConfigMap."""


@dataclass(frozen=True)
class Content:
    """What a ConfigMap holds; its keys cannot hold slashes."""

    text: dict[str, str]
    binary: dict[str, str]
    """In base64, of files that are not UTF-8."""
    items: list[dict[str, Any]]
    """Which key is placed at which path of a volume; one key may be placed twice."""

    @property
    def as_fields(self) -> dict[str, Any]:
        return {"data": self.text, **({"binaryData": self.binary} if self.binary else {})}


def content(spec: SweepSpec, parcel: Parcel) -> Content:
    """The spec and the user's files, as they lie in the working directory.

    Raises:
        UsageError: all together are too large, or a file cannot be read.
    """
    spec = parcel.shipped(spec)
    keys = {path: f"file-{number}" for number, path in enumerate(sorted(parcel.here), start=1)}
    made = Content({SPEC: dump_yaml(spec.resolved())}, {}, [{"key": SPEC, "path": SPEC}])
    for path, key in keys.items():
        _add(made, key, path)
    made.items.extend({"key": keys[path], "path": name} for name, path in sorted(parcel.files.items()))
    _check_size(spec, made)
    return made


def _add(made: Content, key: str, path: Path) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        made.text[key] = data.decode()
    except UnicodeDecodeError:
        made.binary[key] = base64.b64encode(data).decode()


def _check_size(spec: SweepSpec, made: Content) -> None:
    sizes = {key: len(text.encode()) for key, text in (made.text | made.binary).items()}
    size_bytes = sum(sizes.values()) + sum(map(len, sizes))
    if size_bytes > MAX_BYTES:
        key = max(sizes, key=lambda key: sizes[key])
        largest = next(item["path"] for item in made.items if item["key"] == key)
        raise UsageError(
            f"{spec.trainable}: the spec and the files that travel with it must be at most 1 MiB for a ConfigMap, but"
            f" got {size_bytes / 2**20:.1f} MiB (the largest: {largest}); put"
            " packages into the image, data into a bucket"
        )
