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
    read: set[str],
    seconds_max: float,
    clock: Callable[[], float] = time.monotonic,
) -> Effects:
    """Answers questions until the time is over.

    Args:
        build: builds what a trial with these parameters is made of; notes in `read` which of them its code asks for.
        read: the names of the parameters that code has asked for so far.
        seconds_max: no further question is begun after so long.
    """
    until, found, built = clock() + seconds_max, Effects(), _Built(build)
    for question in questions:
        if clock() >= until:
            found.not_looked_at.append(question.name)
        elif why := _without_effect(question, built, read):
            found.without[question.name] = why
    return found


class _Built:
    """Fingerprints, each configuration's made once, of parts that come out the same when they are made again."""

    def __init__(self, build: Callable[[Mapping[str, Any]], Fingerprint]) -> None:
        self._build, self._known, self._unstable = build, dict[str, Fingerprint](), set[str]()
        self._is_tried = False

    def of(self, params: Mapping[str, Any]) -> dict[str, str | None]:
        key = repr(sorted(params.items()))
        if key not in self._known:
            self._known[key] = self._build(params)
        if not self._is_tried:
            self._is_tried, again = True, self._build(params)
            self._unstable = {part for part, value in self._known[key].items() if again.get(part) != value}
        return {part: None if part in self._unstable else value for part, value in self._known[key].items()}


def _without_effect(question: Question, built: _Built, read: set[str]) -> str:
    """Why a parameter has no effect; empty if it has one, or nobody can tell."""
    is_known = True
    for base in question.bases:
        first, *others = (built.of({**base, question.name: value}) for value in question.values)
        if any(_differ(first, other) for other in others):
            return ""
        is_known = is_known and None not in first.values()
    if question.name not in read:
        return "nothing in the trainable reads it"
    one, other = question.values[0], question.values[-1]
    return f"the trainable reads it, but all that it builds is the same with {one} and {other}" if is_known else ""


def _differ(one: Mapping[str, str | None], other: Mapping[str, str | None]) -> bool:
    return any(value is not None and other.get(part) not in (None, value) for part, value in one.items())
