"""What a probe's measurements suggest for a sweep: bounds, choices and first configurations, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tuner.base.words import number_text
from tuner.probe.result import BatchStep, ProbeResult, RateRange

THROUGHPUT_MIN = 0.25
"""A batch size is suggested from this share of the best throughput on."""
STEPS_MIN = 10
"""A batch size is suggested that leaves at least so many steps an epoch."""
BATCH_MAX = 256
"""The largest batch size that is suggested without a noise scale that speaks for larger ones."""
CHOICES_MAX = 4
SMALL_EXAMPLES = 10_000
"""Fewer training examples count as small data, in the rule of thumb."""
IMBALANCED = 3.0
"""The largest class over the smallest one: from here on class weights are offered."""
FIRST_RUNG_SHARE = 27
"""The first rung is at one in so many epochs: three further rungs at a reduction factor of 3."""
POINTS_MAX = 3


@dataclass(frozen=True)
class Rates:
    """The bounds of the learning rate."""

    optimizer: str
    low: float
    high: float
    why: tuple[str, ...]


@dataclass(frozen=True)
class Batches:
    """The choices of the batch size."""

    choices: tuple[int, ...]
    why: tuple[str, ...]


@dataclass(frozen=True)
class EpochBounds:
    """ASHA's first rung, and a whole training."""

    min: int
    max: int
    why: tuple[str, ...]


@dataclass(frozen=True)
class ClassWeights:
    """Weights that give each class the same part of the loss."""

    weights: Mapping[str, float]
    why: tuple[str, ...]


@dataclass(frozen=True)
class Suggestions:
    """What follows from a probe; None where it does not say enough."""

    result: ProbeResult
    coupling: tuple[str, int] | None = None
    """How the sweep's learning rate grows with the batch size, as `batch_size.scale_learning_rate` says it, and its
    base; rates are suggested for the base then."""

    @cached_property
    def _ranges(self) -> list[RateRange]:
        """The ranges that were found, as the sweep writes rates."""
        return [self._rebased(one) for one in self.result.rates if one.found]

    def _rebased(self, one: RateRange) -> RateRange:
        if self.coupling is None:
            return one
        low, high, steepest, diverged = (
            rate and self._written(rate, one.batch_size) for rate in (one.low, one.high, one.steepest, one.diverged_at)
        )
        how, base = self.coupling
        reason = "; ".join(filter(None, [one.reason, f"as rates of batch {base}, {how}"]))
        return replace(one, low=low, high=high, steepest=steepest, diverged_at=diverged, reason=reason)

    def _written(self, rate: float, batch_size: int) -> float:
        """The rate that a sweep has where a trial with this batch size trains with `rate`."""
        if self.coupling is None:
            return rate
        how, base = self.coupling
        ratio = batch_size / base
        return rate / (ratio if how == "linear" else math.sqrt(ratio))

    @cached_property
    def batch_size(self) -> Batches | None:
        """Batch sizes that fit, are fast enough and leave enough steps."""
        fitting = [step for step in self.result.ladder.steps if step.fits and step.examples_per_s]
        if not fitting or not self.result.takes_batch_size:
            return None
        most, why_most = self._most(fitting)
        slow = THROUGHPUT_MIN * max(step.examples_per_s or 0 for step in fitting if step.batch_size <= most)
        least = next(s.batch_size for s in fitting if (s.examples_per_s or 0) >= slow)
        chosen = [step for step in fitting if least <= step.batch_size <= most]
        picked = _spread(chosen)
        speeds = ", ".join(f"{s.examples_per_s:,.0f} at {s.batch_size}" for s in picked)
        line = f"from the smallest with a quarter of the best throughput to {why_most}; examples a second: {speeds}"
        return Batches(tuple(step.batch_size for step in picked), (line, self._thumb, *self._noise))

    def _most(self, fitting: Sequence[BatchStep]) -> tuple[int, str]:
        """The largest batch size to suggest, and what it is the largest of."""
        ladder, n, noise = self.result.ladder, self.result.train_examples, self.result.noise_scale
        limits = {
            fitting[-1].batch_size: "the largest that fits",
            max(n // STEPS_MIN, 1): f"the largest that leaves {STEPS_MIN} steps an epoch",
        }
        if ladder.fastest is not None:
            limits[ladder.fastest] = "the size from which larger ones are hardly faster"
        if noise is None:
            limits[BATCH_MAX] = f"{BATCH_MAX} (larger ones only where --noise-scale speaks for them)"
        else:
            limits[max(1, round(noise.high))] = "the gradient noise scale"
        limit = min(limits)
        return max(limit, fitting[0].batch_size), limits[limit]

    @property
    def _thumb(self) -> str:
        n, classes = self.result.train_examples, self.result.classes
        is_small = n < SMALL_EXAMPLES
        is_imbalanced = classes is not None and classes.ratio >= IMBALANCED
        rule = "32 to 64" if is_small or is_imbalanced else "128 to 256"
        what = f"{'small' if is_small else 'large'}{', imbalanced' if is_imbalanced else ''} data ({n:,} examples)"
        of_all = "32 to 64 for small or imbalanced data, 128 to 256 for large and balanced"
        return f"rule of thumb: {of_all}; these are {what}: {rule}"

    @property
    def _noise(self) -> tuple[str, ...]:
        noise = self.result.noise_scale
        if noise is None:
            return ()
        about = f"{noise.batch_size:,.0f} ({noise.low:,.0f} to {noise.high:,.0f})"
        return (f"gradient noise scale: about {about}; larger batches gain less from each example",)

    @cached_property
    def learning_rate(self) -> Rates | None:
        """From where the loss falls to where it turns, for the suggested batch sizes."""
        return self.rates_of(None)

    def rates_of(self, optimizers: Sequence[str] | None) -> Rates | None:
        """The bounds for these optimizers together; by default for the one whose loss fell furthest."""
        sizes = self.batch_size.choices if self.batch_size else ()
        found = [one for one in self._ranges if one.batch_size in sizes] or self._ranges
        if optimizers is None and found:
            best = min(found, key=lambda one: min(one.losses))
            optimizers = [best.optimizer]
        of_these = [one for one in found if one.optimizer in (optimizers or ())]
        if not of_these:
            return None
        low, high = min(map(_low, of_these)), max(map(_high, of_these))
        lines = [_range_line(one) for one in of_these]
        lines += [f"not used: {_range_line(one)}" for one in found if one not in of_these]
        return Rates("|".join(dict.fromkeys(r.optimizer for r in of_these)), _down(low), _up(high), tuple(lines))

    @cached_property
    def epochs(self) -> EpochBounds | None:
        """A whole training from the short runs, and a first rung that leaves ASHA several."""
        longest = self.result.epochs.suggested_max
        if longest is None:
            return None
        first = max(1, math.ceil(longest / FIRST_RUNG_SHARE))
        reason = self.result.epochs.reason or "by short trainings"
        return EpochBounds(first, longest, (f"max: {reason}", f"min: early stopping judges first after {first}"))

    @cached_property
    def class_weights(self) -> ClassWeights | None:
        """Offered where classes are imbalanced."""
        classes = self.result.classes
        if classes is None or classes.ratio < IMBALANCED:
            return None
        counts = _few({name: f"{count:,}" for name, count in classes.counts.items()})
        return ClassWeights(
            classes.weights,
            (
                f"classes are imbalanced ({counts}); class weights may help: {_few(_texts(classes.weights))}",
                'as class_weight = {…} of the class, or class_weights="balanced" where it reads its data',
            ),
        )

    @cached_property
    def points(self) -> tuple[dict[str, Any], ...]:
        """Configurations to begin with, one a batch size: those of the short trainings, best first; then those with the
        rate at which the loss fell fastest, of the nearest batch size that was measured."""
        rates, batches = self.learning_rate, self.batch_size
        if rates is None:
            return ()
        sizes = batches.choices if batches else tuple({one.batch_size for one in self._ranges})
        sign = -1 if self.result.mode == "max" else 1
        curves = [curve for curve in self.result.epochs.curves if curve.values]
        curves = sorted(curves, key=lambda curve: min(sign * value for value in curve.values))
        wanted = [(c.optimizer, c.batch_size, self._written(c.learning_rate, c.batch_size)) for c in curves]
        for size in sizes:
            ranges = [one for one in self._ranges if one.steepest and one.optimizer == rates.optimizer]
            near = min(ranges, key=lambda one: abs(math.log(one.batch_size / size)), default=None)
            wanted += [] if near is None else [(near.optimizer, size, near.steepest or math.nan)]
        kept = {size: rate for name, size, rate in reversed(wanted) if name == rates.optimizer and size in sizes}
        order = list(dict.fromkeys(size for _, size, _ in wanted if size in kept))
        return tuple(
            {
                **self.result.params,
                **self._optimizer,
                "learning_rate": _within(kept[size], rates),
                **({"batch_size": size} if self.result.takes_batch_size else {}),
            }
            for size in order[:POINTS_MAX]
        )

    @property
    def _optimizer(self) -> dict[str, str]:
        rates = self.learning_rate
        return {} if rates is None or self.result.is_compiled else {"optimizer": rates.optimizer}

    def as_data(self) -> dict[str, Any]:
        """As `tuner probe --json` has it."""
        rates, batches, epochs, weights = self.learning_rate, self.batch_size, self.epochs, self.class_weights
        return {
            "optimizer": rates and rates.optimizer,
            "learning_rate": rates and {"low": rates.low, "high": rates.high, "why": list(rates.why)},
            "batch_size": batches and {"choices": list(batches.choices), "why": list(batches.why)},
            "epochs": epochs and {"min": epochs.min, "max": epochs.max, "why": list(epochs.why)},
            "class_weights": weights and {"weights": dict(weights.weights), "why": list(weights.why)},
            "points": [dict(point) for point in self.points],
        }


def _spread(steps: Sequence[BatchStep]) -> list[BatchStep]:
    """At most CHOICES_MAX of them, evenly, the first and the last among them."""
    if len(steps) <= CHOICES_MAX:
        return list(steps)
    places = [round(index * (len(steps) - 1) / (CHOICES_MAX - 1)) for index in range(CHOICES_MAX)]
    return [steps[place] for place in places]


def _range_line(one: RateRange) -> str:
    turns = ", where it turned" if one.diverged_at is None else f"; it diverged at {one.diverged_at:.2g}"
    note = f" ({one.reason})" if one.reason else ""
    return (
        f"range test of {one.optimizer} at batch {one.batch_size}: the loss fell from {_low(one):.2g} on,"
        f" fastest at {one.steepest or math.nan:.2g}, up to {_high(one):.2g}{turns}{note}"
    )


def _low(one: RateRange) -> float:
    assert one.low is not None
    return one.low


def _high(one: RateRange) -> float:
    assert one.high is not None
    return one.high


def _down(value: float) -> float:
    """Rounded down to two digits."""
    return _rounded(value, math.floor)


def _up(value: float) -> float:
    """Rounded up to two digits."""
    return _rounded(value, math.ceil)


def _rounded(value: float, to_whole: Any) -> float:
    shift = 1 - math.floor(math.log10(value))
    scaled = value * 10.0**shift
    whole = round(scaled) if math.isclose(scaled, round(scaled), rel_tol=1e-9) else to_whole(scaled)
    return float(f"{whole}e{-shift}")


def _within(value: float, rates: Rates) -> float:
    return min(max(float(f"{value:.2g}"), rates.low), rates.high)


def _texts(weights: Mapping[str, float]) -> dict[str, str]:
    return {name: number_text(float(f"{weight:.3g}")) for name, weight in weights.items()}


def _few(texts: Mapping[str, str]) -> str:
    """`0: 900, 1: 60`; of many the first ones."""
    items = [f"{name}: {text}" for name, text in texts.items()]
    return ", ".join(items if len(items) <= 12 else [*items[:10], f"… ({len(items)} classes)"])
