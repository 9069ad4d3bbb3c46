"""Decides a split before anything is decoded: which examples are in which part, with which weights. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from trainables.contract import DataError
from trainables.reading.labels import Labels, class_weights
from trainables.reading.splitting import PARTS, TEST, TRAIN, VALIDATION, TooFewError, rows_of, split

Array = np.ndarray[Any, Any]

DEFAULT_SHARE = 0.2
"""Of the training examples, for validation, where nothing else says it."""


@dataclass(frozen=True)
class Wanted:
    """What the caller asks for; see `methods.Readers`."""

    validation: Any
    test: Any
    stratify: bool | None
    seed: int
    class_weights: Any

    def __post_init__(self) -> None:
        check_flag("stratify", self.stratify)

    def own(self, part: int) -> Any:
        """A part's own data, such as a file's path; None where it is a share or a number."""
        value = self.validation if part == VALIDATION else self.test
        return None if value is None or isinstance(value, Real) else value


def check_flag(name: str, value: Any) -> None:
    """Refuses what is neither True, False nor None.

    Raises:
        DataError: such as for labels.
    """
    if value is not None and not isinstance(value, bool | np.bool_):
        got = repr(value) if isinstance(value, str | int | float) else type(value).__name__
        raise DataError(f"{name} must be True or False, but got {got}")


def checked_bytes(in_memory_bytes: Any) -> int:
    """A limit as it was given.

    Raises:
        DataError: it is no number of bytes.
    """
    is_number = isinstance(in_memory_bytes, Real) and not isinstance(in_memory_bytes, bool)
    if not is_number or not float(in_memory_bytes) >= 0:
        raise DataError(f"in_memory_bytes must be a number of bytes from 0 on, but got {in_memory_bytes!r}")
    return int(min(float(in_memory_bytes), 2.0**63))


@dataclass(frozen=True)
class Plan:
    """A split: the examples of each part, in the order in which they are read."""

    rows: dict[int, Array]
    labels: Labels | None = None
    weights: dict[int, float] | None = None
    notes: tuple[str, ...] = ()

    def y(self, part: int) -> Array | None:
        return None if self.labels is None else self.labels.y[self.rows[part]]

    def sample_weight(self, part: int) -> Array | None:
        """The weights of the training examples' classes; None for the other parts."""
        if part != TRAIN or not self.weights or self.labels is None or self.labels.classes is None:
            return None
        table = np.ones(int(self.labels.classes.max()) + 1, np.float32)
        for label, weight in self.weights.items():
            table[label] = weight
        return table[self.labels.classes[self.rows[part]]]


def planned(
    name: str,
    num_examples: int,
    labels: Labels | None,
    wanted: Wanted,
    given: Array | None = None,
    class_name: Callable[[int], str] | None = None,
) -> Plan:
    """The split that is asked for.

    Args:
        name: the file or folder, for messages.
        given: the part that each example is in already, of shape (num_examples,); examples of training may be split
            further. None if all are to be split.
        class_name: how messages name a class; by default by its label.

    Raises:
        DataError: it cannot be had.
    """
    if isinstance(wanted.seed, bool) or not isinstance(wanted.seed, int | np.integer) or wanted.seed < 0:
        raise DataError(f"{name}: seed must be a whole number from 0 on, but got {wanted.seed!r}")
    if num_examples == 0:
        raise DataError(f"{name}: must hold at least one example, but is empty")
    classes = None if labels is None else labels.classes
    if wanted.stratify and classes is None:
        got = "there are no labels" if labels is None else f"y holds numbers to predict, of type {labels.y.dtype}"
        raise DataError(f"{name}: stratify=True needs classes as labels, but {got}")
    parts = np.full(num_examples, TRAIN, np.uint8) if given is None else given.copy()
    of_training = np.flatnonzero(parts == TRAIN)
    sizes = _sizes(name, wanted, parts, len(of_training))
    by_class = classes[of_training] if classes is not None and wanted.stratify is not False else None
    say = class_name or (labels.name if labels is not None else str)
    if classes is not None and len(np.unique(classes)) < 2:
        raise DataError(f"{name}: must hold at least two classes, but holds only {say(int(classes[0]))}")
    if sizes:
        try:
            parts[of_training] = split(len(of_training), sizes, int(wanted.seed), by_class)
        except TooFewError as error:
            raise DataError(_too_few(name, error, say)) from None
    rows = {part: rows_of(parts, part, int(wanted.seed)) for part in range(len(PARTS)) if (parts == part).any()}
    if TRAIN not in rows or VALIDATION not in rows:
        raise DataError(f"{name}: must hold at least one example for training and one for validation")
    notes = _check_classes(name, labels, rows, wanted, say) if classes is not None else ()
    weights = class_weights(wanted.class_weights, labels, rows[TRAIN], name) if labels is not None else {}
    if labels is None and wanted.class_weights:
        raise DataError(f"{name}: class_weights need classes as labels, but there are no labels")
    return Plan(rows, labels, weights, (*(labels.notes if labels is not None else ()), *notes))


def _sizes(name: str, wanted: Wanted, parts: Array, num_examples: int) -> dict[int, int]:
    """How many examples of training become which other part."""
    sizes = {}
    for part, value in ((VALIDATION, wanted.validation), (TEST, wanted.test)):
        is_there = bool((parts == part).any())
        if value is None or wanted.own(part) is not None:
            if part != VALIDATION or is_there:
                continue
            value = DEFAULT_SHARE
        elif is_there:
            raise DataError(f"{name}: {PARTS[part]}={value} has no effect, as the data have {PARTS[part]} examples")
        size = _size(f"{name}: {PARTS[part]}", value, num_examples)
        if size or part == VALIDATION:
            sizes[part] = max(size, 1)
    if sum(sizes.values()) >= num_examples:
        taken = " and ".join(f"{size} for {PARTS[part]}" for part, size in sizes.items())
        raise DataError(f"{name}: must leave examples for training, but of {num_examples} it takes {taken}")
    return sizes


def _size(what: str, value: Any, num_examples: int) -> int:
    if isinstance(value, bool) or value < 0 or (not isinstance(value, Integral) and not value < 1):
        raise DataError(f"{what} must be a share between 0 and 1 or a number of examples, but got {value}")
    if value == 0 and what.endswith(PARTS[VALIDATION]):
        raise DataError(f"{what} must be more than 0, as the search compares trials by it, but got {value!r}")
    return int(value) if isinstance(value, Integral) else round(float(value) * num_examples)


def _too_few(name: str, error: TooFewError, say: Callable[[int], str]) -> str:
    of = "" if error.label is None else f" of class {say(error.label)}"
    rule = f"{name}: must hold at least {error.needed} examples{of}, one for each part, but holds {error.count}"
    return rule if error.label is None else f"{rule}; add some, leave it out, or split with stratify=False"


def _check_classes(
    name: str, labels: Labels | None, rows: dict[int, Array], wanted: Wanted, say: Callable[[int], str]
) -> tuple[str, ...]:
    """Refuses a class that one part alone has; a note where that was asked for, or is of the test data."""
    assert labels is not None and labels.classes is not None
    found = {part: set(np.unique(labels.classes[rows[part]]).tolist()) for part in rows}
    notes = []
    for part in (VALIDATION, TEST):
        if part not in found:
            continue
        if unknown := sorted(found[part] - found[TRAIN]):
            raise DataError(
                f"{name}: training must have each class of {PARTS[part]}, but has no {_listed(unknown, say)}"
            )
        if missing := sorted(found[TRAIN] - found[part]):
            text = f"{name}: {PARTS[part]} must have each class of training, but has no {_listed(missing, say)}"
            if part == VALIDATION and wanted.stratify is not False:
                raise DataError(f"{text}; add examples of it, or allow it with stratify=False")
            notes.append(text.replace(" must have each class of training, but", ""))
    return tuple(notes)


def _listed(classes: list[int], say: Callable[[int], str]) -> str:
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return f"{', '.join(map(say, classes[:5]))}{more}"
