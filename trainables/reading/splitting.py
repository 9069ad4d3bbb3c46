"""Which examples train, validate and test: by a seed, each class in proportion. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")

Array = np.ndarray[Any, Any]


class TooFewError(Exception):
    """A class, or the whole, has too few examples for the parts; `label` is the class, None for the whole."""

    def __init__(self, label: int | None, count: int, needed: int) -> None:
        super().__init__(f"{count} of {needed}")
        self.label, self.count, self.needed = label, count, needed


def split(num_examples: int, sizes: dict[int, int], seed: int, labels: Array | None = None) -> Array:
    """The part of each example, as TRAIN, VALIDATION or TEST, of shape (num_examples,).

    Args:
        sizes: how many examples each part other than training gets.
        labels: class numbers, of shape (num_examples,). Each part gets each class in the same proportion, and at least
            one example of it.

    Raises:
        TooFewError: a class has fewer examples than there are parts.
    """
    order = np.random.default_rng(seed).permutation(num_examples)
    parts = np.full(num_examples, TRAIN, np.uint8)
    groups = [order] if labels is None else [order[labels[order] == label] for label in range(int(labels.max()) + 1)]
    counts = np.array([len(group) for group in groups])
    needed = 1 + len(sizes)
    for label, count in enumerate(counts):
        if (count > 0 or labels is None) and count < needed:
            raise TooFewError(None if labels is None else label, int(count), needed)
    taken = np.zeros(len(groups), int)
    for later, (part, size) in zip(range(len(sizes), 0, -1), sizes.items(), strict=True):
        for index, quota in enumerate(_quotas(counts, size)):
            if counts[index]:
                quota = min(max(quota, 1), int(counts[index] - taken[index]) - later)
                parts[groups[index][taken[index] : taken[index] + quota]] = part
                taken[index] += quota
    return parts


def _quotas(counts: Array, size: int) -> list[int]:
    """The size divided among groups in proportion to their counts, by largest remainders."""
    exact = counts * (size / max(1, counts.sum()))
    quotas = np.floor(exact).astype(int)
    for index in np.argsort(-(exact - quotas), kind="stable")[: size - int(quotas.sum())]:
        quotas[index] += 1
    return [int(quota) for quota in quotas]


def rows_of(parts: Array, part: int, seed: int) -> Array:
    """The examples of a part, in an order that depends on the seed alone: a first few of them are a fair sample."""
    rows = np.flatnonzero(parts == part)
    return np.random.default_rng([seed, part]).permutation(rows)
