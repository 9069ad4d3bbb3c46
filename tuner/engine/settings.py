"""What all trials of a sweep have in common, for the processes that train them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.given import Given
from trainables.learned import Learned
from trainables.sources import Sources
from tuner.engine.slots import Slot
from tuner.sweep import Mode


@dataclass(frozen=True)
class WorkerSettings:
    """What all trials of a sweep have in common."""

    trainable: str
    """A shipped trainable's name, or /path/to/file.py:ClassName."""
    data: str | None
    metric: str
    mode: Mode
    precision: str
    sweep: str
    """The sweep's folder, as `SweepFolder.at` takes it."""
    slot: Slot
    is_script: bool = False
    """Whether trials are processes of a script: a loop, or the command."""
    command: tuple[str, ...] = ()
    trial_timeout_s: float | None = None
    """What an epoch may take, or building a model."""
    folds: int | None = None
    """As in the spec."""
    folds_seed: int = 0
    """Decides which examples a fold has: the sweep's seed."""
    memory_bytes: float | None = None
    """A worker whose own memory exceeds this is replaced by a fresh one; None for an equal share of its node's."""
    sources: Sources | None = None
    """The trainable's code as the sweep's folder keeps it, so that a worker of any time and node has the same; None
    where nothing was kept."""
    given: Given | None = None
    """The class itself where a program gave it: Ray pickles one of a notebook or a main file by value."""
    import_folder: str | None = None
    """Where a worker finds a trainable's package if it finds it nowhere else."""
    work_folder: str = ""
    """Where the trainable's code runs; empty for the worker's own working directory."""
    learned: Learned = field(default_factory=Learned, repr=False)
    """What `load_data` left in the trainable, where data are handed over."""
    fixed_params: Mapping[str, Any] = field(default_factory=dict)
    """What the space gives one value in every trial."""
    jit_compile: Literal["auto"] | bool = False
    """Whether XLA compiles a trial's steps; auto: where that is faster."""
    deterministic: bool = False
    """Whether TensorFlow takes only deterministic ops."""
    takes_last: bool = False
    """Whether a trial's last epoch is its result, rather than its best one."""
    samples_system: bool = False
    """Whether trials report what their node does, for MLflow's system metrics."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """The driver's variables for object stores, for workers that lack them. They hold keys, so are never shown."""
