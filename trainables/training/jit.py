"""Whether XLA compiles a model's steps: as the sweep says, or as timing says.

With `auto` a new model's step is timed with and without XLA, on a few batches of its first trial, before its first
epoch. So each trial trains in one way from its first step to its last. Its checkpoints say which one that is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf
from keras.src.trainers.trainer import model_supports_jit

from trainables.training.hidden_state import nodes
from trainables.training.xla_draws import draws_other_numbers, same_draws

JitCompile = Literal["auto"] | bool

_WINS_BY = 0.95
"""XLA is chosen where a step takes less than this share of what it takes without: each new batch size costs a
compilation."""
_ROUND_S = 0.1
_ROUNDS = 3
_STEPS_MAX = 100


class JitError(ValueError):
    """XLA cannot compile a model's steps, and the sweep says that it must."""


@dataclass(frozen=True)
class Choice:
    """Whether XLA compiles a model's steps, and why it was chosen so."""

    jit: bool
    why: str = ""


class JitChoices:
    """What was chosen for each model of a process; a model is what has one key in the cache.

    Args:
        wanted: whether XLA compiles steps; auto: where that is faster.
        count_devices: of a trial: the steps of several are never compiled.
        known: what was chosen so far; is added to.
    """

    def __init__(self, wanted: JitCompile, count_devices: int = 1, known: dict[str, bool] | None = None) -> None:
        self._wanted: JitCompile = wanted
        self._known = {} if known is None else known
        if count_devices > 1 and wanted is True:
            raise ValueError("jit_compile must be auto or false for a trial on several GPUs, but got true")
        if count_devices > 1:
            self._wanted = False

    def known(self, model_key: str) -> bool | None:
        """What is chosen for a model; None while it is still to be timed."""
        return self._known.get(model_key) if self._wanted == "auto" else bool(self._wanted)

    def choose(self, model_key: str, choose: Callable[[], Choice]) -> Choice | None:
        """Chooses for a model that is not known yet, for good; None for one that is."""
        if self.known(model_key) is not None:
            return None
        found = choose()
        self._known[model_key] = found.jit
        return found


def by_xla(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The step as one program of XLA's for each shape of a batch."""

    def run(batch: Any) -> Any:
        with same_draws():
            return step(batch)

    made: Callable[[Any], Any] = tf.function(run, jit_compile=True, autograph=False)
    return made


def reason_against(model: Any, graphs: list[Any], is_repeatable: bool) -> str:
    """Why a model's steps are not even timed with XLA; empty for nothing.

    Args:
        graphs: of its epochs, without XLA.
        is_repeatable: whether the timed steps leave nothing behind.
    """
    if not is_repeatable:
        return "its steps keep state of their own"
    if not model_supports_jit(model):
        return "a layer of it does not support XLA"
    for graph in graphs:
        for node in nodes(graph):
            if draws_other_numbers(node.op):
                return f"XLA draws other random numbers ({node.op})"
    return ""


def faster(
    seconds_without: Callable[[int], float], seconds_with: Callable[[int], float], steps_max: int = _STEPS_MAX
) -> Choice:
    """Times two ways to train, in turn; the arguments run so many steps and return the seconds.

    Compilation does not count: a first step of each is not timed.
    """
    seconds_without(1)
    try:
        seconds_with(1)
    except Exception as error:  # whatever XLA says of an op that it does not know
        return Choice(False, f"XLA cannot compile its steps: {type(error).__name__}")
    step_s = max(seconds_without(1), seconds_with(1), 1e-6)
    steps = max(1, min(_STEPS_MAX, steps_max, int(_ROUND_S / step_s)))
    rounds = _ROUNDS if step_s < 1 else 1
    found = [(seconds_without(steps), seconds_with(steps)) for _ in range(rounds)]
    without_ms, with_ms = (1e3 * min(times) / steps for times in zip(*found, strict=True))
    return Choice(
        with_ms < _WINS_BY * without_ms, f"a step takes {with_ms:.3g} ms with XLA, {without_ms:.3g} ms without"
    )


@contextmanager
def xla_errors() -> Iterator[None]:
    """Says what to do where XLA cannot compile what runs within.

    Raises:
        JitError: it cannot.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not re.search("XLA|tf2xla", error.message):
            raise
        why = " ".join(error.message.strip().partition("\n")[0].split())[:200]
        raise JitError(f"jit_compile must be auto or false, as XLA cannot compile the model: {why}") from error


def timed(run: Callable[[], Any]) -> float:
    """The seconds until a graph's result is there."""
    began = time.perf_counter()
    run().numpy()
    return time.perf_counter() - began
