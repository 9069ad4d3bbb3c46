"""A parameter of a W&B sweep in our words: all of its distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuner.spec.conversion.values import Note, around, between, is_whole, powers, rounded, without_repeats
from tuner.spec.foreign_parameters import flow

Converted = tuple[Any, list[Note]]
_KNOWN = {"distribution", "value", "values", "min", "max", "q", "mu", "sigma", "a", "b", "probabilities"}


def parameter_of(written: Mapping[str, Any]) -> Converted:
    """A parameter, and what is to be said about it.

    Raises:
        ValueError: it cannot be had here; the message says why.
    """
    kind = written.get("distribution") or _implied(written)
    if kind not in _KINDS:
        raise ValueError(f"there is no distribution {flow(kind)} here")
    parameter, notes = _KINDS[kind](written)
    notes += [(str(word), "there is nothing like it here") for word in written if word not in _KNOWN]
    return parameter, notes


def _implied(written: Mapping[str, Any]) -> str:
    """W&B's own rule for a parameter that names no distribution."""
    if "values" in written:
        return "categorical"
    if "value" in written:
        return "constant"
    if "min" in written and "max" in written:
        return "int_uniform" if is_whole(written["min"], written["max"]) else "uniform"
    if "mu" in written or "sigma" in written:
        return "normal"
    raise ValueError("needs value, values, or min and max")


def _constant(written: Mapping[str, Any]) -> Converted:
    if "value" not in written:
        raise ValueError("needs a value")
    return written["value"], []


def _categorical(written: Mapping[str, Any]) -> Converted:
    values = written.get("values")
    if not isinstance(values, list) or not values:
        raise ValueError("needs a list of values")
    notes: list[Note] = []
    if "probabilities" in written:
        notes.append(("probabilities", "there are none here; all values are as likely at the start"))
    different = without_repeats(values)
    if len(different) < len(values):
        notes.append(("values", "each value stands in choices once"))
    return {"choices": different} if len(different) > 1 else different[0], notes


def _uniform(written: Mapping[str, Any]) -> Converted:
    return between(written.get("min", 0), written.get("max", 1), is_real=True), []


def _int_uniform(written: Mapping[str, Any]) -> Converted:
    low, high = written.get("min"), written.get("max")
    if not is_whole(low, high):
        raise ValueError("needs whole numbers min and max")
    return between(low, high), []


def _q_uniform(written: Mapping[str, Any]) -> Converted:
    return between(written.get("min", 0), written.get("max", 1), step=written.get("q", 1)), []


def _log_uniform_values(written: Mapping[str, Any]) -> Converted:
    return between(written.get("min"), written.get("max"), is_log=True, is_real=True), []


def _q_log_uniform_values(written: Mapping[str, Any]) -> Converted:
    return between(written.get("min"), written.get("max"), step=written.get("q", 1), is_log=True), []


def _log_uniform(written: Mapping[str, Any]) -> Converted:
    low, high = powers(written.get("min", 0), written.get("max", 1))
    return between(low, high, is_log=True), []


def _inv_log_uniform(written: Mapping[str, Any]) -> Converted:
    """W&B: the logarithm of 1 / x lies between the bounds."""
    largest, smallest = powers(written.get("min", 0), written.get("max", 1))
    return between(rounded(1 / smallest), rounded(1 / largest), is_log=True), []


def _q_log_uniform(written: Mapping[str, Any]) -> Converted:
    low, high = powers(written.get("min", 0), written.get("max", 1))
    return between(low, high, step=written.get("q", 1), is_log=True), []


def _normal(written: Mapping[str, Any], step: Any = None, is_log: bool = False) -> Converted:
    parameter, said = around(written.get("mu", 0), written.get("sigma", 1), step=step, is_log=is_log)
    return parameter, [("distribution", said)]


def _beta(written: Mapping[str, Any], step: Any = None) -> Converted:
    said = "there are no beta distributions here; searched evenly from 0 to 1"
    return between(0, 1, step=step, is_real=True), [("distribution", said)]


_KINDS: dict[Any, Callable[[Mapping[str, Any]], Converted]] = {
    "constant": _constant,
    "categorical": _categorical,
    "categorical_w_probabilities": _categorical,
    "int_uniform": _int_uniform,
    "uniform": _uniform,
    "q_uniform": _q_uniform,
    "log_uniform": _log_uniform,
    "log_uniform_values": _log_uniform_values,
    "inv_log_uniform": _inv_log_uniform,
    "inv_log_uniform_values": _log_uniform_values,  # 1/x is even on a logarithmic scale where x is
    "q_log_uniform": _q_log_uniform,
    "q_log_uniform_values": _q_log_uniform_values,
    "normal": _normal,
    "q_normal": lambda written: _normal(written, written.get("q", 1)),
    "log_normal": lambda written: _normal(written, is_log=True),
    "q_log_normal": lambda written: _normal(written, written.get("q", 1), is_log=True),
    "beta": _beta,
    "q_beta": lambda written: _beta(written, written.get("q", 1)),
}
