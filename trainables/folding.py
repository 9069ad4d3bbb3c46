"""Cross-validation: the data of each fold, from arrays or by the trainable's own `folds`.

All folds of arrays are runs of rows of one array, which holds the examples twice, fold after fold. So five folds need
twice the memory of the data, and not five times: a fold validates on its own rows, and trains on those after them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trainables.contract import FOLDS_MAX, RATE_NAMES, Data, DataError, Trainable, has_folds
from trainables.counts import COUNTS, MICRO_BATCH_SIZE
from trainables.isolation import isolated, read_only

Array = np.ndarray[Any, Any]


def fold_data(trainable: Trainable, data: Data, count: int | None, seed: int) -> list[Data] | None:
    """The data of each fold of a trial; None where there is no cross-validation.

    Args:
        count: the spec's `folds`.
        seed: decides which examples a fold has; the same in all trials of a sweep.

    Raises:
        DataError: the data cannot be divided so.
        Exception: whatever the trainable's `folds` raises.
    """
    if not has_folds(trainable):
        return None if count is None else split(data, count, seed)
    if count is not None:
        raise DataError("folds must be left out of the spec, as the trainable has a method folds of its own")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    return _own(isolated(*read_only(trainable, data), lambda own, given: own.folds(given)), data)


def _own(found: Any, data: Data) -> list[Data]:
    parts = list(found) if isinstance(found, Sequence) else []
    if not 2 <= len(parts) <= FOLDS_MAX or not all(isinstance(part, Data) for part in parts):
        got = f"{len(parts)} values" if isinstance(found, Sequence) else type(found).__name__
        raise DataError(f"its method folds must return a list of 2 to {FOLDS_MAX} Data, but it returned {got}")
    return [replace(part, test=data.test if part.test is None else part.test) for part in parts]


def split(data: Data, count: int, seed: int) -> list[Data]:
    """Divides the training and validation examples into folds, each with its share of every class.

    Raises:
        DataError: they are no arrays of one form, or fewer examples than folds.
    """
    pool = _pooled(data)
    length = len(next(iter(_leaves(pool))))
    if count > length:
        raise DataError(f"folds must be at most the {length} training and validation examples, but got {count}")
    members = members_of_folds(length, count, seed, _labels(pool))
    order = np.concatenate(members)
    order = np.concatenate([order, order[: -len(members[-1])]])
    doubled = _mapped(lambda rows: rows[order], pool)
    is_validated_without = isinstance(data.validation, tuple) and len(data.validation) < len(pool)
    folds, begins = [], 0
    for rows in members:
        ends = begins + len(rows)
        validation = _run(doubled, begins, ends)
        validation = validation[: len(data.validation)] if is_validated_without else validation
        folds.append(replace(data, train=_run(doubled, ends, begins + length), validation=validation))
        begins = ends
    return folds


def members_of_folds(length: int, count: int, seed: int, labels: Array | None) -> list[Array]:
    """The rows of each fold, in random order. Folds differ in size by one at most, and so does a class in them."""
    generator = np.random.default_rng([seed, count])
    order = generator.permutation(length)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    return [generator.permutation(order[fold::count]) for fold in range(count)]


def _labels(pool: Any) -> Array | None:
    """The class of each example, where y is of classes: whole numbers, text, or rows of which one column is 1."""
    y = pool[1] if isinstance(pool, tuple) and len(pool) > 1 else None
    if not isinstance(y, np.ndarray):
        return None
    if y.ndim == 2 and y.shape[1] > 1:
        is_one_hot = y.dtype.kind in "iubf" and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        return np.argmax(y, axis=1) if is_one_hot else None
    if y.size != len(y):
        return None
    y = y.reshape(-1)
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == np.floor(y)).all()):
        return None
    return np.unique(y, return_inverse=True)[1] if y.dtype.kind in "iubfSU" else None


def _pooled(data: Data) -> Any:
    """Training and validation examples as arrays, one after the other."""
    for name, part in (("training", data.train), ("validation", data.validation)):
        if part is not None and not isinstance(part, tuple | dict | np.ndarray):
            raise DataError(
                f"folds needs arrays, but the {name} data are a {type(part).__name__}: give the trainable a method"
                " folds(self, data) that returns a list of Data, or leave folds out"
            )
    train = _mapped(np.asarray, data.train)
    if data.validation is None:
        return train
    validation = _with_class_weights(train, _mapped(np.asarray, data.validation))
    try:
        return _mapped(lambda one, other: np.concatenate([one, other]), train, validation)
    except (ValueError, TypeError, KeyError):
        raise DataError("folds needs training and validation data of one form, to divide them anew") from None


def _with_class_weights(train: Any, validation: Any) -> Any:
    """Validation examples with the weights that training examples of their classes have, where only those have any."""
    if not (isinstance(train, tuple) and isinstance(validation, tuple) and (len(train), len(validation)) == (3, 2)):
        return validation
    y, weights, other = train[1], train[2], validation[1]
    classes = _labels((train[0], np.concatenate([y, other]))) if y.shape[1:] == other.shape[1:] else None
    if classes is None:
        return validation
    own, others = classes[: len(y)], classes[len(y) :]
    by_class = {int(label): np.unique(weights[own == label]) for label in np.unique(classes)}
    if any(len(found) != 1 for found in by_class.values()):
        return validation  # they are weights of examples, and those of validation are not known
    return (*validation, np.array([by_class[int(label)][0] for label in others], weights.dtype))


def _run(pool: Any, begins: int, ends: int) -> Any:
    return _mapped(lambda rows: rows[begins:ends], pool)


def _mapped(change: Callable[..., Any], part: Any, *others: Any) -> Any:
    """A structure of dicts and tuples with each of its arrays changed, together with those of others like it."""
    if isinstance(part, dict):
        if any(set(part) != set(other) for other in others):
            raise ValueError
        return {key: _mapped(change, value, *(other[key] for other in others)) for key, value in part.items()}
    if isinstance(part, tuple):
        return tuple(_mapped(change, *values) for values in zip(part, *others, strict=True))
    return change(part, *others)


def _leaves(part: Any) -> list[Any]:
    if isinstance(part, dict | tuple):
        return [leaf for inner in (part.values() if isinstance(part, dict) else part) for leaf in _leaves(inner)]
    return [part]


def fold_metric_names(names: Sequence[str], count: int) -> list[str]:
    """What an epoch of so many folds reports, where one fold's epoch reports these metrics."""
    return [*names, *(more for name in names if is_told_by_fold(name, names) for more in _of_folds(name, count))]


def all_fold_names(names: Sequence[str], known: int, count: int) -> list[str]:
    """What an epoch of so many folds reports, where one of fewer folds, whose number is known, reports these."""
    last = f"_fold_{known - 1}"
    found: list[str] = []
    for name in names:
        found.append(name)
        if name.endswith(last):
            found += [f"{name.removesuffix(last)}_fold_{fold}" for fold in range(known, count)]
    return found


def is_told_by_fold(name: str, names: Sequence[str]) -> bool:
    """Whether each fold's value is recorded: of validation and of the trainable's own metrics, not of training."""
    others = (*RATE_NAMES, "epoch_s", *COUNTS, MICRO_BATCH_SIZE)
    return name not in others and f"val_{name}" not in names


def _of_folds(name: str, count: int) -> list[str]:
    return [f"{name}_std", *(f"{name}_fold_{fold}" for fold in range(count))]
