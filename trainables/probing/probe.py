"""Trains a few batches of a sweep's first configurations, as a worker does, and says what would go wrong later."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from trainables.contract import Data, Trainable
from trainables.probing.cut import cut
from trainables.probing.effects import Effects, Question, look_for_effects
from trainables.probing.failure import ProbeError, what_it_did
from trainables.probing.fingerprint import SEED, fingerprint, graph_text
from trainables.probing.tracking import tracked
from trainables.training import WarmTrainer

_RTOL, _ATOL = 1e-4, 1e-6
"""Of values that must be equal: sums may be in another order."""


@dataclass
class Probed:
    """What a few batches showed."""

    metrics: list[str] = field(default_factory=list)
    """What an epoch reports, as Keras names it."""
    read: set[str] = field(default_factory=set)
    """Parameters that the trainable's own code asked for."""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """What the first configuration took: making ready, and its first steps."""


def probe(
    trainable: Trainable,
    data: Data,
    configurations: Sequence[Mapping[str, Any]],
    metric: str,
    mode: Literal["min", "max"],
    precision: str = "float32",
    seconds_max: float = 20.0,
) -> Probed:
    """Trains and validates a batch of each configuration; of the first one, goes on from a checkpoint, too.

    Args:
        trainable: as a worker has it.
        data: what it is trained on, as workers get it.
        configurations: the sweep's first one, and one unlike it where models may differ.
        seconds_max: what is not necessary is left out where it would take longer.

    Raises:
        ProbeError: something was raised.
    """
    began = time.monotonic()
    found = Probed()
    for number, params in enumerate(configurations):
        if number and time.monotonic() - began + found.seconds > seconds_max:
            return found
        with doing("making the trainer"):
            trainer = make_trainer(trainable, data, params, found.read, metric, mode, precision)
        first = _trained(trainer, params)
        if number == 0:
            found.metrics, found.seconds = [name for name in first if name != "epoch_s"], time.monotonic() - began
            found.metrics.append("epoch_s")
            found.warnings += _not_finite(first)
            if 2 * found.seconds < seconds_max:
                found.problems += _after_a_break(trainer, params, first)
        elif set(first) != set(found.metrics):
            found.problems.append(_other_names(found.metrics, first))
    return found


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
    observed = _observed(trainable, read, None)

    def build(params: Mapping[str, Any]) -> dict[str, str | None]:
        return fingerprint(observed, data, observed.Params(**params), precision)

    def trace(params: Mapping[str, Any]) -> str | None:
        trainer = make_trainer(trainable, data, params, read, "loss", "min", precision)
        trainer.start(dict(params), SEED)
        return graph_text(trainer)

    with doing("building the model with other parameters"):
        return look_for_effects(questions, build, trace, read, seconds_max)


def make_trainer(
    trainable: Trainable,
    data: Data,
    params: Mapping[str, Any],
    read: set[str],
    metric: str,
    mode: Literal["min", "max"],
    precision: str,
) -> Any:
    """A worker's trainer with a few batches of data for these parameters; notes in `read` who is asked for."""
    batch_size = trainable.Params(**params).batch_size
    selects = type(trainable).select_data is not Trainable.select_data
    small = data if selects else cut(data, batch_size)
    return WarmTrainer(_observed(trainable, read, batch_size if selects else None), small, metric, mode, precision)


def _observed(trainable: Trainable, read: set[str], batch_size: int | None) -> Trainable:
    """The trainable with parameters that note their readers; what it selects is cut if it is told a batch's size."""
    kind = type(trainable)
    own: dict[str, Any] = {"Params": tracked(trainable.Params, read), "__module__": kind.__module__}
    if batch_size is not None:

        def select_data(self: Any, data: Data, params: Any) -> Any:
            chosen = super(made, self).select_data(data, params)
            return cut(chosen, batch_size) if isinstance(chosen, Data) else chosen

        own["select_data"] = select_data
    made: type[Any] = type(kind.__name__, (kind,), own)
    observed = copy.copy(trainable)
    object.__setattr__(observed, "__class__", made)
    return observed


@contextmanager
def doing(what: str) -> Iterator[None]:
    """What is raised in it is told as a `ProbeError` of this."""
    try:
        yield
    except ProbeError:
        raise
    except (Exception, SystemExit) as error:
        raise ProbeError(what_it_did(error, what), error) from error


def _trained(trainer: Any, params: Mapping[str, Any], checkpoint: bytes | None = None) -> dict[str, float]:
    """The metrics of a trial's first epoch, or of the next one after a checkpoint."""
    with doing("building and compiling the model" if checkpoint is None else "going on from a checkpoint"):
        trainer.start(dict(params), SEED, checkpoint)
    with doing("training the first batch"):
        return dict(trainer.train_epoch().metrics)


def _after_a_break(trainer: Any, params: Mapping[str, Any], first: dict[str, float]) -> list[str]:
    """What is wrong with a training that goes on from its checkpoint in a second model, held against one without."""
    with doing("saving a checkpoint"):
        checkpoint = trainer.snapshot().to_bytes()
    with doing("training the second epoch"):
        unbroken = dict(trainer.train_epoch().metrics)
    state = trainer.snapshot().values
    resumed = _trained(trainer, params, checkpoint)
    if set(resumed) != set(first):
        return [_other_names(list(first), resumed)]
    apart = _apart(unbroken, resumed)
    if apart is None and not _equal(state, trainer.snapshot().values):
        apart = "its weights differ"
    if trainer.best_epoch:
        with doing("measuring the test metrics"):
            trainer.test_metrics()
        with doing("building the best model"):
            trainer.best_model()
    if apart is None:
        return []
    again = _trained(trainer, params)
    if _apart(first, again) is not None:
        return []  # it never trains twice the same, with or without a break
    return [
        f"a trial that goes on from a checkpoint must equal one without a break, but {apart}: its code keeps state that"
        f" no checkpoint holds; keep it in variables of the model"
    ]


def _apart(one: Mapping[str, float], other: Mapping[str, float]) -> str | None:
    """The first metric in which two trainings differ, with both values."""
    for name, value in one.items():
        if name != "epoch_s" and not np.isclose(value, other[name], rtol=_RTOL, atol=_ATOL, equal_nan=True):
            return f"{name} is {other[name]:.6g} in place of {value:.6g}"
    return None


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
