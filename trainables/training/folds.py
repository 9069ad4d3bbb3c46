"""Cross-validation in one warm process: a trial is one training a fold, and an epoch of it one epoch of each fold.

Folds are trained in turn. On the fast path they share one compiled model, whose state is exchanged, so that nothing is
traced again. On the fit path each has a model of its own. An epoch reports the means over the folds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import keras
import numpy as np

from trainables.contract import Data, Trainable
from trainables.epochs import EpochResult
from trainables.expressions import with_value_of
from trainables.folding import is_told_by_fold
from trainables.training.base import InProgress, OfKeras, is_best
from trainables.training.checkpoint import CheckpointError, Progress, Snapshot, read_extra, read_progress
from trainables.training.device import DeviceData
from trainables.training.jit import JitCompile
from trainables.training.path import Path, Trainer, training_path
from trainables.training.shared import Shared

_PART, _STATE = "callbacks_fold_", "callbacks_folds"
_MORE_BYTES = 2**16


@dataclass
class _State:
    """What a checkpoint holds of the folds besides their own checkpoints."""

    stopped: list[str]
    """By fold, why it has ended itself; empty while it goes on."""
    metrics: list[dict[str, float]]
    """By fold, those of its last epoch."""
    chosen: int = 0
    """The fold whose model is the trial's best one."""


@dataclass(frozen=True)
class FoldSnapshot(Snapshot):
    """All folds of a training at the end of an epoch."""

    folds: Sequence[Snapshot] = ()
    state: _State = field(default_factory=lambda: _State([], []))

    def to_bytes(self) -> bytes:
        parts = {f"{_PART}{fold}": _as_array(part.to_bytes()) for fold, part in enumerate(self.folds)}
        state = _as_array(json.dumps(vars(self.state)).encode())
        return Snapshot([], self.progress, {**parts, _STATE: state}).to_bytes()


class FoldTrainer(InProgress, OfKeras):
    """Trains one trial after another, each on all folds; the interface is `Trainer`'s.

    Args:
        folds: the data of each.
        metric: the objective, of the means over the folds.
    """

    def __init__(
        self,
        trainable: Trainable,
        folds: Sequence[Data],
        metric: str,
        mode: Literal["min", "max"],
        precision: str = "float32",
        devices: Sequence[str] = (),
        jit_compile: JitCompile = False,
        takes_last: bool = False,
    ) -> None:
        self._takes_last = takes_last
        self._metric, self._mode = metric, mode
        is_fit = training_path(trainable, None, folds[0])[0] == "fit"
        shared = Shared(DeviceData(room=0 if is_fit else None))
        for base in _bases(folds):
            shared.device.keep(base, "training")
        self._folds = [Trainer(trainable, data, "", mode, precision, devices, jit_compile, shared) for data in folds]
        self._progress, self._state = Progress(), self._new_state()
        self._folder: str | None = None
        self._number = 0
        self.stopped = ""

    def _new_state(self) -> _State:
        return _State([""] * len(self._folds), [{} for _ in self._folds])

    def start(
        self, params: dict[str, Any], seed: int, checkpoint: bytes | Callable[[int], bytes] | None = None
    ) -> None:
        """As `Trainer.start`, of each fold."""
        self._progress, self._state, self.stopped = Progress(), self._new_state(), ""
        parts = None if checkpoint is None else _Parts(checkpoint, len(self._folds))
        try:
            for number, fold in enumerate(self._folds):
                folder = None if self._folder is None else f"{self._folder}/fold_{number}"
                fold.place(folder, f"{self._number}-fold-{number}")
                fold.start(params, _seed(seed, number), None if parts is None else parts.reader(number))
                fold.park()
            if parts is not None:
                self._progress, self._state = parts.progress(self._folds[0].model.variables), parts.state()
        except BaseException:
            self._forget()
            raise

    def train_epoch(self) -> EpochResult:
        """Trains and validates the next epoch of each fold; one that has ended itself keeps its last metrics."""
        state, seconds = self._state, 0.0
        try:
            for number, fold in enumerate(self._folds):
                if state.stopped[number]:
                    continue
                fold.unpark()
                result = fold.train_epoch()
                fold.park()
                state.metrics[number], state.stopped[number] = result.metrics, fold.stopped
                seconds += result.epoch_s
            self._progress.epoch += 1
            metrics = {**with_value_of(self._metric, over_folds(state.metrics)), "epoch_s": seconds}
            if is_best(metrics, self._metric, self._mode, self._progress, self._takes_last):
                self._keep_as_best(metrics[self._metric])
        except BaseException:
            self._forget()
            raise
        if all(state.stopped):
            self.stopped = f"each of {len(self._folds)} folds ended itself; the last: {state.stopped[-1]}"
        return EpochResult(self._progress.epoch, metrics, seconds)

    def _keep_as_best(self, value: float) -> None:
        """Keeps the weights of all folds; those of the best fold are the trial's."""
        values = [_own_value(metrics, self._metric) for metrics in self._state.metrics]
        sign = -1.0 if self._mode == "max" else 1.0
        self._state.chosen = min(range(len(values)), key=lambda number: sign * values[number])
        for number, fold in enumerate(self._folds):
            fold.unpark()
            best_values = fold.keep_as_best(values[number])
            fold.park()
            if number == self._state.chosen:
                self._progress.best_values = best_values
        self._progress.best_epoch, self._progress.best_value = self._progress.epoch, value

    def snapshot(self) -> FoldSnapshot:
        """All folds as they stand: from its bytes `start` goes on as if there had been no break."""
        parts = []
        for fold in self._folds:
            fold.unpark()
            parts.append(fold.snapshot())
            fold.park()
        state = replace(self._state, stopped=list(self._state.stopped), metrics=list(self._state.metrics))
        values = [value for part in parts for value in part.values]
        return FoldSnapshot(values, replace(self._progress), {}, parts, state)

    def test_metrics(self) -> dict[str, float]:
        """The means over the folds of their test metrics, each with its weights of the trial's best epoch."""
        if self.best_epoch == 0:
            return {}
        found = []
        for fold in self._folds:
            fold.unpark()
            found.append(fold.test_metrics())
            fold.park()
        return {name: mean([metrics[name] for metrics in found if name in metrics]) for name in found[0]}

    def best_model(self) -> keras.Model:
        """A new model with the best epoch's weights of the best fold."""
        return self._folds[self._state.chosen].best_model()

    def _forget(self) -> None:
        for fold in self._folds:
            fold.forget()

    def place(self, folder: str | None, trial: int) -> None:
        """As `Trainer.place`; each fold has a folder of its own in it."""
        self._folder, self._number = folder, trial

    def take_notes(self) -> list[str]:
        """Things worth a line for people, since the last call, each once."""
        return list(dict.fromkeys(note for fold in self._folds for note in fold.take_notes()))

    def end(self) -> None:
        """Ends the trial of each fold."""
        for fold in self._folds:
            fold.end()

    stopped = ""
    """Why the trial ended itself; empty while it goes on."""

    @property
    def steps_max(self) -> int | None:
        """Of a fold's epoch through `fit`, for a first look."""
        return self._folds[0].steps_max

    @steps_max.setter
    def steps_max(self, steps: int | None) -> None:
        for fold in self._folds:
            fold.steps_max = steps

    @property
    def parts_max(self) -> int | None:
        """Of the next trials, the most examples of a batch that are trained at once; None for no limit."""
        return self._folds[0].parts_max

    @parts_max.setter
    def parts_max(self, size: int | None) -> None:
        for fold in self._folds:
            fold.parts_max = size

    @property
    def path(self) -> Path:
        return self._folds[0].path

    @property
    def why(self) -> str:
        return self._folds[0].why

    @property
    def traces(self) -> int:
        return sum(fold.traces for fold in self._folds)

    @property
    def used(self) -> dict[str, float]:
        return self._folds[0].used

    @property
    def epoch_examples(self) -> int:  # type: ignore[override]
        """How many training examples an epoch of all folds has; 0 where that is not known."""
        counts = [fold.epoch_examples for fold in self._folds]
        return sum(counts) if all(counts) else 0

    @property
    def jit_compile(self) -> bool | None:
        return self._folds[0].jit_compile

    @property
    def compiles(self) -> bool:
        return self._folds[0].compiles

    @property
    def params_read(self) -> frozenset[str] | None:
        return self._folds[0].params_read

    @property
    def at_once(self) -> int | None:
        return next((fold.at_once for fold in self._folds if fold.at_once), None)

    @property
    def graphs(self) -> list[Any]:
        return self._folds[0].graphs

    @property
    def hides_state(self) -> bool:
        return self._folds[0].hides_state


class _Parts:
    """A checkpoint of all folds, read when the first fold's model is there and says how large it may be."""

    def __init__(self, checkpoint: bytes | Callable[[int], bytes], count: int) -> None:
        self._checkpoint, self._count = checkpoint, count
        self._data = b""
        self._extra: Mapping[str, Any] = {}

    def reader(self, fold: int) -> Callable[[int], bytes]:
        """What reads a fold's own checkpoint."""

        def read(bytes_max: int) -> bytes:
            if not self._extra:
                self._read((self._count + 1) * (bytes_max + _MORE_BYTES))
            return bytes(self._extra[f"{_PART}{fold}"].tobytes())

        return read

    def _read(self, bytes_max: int) -> None:
        self._data = self._checkpoint if isinstance(self._checkpoint, bytes) else self._checkpoint(bytes_max)
        self._extra = read_extra(self._data)
        wanted = {_STATE, *(f"{_PART}{fold}" for fold in range(self._count))}
        if set(self._extra) != wanted:
            self._extra = {}
            raise CheckpointError(f"must be of a trial with {self._count} folds, but is not")

    def progress(self, model_variables: list[Any]) -> Progress:
        return read_progress(self._data, model_variables)

    def state(self) -> _State:
        try:
            state = _State(**json.loads(self._extra[_STATE].tobytes()))
            if len(state.stopped) != self._count or len(state.metrics) != self._count:
                raise ValueError("its folds are not as many as they should be")
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"must be a whole checkpoint, but cannot be read: {error}") from error
        return state


def over_folds(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means of the folds' metrics; of those of validation each fold's value and the standard deviation, too."""
    names = [name for name in folds[0] if all(name in metrics for metrics in folds)]
    found: dict[str, float] = {}
    for name in names:
        values = [metrics[name] for metrics in folds]
        found[name] = mean(values)
        if is_told_by_fold(name, names):
            found[f"{name}_std"] = float(np.std(values)) if all(map(math.isfinite, values)) else math.nan
            found |= {f"{name}_fold_{fold}": value for fold, value in enumerate(values)}
    return found | {name: found[name] for name in names}


def mean(values: Sequence[float]) -> float:
    """Their mean; exactly the value itself where all are the same."""
    if all(value == values[0] for value in values):
        return values[0]
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else float(np.sum(values))


def _own_value(metrics: Mapping[str, float], metric: str) -> float:
    """The objective of one fold; where it has none, as of a standard deviation, all are alike."""
    return float(with_value_of(metric, dict(metrics)).get(metric, 0.0))


def _seed(seed: int, fold: int) -> int:
    """A fold's own: other first weights and orders than the other folds have."""
    return int(np.random.SeedSequence([seed % 2**32, fold, 2]).generate_state(1, np.uint32)[0])


def _as_array(data: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(data, np.uint8)


def _bases(folds: Sequence[Data]) -> list[Any]:
    """The arrays of which the folds are runs of rows, where they are not much larger than a fold."""
    found: dict[int, Any] = {}
    for train, validation in zip(_leaves(folds[0].train), _leaves(folds[0].validation), strict=False):
        base = train.base
        if not isinstance(base, np.ndarray) or (base.shape[1:], base.dtype) != (train.shape[1:], train.dtype):
            continue
        if len(base) <= 2 * (len(train) + len(validation)):
            found[id(base)] = base
    return list(found.values())


def _leaves(part: Any) -> list[Any]:
    if isinstance(part, dict | tuple):
        return [leaf for inner in (part.values() if isinstance(part, dict) else part) for leaf in _leaves(inner)]
    return [part] if isinstance(part, np.ndarray) else []
