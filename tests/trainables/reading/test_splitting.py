"""Splits: every example once, each class in proportion, the same for one seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.reading.splitting import TEST, VALIDATION, TooFewError, rows_of, split


@given(
    counts=st.lists(st.integers(3, 60), min_size=1, max_size=8),
    shares=st.tuples(st.floats(0.01, 0.45), st.floats(0.01, 0.45)),
    seed=st.integers(0, 2**32),
)
def test_each_class_is_in_each_part_in_proportion(counts: list[int], shares: tuple[float, float], seed: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    sizes = {VALIDATION: round(shares[0] * len(labels)), TEST: round(shares[1] * len(labels))}
    parts = split(len(labels), sizes, seed, labels)
    assert (parts == split(len(labels), sizes, seed, labels)).all()
    for label, count in enumerate(counts):
        found = [int((parts[labels == label] == part).sum()) for part in range(3)]
        assert sum(found) == count and min(found) >= 1
        for part, share in zip((VALIDATION, TEST), shares, strict=True):
            assert abs(found[part] - share * count) <= 1.5 or found[part] == 1
    rows = [rows_of(parts, part, seed) for part in range(3)]
    assert sorted(np.concatenate(rows)) == list(range(len(labels)))


def test_without_labels_a_part_has_its_size_and_another_seed_splits_otherwise() -> None:
    parts = split(100, {VALIDATION: 20, TEST: 5}, 1)
    assert np.bincount(parts).tolist() == [75, 20, 5]
    assert (parts != split(100, {VALIDATION: 20, TEST: 5}, 2)).any()


def test_a_class_with_fewer_examples_than_parts_cannot_be_split() -> None:
    labels = np.array([0] * 10 + [1])
    with pytest.raises(TooFewError) as found:
        split(11, {VALIDATION: 2}, 0, labels)
    assert (found.value.label, found.value.count, found.value.needed) == (1, 1, 2)


def test_a_parts_first_rows_are_a_sample_of_all_of_it() -> None:
    parts = split(1000, {VALIDATION: 200}, 0, np.repeat([0, 1], 500))
    assert 10 < (rows_of(parts, 0, 0)[:50] >= 500).sum() < 40
