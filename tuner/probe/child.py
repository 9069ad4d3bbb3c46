"""What a probe's process does: it measures a trainable as a worker would train it, and sends each finding at once.

One process tests rates and epochs; another one, which may die for want of memory, climbs the ladder of batch sizes.
"""

from __future__ import annotations

import math
import pickle
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from trainables.contract import Data, Trainable
from trainables.exceptions import is_out_of_memory
from tuner.base.errors import UsageError
from tuner.inspection.hanging import answer_where
from tuner.inspection.shapes import num_examples
from tuner.inspection.trying import failure_line, said
from tuner.inspection.workplace import Place, load_instance, with_data
from tuner.probe.configuration import MEASURED, batch_sizes, configuration, optimizers
from tuner.probe.messages import About, Asked, Beat, Doing, Done, Failed, Note, Rung
from tuner.probe.result import ClassBalance, EpochCurve, NoiseScale, RateRange
from tuner.processes import wire
from tuner.spec import spec_from_mapping

WORK = "tuner.probe.child:main"
RUNG_SECONDS = 0.4
"""What one batch size's throughput takes, besides its start."""
STEPS_TIMED = 4
"""A batch size's throughput takes so many steps at least."""
CURVE_EPOCHS_MAX = 30
CURVE_EPOCHS_MIN = 2
"""One epoch shows nothing, and the first one takes longer."""
SECONDS_MIN = 5.0
"""What a part may take however long its start took."""
MANY = 2**16
"""Training examples, where nobody knows how many there are until some were trained."""
MISTAKES = (NameError, AttributeError, ImportError, TypeError)
"""What code raises at any batch size, so that no further one is tried."""
NOISE_AFTER_EPOCHS = 2
NOISE_BATCH_MAX = 32


class NotMeasuredError(Exception):
    """The probe was asked for what it cannot measure; the message says what to do."""


def main(connection: socket.socket, kept: dict[str, int]) -> None:
    """Measures what it is asked through the connection."""
    answer_where()
    asked: Asked = wire.receive(connection)[0]

    def send(message: Any) -> None:
        wire.send(connection, message)

    sys.path += [path for path in asked.paths if path not in sys.path]
    try:
        _Measuring(asked, send).run()
    except (NotMeasuredError, UsageError) as error:
        send(Failed(str(error)))
    except (Exception, SystemExit) as error:
        send(Failed(_line(error, asked)))


def _line(error: BaseException, asked: Asked) -> str:
    from trainables.probing.failure import ProbeError, what_it_did

    raised = error
    if not isinstance(raised, ProbeError):
        raised = ProbeError(what_it_did(error, "training"), error)
    trainable = str(asked.spec["trainable"])
    return failure_line(raised, trainable, trainable.rpartition(":")[2])


class _Measuring:
    def __init__(self, asked: Asked, send: Callable[[Any], None]) -> None:
        from trainables.process import set_up_process

        self._asked, self._send = asked, send
        began = time.monotonic()
        self._spec = spec = spec_from_mapping(asked.spec)
        set_up_process(spec.resources.threads, spec.deterministic)
        given = pickle.loads(asked.given) if asked.given else None
        place = Place(spec.trainable, spec.data, None, given, asked.import_folder, asked.learned, spec.space.fixed)
        self._trainable = load_instance(place)
        self._data = self._of_first_fold(with_data(self._trainable, None, place.learned))
        defaults = defaults_of(self._trainable)
        self._params = configuration(spec, defaults)
        self._optimizers = optimizers(spec, asked.optimizers, defaults.get("optimizer"))
        count = num_examples(self._data.train)
        self._batch_sizes = batch_sizes(spec, asked.batch_sizes, defaults.get("batch_size"), count)
        self._ready = time.monotonic()
        self._seconds = {"start": self._ready - began}
        self._ranges: list[RateRange] = []
        self._stepped: Any = None

    def _of_first_fold(self, data: Data) -> Data:
        from trainables.folding import fold_data

        folds = fold_data(self._trainable, data, self._spec.folds, self._spec.search.seed)
        return folds[0] if folds else data

    def run(self) -> None:
        if self._asked.part == "ladder":
            self._timed("ladder", self._climb)
        else:
            self._timed("rates", self._test_rates)
            self._timed("epochs", self._train_epochs)
            self._count_classes()
        self._seconds["epochs"] = self._seconds.get("epochs", 0.0) - self._seconds.get("noise_scale", 0.0)
        self._send(Done({part: seconds for part, seconds in self._seconds.items() if seconds}))

    def _timed(self, part: str, measure: Callable[[], None]) -> None:
        began = time.monotonic()
        measure()
        self._seconds[part] = time.monotonic() - began

    def _left(self) -> float:
        return max(self._asked.until, self._ready + SECONDS_MIN) - time.monotonic()

    def _with(self, batch_size: int | None, optimizer: str | None) -> dict[str, Any]:
        """The configuration with these, where the trainable has such parameters."""
        asked = dict(self._params)
        known = getattr(self._trainable.Params, "model_fields", {})
        for name, value in (("batch_size", batch_size), ("optimizer", optimizer)):
            if value is not None and (name in known or name in asked):
                asked[name] = value
        return asked

    def _stepping(self) -> Any:
        from trainables.measuring.stepping import Stepping

        return Stepping(self._trainable, self._data, self._spec.precision)

    def _climb(self) -> None:
        from trainables.measuring.ladder import Rung as Measured
        from trainables.measuring.ladder import ended, is_doubtful, sizes
        from trainables.measuring.measure import throughput

        stepping, rungs = self._stepping(), list[Measured]()
        count = num_examples(self._data.train) or MANY
        is_fixed, failure = False, None
        for size in sizes(count):
            if (rungs and ended(rungs, count)) or (self._left() < _needed(rungs) and (rungs or failure)):
                break
            self._send(Rung(size))
            try:
                found = throughput(stepping, self._with(size, self._optimizers[0]), size, RUNG_SECONDS)
                if is_doubtful(rungs, found.examples_per_s):
                    again = throughput(stepping, self._with(size, self._optimizers[0]), size, RUNG_SECONDS)
                    found = max(found, again, key=lambda one: one.examples_per_s)
            except Exception as error:
                if not rungs and (is_out_of_memory(error) or isinstance(error, MISTAKES)):
                    raise
                if is_out_of_memory(error):
                    self._send(Rung(size, reason=f"out of memory: {_gist(error)}"))
                    break
                failure = error
                self._send(Rung(size, reason=_gist(error)))  # such as a model of one batch size
                continue
            if not rungs:
                is_fixed = _is_fixed(stepping, size)
                self._tell_about(stepping, is_fixed)
                count = stepping.num_examples
            if is_fixed:
                size = stepping.batch_size(size)
            rungs.append(Measured(size, found.examples_per_s))
            self._send(Rung(size, found.examples_per_s, found.peak_memory_bytes))
            if is_fixed:
                break
        if failure is not None and not rungs:
            raise failure

    def _tell_about(self, stepping: Any, is_fixed: bool) -> None:
        params = {name: value for name, value in self._params.items() if name not in MEASURED}
        takes = not is_fixed and "batch_size" in getattr(self._trainable.Params, "model_fields", {})
        self._send(About(stepping.num_examples, params, stepping.is_compiled, is_fixed, takes))
        if is_fixed:
            why = (
                "the training data are batched already" if stepping.says_batch_size else "its `fit` says the batch size"
            )
            self._send(Note(f"{why}, so no other batch size is measured"))

    def _test_rates(self) -> None:
        stepping, until = self._stepping(), time.monotonic() + self._left() / 2
        self._stepped = stepping
        for optimizer in self._optimizers:
            for size in self._fitting():
                if self._ranges and time.monotonic() > until:
                    self._send(Note(f"no time was left for the rates of {optimizer} at a batch of {size}"))
                    continue
                try:
                    self._ranges.append(self._test_range(stepping, size, optimizer))
                except Exception as error:
                    if not self._ranges or not is_out_of_memory(error):
                        raise
                    self._send(Note(f"no rates of {optimizer} at a batch of {size}: out of memory"))
                    continue
                self._send(self._ranges[-1])
                if _is_fixed(stepping, size):
                    break
            if stepping.is_compiled:
                break

    def _fitting(self) -> list[int]:
        """The batch sizes of the range tests that fit; the largest that does where none of them does."""
        most = self._asked.fits_max
        if most is None:
            return self._batch_sizes
        return [size for size in self._batch_sizes if size <= most] or [most]

    def _test_range(self, stepping: Any, size: int, optimizer: str) -> RateRange:
        from trainables.measuring.measure import range_losses
        from trainables.measuring.range_test import analysed

        self._send(Doing(f"learning rates of {optimizer} at a batch of {size}", size))
        rates, losses = range_losses(stepping, self._with(size, optimizer))
        if not losses:
            raise NotMeasuredError(
                "its `fit` must call model.fit with the callbacks that it is given, but no step was seen"
            )
        if stepping.is_compiled:
            optimizer = self._own_optimizer(stepping.optimizer)
        found = analysed(rates, losses)
        count = len(found.smoothed)
        return RateRange(
            optimizer, stepping.batch_size(size), found.low, found.high, found.steepest, found.diverged_at,
            tuple(rates[:count]), found.smoothed, found.reason,
        )  # fmt: skip

    def _own_optimizer(self, own: str) -> str:
        wrong = [name for name in self._asked.optimizers if name != own]
        if wrong:
            raise NotMeasuredError(
                f"--optimizer: the model is compiled with {own}, so there is no other, but got {wrong[0]}; leave it"
                " out, or let build_model return a model that is not compiled"
            )
        return own

    def _train_epochs(self) -> None:
        from trainables.training import Trainer

        chosen = self._chosen()
        trainer = Trainer(
            self._trainable, self._data, self._spec.objective.metric, self._spec.objective.mode, self._spec.precision
        )
        share = max(self._left() - (3 if self._asked.noise_scale else 0), 1) / max(1, len(chosen))
        for found in chosen:
            text = f"epochs of {found.optimizer} at a batch of {found.batch_size}, rate {found.steepest:.2g}"
            self._send(Doing(text, found.batch_size))
            self._train_curve(trainer, found, share)
        if self._asked.noise_scale:
            self._timed("noise_scale", lambda: self._measure_noise(trainer, chosen))
        trainer.end()

    def _chosen(self) -> list[RateRange]:
        """Of each batch size the range whose loss fell furthest."""
        found: dict[int, RateRange] = {}
        for one in self._ranges:
            best = found.get(one.batch_size)
            if one.found and (best is None or min(one.losses) < min(best.losses)):
                found[one.batch_size] = one
        return list(found.values())

    def _train_curve(self, trainer: Any, found: RateRange, seconds: float) -> None:
        assert found.steepest is not None
        params = self._trained_with(found)
        values, times = list[float](), list[float]()
        until = time.monotonic() + seconds
        trainer.start({**params, "epochs": CURVE_EPOCHS_MAX}, 0)
        while len(values) < CURVE_EPOCHS_MAX and not trainer.stopped:
            if len(values) >= CURVE_EPOCHS_MIN and time.monotonic() + times[-1] > until:
                break
            result = trainer.train_epoch()
            value = float(result.metrics.get(self._spec.objective.metric, math.nan))
            if not math.isfinite(value):
                break
            values.append(value)
            times.append(result.epoch_s)
            self._send(Beat())
        if values:
            self._send(EpochCurve(found.optimizer, found.batch_size, found.steepest, tuple(values), tuple(times)))

    def _trained_with(self, found: RateRange) -> dict[str, Any]:
        """The configuration at the steepest rate of a range, which stays constant."""
        from trainables.measuring.stepping import CONSTANT

        known = getattr(self._trainable.Params, "model_fields", {})
        rate = {name: value for name, value in {**CONSTANT, "learning_rate": found.steepest}.items() if name in known}
        return {**self._with(found.batch_size, None if self._stepped.is_compiled else found.optimizer), **rate}

    def _measure_noise(self, trainer: Any, chosen: list[RateRange]) -> None:
        """Early in a training: the scale grows without end where the gradient vanishes."""
        from trainables.measuring.measure import gradient_noise

        self._send(Doing("gradient noise scale"))
        if not chosen:
            self._send(Note("no gradient noise scale: no rate was found to train with"))
            return
        first = chosen[0]
        trainer.start({**self._trained_with(first), "epochs": CURVE_EPOCHS_MAX}, 0)
        for _ in range(NOISE_AFTER_EPOCHS):
            trainer.train_epoch()
        train = trainer.trial.train
        split: Any = getattr(train, "source", None) if trainer.path == "fit" else train
        is_split = hasattr(split, "is_streamed")
        small = min(first.batch_size, NOISE_BATCH_MAX)
        found = gradient_noise(trainer.model, split, small) if is_split else "it needs training data in arrays"
        if isinstance(found, str):
            self._send(Note(f"no gradient noise scale: {found}"))
        else:
            self._send(NoiseScale(*found, after_epochs=trainer.epoch))

    def _count_classes(self) -> None:
        from trainables.measuring.classes import balanced_weights, class_counts

        train = self._data.train
        is_classes = "crossentropy" in str(_loss_name(self._trainable, self._stepped.model)).lower()
        if not is_classes or not isinstance(train, tuple) or len(train) < 2:
            return
        try:
            counts = class_counts(train[1], self._data.class_names)
        except (TypeError, ValueError):  # y of several outputs
            return
        if counts is not None:
            self._send(ClassBalance(counts, balanced_weights(counts)))


def defaults_of(trainable: Trainable) -> dict[str, Any]:
    """The defaults of its parameters, where they have any."""
    fields = getattr(trainable.Params, "model_fields", {})
    return {
        name: info.get_default(call_default_factory=True) for name, info in fields.items() if not info.is_required()
    }


def _is_fixed(stepping: Any, asked: int) -> bool:
    """Whether another batch size is trained than is asked for: that of the data, or of a `fit` of its own."""
    return bool(stepping.says_batch_size) or stepping.batch_size(asked) != asked


def _needed(rungs: Sequence[Any]) -> float:
    """Seconds of the few steps that the next batch size takes at least, at the throughput of the last one."""
    return STEPS_TIMED * 2 * rungs[-1].batch_size / rungs[-1].examples_per_s if rungs else 0.0


def _loss_name(trainable: Trainable, model: Any) -> str:
    loss = getattr(trainable, "loss", None) or getattr(model, "loss", None)
    return loss if isinstance(loss, str) else str(getattr(loss, "name", getattr(loss, "__name__", "")))


def _gist(error: BaseException) -> str:
    return f"{type(error).__name__}: {said(error)}"[:200]
