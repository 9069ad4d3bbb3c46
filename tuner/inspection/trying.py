"""Tries a sweep's first configurations in this process, and turns what is found into lines for people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.contract import Data, EvaluateError, Trainable
from trainables.exceptions import infeasible_in
from trainables.folding import all_fold_names, fold_data
from trainables.given import is_given
from trainables.probing.failure import ProbeError, own_place, way_out
from trainables.settings import own_names
from tuner.base.errors import gist
from tuner.inspection.configurations import (
    TRAINING_PARAMS,
    configurations,
    draws,
    idle_training_params,
    questions,
    structure_text,
)
from tuner.inspection.own_training import idle_defaults, jit_without_effect, scaling_without_effect
from tuner.inspection.takers import mismatches, taker_warnings
from tuner.spec import SweepSpec

if TYPE_CHECKING:
    from trainables.probing.probe import Probed

SKIP_VARIABLE = "TUNER_SKIP_PROBE"
"""Set to anything but an empty text: no sweep's trainable is tried before it."""
INFEASIBLE_TRIED = 30
"""So many configurations are asked for one that is feasible."""
EFFECTS_SECONDS_MAX = 10.0
FOLDS_TRIED = 2
"""Of cross-validation: what goes wrong with more of them goes wrong with two."""
_PACKAGES = (str(Path(__file__).parents[1]) + os.sep, str(Path(__file__).parents[2] / "trainables") + os.sep)


@dataclass(frozen=True)
class Tried:
    """What a few batches of training showed."""

    metrics: list[str] = field(default_factory=list)
    """The names by which an epoch reports its metrics; empty if none was trained."""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    without_effect: dict[str, str] = field(default_factory=dict)
    """Searched parameters that change nothing, and why."""
    mismatches: list[str] = field(default_factory=list)
    """As of `Inspected`."""
    not_looked_at: list[str] = field(default_factory=list)
    """Searched parameters for which no time was left."""
    path: str = ""
    """The training path, fast or fit; empty if none was taken."""
    why: str = ""
    """Why it is that one."""
    idle_defaults: frozenset[str] = frozenset()
    """Of the parameters that every sweep has, those that act in no trial of this trainable: its code has its own."""
    opened: list[str] = field(default_factory=list)
    """The user's files and folders that the training read, where that was watched."""


def is_skipped() -> bool:
    """Whether the environment says not to try trainables."""
    return bool(os.environ.get(SKIP_VARIABLE))


def try_out(spec: SweepSpec, trainable: Trainable, data: Data) -> Tried:
    """Trains a batch of the first configurations, and looks for parameters without effect.

    Args:
        trainable: a new instance, as a worker has it.
        data: as workers get them.
    """
    from trainables.probing.probe import doing, find_effects, probe

    drawn = draws(spec)
    objective, precision, jit = spec.objective, spec.precision, spec.jit_compile is True

    def tried(drawn: list[dict[str, Any]]) -> Probed:
        seen, first = folds[:FOLDS_TRIED] if folds else data, configurations(spec, drawn)
        return probe(trainable, seen, first, objective.metric, objective.mode, precision, jit_compile=jit)

    try:
        with doing("dividing the data into folds"):
            folds = fold_data(trainable, data, spec.folds, spec.search.seed)
        found, drawn = first_feasible(tried, drawn)
        if folds:
            found.metrics = all_fold_names(found.metrics, FOLDS_TRIED, len(folds))
        ours = found.path == "fast" or not found.compiles  # the optimizer is made of the training parameters
        known = (
            set(TRAINING_PARAMS) - own_names(type(trainable).Params)
            if ours
            else {"batch_size", "micro_batch_size", "epochs"}
        )
        built: set[str] | None = getattr(
            trainable, "names_built", None
        )  # a KerasTuner model may tune its training, too
        own = [name for name in spec.space.searched if name not in known and (built is None or name in built)]
        asked = questions(spec, drawn, own)
        first = folds[0] if folds else data
        effects = find_effects(trainable, first, asked, found.read, precision, EFFECTS_SECONDS_MAX)
    except ProbeError as error:
        return Tried(problems=[failure_line(error, spec.trainable, type(trainable).__name__)])
    idle = idle_training_params(spec, trainable.Params, drawn, found.read) if ours else {}
    partly = taker_warnings(spec, trainable.Params, drawn) if ours else []
    wrong = mismatches(spec, trainable.Params, drawn, found.read) if ours else []
    problems = [*(f"trainable: {problem}" for problem in found.problems), *scaling_without_effect(spec, found)]
    return Tried(
        found.metrics,
        problems,
        [
            *found.warnings,
            *jit_without_effect(spec, found),
            *partly,
        ],
        {**effects.without, **idle},
        wrong,
        effects.not_looked_at,
        found.path,
        found.why,
        idle_defaults(trainable.Params, found),
    )


def first_feasible(
    tried: Callable[[list[dict[str, Any]]], Probed], drawn: list[dict[str, Any]]
) -> tuple[Probed, list[dict[str, Any]]]:
    """What trying configurations shows, without the first ones that the trainable says are infeasible.

    Raises:
        ProbeError: something was raised, or INFEASIBLE_TRIED configurations in a row are infeasible.
    """
    for left in range(min(len(drawn), INFEASIBLE_TRIED) - 1, -1, -1):
        try:
            return tried(drawn), drawn
        except ProbeError as error:
            if infeasible_in(error.cause) is None or not left:
                raise
            drawn = drawn[1:]
    raise AssertionError("there is no configuration")


def loading_failed(error: BaseException, trainable: str) -> Tried:
    """What is told of a trainable that one process has loaded, but another one cannot."""
    name = trainable.rpartition(":")[2]
    return Tried(problems=[failure_line(ProbeError("loading", error), trainable, name)])


def failure_line(error: ProbeError, trainable: str, name: str) -> str:
    """A failure as one line: what was done, what was raised, where, and the way out if one is known."""
    cause = error.cause
    message = said(cause)
    if (infeasible := infeasible_in(cause)) is not None:
        what = f"the first {INFEASIBLE_TRIED} configurations are all infeasible, the last one: {infeasible}"
        return f"trainable: {what}; narrow the space, or state in `feasible` what is feasible"
    if isinstance(cause, EvaluateError):
        return f"trainable: {message}"
    place = own_place(cause, own_files(trainable))
    where = f" (line {place[1]} of {Path(place[0]).name})" if place else ""
    advice = way_out(cause, message)
    raised = f"{type(cause).__name__}{f': {message}' if message else ''}"
    of = " " if error.doing == "loading" else " of "
    values = structure_text(error.params)
    name += f" with {values}" if values else ""
    return f"trainable: {error.doing}{of}{name} raised {raised}{where}{f'; {advice}' if advice else ''}"


def said(error: BaseException) -> str:
    """What an exception says on one line, without the stack that TensorFlow puts in front of it."""
    text = gist(error)
    if "(most recent call last)" in text:
        parts = [part for part in text.split("\n\n") if part.strip() and 'File "' not in part]
        text = parts[-1] if parts else text
        text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("[["))
    return " ".join(re.sub(r"\{\{function_node .*?\}\}", "", text).partition(" [Op:")[0].split())[:300]


def own_files(trainable: str) -> Callable[[str], bool]:
    """Which files of a traceback are the user's own: beside the trainable's file, or of no package at all."""
    file = trainable.rpartition(":")[0]
    folder = str(Path(file).resolve().parent) + os.sep if file.endswith(".py") else None
    installed = tuple(str(Path(prefix)) + os.sep for prefix in {sys.prefix, sys.base_prefix})

    def is_own(name: str) -> bool:
        if name.startswith("<"):
            return is_given(trainable) and "ipython" in name
        if not os.path.isabs(name) or "-packages/" in name or "__autograph_generated" in name:
            return False
        is_beside = folder is not None and name.startswith(folder) and not name.startswith(f"{folder}.")
        return is_beside or not name.startswith((*_PACKAGES, *installed))

    return is_own
