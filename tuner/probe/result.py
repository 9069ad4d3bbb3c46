"""What a probe has measured, as values that JSON keeps whole. What follows from them is `suggestions`' affair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

FORMAT = 1
"""Of the JSON; a reader refuses a later one."""


class ProbeFormatError(ValueError):
    """A stored probe cannot be read; the message says why."""


@dataclass(frozen=True)
class RateRange:
    """A learning-rate range test (Smith 2017) with one optimizer and one batch size.

    A training's rate grew exponentially, step by step, from `rates[0]` to `rates[-1]`.
    """

    optimizer: str
    """In lower case, as a spec names it; of a compiled model the class's name."""
    batch_size: int
    low: float | None
    """The rate at which the smoothed loss begins to fall; None if it never fell."""
    high: float | None
    """The rate at which it turns, or the last one before it diverged; None if it never fell."""
    steepest: float | None
    """The rate at which it falls fastest."""
    diverged_at: float | None
    """The first rate at which the loss was not finite or had exploded; None if it never did."""
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Smoothed, by rate."""
    reason: str = ""
    """Why there is no range, or what is uncertain about it; empty for nothing."""

    @property
    def found(self) -> bool:
        """Whether there is a range."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class BatchStep:
    """One batch size of the ladder; numbers are None where it does not fit."""

    batch_size: int
    examples_per_s: float | None
    peak_memory_bytes: int | None
    """Of the card, or of the whole process where it trains on processors."""
    steps_per_epoch: int
    epoch_s: float | None
    """Of training, without validation."""
    fits: bool
    reason: str = ""
    """Why it does not fit; empty if it does."""


@dataclass(frozen=True)
class Ladder:
    """Batch sizes in doubling order, from the smallest."""

    steps: tuple[BatchStep, ...] = ()
    largest_fitting: int | None = None
    """The largest batch size that was seen to fit."""
    fastest: int | None = None
    """The smallest one whose throughput is nearly the best: larger ones gain little."""
    ended: str = ""
    """Why no larger one was tried."""


@dataclass(frozen=True)
class EpochCurve:
    """A short training at one batch size and rate."""

    optimizer: str
    batch_size: int
    learning_rate: float
    values: tuple[float, ...]
    """The objective after each epoch, from the first."""
    epoch_s: tuple[float, ...]
    """Seconds of each epoch, training and validation."""


@dataclass(frozen=True)
class EpochEstimate:
    """Where validation stops improving."""

    curves: tuple[EpochCurve, ...] = ()
    improves_until: int | None = None
    """The epoch after which the best curve improves no more; None if it still did at its end."""
    suggested_max: int | None = None
    """Epochs of a whole training by this; None if nothing was trained."""
    reason: str = ""
    """How it was found."""


@dataclass(frozen=True)
class ClassBalance:
    """How many training examples each class has."""

    counts: Mapping[str, int]
    """By the class's number, or its name where it has one, in the order of the numbers."""
    weights: Mapping[str, float]
    """N / (classes * count), which gives each class the same part of the loss."""

    @property
    def ratio(self) -> float:
        """The largest class's count over the smallest one's."""
        return max(self.counts.values()) / min(self.counts.values())


@dataclass(frozen=True)
class NoiseScale:
    """The simple gradient noise scale (McCandlish et al. 2018): about the largest batch size that is used well."""

    batch_size: float
    low: float
    high: float
    """low and high hold the middle 80 % of what resampling gives."""
    after_epochs: int = 0
    """How far the model was trained where it was measured; it grows in training."""


@dataclass(frozen=True)
class ProbeResult:
    """All that a probe has measured."""

    trainable: str
    data: str | None
    metric: str
    mode: Literal["min", "max"]
    train_examples: int
    params: Mapping[str, Any] = field(default_factory=dict)
    """The configuration that was measured, without learning_rate, batch_size, optimizer and epochs."""
    rates: tuple[RateRange, ...] = ()
    ladder: Ladder = field(default_factory=Ladder)
    epochs: EpochEstimate = field(default_factory=EpochEstimate)
    classes: ClassBalance | None = None
    """None where y are not classes."""
    noise_scale: NoiseScale | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By part: start (imports, data and models), rates, ladder, epochs, noise_scale; their sum is the whole time."""
    notes: tuple[str, ...] = ()
    """What was left out, and what to know about the numbers."""
    is_compiled: bool = False
    """Whether `build_model` compiles: its optimizer is the model's own."""
    takes_batch_size: bool = True
    """Whether a parameter batch_size acts: the trainable has one, and neither its data nor its `fit` say another."""
    at: float = 0.0
    """Unix seconds of its end."""

    def best_range(self, batch_size: int | None = None) -> RateRange | None:
        """The range whose loss fell furthest, of one batch size or of all; None if none was found."""
        having = [r for r in self.rates if r.found and batch_size in (None, r.batch_size)]
        return min(having, key=lambda one: min(one.losses), default=None)

    def as_data(self) -> dict[str, Any]:
        """As JSON takes it."""
        made: dict[str, Any] = {"format": FORMAT, **msgspec.to_builtins(self)}
        return made


def from_data(data: Mapping[str, Any]) -> ProbeResult:
    """The result of its JSON; unknown fields of a later version are left out.

    Raises:
        ProbeFormatError: it is of a later format, or not whole.
    """
    if (found := data.get("format")) != FORMAT:
        raise ProbeFormatError(f"format: must be {FORMAT}, but got {found!r}; a newer Tuner may have written it")
    try:
        return msgspec.convert(
            {key: value for key, value in data.items() if key != "format"}, ProbeResult, strict=False
        )
    except msgspec.ValidationError as error:
        raise ProbeFormatError(f"must be a whole probe, but cannot be read: {error}") from None
