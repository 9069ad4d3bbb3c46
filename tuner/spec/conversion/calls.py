"""Functions of Optuna, Ray Tune and Hyperopt that make a parameter, in our words."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from tuner.spec.conversion.literals import Literals, NotPlain, called, written
from tuner.spec.conversion.values import Note, around, between, is_whole, powers, without_repeats

Arguments = dict[str, Any]
Converted = tuple[Any, list[Note]]

OPTUNA: dict[str, tuple[str, ...]] = {
    "suggest_float": ("name", "low", "high", "step", "log"),
    "suggest_int": ("name", "low", "high", "step", "log"),
    "suggest_categorical": ("name", "choices"),
    "suggest_uniform": ("name", "low", "high"),
    "suggest_loguniform": ("name", "low", "high"),
    "suggest_discrete_uniform": ("name", "low", "high", "q"),
}
"""Methods of a trial -> their parameters in order."""
RAY: dict[str, tuple[str, ...]] = {
    "uniform": ("lower", "upper"),
    "quniform": ("lower", "upper", "q"),
    "loguniform": ("lower", "upper", "base"),
    "qloguniform": ("lower", "upper", "q", "base"),
    "randint": ("lower", "upper"),
    "qrandint": ("lower", "upper", "q"),
    "lograndint": ("lower", "upper", "base"),
    "qlograndint": ("lower", "upper", "q", "base"),
    "choice": ("categories",),
    "grid_search": ("values",),
    "randn": ("mean", "sd"),
    "qrandn": ("mean", "sd", "q"),
    "sample_from": ("func",),
}
"""Functions of `tune` -> their parameters in order."""
HYPEROPT: dict[str, tuple[str, ...]] = {
    "uniform": ("label", "low", "high"),
    "quniform": ("label", "low", "high", "q"),
    "loguniform": ("label", "low", "high"),
    "qloguniform": ("label", "low", "high", "q"),
    "randint": ("label", "low", "high"),
    "uniformint": ("label", "low", "high"),
    "choice": ("label", "options"),
    "pchoice": ("label", "p_options"),
    "normal": ("label", "mu", "sigma"),
    "qnormal": ("label", "mu", "sigma", "q"),
    "lognormal": ("label", "mu", "sigma"),
    "qlognormal": ("label", "mu", "sigma", "q"),
}
"""Functions of `hp` -> their parameters in order."""


def family(call: ast.Call) -> dict[str, tuple[str, ...]] | None:
    """The functions that a call belongs to; None if it makes no parameter."""
    name, function = called(call), call.func
    if name in OPTUNA and isinstance(function, ast.Attribute):
        return OPTUNA
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name | ast.Attribute):
        return None
    module = function.value.id if isinstance(function.value, ast.Name) else function.value.attr
    return RAY if module == "tune" and name in RAY else HYPEROPT if module == "hp" and name in HYPEROPT else None


def arguments_of(call: ast.Call, order: tuple[str, ...], literals: Literals) -> Arguments:
    """The arguments by name.

    Raises:
        ValueError: one of them cannot be told without running the program; the message names it.
    """
    if any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords):
        raise ValueError(f"{written(call)} is not plain")
    given = dict(zip(order, call.args, strict=False)) | {str(each.arg): each.value for each in call.keywords}
    found = {}
    for name, node in given.items():
        try:
            found[name] = literals.value(node)
        except NotPlain:
            raise ValueError(f"{name}={written(node)} cannot be told without running the program") from None
    return found


def parameter_of(call: ast.Call, literals: Literals) -> tuple[str | None, Any, list[Note]]:
    """The name that a call gives, if it does; the parameter, and what is to be said about it.

    Raises:
        ValueError: there is no such parameter here; the message says why.
    """
    functions, name = family(call), called(call)
    assert functions is not None
    if functions is RAY and name == "sample_from":
        raise ValueError("there is no sample_from here")
    given = arguments_of(call, functions[name], literals)
    label = given.pop("name", None) or given.pop("label", None)
    makers = _OPTUNA if functions is OPTUNA else _RAY if functions is RAY else _HYPEROPT
    try:
        parameter, notes = makers[name](given)
    except KeyError as error:
        raise ValueError(f"{name} needs {error.args[0]}") from None
    return None if label is None else str(label), parameter, notes


def _choices(values: Any) -> Converted:
    if not isinstance(values, list) or not values:
        raise ValueError("needs a list of values")
    different = without_repeats(values)
    return {"choices": different} if len(different) > 1 else different[0], []


def _optuna_float(given: Arguments) -> Converted:
    is_log, step = given.get("log") is True, given.get("step")
    if step is None:
        return between(given["low"], given["high"], is_log=is_log, is_real=True), []
    return _stepped(given["low"], given["high"], step, is_real=True), []


def _optuna_int(given: Arguments) -> Converted:
    if not is_whole(given["low"], given["high"]):
        raise ValueError("needs whole bounds")
    step = given.get("step", 1)
    if step == 1:
        return between(given["low"], given["high"], is_log=given.get("log") is True), []
    return _stepped(given["low"], given["high"], step), []


def _stepped(low: Any, high: Any, step: Any, is_real: bool = False) -> Any:
    """A range whose steps are counted from its low bound, as Optuna's are."""
    between(low, high)  # raises where they are no bounds
    if isinstance(step, bool) or not isinstance(step, int | float) or step <= 0:
        raise ValueError("needs a step above 0")
    last = float(f"{low + int((high - low) / step + 1e-9) * step:.12g}")
    if not is_real:
        last = int(last)
    if last <= low:
        return low
    return {"low": float(low) if is_real else low, "high": last, "step": float(step) if is_real else step}


def _excluding(given: Arguments, is_log: bool = False) -> Converted:
    """Ray's randint and lograndint leave out their upper bound."""
    low, high = given["lower"], given["upper"]
    if not is_whole(low, high):
        raise ValueError("needs whole bounds")
    return between(low, high - 1, is_log=is_log), []


def _ray(given: Arguments, is_log: bool = False, is_real: bool = False) -> Converted:
    step = given.get("q")
    return between(given["lower"], given["upper"], step=step, is_log=is_log, is_real=is_real and step is None), []


def _grid(given: Arguments) -> Converted:
    return _choices(given["values"])


def _noted(parameter: Any, said: str) -> Converted:
    return parameter, [("", said)]


def _normal(mu: Any, sigma: Any, step: Any = None, is_log: bool = False) -> Converted:
    return _noted(*around(mu, sigma, step=step, is_log=is_log))


def _hyperopt(given: Arguments, is_log: bool = False, step: str | None = None) -> Converted:
    low, high = powers(given["low"], given["high"]) if is_log else (given["low"], given["high"])
    return between(low, high, step=given[step] if step else None, is_log=is_log, is_real=step is None), []


def _hyperopt_randint(given: Arguments) -> Converted:
    low, high = (given["low"], given["high"]) if "high" in given else (0, given["low"])
    return _excluding({"lower": low, "upper": high})


_OPTUNA: dict[str, Callable[[Arguments], Converted]] = {
    "suggest_float": _optuna_float,
    "suggest_int": _optuna_int,
    "suggest_categorical": lambda given: _choices(given["choices"]),
    "suggest_uniform": _optuna_float,
    "suggest_loguniform": lambda given: _optuna_float({**given, "log": True}),
    "suggest_discrete_uniform": lambda given: _optuna_float({**given, "step": given["q"]}),
}
_RAY: dict[str, Callable[[Arguments], Converted]] = {
    "uniform": lambda given: _ray(given, is_real=True),
    "quniform": _ray,
    "loguniform": lambda given: _ray(given, is_log=True, is_real=True),
    "qloguniform": lambda given: _ray(given, is_log=True),
    "randint": _excluding,
    "qrandint": lambda given: _ray({"q": 1, **given}),
    "lograndint": lambda given: _excluding(given, is_log=True),
    "qlograndint": lambda given: _ray(given, is_log=True),
    "choice": lambda given: _choices(given["categories"]),
    "grid_search": _grid,
    "randn": lambda given: _normal(given.get("mean", 0), given.get("sd", 1)),
    "qrandn": lambda given: _normal(given["mean"], given["sd"], given["q"]),
}
_HYPEROPT: dict[str, Callable[[Arguments], Converted]] = {
    "uniform": _hyperopt,
    "quniform": lambda given: _hyperopt(given, step="q"),
    "loguniform": lambda given: _hyperopt(given, is_log=True),
    "qloguniform": lambda given: _hyperopt(given, is_log=True, step="q"),
    "randint": _hyperopt_randint,
    "uniformint": lambda given: (between(given["low"], given["high"], step=1), []),
    "choice": lambda given: _choices(given["options"]),
    "normal": lambda given: _normal(given["mu"], given["sigma"]),
    "qnormal": lambda given: _normal(given["mu"], given["sigma"], given["q"]),
    "lognormal": lambda given: _normal(given["mu"], given["sigma"], is_log=True),
    "qlognormal": lambda given: _normal(given["mu"], given["sigma"], given["q"], is_log=True),
    "pchoice": lambda given: _pchoice(given["p_options"]),
}


def _pchoice(options: Any) -> Converted:
    if not isinstance(options, list) or not all(isinstance(each, list) and len(each) == 2 for each in options):
        raise ValueError("needs a list of pairs")
    parameter, notes = _choices([value for _, value in options])
    return parameter, [*notes, ("", "choices have no probabilities here; all are as likely at the start")]
