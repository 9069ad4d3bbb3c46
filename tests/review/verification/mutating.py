"""A sound history, and how to change it: what the tests of mutations share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import msgspec

from tests.review.verification.made import Made, make
from tuner.recording.plan import Row
from tuner.recording.reading import RecordedRun
from tuner.sweep import events as ev

Mutation = Callable[[Made], None]

replace = msgspec.structs.replace


@functools.cache
def _good(end: str) -> Made:
    return make(num_trials=24, seed=2, end=end)


def good(end: str = "finished") -> Made:
    """A sound history with every outcome that a trial's own training can have."""
    return _good(end).copy()


def cases(mutations: dict[str, list[Mutation]]) -> list[tuple[str, Mutation]]:
    """(invariant, mutation), for parametrized tests."""
    return [(invariant, mutation) for invariant, listed in mutations.items() for mutation in listed]


def assert_told(invariant: str, mutate: Mutation) -> None:
    """The checker tells the mutation of a sound history as a violation of this invariant."""
    made = good()
    mutate(made)
    findings = made.verify()
    assert invariant in {finding.invariant for finding in findings}, [str(finding) for finding in findings]
    assert all("\n" not in finding.message and len(finding.message) <= 500 for finding in findings)


def at(made: Made, event_type: type[Any], number: int = 0, /, **fields: Any) -> int:
    """The index of an event of this kind with these fields."""
    found = [
        index
        for index, event in enumerate(made.events)
        if isinstance(event, event_type) and all(getattr(event, name) == value for name, value in fields.items())
    ]
    return found[number]


def change(made: Made, index: int, **fields: Any) -> None:
    made.events[index] = replace(made.events[index], **fields)


def delete(made: Made, index: int) -> None:
    del made.events[index]
    renumber(made)


def insert(made: Made, index: int, event: ev.AnyEvent) -> None:
    made.events.insert(index, event)
    renumber(made)


def renumber(made: Made) -> None:
    made.events = [replace(event, seq=seq) for seq, event in enumerate(made.events)]


def run_of(made: Made, trial: int | None) -> int:
    return [run.trial for run in made.runs].index(trial)


def change_run(made: Made, trial: int | None, alter: Callable[[RecordedRun], RecordedRun]) -> None:
    index = run_of(made, trial)
    made.runs[index] = alter(made.runs[index])


def with_rows(made: Made, trial: int | None, alter: Callable[[list[Row]], list[Row]]) -> None:
    change_run(made, trial, lambda run: dataclasses.replace(run, rows=tuple(alter(list(run.rows)))))


def of_key(rows: list[Row], key: str) -> Row:
    return next(row for row in rows if row.key == key)


def best_trial(made: Made) -> int:
    return int(next(run for run in made.runs if run.trial is None).tags["tuner.best_trial"])
