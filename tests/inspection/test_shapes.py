"""Forms of data that need no TensorFlow: data sets that say how long they are, and arrays that hold no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainables.contract import Data
from tuner.inspection.shapes import data_problems, num_examples

X, Y = np.zeros((4, 2)), np.zeros(4)


class DataSet:
    """As `tf.data.Dataset` tells its length: -1 is without an end, -2 unknown."""

    def __init__(self, cardinality: int) -> None:
        self.cardinality = lambda: np.int64(cardinality)
        self.element_spec = ()


def problems(train: Any, **parts: Any) -> list[str]:
    return data_problems(Data(train, **{"validation": (X, Y), **parts}))


@pytest.mark.parametrize(
    ("cardinality", "problem", "known"),
    [
        (-1, ["trainable: its training data must end, but the tf.data.Dataset is infinite: use .take(n)"], None),
        (0, ["trainable: its training data must hold at least one example, but got none"], 0),
        (-2, [], None),
        (7, [], 7),
    ],
)
def test_a_data_set_has_an_end_and_an_example(cardinality: int, problem: list[str], known: int | None) -> None:
    assert problems(DataSet(cardinality)) == problem and num_examples(DataSet(cardinality)) == known


def test_each_part_is_told_with_its_first_problem() -> None:
    assert problems((X, Y), test=None) == problems((X, Y, Y), test=(X, Y)) == []
    assert problems((X, Y[:3], Y), validation="x", test=(X[:0], Y[:0])) == [
        "trainable: its training data must have arrays of one length, but got 4 of x and 3 of y",
        "trainable: its validation data must be x, a tuple (x, y) or (x, y, sample_weight), or a tf.data.Dataset,"
        " but got a value of type str",
        "trainable: its test data must hold at least one example, but got none",
    ]


@pytest.mark.parametrize("rows", [np.zeros(4, [("a", int)]), np.array([{}] * 4), np.zeros(4, "M8[s]")])
def test_what_is_no_number_is_told_with_its_type(rows: Any) -> None:
    [problem] = problems((X, rows))
    assert problem == f"trainable: its training data must have numbers as y, but got the type {rows.dtype}"


def test_examples_are_counted_along_the_first_array_of_any_structure() -> None:
    assert num_examples((X, Y)) == num_examples(({"top": [X, Y[:1]]}, Y)) == 4
