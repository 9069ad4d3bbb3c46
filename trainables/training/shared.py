"""What trainers of one process may have in common: data on the device, compiled models, used seeds, timings."""

from __future__ import annotations

from dataclasses import dataclass, field

from trainables.training.cache import ModelCache
from trainables.training.device import DeviceData
from trainables.training.seeding import Seeder


@dataclass(frozen=True)
class Shared:
    """By default new ones, for a trainer by itself."""

    device: DeviceData = field(default_factory=DeviceData)
    cache: ModelCache = field(default_factory=ModelCache)
    seeder: Seeder = field(default_factory=Seeder)
    takes_last: bool = False
    """Whether a trial's last epoch counts as its best one."""
    jit: dict[str, bool] = field(default_factory=dict)
    """By the key of each model that was timed, whether XLA compiles its steps."""
