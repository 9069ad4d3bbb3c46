"""What a probe's process is asked, and what it sends: plain values, each as soon as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.learned import Learned


@dataclass(frozen=True)
class Asked:
    """What is to be measured, and of which trainable."""

    part: Literal["rates", "ladder"]
    spec: dict[str, Any]
    """As it fits the trainable."""
    until: float
    """By `time.monotonic`; the first range test, and the first rung, are whole in any case."""
    batch_sizes: tuple[int, ...] = ()
    """Those asked for."""
    fits_max: int | None = None
    """The largest batch size that fits, where larger ones do not."""
    optimizers: tuple[str, ...] = ()
    """Those asked for."""
    noise_scale: bool = False
    given: bytes = field(default=b"", repr=False)
    """A class that a program gave, pickled by value."""
    import_folder: str | None = None
    learned: Learned = field(default_factory=Learned)
    paths: tuple[str, ...] = ()
    """Where the parent's process imports from."""
    loading_s: float | None = None
    """What the process may take until it measures something; None for no limit."""
    step_s: float | None = None
    """What it may take from one message to the next from then on."""


@dataclass(frozen=True)
class Failed:
    """The user's code raised, or cannot be measured; a line for people."""

    line: str


@dataclass(frozen=True)
class Beat:
    """It goes on: an epoch is over, of which more are trained before the next finding."""


@dataclass(frozen=True)
class Note:
    """A line for people about what was measured, or was not."""

    text: str


@dataclass(frozen=True)
class Doing:
    """A line for people: what is measured now."""

    text: str
    batch_size: int | None = None
    """The batch size that it is measured at."""


@dataclass(frozen=True)
class About:
    """What is known once a first model was trained."""

    train_examples: int
    params: Mapping[str, Any]
    """The configuration that is measured, without what the probe sets."""
    is_compiled: bool
    says_batch_size: bool
    """Whether the data, or a `fit` of its own, say the batch size."""
    takes_batch_size: bool = True
    """Whether a parameter batch_size acts."""


@dataclass(frozen=True)
class Rung:
    """A batch size of the ladder; without a speed it is only begun or, for a reason, was not measured."""

    batch_size: int
    examples_per_s: float | None = None
    peak_memory_bytes: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Done:
    """Nothing follows; the seconds of each part."""

    seconds: Mapping[str, float]
