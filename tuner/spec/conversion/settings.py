"""What a program of Optuna or Ray Tune says besides its space: objective, number of trials, search, early stopping."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from tuner.spec.conversion.draft import Draft
from tuner.spec.conversion.literals import Literals, NotPlain, called, written
from tuner.spec.conversion.values import count_of, is_number
from tuner.spec.foreign import ours_of
from tuner.spec.foreign_parameters import flow

_SEARCHERS = ("Sampler", "Search")
_STOPPERS = ("Pruner", "Scheduler", "HyperBandForBOHB", "PopulationBasedTraining", "PB2")
_ORDER = {"SuccessiveHalvingPruner": ("min_resource", "reduction_factor"),
          "HyperbandPruner": ("min_resource", "max_resource", "reduction_factor")}  # fmt: skip
_DEFAULTS: dict[str, dict[str, int]] = {
    "ASHAScheduler": {"max_t": 100, "reduction_factor": 4},
    "AsyncHyperBandScheduler": {"max_t": 100, "reduction_factor": 4},
    "HyperBandScheduler": {"max_t": 81, "reduction_factor": 3},
    "SuccessiveHalvingPruner": {"reduction_factor": 4},
    "HyperbandPruner": {"reduction_factor": 3},
}
"""What these do when they are told nothing, where it is not what we do."""
_SEEDS = ("seed", "random_state_seed", "random_state")
_PLAIN = ("metric", "mode", "time_attr")
_ELSEWHERE = {
    *("sampler", "pruner", "search_alg", "scheduler", "func", "fn", "space", "config", "param_space", "trainable"),
    *("show_progress_bar", "gc_after_trial", "verbose", "progress_reporter", "algo", "trials", "rstate", "resources"),
    *("reuse_actors", "directions", "storage", "storage_path", "load_if_exists", "n_jobs", "max_concurrent_trials"),
}
"""Options that are read elsewhere, or that make no difference to what is searched."""
_CALLS = ("create_study", "optimize", "TuneConfig", "RunConfig", "FailureConfig", "run", "fmin", "with_resources")


def add_settings(tree: ast.AST, draft: Draft, literals: Literals) -> None:
    """Reads the calls that configure a search, wherever they stand in the file."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in calls:
        name = called(node)
        if name.endswith(_SEARCHERS) and name[:1].isupper():
            _add_search(node, name, draft, literals)
        elif name.endswith(_STOPPERS) and name[:1].isupper():
            _add_stopping(node, name, draft, literals)
        elif name in _CALLS and (name != "run" or ast.unparse(node.func) == "tune.run"):
            _add_options(node, name, draft, literals)
    names = {called(node) for node in calls}
    if "create_study" in names and draft.mode is None:
        draft.mode = "min"
    if "should_prune" in names and not any(name.endswith("Pruner") for name in names):
        draft.stops_early = True
        draft.note("pruner", "Optuna's own is MedianPruner; asha compares trials at its rungs instead")


def add_wandb_settings(tree: ast.AST, draft: Draft, literals: Literals) -> None:
    """The number of trials of `wandb.agent(…, count=…)`, and the project of `wandb.sweep`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("wandb.agent", "wandb.sweep"):
            given = _values(node, literals)
            if draft.num_trials is None and "count" in given:
                _set_trials(draft, f"line {node.lineno}, count", given["count"])
            if isinstance(project := given.get("project"), str):
                draft.more.setdefault("tracking", {"experiment": project})


def _values(node: ast.Call, literals: Literals, order: tuple[str, ...] = ()) -> dict[str, Any]:
    """The plain arguments by name."""
    given = dict(zip(order, node.args, strict=False)) | {str(each.arg): each.value for each in node.keywords}
    found = {}
    for name, argument in given.items():
        try:
            found[name] = literals.value(argument)
        except NotPlain:
            continue
    return found


def _add_search(node: ast.Call, name: str, draft: Draft, literals: Literals) -> None:
    draft.set_algorithm(f"line {node.lineno}", name)
    _note_rest(node, name, draft, {*_SEEDS, "metric", "mode"})
    for word in _SEEDS:
        value = _values(node, literals).get(word)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32:
            draft.seed = value
    _add_options(node, name, draft, literals)


def _add_stopping(node: ast.Call, name: str, draft: Draft, literals: Literals) -> None:
    place = f"line {node.lineno}"
    ours = ours_of("early_stopping.algorithm", name)
    draft.stops_early = ours != "none"
    if ours is None:
        draft.note(place, f"there is no {name} here; early stopping is asha")
    elif ours == "asha" and "edian" in name:
        draft.note(place, f"there is no {name} here; asha compares trials at its rungs instead")
    given = {**_DEFAULTS.get(name, {}), **_values(node, literals, _ORDER.get(name, ()))}
    _note_rest(
        node, name, draft, {"min_resource", "max_resource", "grace_period", "max_t", "reduction_factor", *_PLAIN}
    )
    least = given.get("min_resource", given.get("grace_period"))
    most = given.get("max_resource", given.get("max_t"))
    factor = given.get("reduction_factor")
    draft.epochs_min = count_of(least) or draft.epochs_min
    draft.epochs_max = count_of(most) or draft.epochs_max
    if factor is not None and count_of(factor):
        draft.reduction_factor = max(2, round(factor))
        if draft.reduction_factor != factor:
            draft.note(
                place, f"reduction_factor must be a whole number; {draft.reduction_factor} instead of {factor:g}"
            )
    _add_options(node, name, draft, literals)


def _add_options(node: ast.Call, name: str, draft: Draft, literals: Literals) -> None:
    place = f"line {node.lineno}"
    order = {"fmin": ("fn", "space", "algo", "max_evals"), "optimize": ("func", "n_trials", "timeout")}.get(name, ())
    given = _values(node, literals, order)
    for word, value in given.items():
        if word == "name" and name in ("RunConfig", "run"):
            _set_name(draft, place, value)
        elif word in _SETTERS and value is not None:
            _SETTERS[word](draft, f"{place}, {word}", value)
    for each in node.keywords:
        if each.arg in _NOTES:
            draft.note(f"{place}, {each.arg}", _NOTES[each.arg])
        elif each.arg in _SETTERS and each.arg not in given:
            said = f"{written(each.value)} cannot be told without running the program; left out"
            draft.note(f"{place}, {each.arg}", said)
    if name in _CALLS and name != "with_resources":
        _note_rest(node, name, draft, {*_SETTERS, *_NOTES, *_ELSEWHERE, "name"})
    if name == "fmin":
        algorithm = next((ast.unparse(each.value) for each in node.keywords if each.arg == "algo"), "tpe.suggest")
        draft.tool = "Hyperopt"
        draft.set_algorithm(
            f"{place}, algo", "random" if algorithm.startswith("rand.") else algorithm.partition(".")[0]
        )
    for argument in [*node.args, *(each.value for each in node.keywords)]:
        if name == "with_resources" and isinstance(argument, ast.Dict):
            _add_resources(argument, draft, literals)
    directions = [each for each in node.keywords if each.arg == "directions"]
    if directions:
        draft.note(place, f"{written(directions[0].value)}: there is one objective here, or an expression of metrics")


def _note_rest(node: ast.Call, name: str, draft: Draft, known: set[str]) -> None:
    for each in node.keywords:
        if each.arg is not None and each.arg not in {*known, *_NOTES, *_SETTERS}:
            draft.nothing_like(f"line {node.lineno}, {name}({each.arg}=…)")


def _add_resources(node: ast.Dict, draft: Draft, literals: Literals) -> None:
    try:
        asked: Mapping[str, Any] = literals.value(node)
    except NotPlain:
        return
    names = {"cpu": "cpus_per_trial", "gpu": "gpus_per_trial"}
    found = {names[word]: value for word, value in asked.items() if word in names and is_number(value)}
    if found:
        draft.more["resources"] = found


def _set_metric(draft: Draft, place: str, value: Any) -> None:
    if isinstance(value, str):
        draft.metric = value
    else:
        draft.note(place, f"there is one objective here, or an expression of metrics, but it is {flow(value)}")


def _set_trials(draft: Draft, place: str, value: Any) -> None:
    draft.num_trials = count_of(value)
    if draft.num_trials is None:
        draft.note(place, f"must be a whole number of at least 1, but is {flow(value)}; left out")


def _set_time(draft: Draft, place: str, value: Any) -> None:
    if is_number(value) and value > 0:
        draft.wall_time_s = float(value)


def _set_name(draft: Draft, place: str, value: Any) -> None:
    if isinstance(value, str):
        draft.name = value


def _set_retries(draft: Draft, place: str, value: Any) -> None:
    if isinstance(value, int) and value >= 0:
        draft.more["failures"] = {"max_retries": value}


def _set_stop(draft: Draft, place: str, value: Any) -> None:
    """Ray's conditions at which a trial ends; of them, its iterations have a counterpart."""
    for word, limit in value.items() if isinstance(value, dict) else ():
        if word == "training_iteration" and (most := count_of(limit)) is not None:
            draft.epochs_max = min(most, draft.epochs_max or most)
        else:
            draft.note(place, f"a trial does not end at a value of {flow(word)} here")


_SETTERS: dict[str, Callable[[Draft, str, Any], None]] = {
    "metric": _set_metric,
    "mode": Draft.set_mode,
    "direction": Draft.set_mode,
    "n_trials": _set_trials,
    "num_samples": _set_trials,
    "max_evals": _set_trials,
    "timeout": _set_time,
    "time_budget_s": _set_time,
    "study_name": _set_name,
    "max_failures": _set_retries,
    "stop": _set_stop,
}
_NOTES = {
    "n_jobs": "as many trials run as there is room for; resources: {cpus_per_trial: …} to have fewer",
    "max_concurrent_trials": "as many trials run as there is room for; resources: {cpus_per_trial: …} to have fewer",
    "storage": "sweeps are kept in ./sweeps; another place: storage: FOLDER",
    "storage_path": "sweeps are kept in ./sweeps; another place: storage: FOLDER",
    "points_to_evaluate": "configurations to begin with are written in search.points",
    "load_if_exists": "a sweep is continued with `tuner resume`",
}
