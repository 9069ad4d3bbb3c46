"""Parameters in the words of other tools: bounds, distributions, groups, and calls such as `tune.uniform(0, 1)`."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tuner.spec.space import cut, shown

Location = tuple[Any, ...]

_OURS = ("low", "high", "scale", "num", "step", "choices", "value", "when")
_WORDS = {
    "low": ("min", "min_value", "minimum", "minval", "lower", "lower_bound", "start"),
    "high": ("max", "max_value", "maximum", "maxval", "upper", "upper_bound", "stop", "end"),
    "step": ("q", "quantum", "step_size", "stride"),
    "choices": ("values", "options", "categories", "choice", "grid_search", "grid", "items"),
    "scale": ("distribution", "sampling", "dist", "prior", "log", "log_scale", "scaling"),
    "when": ("parent_name", "parent_values", "condition", "conditions", "depends_on"),
    "search.points": ("default", "init", "initial"),
    None: ("name", "ordered", "type", "dtype", "probabilities", "mu", "sigma", "mean", "std", "description"),
}  # fmt: skip
"""Our field, or the path of one elsewhere; None where there is no counterpart -> words of others."""
_THEIRS = {word: ours for ours, words in _WORDS.items() for word in words}

_LINEAR = (
    "uniform",
    "int_uniform",
    "q_uniform",
    "quniform",
    "linear",
    "float",
    "int",
    "integer",
    "randint",
    "uniformint",
)
_LOG = ("log", "log10", "log_uniform_values", "q_log_uniform_values", "loguniform", "qloguniform", "log-uniform",
        "reciprocal", "logarithmic", "lograndint")  # fmt: skip
_EXPONENTS = ("log_uniform", "q_log_uniform")
"""W&B's distributions whose bounds are natural logarithms."""
_NAMED = ("constant", "categorical", "choice", "categorical_w_probabilities")

_REAL = (
    "uniform",
    "loguniform",
    "suggest_float",
    "suggest_uniform",
    "suggest_loguniform",
    "float",
    "log_uniform_values",
)
"""Kinds of real numbers, whatever their bounds; here whole bounds make whole numbers."""

_CALLS = {
    "uniform": ("low", "high"), "loguniform": ("low", "high"), "quniform": ("low", "high", "step"),
    "qloguniform": ("low", "high", "step"), "randint": ("low", "end"), "lograndint": ("low", "end"),
    "qrandint": ("low", "high", "step"), "uniformint": ("low", "high"), "choice": ("choices",),
    "grid_search": ("choices",), "suggest_float": ("low", "high", "step"), "suggest_int": ("low", "high", "step"),
    "suggest_uniform": ("low", "high"), "suggest_loguniform": ("low", "high"),
    "suggest_discrete_uniform": ("low", "high", "step"), "suggest_categorical": ("choices",),
    "Int": ("low", "high", "step", "sampling"), "Float": ("low", "high", "step", "sampling"), "Choice": ("choices",),
    "Boolean": (), "Fixed": ("value",),
}  # fmt: skip
"""Functions of other tools -> what their arguments are after a name, if they have one."""
_CALL = re.compile(r"(?:\w+\.)*(\w+)\(.*\)")
_MODULES = ("tune.", "ray.tune.", "hp.", "trial.", "optuna.", "np.random.", "numpy.random.", "random.")
"""What a call in text begins with that was meant to be evaluated."""
_LONGEST = 500
_WRITTEN_OUT = 20
"""Values of a list that a message shows in full."""
_NOT_TEXT = ("true", "false", "null", "nan", "inf")


@dataclass
class Advice:
    """What to say at places of a spec, and of which places nothing else needs to be said."""

    rules: dict[Location, str] = field(default_factory=dict)
    covers: set[Location] = field(default_factory=set)

    def is_covered(self, location: Location) -> bool:
        return any(location[:length] in self.covers for length in range(1, len(location) + 1))


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return cut(f"{{{', '.join(f'{flow(name)}: {flow(inner)}' for name, inner in islice(value.items(), 6))}}}", 200)
    if isinstance(value, list) and len(value) <= _WRITTEN_OUT:
        return cut(f"[{', '.join(map(flow, value))}]", 200)
    is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.-]{0,50}", value)
    return str(value) if is_plain and str(value).lower() not in _NOT_TEXT else shown(value)


def unknown(way_out: str) -> str:
    return f"unknown key; {way_out}"


def leave_out(said_by: str) -> str:
    return f"leave it out: {said_by} is there"


def parameter_advice(place: Location, written: Any, found: Advice) -> None:
    """Adds what is to be said about one parameter."""
    if isinstance(written, str) and (call := _call(written)) is not None:
        found.rules[place] = f"text is not evaluated; write {call}"
    if not isinstance(written, Mapping):
        return
    if (instead := _distribution(written)) is not None:
        found.rules[place] = instead
        found.covers.add(place)
    elif (call := _sampler(written)) is not None:
        found.rules[place] = f"unknown keys {', '.join(map(str, written))}; write {call}"
        found.covers.add(place)
    elif members := _group(written):
        names = (
            " and ".join(map(shown, members[:3])) if len(members) < 4 else f"{', '.join(map(shown, members[:3]))}, …"
        )
        found.rules[place] = f"parameters have flat names, without groups; write {names} directly under space"
        found.covers.add(place)
    else:
        _fields_advice(place, written, found)


_WITHOUT_BOUNDS = ("normal", "q_normal", "log_normal", "q_log_normal", "beta", "q_beta")
_INVERSE = ("inv_log_uniform", "inv_log_uniform_values")


def _distribution(written: Mapping[str, Any]) -> str | None:
    """What stands here for a distribution of W&B whose fields cannot be translated one by one."""
    from tuner.spec.conversion.distributions import parameter_of

    kind = written.get("distribution")
    if kind not in (*_WITHOUT_BOUNDS, *_INVERSE) or any(name in written for name in _OURS):
        return None
    try:
        parameter, notes = parameter_of(written)
    except ValueError as error:
        return f"there is no {kind} here, and it {error}"
    why = next((text for part, text in notes if part == "distribution"), f"there is no {kind} here")
    return f"{why.partition(';')[0]}; write {flow(parameter)}"


def _fields_advice(place: Location, written: Mapping[str, Any], found: Advice) -> None:
    for word, value in written.items():
        if word in _OURS:
            continue
        ours = _THEIRS.get(str(word))
        if str(word) not in _THEIRS:
            continue
        if ours is None:
            found.rules[(*place, word)] = unknown(_without_counterpart(str(word), value))
        elif ours in written:
            found.rules[(*place, word)] = unknown(leave_out(ours))
        else:
            found.rules[(*place, word)] = unknown(_translation(ours, str(word), value, written))
            found.covers |= {(*place, ours)} | ({(*place, "low"), (*place, "high")} if ours == "choices" else set())
    scale = written.get("scale")
    if isinstance(scale, str) and scale not in ("linear", "log") and scale.lower() in (*_LINEAR, *_LOG):
        ours = "log" if scale.lower() in _LOG else "linear"
        found.rules[(*place, "scale")] = f"must be 'linear' or 'log', but got {shown(scale)}; write scale: {ours}"


def _without_counterpart(word: str, value: Any) -> str:
    if value in _NAMED:
        return _scale(word, value)
    if word in ("type", "dtype"):
        return "leave it out: whole bounds make whole numbers, and a bound such as 1.0 real ones"
    if word == "ordered":
        return "leave it out: choices have no order; a number with one is written low, high and step or num"
    return "there is nothing like it here; leave it out"


def _translation(ours: str, word: str, value: Any, written: Mapping[str, Any]) -> str:
    if ours == "scale":
        return _scale(word, value)
    if ours == "when":
        return f"write {_when(written)}"
    if ours == "search.points":
        return f"write the configuration to begin with in search.points, with {flow(value)} in it, or leave it out"
    if ours in ("low", "high") and str(written.get("distribution")) in _EXPONENTS:
        value = _power(value)
    kinds = [str(written.get(kind)).lower() for kind in ("distribution", "dist", "type", "dtype")]
    value = _real(value) if ours in ("low", "high") and any(kind in _REAL for kind in kinds) else value
    return f"write {ours}: {flow(value)}"


def _scale(word: str, value: Any) -> str:
    """What a distribution or a kind of sampling is here."""
    name = value.lower() if isinstance(value, str) else value
    if name is True or name in _LOG:
        return "write scale: log"
    if name in _EXPONENTS:
        return "write scale: log, with low and high themselves rather than their logarithms"
    if name in _NAMED:
        return "leave it out: choices, or a value, say it"
    if name in (False, None) or name in _LINEAR:
        return "leave it out: without scale a range is linear"
    return f"there is no {flow(value)} here; write scale: linear or scale: log, between low and high"


def _when(written: Mapping[str, Any]) -> str:
    name, values = written.get("parent_name"), written.get("parent_values")
    if not isinstance(name, str):
        return "when: {other_parameter: value}"
    return f"when: {{{name}: {flow(values) if values is not None else '[…]'}}}"


def _real(value: Any) -> Any:
    """A bound of real numbers: 1.0 for 1."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
    return float(value) if is_whole else value


def _power(value: Any) -> Any:
    """A bound of which the natural logarithm was written."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 700
    return float(f"{math.exp(value):.6g}") if is_number else value


def _group(written: Mapping[str, Any]) -> list[str]:
    """The parameters in what is no parameter but a group of them."""
    if isinstance(inner := written.get("parameters"), Mapping):
        return [str(name) for name in inner]
    if any(name in _OURS or str(name) in _THEIRS for name in written):
        is_nested = written and all(isinstance(value, Mapping) and _is_parameter(value) for value in written.values())
        return [str(name) for name in written] if is_nested else []
    return [str(name) for name in written] if any(isinstance(value, Mapping) for value in written.values()) else []


def _is_parameter(written: Mapping[str, Any]) -> bool:
    return any(name in ("low", "high", "choices", "value") or str(name) in _THEIRS for name in written)


def _sampler(written: Mapping[str, Any]) -> str | None:
    """A parameter that names a sampler of another tool beside its arguments: {loguniform: [1e-4, 0.1]}."""
    if isinstance(config := written.get("config"), Mapping) and "class_name" in written:
        given = {_THEIRS.get(str(name)): value for name, value in config.items()}
        return _range({str(ours): value for ours, value in given.items() if ours in _OURS}, written["class_name"])
    if "_type" in written and isinstance(values := written.get("_value"), list):
        return _translated(str(written["_type"]), [values] if written["_type"] == "choice" else values, {})
    if len(written) == 1:
        (name, values) = next(iter(written.items()))
        if name in _CALLS and name not in _THEIRS and isinstance(values, list):
            return _translated(name, values, {})
    return None


def _call(text: str) -> str | None:
    """The parameter that a call in text would have made elsewhere; None if it is no such call."""
    match = _CALL.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None or match[1] not in _CALLS:
        is_foreign = match is not None and text.strip().startswith(_MODULES)
        return "{low: …, high: …, scale: …} or {choices: […]}" if is_foreign else None
    try:
        call = ast.parse(text.strip(), mode="eval").body
        assert isinstance(call, ast.Call)
        arguments = [ast.literal_eval(argument) for argument in call.args]
        keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, TypeError, AssertionError, RecursionError, MemoryError):
        return "{low: …, high: …, scale: …} or {choices: […]}"
    return _translated(match[1], arguments, keywords)


def _translated(name: str, arguments: list[Any], keywords: dict[str, Any]) -> str:
    if arguments and isinstance(arguments[0], str) and name != "Fixed":
        arguments = arguments[1:]  # a label
    elif name == "Fixed" and len(arguments) > 1:
        arguments = arguments[1:]
    given = dict(zip(_CALLS[name], arguments, strict=False))
    given |= {str(_THEIRS.get(word) or word): value for word, value in keywords.items() if word != "name"}
    return _range(given, name)


def _range(given: dict[str, Any], name: str) -> str:
    """A parameter in our words; what is missing is left to the reader."""
    if name == "Boolean":
        return "{choices: [false, true]}"
    if "choices" in given:
        return f"{{choices: {flow(given['choices'])}}}"
    if "value" in given:
        return flow(given["value"])
    if isinstance(end := given.pop("end", None), int):
        given["high"] = end - 1  # theirs excludes it
    if name.endswith("loguniform") and isinstance(low := given.get("low"), int | float) and low <= 0:
        given |= {bound: _power(given[bound]) for bound in ("low", "high") if bound in given}
    if name.lower() in _REAL:
        given |= {bound: _real(given[bound]) for bound in ("low", "high") if bound in given}
    fields = [f"{bound}: {flow(given[bound]) if bound in given else '…'}" for bound in ("low", "high")]
    is_log = "log" in name or given.get("log") is True or given.get("scale") in (True, "log")
    is_log |= given.get("sampling") == "log"
    fields += [f"step: {flow(given['step'])}"] if given.get("step") not in (None, 1) else []
    return f"{{{', '.join(fields)}{', scale: log' if is_log else ''}}}"
