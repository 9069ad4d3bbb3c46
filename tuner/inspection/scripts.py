"""What can be said of a script before it runs: a loop's and a command's parameters are its own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from trainables.scripts.commands import file_of, is_command, names_in, program, scripts_in
from trainables.scripts.functions import looks_like_loop
from trainables.sources import Sources
from tuner.inspection.hypermodels import epochs_problems
from tuner.inspection.objective import script_objective_warnings
from tuner.spec import SweepSpec
from tuner.spec.feasible import name_problems
from tuner.spec.space import nearest, shown
from tuner.spec.texts import text_warnings

_KERAS = re.compile(rb"^\s*(import|from)\s+(keras|tensorflow)", re.MULTILINE)
_LEFT_OUT = re.compile(rb"\bkeras\b[^\n]*\b(wrappers|visualization)\b")
LOOP_TEXT = "a loop of its own, which calls report(epoch, metrics) after each epoch"
COMMAND_TEXT = "a command, which writes its metrics to $TUNER_REPORT_FD"


@dataclass(frozen=True)
class ScriptFindings:
    """Problems and warnings, a line each."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    """Problems of a new sweep alone."""


def loop_findings(spec: SweepSpec) -> ScriptFindings:
    """Of a loop, which has been imported."""
    return ScriptFindings(_common(spec), _common_warnings(spec), models_problems(spec))


def command_findings(spec: SweepSpec) -> ScriptFindings:
    """Of a command, as this machine has its program and its files."""
    command = spec.command or []
    file = file_of(spec.trainable)
    folder = os.path.dirname(file) if file else os.getcwd()
    problems = []
    if program(command, folder) is None:
        problems.append(f"command[0]: must be a program, but there is none: {shown(command[0])}")
    for place, name in scripts_in(command):
        if not file and not os.path.isfile(os.path.join(folder, name)):
            beside = [path.name for path in Path(folder).iterdir() if path.is_file()]
            problems.append(
                f"command[{place}]: must be a file beside the spec, but there is none: {name}{_near(name, beside)}"
            )
    named = {name for argument in command for name in names_in(argument)}
    unnamed = [name for name in spec.space.searched if name not in named]
    warnings = [f"space.{name}: is not in the command, which may read it from $TUNER_PARAMS" for name in unnamed]
    return ScriptFindings([*problems, *_common(spec)], [*warnings, *_common_warnings(spec)], models_problems(spec))


def models_problems(spec: SweepSpec) -> list[str]:
    """What is wrong with a script's `tracking.log_models`, where it is written."""
    way = spec.tracking.log_models
    return [models_problem(way)] if "log_models" in spec.tracking.model_fields_set and way != "none" else []


def models_problem(way: object) -> str:
    """The line for a way of logging models that has no effect on a script."""
    why = "has no effect on a script, whose checkpoints hold no Keras model of Tuner's, but got"
    return f"tracking.log_models: {why} {shown(way)}: leave it out"


def _near(name: str, others: list[str]) -> str:
    hint = nearest(name, others)
    return hint if "mean" in hint else ""


def _common_warnings(spec: SweepSpec) -> list[str]:
    return [*script_objective_warnings(spec.objective.metric), *text_warnings(spec)]


def _common(spec: SweepSpec) -> list[str]:
    problems = []
    if "space" not in spec.model_fields_set:
        problems.append("space: is required, but is missing")
    if spec.data is not None:
        problems.append(
            f"data: has no effect, as a script reads its data itself, but got {shown(spec.data)}: leave it out"
        )
    if spec.precision != "float32":
        problems.append(f"precision: has no effect on a script, but got {shown(spec.precision)}: leave it out")
    if spec.jit_compile is not None:
        problems.append(f"jit_compile: has no effect on a script, but got {shown(spec.jit_compile)}: leave it out")
    if spec.deterministic:
        problems.append("deterministic: has no effect on a script, which uses TensorFlow itself: leave it out")
    problems += [
        f"space.{name}.scale_learning_rate: has no effect on a script, which sets its own rate: leave it out"
        for name, parameter in spec.space.items()
        if getattr(parameter, "coupling", None)
    ]
    if spec.folds is not None:
        problems.append("folds: has no effect on a script, which divides its data itself: leave it out")
    known = [*spec.space]  # no script has learning_rate and batch_size besides
    problems += [f"{path}: {rule}" for path, rule in name_problems(spec.feasible, known)]
    for index, point in enumerate(spec.search.points):
        unknown = [name for name in point if name not in known]
        problems += [f"search.points[{index}].{name}: the space has no such parameter" for name in unknown]
    return problems + epochs_problems(spec)


def is_plainly_loop(trainable: str, sources: Sources | None) -> bool:
    """Whether the file of a spec's trainable has a loop of its name, as far as its text tells."""
    file, _, name = trainable.rpartition(":")
    if not file.endswith(".py"):
        return False
    try:
        text = sources.read(Path(file).parent, sources.main) if sources is not None else Path(file).read_bytes()
    except (OSError, ImportError):
        return False
    return looks_like_loop(text, name)


def is_keras_loop(trainable: str, sources: Sources | None) -> bool:
    """Whether a loop's own code, or what it imports from beside it, imports Keras or TensorFlow anywhere.

    Code that uses what is left out of Keras's import (`trainables.framework_imports`) imports it itself.
    """
    if is_command(trainable):
        return False
    texts = _texts(trainable, sources)
    return any(map(_KERAS.search, texts)) and not any(map(_LEFT_OUT.search, texts))


def _texts(trainable: str, sources: Sources | None) -> list[bytes]:
    if sources is not None:
        return [content for name, content in sources.files.items() if name.endswith(".py")]
    try:
        return [Path(trainable.rpartition(":")[0]).read_bytes()]
    except OSError:
        return []


def is_plainly_script(spec: SweepSpec, sources: Sources | None) -> bool:
    """Whether a sweep's trials are processes of a script, as far as can be told without an import."""
    return spec.command is not None or is_plainly_loop(spec.trainable, sources)
