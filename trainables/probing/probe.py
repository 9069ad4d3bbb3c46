"""Trains a few batches of a sweep's first configurations, as a worker does, and says what would go wrong later."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from trainables.contract import Data, Trainable, has_evaluate
from trainables.counts import MICRO_BATCH_SIZE
from trainables.exceptions import PartsError, infeasible_in, is_out_of_memory
from trainables.probing.cut import cut
from trainables.probing.effects import Effects, Question, look_for_effects
from trainables.probing.failure import ProbeError, what_it_did
from trainables.probing.fingerprint import SEED, fingerprint, graph_text, uncertain_ops
from trainables.probing.tracking import tracked
from trainables.training import Trainer, training_path
from trainables.training.fit.data import is_for_fit
from trainables.training.fit.trainer import BATCH_SIZE
from trainables.training.folds import FoldTrainer
from trainables.training.reads import valid_params

STEPS_MAX = 2
EPOCHS_MIN = 3
"""Of a whole training, so that one that goes on from a checkpoint is not over."""
_RTOL, _ATOL = 1e-4, 1e-6
"""Of values that must be equal: sums may be in another order."""


@dataclass
class Probed:
    """What a few batches showed."""

    metrics: list[str] = field(default_factory=list)
    """What an epoch reports, as Keras names it."""
    path: str = "fast"
    """The training path: fast, or fit."""
    why: str = ""
    """Why it is that one."""
    used: dict[str, int | float] = field(default_factory=dict)
    """On the fit path, learning_rate, batch_size and epochs as they are really used, where that can be told."""
    compiles: bool = False
    """Whether `build_model` compiles the model."""
    read: set[str] = field(default_factory=set)
    """Parameters that the trainable's own code asked for."""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Processor time of the first configuration: making ready, and its first steps."""


def probe(
    trainable: Trainable,
    data: Data | Sequence[Data],
    configurations: Sequence[Mapping[str, Any]],
    metric: str,
    mode: Literal["min", "max"],
    precision: str = "float32",
    seconds_max: float = 30.0,
    jit_compile: bool = False,
) -> Probed:
    """Trains and validates a batch of each configuration; of the first one, goes on from a checkpoint, too.

    Args:
        trainable: as a worker has it.
        data: what it is trained on, as workers get it; of cross-validation that of some folds.
        configurations: the sweep's first one, and one unlike it where models may differ.
        seconds_max: of processor time; what is not necessary is left out where it would take longer, and told.

    Raises:
        ProbeError: something was raised.
    """
    began = time.process_time()
    found = Probed()
    for number, params in enumerate(configurations):
        if number and time.process_time() - began + found.seconds > seconds_max:
            found.warnings.append(_left_out(found, "a second configuration, unlike the first one,"))
            return found
        params = {**params, "epochs": max(int(params.get("epochs", 0)), EPOCHS_MIN)}
        with doing("making the trainer"):
            trainer = make_trainer(trainable, data, params, found.read, metric, mode, precision, jit_compile)
        try:
            _try_one(trainer, params, found, number == 0, seconds_max, began)
        except ProbeError as error:
            if number and infeasible_in(error.cause) is not None:
                continue
            error.params = params if number else {}
            raise
        finally:
            trainer.end()
    return found


def _try_one(
    trainer: Any, params: Mapping[str, Any], found: Probed, is_first: bool, seconds_max: float, began: float
) -> None:
    """Trains a batch of one configuration, and adds what it shows."""
    first = _trained(trainer, params)
    if trainer.parts_max is not None:
        found.warnings.append(
            f"trainable: memory ran out in a batch; trials train such batches in parts, here of {trainer.parts_max}"
            " examples, and batch normalization takes the statistics of each part"
        )
    if not is_first:
        if set(first) != set(found.metrics):
            found.problems.append(_other_names(found.metrics, first))
        return
    found.metrics, found.seconds = (
        [*(name for name in first if name != "epoch_s"), "epoch_s"],
        time.process_time() - began,
    )
    found.path, found.why = trainer.path, trainer.why
    found.used, found.compiles = trainer.used, trainer.compiles
    found.warnings += _not_finite(first)
    if 2 * found.seconds > seconds_max:
        found.warnings.append(_left_out(found, "going on from a checkpoint"))
    elif not trainer.stopped:
        _go_on_after_a_break(trainer, params, first, found)


def _left_out(found: Probed, what: str) -> str:
    return f"trainable: {what} was not tried, as the first batch took {found.seconds:.0f} s of processor time"


def _tell_apart(trainer: Any, apart: str, found: Probed) -> None:
    """Adds what is wrong with a training that a break changes; a warning if it is not the same twice anyway."""
    if why := uncertain_ops(trainer):
        found.warnings.append(
            f"trainable: a trial that goes on from a checkpoint differs from one without a break: {why}"
        )
        return
    found.problems.append(
        f"a trial that goes on from a checkpoint must equal one without a break, but {apart}: its code keeps state that"
        f" no checkpoint holds; keep it in variables of the model"
    )


def find_effects(
    trainable: Trainable,
    data: Data,
    questions: Sequence[Question],
    read: set[str],
    precision: str = "float32",
    seconds_max: float = 10.0,
) -> Effects:
    """Which of these parameters have no effect.

    Args:
        read: what a probe found that the trainable's code asks for.
    """
    observed = observe(trainable, read)

    def build(params: Mapping[str, Any]) -> dict[str, str | None]:
        try:
            return fingerprint(observed, data, valid_params(observed, dict(params)), precision)
        except Exception as error:  # of a configuration that the space may not even have
            return {"raised": type(error).__name__}

    def trace(params: Mapping[str, Any]) -> str | None:
        if training_path(trainable, None, data)[0] == "fit":
            return None
        trainer = make_trainer(trainable, data, params, read, "loss", "min", precision)
        trainer.start(dict(params), SEED)
        return graph_text(trainer)

    with doing("building the model with other parameters"):
        return look_for_effects(questions, build, trace, read, seconds_max)


def make_trainer(
    trainable: Trainable,
    data: Data | Sequence[Data],
    params: Mapping[str, Any],
    read: set[str],
    metric: str,
    mode: Literal["min", "max"],
    precision: str,
    jit_compile: bool = False,
) -> Trainer | FoldTrainer:
    """A worker's trainer with a few batches of data for these parameters; notes in `read` who is asked for."""
    valid = valid_params(trainable, dict(params))
    batch_size = int(getattr(valid, "batch_size", BATCH_SIZE))
    folds = [data] if isinstance(data, Data) else list(data)
    is_whole = any(is_for_fit(part) for part in (folds[0].train, folds[0].validation))  # which tell no batch size
    selects = type(trainable).select_data is not Trainable.select_data
    observed = observe(trainable, read, batch_size if selects and not is_whole else None)
    if not (selects or is_whole):
        folds = [cut(fold, batch_size, has_evaluate(trainable)) for fold in folds]
    is_alone = isinstance(data, Data)
    trainer: Trainer | FoldTrainer = (
        Trainer(observed, folds[0], metric, mode, precision, jit_compile=jit_compile)
        if is_alone
        else FoldTrainer(observed, folds, metric, mode, precision, jit_compile=jit_compile)
    )
    if is_whole:
        trainer.steps_max = STEPS_MAX
    return trainer


def observe(trainable: Trainable, read: set[str], batch_size: int | None = None) -> Trainable:
    """The trainable with parameters that note their readers, and callbacks that write into a folder of the trial's.

    Args:
        batch_size: what it selects of the data is cut to a few batches of this size; None for all of it.
    """
    kind = type(trainable)
    own: dict[str, Any] = {"Params": tracked(trainable.Params, read), "__module__": kind.__module__}
    if batch_size is not None:

        def select_data(self: Any, data: Data, params: Any) -> Any:
            chosen = super(made, self).select_data(data, params)
            return cut(chosen, batch_size, has_evaluate(self)) if isinstance(chosen, Data) else chosen

        own["select_data"] = select_data
    if kind.callbacks is not Trainable.callbacks and callable(kind.callbacks):

        def callbacks(self: Any, params: Any) -> Any:
            return [_without_folder(callback) for callback in super(made, self).callbacks(params)]

        own["callbacks"] = callbacks
    made: type[Any] = type(kind.__name__, (kind,), own)
    observed = copy.copy(trainable)
    object.__setattr__(observed, "__class__", made)
    return observed


def _without_folder(callback: Any) -> Any:
    """One of Keras's callbacks that writes files, told to write them into the folder of the trial."""
    for name in ("filepath", "filename", "log_dir"):
        path = getattr(callback, name, None)
        if type(callback).__module__.startswith("keras") and isinstance(path, str):
            setattr(callback, name, os.path.basename(path.rstrip("/")) or "logs")
    return callback


@contextmanager
def doing(what: str, is_exact: bool = False) -> Iterator[None]:
    """What is raised in it is told as a `ProbeError` of this, or of what the traceback's functions say more exactly."""
    try:
        yield
    except ProbeError:
        raise
    except (Exception, SystemExit) as error:
        raise ProbeError(what if is_exact else what_it_did(error, what), error) from error


def _trained(trainer: Any, params: Mapping[str, Any], checkpoint: bytes | None = None) -> dict[str, float]:
    """The metrics of a trial's first epoch, or of the next one after a checkpoint.

    Where memory runs out in a batch, it is trained in smaller and smaller parts, as in a sweep.
    """
    exhausted: ProbeError | None = None
    while True:
        try:
            with doing("building and compiling the model" if checkpoint is None else "going on from a checkpoint"):
                trainer.start(dict(params), SEED, checkpoint)
            with doing("training the first batch"):
                metrics = dict(trainer.train_epoch().metrics)
            return {name: value for name, value in metrics.items() if name != MICRO_BATCH_SIZE}
        except ProbeError as error:
            if isinstance(error.cause, PartsError) and exhausted is not None:
                raise exhausted from None
            if not is_out_of_memory(error.cause) or (trainer.at_once or 1) == 1:
                raise
            exhausted, trainer.parts_max = error, trainer.at_once // 2


def _go_on_after_a_break(trainer: Any, params: Mapping[str, Any], first: dict[str, float], found: Probed) -> None:
    """Goes on from a checkpoint in a second model, and adds what differs from a training without a break.

    One that does not train the same twice, with or without a break, tells nothing.
    """
    with doing("saving a checkpoint"):
        checkpoint = trainer.snapshot().to_bytes()
    with doing("training the second epoch"):
        unbroken = dict(trainer.train_epoch().metrics)
    state = trainer.snapshot().values
    resumed = _trained(trainer, params, checkpoint)
    if set(resumed) != set(first):
        found.problems.append(_other_names(list(first), resumed))
        return
    apart = _difference(unbroken, resumed)
    if not apart and not _equal(state, trainer.snapshot().values):
        apart = "its weights differ"
    if trainer.best_epoch:
        with doing("measuring the test metrics", is_exact=True):
            trainer.test_metrics()
        with doing("building the best model"):
            trainer.best_model()
    if apart and not _difference(first, _trained(trainer, params)):
        _tell_apart(trainer, apart, found)


def _difference(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    """The first metric in which two trainings differ, with both values; empty if they are the same."""
    for name, value in one.items():
        if name != "epoch_s" and not np.isclose(value, other[name], rtol=_RTOL, atol=_ATOL, equal_nan=True):
            return f"{name} is {other[name]:.6g} in place of {value:.6g}"
    return ""


def _equal(one: Sequence[Any], other: Sequence[Any]) -> bool:
    def alike(a: Any, b: Any) -> bool:
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape or a.dtype.kind not in "fiub":
            return bool(a.shape == b.shape)
        return bool(np.allclose(a, b, rtol=_RTOL, atol=_ATOL, equal_nan=True))

    return len(one) == len(other) and all(map(alike, one, other))


def _other_names(before: Sequence[str], after: Mapping[str, float]) -> str:
    new, gone = [name for name in after if name not in before], [name for name in before if name not in after]
    return (
        f"every model must report the same metrics, but a second one in the same process reports"
        f" {', '.join(new) or 'none'} in place of {', '.join(gone) or 'none'}"
    )


def _not_finite(metrics: Mapping[str, float]) -> list[str]:
    names = [name for name in ("loss", "val_loss") if not math.isfinite(metrics.get(name, 0.0))]
    if not names:
        return []
    return [f"trainable: {names[0]} of the first configuration is {metrics[names[0]]} after its first steps"]
