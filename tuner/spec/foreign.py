"""The words of W&B sweeps, KerasTuner, Optuna, Ray Tune and Hyperopt in a spec, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, TypeGuard

from tuner.spec.foreign_parameters import Advice, flow, leave_out, parameter_advice, unknown
from tuner.spec.foreign_program import program_advice
from tuner.spec.space import shown

_SPACE = ("parameters", "search_space", "param_space", "hyperparameters", "hparams", "config")
_MODES: dict[str, tuple[str, ...]] = {
    "min": ("minimize", "minimise", "minimum", "lower", "smaller"),
    "max": ("maximize", "maximise", "maximum", "higher", "greater"),
}
_ALGORITHMS: dict[str, tuple[str, ...]] = {
    "tpe": ("bayes", "bayesian", "bayesianoptimization", "bayesian_optimization", "bayesopt", "hyperopt",
            "hyperoptsearch", "optuna", "optunasearch", "bayesoptsearch", "tpesampler", "gp", "gpsampler"),
    "random": ("randomsearch", "random_search", "randomsampler", "basicvariantgenerator"),
    "grid": ("gridsearch", "grid_search", "gridsampler"),
}  # fmt: skip
_STOPPERS: dict[str, tuple[str, ...]] = {
    "asha": ("hyperband", "ashascheduler", "asynchyperbandscheduler", "hyperbandscheduler", "asyncsuccessivehalving",
             "sha", "successive_halving", "hyperbandpruner", "successivehalvingpruner", "median", "medianpruner"),
    "none": ("fifo", "fifoscheduler", "nop", "noppruner"),
}  # fmt: skip
_ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "objective.mode": _MODES,
    "search.algorithm": _ALGORITHMS,
    "early_stopping.algorithm": _STOPPERS,
}
"""Path of a field -> its values -> what others call them, in lower case."""

_WORDS: dict[str, dict[str | None, tuple[str, ...]]] = {
    "": {
        "space": _SPACE,
        "objective": ("metric", "monitor"),
        "objective.mode": ("goal", "direction", "mode"),
        "num_trials": ("run_cap", "max_trials", "n_trials", "num_samples", "count", "max_evals", "trials"),
        "name": ("project_name", "study_name", "sweep_name"),
        "trainable": ("script", "entrypoint", "hypermodel", "model"),
        "storage": ("directory", "storage_path", "local_dir", "output_dir", "log_dir"),
        "search.algorithm": ("method", "algorithm", "algo", "sampler", "tuner", "oracle", "search_alg", "strategy"),
        "search.seed": ("seed", "random_state", "random_seed"),
        "early_stopping": ("early_terminate", "scheduler", "pruner", "earlystopping"),
        "early_stopping.reduction_factor": ("reduction_factor", "eta", "factor"),
        "epochs.max": ("max_epochs", "num_epochs", "n_epochs", "max_t", "max_iter"),
        "epochs.min": ("min_epochs", "grace_period", "min_iter"),
        "budget.wall_time": ("timeout", "time_budget_s", "max_time"),
        "failures.max_retries": ("max_retries_per_trial", "max_failures"),
        "resources": ("resources_per_trial",),
        "tracking.experiment": ("project", "experiment", "experiment_name"),
        "tracking.uri": ("tracking_uri", "mlflow_tracking_uri"),
        "data": ("dataset",),
        None: ("entity", "description", "executions_per_trial", "overwrite", "controller", "kind", "version",
               "allow_new_entries", "tune_new_entries", "n_startup_trials"),
    },
    "objective": {"metric": ("name", "monitor"), "mode": ("goal", "direction", "type"), None: ("target", "value")},
    "epochs": {"max": ("value", "max_value", "maximum", "high", "max_epochs", "max_t"), "min": ("min_value", "low")},
    "search": {
        "algorithm": ("method", "type", "name", "sampler", "strategy"),
        "seed": ("random_state", "random_seed"),
        "num_trials": ("max_trials", "num_samples", "n_trials", "run_cap", "max_evals", "num_trials"),
    },
    "early_stopping": {
        "algorithm": ("type", "name", "method"),
        "epochs.min": ("min_iter", "grace_period"),
        "epochs.max": ("max_iter", "max_t"),
        "reduction_factor": ("eta", "factor"),
        None: ("s", "strict", "brackets", "time_attr"),
    },
    "resources": {
        "cpus_per_trial": ("cpu", "cpus", "num_cpus"),
        "gpus_per_trial": ("gpu", "gpus", "num_gpus"),
    },
    "tracking": {"uri": ("tracking_uri",), "experiment": ("project", "experiment_name"), None: ("entity",)},
}  # fmt: skip
"""Section -> our field in it, or the path of one elsewhere; None where there is no counterpart -> words of others."""

_SHORT: dict[str, tuple[str, type | UnionType]] = {
    "epochs": ("max", int | list),
    "objective": ("metric", str),
    "search": ("algorithm", str),
    "early_stopping": ("algorithm", str | bool),
    "tracking": ("uri", str),
}
"""Sections that others write as one value -> the field that it is meant for, and its type."""


def foreign_words(written: Mapping[str, Any]) -> Advice:
    """What to write in place of each foreign word of a spec; pure, and silent about a spec without such words."""
    found = Advice()
    for place, section in [((), written), *(((name,), written.get(name)) for name in _WORDS if name)]:
        if isinstance(section, Mapping):
            _section_advice(place, section, written, found)
    for name, (field, kind) in _SHORT.items():
        value = written.get(name)
        if isinstance(value, kind):
            found.rules[(name,)] = (
                f"must be a mapping, but got {shown(value)}; write {name}: {_shorthand(name, field, value)}"
            )
    for path, values in _ALIASES.items():
        section_name, field = path.split(".")
        section = written.get(section_name)
        value = section.get(field) if isinstance(section, Mapping) else None
        if not (isinstance(value, str) and value in values) and (ours := _ours(path, value)) in values:
            found.rules[(section_name, field)] = f"{_must_be(values)}, but got {shown(value)}; write {field}: {ours}"
    for name in ("space", *_SPACE):
        parameters = written.get(name)
        for parameter, fields in parameters.items() if isinstance(parameters, Mapping) else ():
            parameter_advice((name, str(parameter)), fields, found)
    program_advice(written, found)
    _epochs_advice(written, found)
    return found


_AT_ONCE = ("max_concurrent_trials", "n_jobs", "parallelism", "max_parallel_trials")
"""Other tools' words for how many trials run at the same time."""


def _section_advice(place: tuple[str, ...], section: Mapping[str, Any], spec: Mapping[str, Any], found: Advice) -> None:
    known = {word: ours for ours, words in _WORDS[".".join(place)].items() for word in words}
    for word, value in section.items():
        if word in _AT_ONCE and place in ((), ("search",), ("resources",)):
            way_out = "as many trials run as there is room for; write resources: {cpus_per_trial: …} to have fewer"
            found.rules[(*place, word)] = unknown(way_out)
        if word not in known:
            continue
        ours = known[word]
        if ours is None:
            found.rules[(*place, word)] = unknown("there is nothing like it here; leave it out")
            continue
        is_here = ours in _fields(place)
        path = (*place, ours) if is_here else tuple(ours.split("."))
        if _holds(spec, path):
            found.rules[(*place, word)] = unknown(leave_out(".".join(path)))
            continue
        found.covers.add(path if path[0] in spec else path[:1])
        if ours == "early_stopping" and isinstance(value, Mapping) and {"max_iter", "max_t"} & {*value}:
            found.covers.add(("epochs",))
        found.rules[(*place, word)] = unknown(f"write {_translation(path, word, value, section, is_here and place)}")


def _fields(place: tuple[str, ...]) -> list[str]:
    return (
        [ours for ours in _WORDS[".".join(place)] if ours and "." not in ours and ours != "num_trials"] if place else []
    )


def _holds(spec: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether a spec says something at a path."""
    inner: Any = spec
    for part in path:
        if not isinstance(inner, Mapping) or part not in inner:
            return False
        inner = inner[part]
    return True


def _translation(path: tuple[str, ...], word: str, value: Any, section: Mapping[str, Any], is_here: Any) -> str:
    dotted = ".".join(path)
    if dotted == "space":
        is_wandb = word == "parameters" and "method" in section
        return "space; `tuner init --from FILE` writes a W&B sweep as a spec" if is_wandb else "space"
    if dotted == "trainable":
        file = next((part for part in str(value).split() if part.endswith(".py")), "./file.py")
        kind = "main" if word in ("script", "entrypoint") else "ClassName"
        return f"trainable: {file if file.startswith(('.', '/')) else f'./{file}'}:{kind}"
    if dotted == "objective":
        return f"objective: {_objective(value, section)}"
    if dotted == "early_stopping":
        return f"early_stopping: {_early_stopping(value)}"
    if dotted == "resources":
        return "resources: {cpus_per_trial: 1, gpus_per_trial: 0}"
    ours = _ours(dotted, value)
    if len(path) == 1 or is_here:
        return f"{path[-1]}: {ours}"
    return f"{path[0]}: {{{path[1]}: {ours}}} ({dotted})"


def ours_of(path: str, value: Any) -> str | None:
    """A value of a field with known values in our words; None if there is none like it."""
    for ours, theirs in _ALIASES[path].items():
        if isinstance(value, str) and value.lower() in (ours, *theirs):
            return ours
    return None


def _ours(path: str, value: Any) -> str:
    """A value of a field in our words; all of ours if there is none like it."""
    if path in _ALIASES and (ours := ours_of(path, value)) is not None:
        return ours
    return " or ".join(_ALIASES[path]) if path in _ALIASES else flow(value)


def _objective(value: Any, section: Mapping[str, Any]) -> str:
    inner = value if isinstance(value, Mapping) else {"name": value, **section}
    metric = inner.get("name", inner.get("metric"))
    mode = next((inner[word] for word in ("goal", "direction", "mode") if word in inner), None)
    name = flow(metric) if isinstance(metric, str) else "val_accuracy"
    return f"{{metric: {name}, mode: {_ours('objective.mode', mode)}}}"


def _early_stopping(value: Any) -> str:
    """With what a stopper's mapping says besides its kind, where it has a place elsewhere."""
    inner = value if isinstance(value, Mapping) else {"type": value}
    kind = _ours("early_stopping.algorithm", inner.get("type", "asha"))
    fields = [f"algorithm: {kind}"]
    if _is_count(eta := inner.get("eta", inner.get("reduction_factor"))):
        fields.append(f"reduction_factor: {eta}")
    ends = {"min": ("min_iter", "grace_period"), "max": ("max_iter", "max_t")}
    found = {ours: inner[word] for ours, theirs in ends.items() for word in theirs if word in inner}
    if "min" not in found and _is_count(most := found.get("max")) and _is_count(brackets := inner.get("s")):
        found = {"min": max(1, round(most / (eta if _is_count(eta) else 3) ** min(brackets, 64))), **found}
    return f"{{{', '.join(fields)}}}" + (f", and epochs: {flow(found)}" if found else "")


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _shorthand(name: str, field: str, value: Any) -> str:
    if field == "metric":
        return f"{{metric: {flow(value)}, mode: min or max}}"
    if field == "max" and isinstance(value, list) and len(value) == 2:
        return f"{{min: {flow(value[0])}, max: {flow(value[1])}}}"
    if isinstance(value, bool):
        value = "asha" if value else "none"
    return f"{{{field}: {_ours(f'{name}.{field}', value)}}}"


def _must_be(values: Mapping[str, Any]) -> str:
    *others, last = map(repr, values)
    return f"must be {', '.join(others)} or {last}"


def _epochs_advice(written: Mapping[str, Any], found: Advice) -> None:
    """Where nothing says how long a training is but a constant among the parameters."""
    if "epochs" in written or ("epochs",) in found.covers:
        return
    for number in _constants(written, "epochs"):
        found.rules[("epochs",)] = f"is required, but is missing; write epochs: {{max: {number}}}"


def _constants(written: Mapping[str, Any], name: str) -> Iterator[int]:
    for space in ("space", *_SPACE):
        parameter = written[space].get(name) if isinstance(written.get(space), Mapping) else None
        value = parameter.get("value") if isinstance(parameter, Mapping) else parameter
        if isinstance(value, int) and not isinstance(value, bool):
            yield value
