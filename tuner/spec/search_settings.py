"""The settings that the policy is built from: plain values, without the rest of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tuner.base.patience import Patience
from tuner.spec.feasible import Feasible
from tuner.spec.space import Params, Space


@dataclass(frozen=True)
class SearchSettings:
    """Where and how a sweep searches. `SweepSpec.search_settings` builds them from a spec."""

    space: Space
    """The search space."""
    mode: Literal["min", "max"]
    """Whether a lower or a higher objective is better."""
    epochs_min: int
    """The epochs of the first rung."""
    epochs_max: int
    """The epochs of a whole training; a parameter `epochs` in the space overrides it."""
    stops_early: bool = True
    """Whether ASHA stops trials at the rungs. Without it, trials are only compared there."""
    reduction_factor: int = 3
    """At each rung, one in this many trials continues."""
    patience: Patience | None = None
    """When a trial has plateaued; None for never."""
    seed: int = 0
    """The seed of all randomness."""
    num_trials: int | None = None
    """How many trials are suggested at most; None for no limit."""
    algorithm: Literal["tpe", "random", "grid"] = "tpe"
    points: Sequence[Params] = ()
    """Configurations to start with; those outside the space are left out."""
    feasible: Feasible = field(default_factory=Feasible)
    """Which configurations may be tried."""

    def __post_init__(self) -> None:
        if not 1 <= self.epochs_min <= self.epochs_max:
            got = f"({self.epochs_min}, {self.epochs_max})"
            raise ValueError(f"1 <= epochs_min <= epochs_max must hold, but got {got}")
        if self.reduction_factor < 2:
            raise ValueError(f"reduction_factor must be at least 2, but got {self.reduction_factor}")
