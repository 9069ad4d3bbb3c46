"""The probe as its caller sees it: one process climbs the ladder of batch sizes, another measures rates and epochs."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import cloudpickle

from trainables.given import is_given, lookup
from trainables.importable import import_folder, is_importable
from trainables.measuring import epochs as epochs_rule
from trainables.measuring import ladder
from tuner.base.errors import UsageError
from tuner.base.hints import option
from tuner.inspection import Inspection
from tuner.inspection.hanging import where
from tuner.inspection.inspected import Inspected
from tuner.probe.child import WORK
from tuner.probe.configuration import batch_sizes, optimizers
from tuner.probe.messages import About, Asked, Doing, Done, Failed, Note, Rung
from tuner.probe.result import (
    BatchStep,
    ClassBalance,
    EpochCurve,
    EpochEstimate,
    Ladder,
    NoiseScale,
    ProbeResult,
    RateRange,
)
from tuner.processes import EndedError, Server, begin_own, node_server, own_server, why_plain
from tuner.spec import SweepSpec

SECONDS = 60.0
"""What a probe may take."""
SECONDS_MIN = 5.0
HANGS_AFTER = 10.0
"""What takes so many times the seconds of the whole probe without a sign of life hangs; a minute at least."""
HANGS_AFTER_MIN_S = 60.0
TRIES_MAX = 3
"""Processes that measure rates: each after the first one because the one before died."""
_LADDER_SHARE, _RATES_SHARE = 0.4, 0.95
"""When the ladder, and when rates and epochs should be done, as parts of the whole time."""


@dataclass(frozen=True)
class Wanted:
    """What to measure besides what the spec says."""

    batch_sizes: tuple[int, ...] = ()
    optimizers: tuple[str, ...] = ()
    noise_scale: bool = False
    seconds: float = SECONDS


@dataclass
class _Found:
    """What the processes have sent so far."""

    about: About | None = None
    rates: list[RateRange] = field(default_factory=list)
    rungs: dict[int, Rung] = field(default_factory=dict)
    curves: list[EpochCurve] = field(default_factory=list)
    classes: ClassBalance | None = None
    noise_scale: NoiseScale | None = None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    batch_size: int | None = None
    """The one that rates or epochs are measured at now."""
    doing: str = ""
    """What is measured now; empty until the first of it."""

    ladder_began: float | None = None
    """By `time.monotonic`, for a ladder whose process cannot say its seconds any more."""

    def begin_rates(self) -> None:
        """What a process that died had measured is measured anew."""
        self.rates, self.curves, self.batch_size = [], [], None

    def fitting(self, below: float = math.inf) -> list[int]:
        """The batch sizes that were seen to fit."""
        return [size for size, rung in self.rungs.items() if rung.examples_per_s is not None and size < below]

    def take(self, message: Any, say: Callable[[str], None]) -> None:
        match message:
            case Doing():
                self.batch_size, self.doing = message.batch_size, message.text
                say(message.text)
            case Note():
                self.notes.append(message.text)
            case About():
                self.about = message
            case RateRange():
                self.rates.append(message)
            case EpochCurve():
                self.curves.append(message)
            case ClassBalance():
                self.classes = message
            case NoiseScale():
                self.noise_scale = message
            case Rung():
                self.ladder_began = self.ladder_began or time.monotonic()
                if message.examples_per_s is None and not message.reason:
                    self.doing = f"batch size {message.batch_size}"
                    say(self.doing)
                elif self.about is not None and self.about.says_batch_size:
                    self.rungs.clear()
                self.rungs[message.batch_size] = message
            case Done():
                self.rungs = {size: rung for size, rung in self.rungs.items() if rung.examples_per_s or rung.reason}
                for part, seconds in message.seconds.items():
                    self.seconds[part] = self.seconds.get(part, 0.0) + seconds


def probe(spec: SweepSpec, source: str, wanted: Wanted, say: Callable[[str], None] = lambda text: None) -> ProbeResult:
    """Measures a spec's trainable.

    Args:
        source: what the spec came from, for messages.
        say: is told what is measured now.

    Raises:
        SpecError: the spec does not fit the trainable, or the trainable's code raised.
        UsageError: what is wanted cannot be measured.
    """
    began = time.monotonic()
    if not wanted.seconds >= SECONDS_MIN or not math.isfinite(wanted.seconds):
        raise UsageError(f"{option('seconds')}: must be at least {SECONDS_MIN:g}, but got {wanted.seconds:g}")
    optimizers(spec, wanted.optimizers, None)
    begin_own()  # TensorFlow's import takes the longest
    say(f"looking at {spec.trainable} and its data")
    inspected = Inspection(spec).result(_loading_s(wanted.seconds), f"; if it does not hang, {_raise_seconds()}")
    if inspected.is_script:
        raise UsageError(
            f"probe: {spec.trainable} is a program of its own, whose steps cannot be measured; search its rate and"
            " batch size over wide ranges with `tuner run`, or write it as a Trainable"
        )
    resolved = inspected.resolve(spec, source)
    asked, found = _asked(resolved, inspected, wanted, began + _LADDER_SHARE * wanted.seconds), _Found()
    with _server() as (server, is_forked):
        how = _measure(server, is_forked, asked, found, say)
        if how:
            _note_death(found, how)
        if found.about is None:
            raise UsageError(
                f"probe: the process that trains {spec.trainable} {how or 'trained nothing'}; its own"
                " messages are shown by `tuner check`"
            )
        rates = replace(
            asked, part="rates", until=began + _RATES_SHARE * wanted.seconds, fits_max=_fits_max(found, wanted)
        )
        _measure_rates(server, is_forked, rates, found, say)
    measured = sum(seconds for part, seconds in found.seconds.items() if part != "start")
    found.seconds["start"] = time.monotonic() - began - measured
    return _result(resolved, found)


def _fits_max(found: _Found, wanted: Wanted) -> int | None:
    """The largest batch size that fits, where a larger one was seen not to; None where all fit that were tried."""
    assert found.about is not None
    unfit = [size for size, rung in found.rungs.items() if rung.examples_per_s is None]
    fitting = found.fitting()
    if not fitting or not unfit or max(unfit) < max(fitting):
        return None
    left_out = [size for size in wanted.batch_sizes if size > max(fitting)]
    if left_out:
        text = ", ".join(map(str, left_out))
        found.notes.append(f"no rates at a batch of {text}: {min(unfit)} does not fit")
    return max(fitting)


def _note_death(found: _Found, how: str) -> None:
    """The batch size that the process had begun is the one that does not fit."""
    if not found.rungs:
        found.notes.append(f"no batch sizes: the process that measures them {how}")
        return
    found.seconds["ladder"] = time.monotonic() - (found.ladder_began or time.monotonic())
    last = list(found.rungs.values())[-1]
    if last.examples_per_s is None:
        found.rungs[last.batch_size] = replace(last, reason=_died(how))


def _died(how: str) -> str:
    return f"the process {how}" + ("; most likely memory ran out" if "SIGKILL" in how else "")


def _asked(spec: SweepSpec, inspected: Inspected, wanted: Wanted, until: float) -> Asked:
    trainable = spec.trainable
    batch_sizes(spec, wanted.batch_sizes, None, inspected.num_train)
    folder = import_folder(trainable) if is_importable(trainable) else None
    return Asked(
        "ladder",
        spec.resolved(),
        until,
        wanted.batch_sizes,
        None,
        wanted.optimizers,
        wanted.noise_scale,
        cloudpickle.dumps(lookup(trainable)) if is_given(trainable) else b"",
        None if folder is None else os.path.abspath(folder),
        inspected.learned,
        tuple(sys.path) if is_importable(trainable) or is_given(trainable) else (),
        _loading_s(wanted.seconds),
        spec.failures.trial_timeout or _loading_s(wanted.seconds),
    )


@contextmanager
def _server() -> Iterator[tuple[Server, bool]]:
    """What starts the processes, and whether it forks them."""
    server = own_server() if not why_plain() else None
    if server is not None:
        yield server, True
    else:
        yield node_server(is_forked=False), False


def _measure(server: Server, is_forked: bool, asked: Asked, found: _Found, say: Callable[[str], None]) -> str:
    """Takes what a process sends until it is done; how it ended if it died before.

    Raises:
        UsageError: the user's code raised, or cannot be measured.
    """
    with tempfile.TemporaryFile() as printed:  # what user code prints is no output of the command
        process = server.start(WORK, outputs=(printed.fileno(), printed.fileno()), is_forked=is_forked)
        process.send(asked)
        found.doing = ""
        try:
            while True:
                message = process.receive(asked.loading_s if not found.doing else asked.step_s)
                if isinstance(message, Failed):
                    raise UsageError(message.line)
                found.take(message, say)
                if isinstance(message, Done):
                    return ""
        except EndedError as error:
            return str(error)
        except TimeoutError:
            raise UsageError(_hangs(asked, found.doing, where(process.pid, printed, asked.spec["trainable"]))) from None
        finally:
            process.close()


def _raise_seconds() -> str:
    return f"raise {option('seconds')}: the limit is {HANGS_AFTER:g} times as much"


def _loading_s(seconds: float) -> float:
    """What importing a trainable and loading its data may take, by what the whole probe may."""
    return max(HANGS_AFTER_MIN_S, HANGS_AFTER * seconds)


def _hangs(asked: Asked, doing: str, place: str) -> str:
    """That a process was ended since it did not go on, in one line."""
    what = f"measuring {doing}" if doing else f"loading {asked.spec['trainable']} and its data"
    limit_s = asked.step_s if doing else asked.loading_s
    told = f"probe: {what} did not go on for {limit_s:g} s{place} and was ended; if it does not hang"
    if doing and asked.spec["failures"]["trial_timeout"]:
        return f"{told}, raise failures.trial_timeout"
    return f"{told}, {_raise_seconds()}"


def _measure_rates(server: Server, is_forked: bool, asked: Asked, found: _Found, say: Callable[[str], None]) -> None:
    """Measures rates and epochs; where the process dies, again at smaller batch sizes.

    Raises:
        UsageError: it died at no smaller one, too, or as `_measure` has it.
    """
    for _ in range(TRIES_MAX):
        found.begin_rates()
        if not (how := _measure(server, is_forked, asked, found, say)):
            return
        died_at = found.batch_size
        smaller = found.fitting(below=died_at or 0)
        if died_at is None or not smaller:
            break
        found.notes.append(f"no rates at a batch of {died_at}: {_died(how)}")
        rungs = {size: found.rungs[size] for size in smaller}
        found.rungs = {**rungs, died_at: Rung(died_at, reason=_died(how))}
        asked = replace(asked, fits_max=max(smaller))
    raise UsageError(f"probe: the process that trains {asked.spec['trainable']} {how}; try a smaller --batch-size")


def _result(spec: SweepSpec, found: _Found) -> ProbeResult:
    about = found.about
    assert about is not None
    return ProbeResult(
        spec.trainable,
        spec.data,
        spec.objective.metric,
        spec.objective.mode,
        about.train_examples,
        about.params,
        tuple(found.rates),
        _ladder(found, about.train_examples),
        _epochs(found, spec),
        found.classes,
        found.noise_scale,
        found.seconds,
        tuple(found.notes),
        about.is_compiled,
        about.takes_batch_size,
        time.time(),
    )


def _ladder(found: _Found, num_examples: int) -> Ladder:
    assert found.about is not None
    measured = list(found.rungs.values())
    ended = ladder.ended(_rungs(measured), num_examples)
    if found.about.says_batch_size:
        ended = "the data, or a `fit` of its own, say the batch size"
    if not ended:
        measured += _trained(found, num_examples)
        ended = "no time was left for larger ones"
    rungs, steps = _rungs(measured), [_batch_step(rung, num_examples) for rung in measured]
    return Ladder(tuple(steps), ladder.largest(rungs), ladder.fastest(rungs), ended)


def _rungs(measured: Sequence[Rung]) -> list[ladder.Rung]:
    return [ladder.Rung(rung.batch_size, rung.examples_per_s, rung.reason) for rung in measured]


def _trained(found: _Found, num_examples: int) -> list[Rung]:
    """Batch sizes that the ladder had no time for and that were trained all the same, at the speed of whole epochs."""
    last = max(found.rungs, default=0)
    times = {curve.batch_size: min(curve.epoch_s) for curve in found.curves if curve.epoch_s}
    return [Rung(size, num_examples / times[size]) for size in sorted(times) if size > last]


def _batch_step(rung: Rung, num_examples: int) -> BatchStep:
    speed = rung.examples_per_s
    return BatchStep(
        rung.batch_size,
        speed,
        rung.peak_memory_bytes,
        -(-num_examples // rung.batch_size),
        None if speed is None else num_examples / speed,
        speed is not None,
        rung.reason,
    )


def _epochs(found: _Found, spec: SweepSpec) -> EpochEstimate:
    """Of the best curve; the others are there to be seen."""
    mode = spec.objective.mode
    curves = [curve for curve in found.curves if epochs_rule.flattens(curve.values, mode) is not None]
    if not curves:
        told = "no two epochs fit into the time" if found.curves else "no rate was found to train with"
        return EpochEstimate(tuple(found.curves), None, None, told)
    best = (max if mode == "max" else min)(curves, key=lambda curve: (max if mode == "max" else min)(curve.values))
    flat = epochs_rule.flattens(best.values, mode)
    assert flat is not None
    told = f"at a batch of {best.batch_size} and a rate of {best.learning_rate:.2g}: {flat.reason}"
    return EpochEstimate(tuple(found.curves), flat.improves_until, flat.suggested_max, told)
