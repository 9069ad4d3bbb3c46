"""A W&B sweep in our words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.spec.conversion.distributions import parameter_of
from tuner.spec.conversion.draft import Draft
from tuner.spec.conversion.program import command_of, epochs_in, parts_of
from tuner.spec.conversion.values import count_of
from tuner.spec.foreign_parameters import flow

TOOL = "W&B"
_PREFIX = "epoch/"
"""What W&B's callback for Keras puts before the names of metrics."""
_NO_COUNTERPART = ("entity", "description", "controller", "prior_runs", "job", "image_uri", "resource", "template")
_SILENT = ("kind", "version", "$schema")


def is_sweep(written: Mapping[str, Any]) -> bool:
    """Whether a mapping is a W&B sweep and no spec of ours."""
    return isinstance(written.get("parameters"), Mapping) and "space" not in written


def draft_of(written: Mapping[str, Any], file_name: str) -> Draft:
    """Everything that a sweep file says."""
    name = next((written[word] for word in ("name", "project") if isinstance(written.get(word), str)), file_name)
    draft = Draft(TOOL, name)
    _add_parameters(draft, written["parameters"])
    draft.set_algorithm("method", str(written.get("method", "random")))
    _add_metric(draft, written.get("metric"))
    _add_stopping(draft, written.get("early_terminate"))
    if (cap := written.get("run_cap")) is not None:
        draft.num_trials = _count(draft, "run_cap", cap)
    if isinstance(project := written.get("project"), str):
        draft.more["tracking"] = {"experiment": project}
    _add_command(draft, written)
    known = {"parameters", "method", "metric", "early_terminate", "run_cap", "project", "name", "program", "command"}
    for word in written:
        if word in _NO_COUNTERPART or word not in (*known, *_SILENT):
            draft.nothing_like(str(word))
    return draft


def _add_command(draft: Draft, written: Mapping[str, Any]) -> None:
    """What W&B runs: its program, with a `--name=value` for each parameter."""
    parts = parts_of(written)
    if parts is None:
        return
    names = {name: draft.originals.get(name, name) for name in draft.space}
    command, unknown = command_of(parts, written.get("program"), names)
    for macro in unknown:
        draft.note("command", f"there is no {macro} here; left out")
    if not command:
        return
    draft.runs = {"command": command}
    if draft.epochs_max is None:
        draft.epochs_max = epochs_in(parts)
    draft.note(
        "wandb.log", "the program writes each epoch's metrics to $TUNER_REPORT_FD instead: tuner help trainables"
    )
    draft.note("wandb.config", "the program reads its arguments instead, or $TUNER_PARAMS")
    if any(_has_flags(parameter) for parameter in draft.space.values()):
        draft.note("command", "true and false are passed as such, where W&B passes True and False")


def _has_flags(parameter: Any) -> bool:
    values = parameter.get("choices", []) if isinstance(parameter, dict) else [parameter]
    return any(isinstance(value, bool) for value in values)


def _add_metric(draft: Draft, metric: Any) -> None:
    if not isinstance(metric, Mapping):
        return
    if isinstance(name := metric.get("name"), str):
        draft.metric = name.removeprefix(_PREFIX)
        if draft.metric != name:
            draft.note("metric.name", f"{name} is called {draft.metric} here")
    draft.set_mode("metric.goal", metric.get("goal", "minimize"))
    if "target" in metric:
        draft.note(
            "metric.target", "a sweep does not end at a value here; budget: {plateau: …} ends it, or `tuner stop`"
        )
    if "impute" in metric:
        draft.note("metric.impute", "a failed trial counts as bad here")


def _add_stopping(draft: Draft, stopping: Any) -> None:
    """Hyperband: W&B's brackets are at min_iter times powers of eta, or at max_iter divided by them, s of them."""
    if not isinstance(stopping, Mapping):
        return
    place = "early_terminate"
    draft.stops_early = True
    if (kind := stopping.get("type", "hyperband")) != "hyperband":
        draft.note(f"{place}.type", f"there is no {flow(kind)} here; early stopping is asha")
    eta = stopping.get("eta", 3)
    factor = max(2, round(eta)) if count_of(eta) else 3
    if factor != eta:
        draft.note(f"{place}.eta", f"must be a whole number of at least 2; {factor} instead of {flow(eta)}")
    draft.reduction_factor = factor
    least, most, brackets = (stopping.get(word) for word in ("min_iter", "max_iter", "s"))
    if most is not None:
        draft.epochs_max = _count(draft, f"{place}.max_iter", most)
    if least is not None:
        draft.epochs_min = _count(draft, f"{place}.min_iter", least)
    elif draft.epochs_max is not None and (num_brackets := count_of(brackets)) is not None:
        draft.epochs_min = max(1, round(draft.epochs_max / factor ** min(num_brackets, 64)))
    draft.note(
        place, "W&B counts calls of wandb.log, epochs count here; a trial is judged as soon as it reaches a rung"
    )
    for word in stopping:
        if word not in ("type", "eta", "min_iter", "max_iter", "s"):
            draft.nothing_like(f"{place}.{word}")


def _count(draft: Draft, place: str, value: Any) -> int | None:
    if (count := count_of(value)) is not None:
        return count
    draft.note(place, f"must be a whole number of at least 1, but is {flow(value)}; left out")
    return None


def _add_parameters(draft: Draft, parameters: Mapping[str, Any]) -> None:
    leaves = list(_leaves(parameters, ()))
    counts = Counter(path[-1] for path, _ in leaves)
    for path, written in leaves:
        place = f"parameters.{'.'.join(path)}"
        name = path[-1] if counts[path[-1]] == 1 else "_".join(path)
        try:
            parameter, notes = parameter_of(written)
        except ValueError as error:
            draft.note(place, f"{error}; left out")
            continue
        if len(path) > 1:
            draft.note(place, f"there are no groups of parameters here; it is called {name}")
        draft.add(place, name, parameter, notes)


def _leaves(
    parameters: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Parameters that are no groups, with the groups that they are in."""
    for name, written in parameters.items():
        if isinstance(written, Mapping) and isinstance(inner := written.get("parameters"), Mapping):
            yield from _leaves(inner, (*path, str(name)))
        else:
            yield (*path, str(name)), written if isinstance(written, Mapping) else {"value": written}
