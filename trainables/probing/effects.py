"""Which parameters have no effect: what is built with two values of each is compared.

Silent rather than wrong: where a part of what is built cannot be compared, a parameter that the trainable's code reads
counts as having an effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Fingerprint = Mapping[str, str | None]
"""What is built with one configuration, part by part; None for a part that cannot be compared."""


@dataclass(frozen=True)
class Question:
    """Whether a parameter has an effect: values unlike each other, and configurations in which it is active."""

    name: str
    values: Sequence[Any]
    bases: Sequence[Mapping[str, Any]]


@dataclass
class Effects:
    """The answers."""

    without: dict[str, str] = field(default_factory=dict)
    """Why, by the name of each parameter that has none."""
    not_looked_at: list[str] = field(default_factory=list)
    """Parameters for which no time was left."""


def look_for_effects(
    questions: Sequence[Question],
    build: Callable[[Mapping[str, Any]], Fingerprint],
    trace: Callable[[Mapping[str, Any]], str | None],
    read: set[str],
    seconds_max: float,
    clock: Callable[[], float] = time.process_time,
) -> Effects:
    """Answers questions until the time is over.

    Args:
        build: builds what a trial with these parameters is made of; notes in `read` which of them its code asks for.
        trace: the graph of its training as a text, which takes longer; None where that does not show all.
        read: the names of the parameters that code has asked for so far.
        seconds_max: no further question is begun after so long, of processor time.
    """
    until, found = clock() + seconds_max, Effects()
    built, traced = _Twice(build), _Twice(lambda params: {"graph": trace(params)})
    for question in questions:
        if clock() >= until:
            found.not_looked_at.append(question.name)
        elif why := _without_effect(question, built, traced, read):
            found.without[question.name] = why
    return found


class _Twice:
    """Fingerprints, each made once; the first one twice, as parts that do not come out the same tell nothing."""

    def __init__(self, make: Callable[[Mapping[str, Any]], Fingerprint]) -> None:
        self._make, self._known = make, dict[str, Fingerprint]()
        self._unstable: set[str] | None = None

    def of(self, params: Mapping[str, Any]) -> dict[str, str | None]:
        key = repr(sorted(params.items()))
        found = self._known.get(key) or self._make(params)
        self._known[key] = found
        if self._unstable is None:
            again = self._make(params)
            self._unstable = {part for part, value in found.items() if again.get(part) != value}
        return {part: None if part in self._unstable else value for part, value in found.items()}


def _without_effect(question: Question, built: _Twice, traced: _Twice, read: set[str]) -> str:
    """Why a parameter has no effect; empty if it has one, or nobody can tell."""
    name, values, unknown = question.name, question.values, set[str]()
    for base in question.bases:
        first, *others = (built.of({**base, name: value}) for value in values)
        if any(_differ(first, other) for other in others):
            return ""
        unknown |= {part for part, value in first.items() if value is None}
    if name not in read:
        return "nothing in the trainable reads it"
    if unknown == {"model"}:  # of a class of the user's own, which only its graphs show
        ends = [traced.of({**question.bases[0], name: value})["graph"] for value in (values[0], values[-1])]
        unknown = set() if ends[0] is not None and ends[0] == ends[1] else unknown
    if unknown:
        return ""
    return f"the trainable reads it, but what it builds is the same with {values[0]} and {values[-1]}"


def _differ(one: Fingerprint, other: Fingerprint) -> bool:
    if one.keys() != other.keys():
        return True
    return any(value is not None and other[part] not in (None, value) for part, value in one.items())
