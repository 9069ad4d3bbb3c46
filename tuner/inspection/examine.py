"""Looks at a spec's trainable and its data in this process, and completes the spec from them."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from trainables import registry
from trainables.contract import Data, DataError, ParamError, Params, Trainable, epoch_metrics
from trainables.exceptions import Infeasible, infeasible_in
from trainables.given import is_given, lookup
from trainables.importable import is_importable, load_importable
from trainables.isolation import isolated, read_only
from trainables.learned import Learned, load_and_learn
from trainables.project import module_in_package
from trainables.scripts.commands import is_command
from trainables.scripts.functions import Loop
from trainables.settings import NAMES
from trainables.sources import Sources
from tuner.base.errors import gist, said_by
from tuner.inspection.configurations import draws, idle_training_params
from tuner.inspection.describing import data_warnings, described
from tuner.inspection.digests import array_digests
from tuner.inspection.fit import (
    batch_size_problems,
    extremes,
    metric_problems,
    param_problems,
    taken_texts,
    unknown_name_problems,
)
from tuner.inspection.folds import folds_of, metrics_of
from tuner.inspection.hypermodels import Completed, completed, is_adapted
from tuner.inspection.inspected import Inspected
from tuner.inspection.names import name_problems
from tuner.inspection.objective import with_objective
from tuner.inspection.own_training import (
    batch_size_without_effect,
    defaults_of,
    may_compile,
    parts_without_effect,
    takes_batches,
)
from tuner.inspection.provenance.files import source_digest
from tuner.inspection.scripts import COMMAND_TEXT, LOOP_TEXT, ScriptFindings, command_findings, loop_findings
from tuner.inspection.shapes import data_problems, is_python, num_examples, what
from tuner.inspection.takers import mismatches, taker_warnings
from tuner.spec import SweepSpec
from tuner.spec.requirements import missing_here
from tuner.spec.space import cut
from tuner.spec.texts import text_warnings

_ELSEWHERE = (
    ("loss_weights", "losses of several outputs are added as they are, so weigh them in the losses themselves"),
    ("optimizer", "it is a parameter, as the learning rate is"),
    ("weighted_metrics", "metrics are those of `metrics`, without weights"),
)
"""Arguments of `keras.Model.compile` and `fit` that a class may have, but no training path looks at."""


def is_file(trainable: str) -> bool:
    """Whether a spec names a file of the user's rather than a shipped trainable."""
    return trainable.rpartition(":")[0].endswith(".py")


def is_own(trainable: str) -> bool:
    """Whether the class is the user's: in a file or a package, or given by a program."""
    return is_file(trainable) or is_given(trainable) or is_importable(trainable) or is_command(trainable)


def load_trainable(trainable: str, sources: Sources | None = None) -> type[Trainable] | Loop:
    """The class, or the loop, that a spec's `trainable` names.

    Args:
        sources: its code as it was kept; by default its files are read as they are.

    Raises:
        LookupError: there is none; the message has the nearest name.
        Exception: whatever a user's file raises while it is imported.
    """
    if is_given(trainable):
        return lookup(trainable).trainable
    if is_importable(trainable):
        return load_importable(trainable, sources)
    if is_file(trainable):
        path, _, class_name = trainable.rpartition(":")
        return registry.load_file(Path(path), class_name, sources)
    return registry.load(trainable, sources)


def inspect(spec: SweepSpec, sources: Sources | None = None, *, is_tried: bool = False) -> Inspected:
    """Looks at the trainable and its data in this process; every problem becomes a line.

    Args:
        sources: the trainable's code as it was kept; by default its files are read as they are.
        is_tried: a batch is trained afterwards, if there are no problems, which tells the metrics' names. Else the
            first trial's model is built where the class alone does not explain the objective.
    """
    if spec.command is not None:
        return _script(command_findings(spec), COMMAND_TEXT)
    try:
        trainable_class = load_trainable(spec.trainable, sources)
    except registry.UnknownTrainableError as error:
        return _unknown([f"trainable: {_text(error).removeprefix('trainable ')}"])
    except (Exception, SystemExit) as error:
        lacking = list(missing_here(spec.requirements))
        why = f"{_raised(error, spec.trainable)}{_package_hint(error, spec.trainable)}"
        return _unknown([*lacking, f"trainable: must import without an error, but {why}"])
    if isinstance(trainable_class, Loop):
        return _script(loop_findings(spec), LOOP_TEXT, _imported_beside(spec.trainable))
    problems = contract_problems(trainable_class)
    if problems:
        return _unknown(problems)
    found = _inspect_class(spec, trainable_class, is_tried and is_own(spec.trainable))
    return replace(found, problems=[*missing_here(spec.requirements), *found.problems])


def _script(found: ScriptFindings, why: str, imported: Sequence[str] = ()) -> Inspected:
    return Inspected(
        {},
        [],
        None,
        found.problems,
        warnings=found.warnings,
        imported=[*imported],
        mismatches=found.mismatches,
        path="script",
        why=why,
        is_script=True,
    )


def _inspect_class(spec: SweepSpec, trainable_class: type[Trainable], is_tried: bool) -> Inspected:
    known = trainable_class.Params
    if is_adapted(trainable_class):
        whole = _completed(spec, trainable_class)
        spec, problems = whole.spec, whole.problems
        hyper_warnings = whole.warnings
    else:
        problems, hyper_warnings = param_problems(spec, known, trainable_class.constants), []
        if "space" not in spec.model_fields_set:
            problems.append("space: is required, but is missing")
    problems += [] if problems and is_adapted(trainable_class) else unknown_name_problems(spec, known)
    metrics: list[str] = []
    of_metric: list[str] = []
    of_data: list[str] = []
    num_train, data, learned, folds = None, None, Learned(), None
    try:
        trainable = trainable_class(spec.data)
        trainable.fixed_params = spec.space.fixed
        # Of the class, or of its own by the data that it was given.
        if not hasattr(trainable, "loss") and not may_compile(trainable_class):
            return _unknown(['trainable: must have a loss, such as loss = "mse"; None where its model has its own'])
        metrics = epoch_metrics(trainable)  # type: ignore[arg-type]
        problems += name_problems(trainable)
        of_metric = metric_problems(spec, metrics)
        data, learned = load_and_learn(trainable)
        if isinstance(data, Data):
            folds, of_data = _folded(spec, trainable, data)
            seen = folds[0] if folds else data
            if folds:
                metrics = metrics_of(metrics, folds)
                of_metric = metric_problems(spec, metrics)
            if not of_data:
                of_data, num_train = _look_at(spec, trainable, seen)
            of_data += batch_size_problems(spec, num_train) or batch_size_without_effect(spec, data)
            if is_tried and not (problems or of_data):
                of_metric = []
            elif of_metric and is_own(spec.trainable) and not (problems or of_data):
                asked, failed = _ask_model(spec, trainable, seen)
                asked = metrics_of(asked, folds)
                metrics, of_metric = (
                    (metrics, [*of_metric, *failed]) if failed else (asked, metric_problems(spec, asked))
                )
        else:
            of_data.append(f"trainable: load_data must return a Data, but it returned {what(data)}")
    except ParamError as error:
        of_data.append(f"space.{error.param}: {error.rule}")
    except DataError as error:
        of_data.append(f"data: {error}")
    except (Exception, SystemExit) as error:
        of_data.append(f"trainable: load_data must work, but {_raised(error, spec.trainable)}")
    problems += [*of_metric, *of_data]
    digests: dict[str, Any] = {}
    if isinstance(data, Data) and not problems:
        digests = {
            "source": source_digest(spec.data),
            "arrays": array_digests(data),
            "described": described(data),
        }
    is_shared = isinstance(data, Data) and _is_arrays(data)
    is_unused = spec.data is not None and not trainable_class.takes_data
    warnings = ["data: has no effect, as the trainable has its own"] if is_unused else []
    warnings += [*text_warnings(spec, taken_texts(known)), *hyper_warnings, *parts_without_effect(spec, known, data)]
    warnings += data_warnings(data) if isinstance(data, Data) and not problems else []
    warnings += [
        f"trainable: its {name} may have no effect: {why}" for name, why in _ELSEWHERE if hasattr(trainable_class, name)
    ]
    warnings += _not_handed_over(learned)
    if isinstance(data, Data) and num_train and hasattr(data.train, "element_spec") and not problems:
        from trainables.training.shuffling import shuffle_warning

        warnings += [f"trainable: {text}" for text in filter(None, [shuffle_warning(data.train, num_train)])]
    handed = data if is_shared and not learned.left_out else None
    imported = _imported_beside(spec.trainable)
    space = spec.space if is_adapted(trainable_class) else None
    is_ours = not problems and not is_own(spec.trainable)
    idle = idle_training_params(spec, known, draws(spec)) if is_ours else {}
    is_judged = is_ours or not (problems or is_tried or may_compile(trainable_class))
    wrong = mismatches(spec, known, draws(spec)) if is_judged and {*NAMES} & {*spec.space} else []
    warnings += taker_warnings(spec, known, draws(spec)) if is_ours else []
    defaults = defaults_of(known, data)
    metrics = metrics if problems else with_objective(spec, metrics)
    return Inspected(
        defaults, metrics, num_train, problems, handed, warnings, digests, imported, learned, idle, space=space,
        num_folds=len(folds or ()), mismatches=wrong,
    )  # fmt: skip


def _completed(spec: SweepSpec, trainable_class: Any) -> Completed:
    """A KerasTuner model's spec, with its data where they can be had; `load_data`'s own faults are told elsewhere."""
    try:
        trainable = trainable_class(spec.data)
        trainable.fixed_params = spec.space.fixed
        data = None
        with suppress(Exception):
            data = trainable.load_data()
        return completed(spec, trainable, data)
    except (Exception, SystemExit) as error:
        return Completed(
            spec, [f"trainable: its model must build with all defaults, but {_raised(error, spec.trainable)}"]
        )


def _not_handed_over(learned: Learned) -> list[str]:
    """What is told of attributes that other processes cannot be given."""
    if not learned.left_out:
        return []
    names = [f"{name} ({why})" for name, why in learned.left_out.items()]
    what = "trainable: load_data keeps what cannot be pickled, so each process that needs it loads the data itself"
    return [f"{what}: {cut(', '.join(names), 300)}"]


def _imported_beside(trainable: str) -> list[str]:
    """The files below a user's own that this process has imported, whatever named them."""
    if not is_file(trainable):
        return []
    folder = Path(trainable.rpartition(":")[0]).resolve().parent
    prefixes = [Path(prefix) for prefix in {sys.prefix, sys.base_prefix} if not folder.is_relative_to(prefix)]
    places = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    paths = [Path(place) for place in places if isinstance(place, str) and place.endswith(".py")]
    paths = [path for path in paths if not any(map(path.is_relative_to, prefixes))]
    below = (path.relative_to(folder) for path in paths if path.is_relative_to(folder))
    return sorted(path.as_posix() for path in below if not _is_installed(path))


def _is_installed(path: Path) -> bool:
    """Whether it belongs to an environment or to this project, which may lie below a user's file, too."""
    return any(part.startswith(".") or part in ("site-packages", "tuner", "trainables") for part in path.parts)


def _unknown(problems: list[str]) -> Inspected:
    return Inspected({}, [], None, problems)


def contract_problems(trainable: type[Trainable]) -> list[str]:
    """What a class lacks of a trainable."""
    problems = []
    params = trainable.Params
    if not (isinstance(params, type) and issubclass(params, BaseModel)) or not (
        issubclass(params, Params) or may_compile(trainable)
    ):
        problems.append("trainable: its Params must be derived from trainables.contract.Params")
    if isinstance(trainable.metrics, str) or not isinstance(trainable.metrics, Iterable | property):
        problems.append(f"trainable: its metrics must be a list, but got {trainable.metrics!r}")
    return problems


def _look_at(spec: SweepSpec, trainable: Trainable, data: Data) -> tuple[list[str], int | None]:
    """What is wrong with the data that the configuration with the lowest values uses, and its training examples."""
    known = trainable.Params.model_fields
    lowest = {
        name: min((value for _, value in extremes(parameter) if isinstance(value, int | float)), default=None)
        for name, parameter in spec.space.items()
        if name in known and name not in ("batch_size", "epochs")
    }
    try:
        params = trainable.Params(**{name: value for name, value in lowest.items() if value is not None})
    except (
        ValidationError,
        Infeasible,
    ):  # `load_data` may return anything from which `select_data` makes what is trained on
        return [], None if data_problems(data, takes_batches(trainable)) else num_examples(data.train)
    try:
        used = isolated(*read_only(trainable, data), lambda own, given: own.select_data(given, params))
    except Infeasible:
        return [], None
    if not isinstance(used, Data):
        return [f"trainable: select_data must return a Data, but it returned {what(used)}"], None
    problems = data_problems(used, takes_batches(trainable))
    return problems, None if problems else num_examples(used.train)


def _folded(spec: SweepSpec, trainable: Trainable, data: Data) -> tuple[list[Data] | None, list[str]]:
    """As `folds_of`; what the trainable's own code raises is a problem, too."""
    try:
        return folds_of(spec, trainable, data)
    except (Exception, SystemExit) as error:
        return None, [f"trainable: folds must work, but {_raised(error, spec.trainable)}"]


def _ask_model(spec: SweepSpec, trainable: Trainable, data: Data) -> tuple[list[str], list[str]]:
    """What the model of the sweep's first trial reports, or why there is none."""
    from trainables.training import reported_metric_names
    from trainables.training.reads import valid_params

    failed = ""
    trainable, data = read_only(trainable, data)
    for drawn in draws(spec):
        try:
            params = valid_params(trainable, drawn)

            def ask(own: Trainable, given: Data, params: Any = params) -> list[str]:
                return reported_metric_names(own, own.select_data(given, params), params, spec.precision)

            return isolated(trainable, data, ask), []
        except (Exception, SystemExit) as error:
            failed = f"trainable: its model must train, but {_raised(error, spec.trainable)}"
            if infeasible_in(error) is None:
                break
    return [], [failed]


def _is_arrays(data: Data) -> bool:
    parts = (data.train, data.validation, data.test)
    return not any(hasattr(part, "cardinality") or is_python(part) for part in parts)


def _text(error: BaseException) -> str:
    return str(error.args[0]) if error.args else said_by(error)


def _package_hint(error: BaseException, trainable: str) -> str:
    """The way out for a file that imports as a module of its package alone."""
    if not isinstance(error, ImportError) or "relative import" not in str(error) or not is_file(trainable):
        return ""
    file, _, name = trainable.rpartition(":")
    module = module_in_package(Path(file))
    return f"; it belongs to a package: trainable: {module}:{name}" if module else ""


def _raised(error: BaseException, trainable: str) -> str:
    """An exception on one line, with the line of the user's own file that it came through."""
    file = trainable.rpartition(":")[0] if is_file(trainable) else ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    where = f" (line {line} of {Path(file).name})" if line and file else ""
    message = error.msg if isinstance(error, SyntaxError) else " ".join(gist(error).split())[:300]
    is_relative = isinstance(error, FileNotFoundError) and not os.path.isabs(str(error.filename or ""))
    begins = f"; relative paths begin in {os.getcwd()}" if is_relative else ""
    return f"it raised {type(error).__name__}{f': {message}' if message else ''}{where}{begins}"
