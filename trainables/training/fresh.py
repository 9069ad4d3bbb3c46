"""Losses and metrics of each model's own: those that a trainable holds may be used by several models of a process."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import keras


def fresh(given: Any) -> Any:
    """The same losses or metrics, in the same lists and dicts, without what instances learned in other models."""
    return _fresh(given, {})


def _fresh(given: Any, known: dict[int, Any]) -> Any:
    if isinstance(given, Mapping):
        return {key: _fresh(part, known) for key, part in given.items()}
    if isinstance(given, list | tuple):
        return [_fresh(part, known) for part in given]
    if not isinstance(given, keras.metrics.Metric | keras.losses.Loss):
        return given
    if id(given) not in known:  # one that stands at two places stays one
        known[id(given)] = _copied(given)
    return known[id(given)]


def _copied(given: Any) -> Any:
    """A new instance: by its configuration where its class has one, else attribute by attribute."""
    if _has_config(type(given)):
        with warnings.catch_warnings(), suppress(Exception):  # a function in it that Keras does not find by name
            warnings.simplefilter("ignore")
            made = type(given).from_config(given.get_config())
            if type(made) is type(given):
                return made
    try:
        return _cloned(given, {})
    except Exception:  # it holds what cannot be copied, and stays shared; Keras resets it before each epoch
        return given


def _has_config(cls: type) -> bool:
    """Whether the configuration says all that the class's constructor takes."""
    owner = next(base for base in cls.__mro__ if "get_config" in vars(base))
    makes = next(base for base in cls.__mro__ if "__init__" in vars(base))
    return issubclass(owner, makes)


def _cloned(given: Any, memo: dict[int, Any]) -> Any:
    made = object.__new__(type(given))
    memo[id(given)] = made
    for part in getattr(given, "_metrics", ()):
        _cloned(part, memo)
    for name, value in vars(given).items():
        object.__setattr__(made, name, copy.deepcopy(value, memo))
    return made
