"""What the process of a trial of a training loop is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainables.sources import Sources


@dataclass(frozen=True)
class Job:
    """One attempt at a trial.

    Attributes:
        trainable: `/path/to/file.py:main`, or `package.module:main`.
        sources: the file, and those beside it, as they were kept.
        paths: what the process may import from, beside what it finds anyway.
    """

    trainable: str
    sources: Sources | None
    paths: tuple[str, ...]
    params: dict[str, Any]
    objective: str
    epochs: int
    trial: int
    seed: int
    checkpoint: str | None = None
    epoch: int = 0
