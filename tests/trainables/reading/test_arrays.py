"""Data.from_arrays: splits, classes, weights; every mistake is one line."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from trainables import Data, DataError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(100, 4)).astype("float32"), np.arange(100) % 3
TEXTS = np.array(["a", "b"] * 50)


def test_classes_are_stratified_by_a_seed() -> None:
    data = Data.from_arrays(X, Y, validation=0.2, test=0.1, stratify=True, seed=3)
    assert [len(part[0]) for part in (data.train, data.validation, data.test)] == [70, 20, 10]
    assert data.class_names == ("0", "1", "2")
    assert data.description["class_counts"]["validation"] == {"0": 7, "1": 7, "2": 6}
    rows = {tuple(row) for part in (data.train, data.validation, data.test) for row in part[0]}
    assert len(rows) == 100
    again = Data.from_arrays(X, Y, validation=0.2, test=0.1, stratify=True, seed=3)
    assert (again.train[0] == data.train[0]).all()
    assert (Data.from_arrays(X, Y, seed=4).train[0] != Data.from_arrays(X, Y, seed=5).train[0]).any()


def test_labels_keep_their_rows_and_texts_become_classes() -> None:
    names = np.array(["ant", "bee", "cow"])[Y]
    data = Data.from_arrays({"a": X, "b": X[:, 0]}, names, validation=30)
    assert data.class_names == ("ant", "bee", "cow") and len(data.validation[1]) == 30
    x, y = data.train
    of_row = {tuple(row): label for row, label in zip(X, Y, strict=True)}
    assert all(of_row[tuple(row)] == label for row, label in zip(x["a"], y, strict=True))
    assert (x["a"][:, 0] == x["b"]).all()


def test_balanced_class_weights_are_weights_of_the_training_examples() -> None:
    y = np.array([0] * 80 + [1] * 20)
    data = Data.from_arrays(X, y, class_weights="balanced")
    _, labels, weights = data.train
    assert data.class_weights == {0: 0.625, 1: 2.5} and len(data.validation) == 2
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    own = Data.from_arrays(X, y, class_weights={1: 3.0}, sample_weight=np.full(100, 2.0))
    assert set(own.train[2]) == {2.0, 6.0} and set(own.validation[2]) == {2.0}
    assert pickle.loads(pickle.dumps(data)).class_weights == data.class_weights


def test_parts_may_be_given_and_numbers_are_not_stratified() -> None:
    data = Data.from_arrays(X, X[:, 0], validation=(X[:5], X[:5, 0]), test=(X[:3], X[:3, 0]))
    assert [len(part[1]) for part in (data.train, data.validation, data.test)] == [100, 5, 3]
    assert data.class_names == () and "class_counts" not in data.description
    assert Data.from_arrays(X).train.shape == (80, 4)
    one_hot = Data.from_arrays(X, np.eye(3)[Y])
    assert one_hot.train[1].shape == (80, 3)
    assert one_hot.description["class_counts"]["train"] == {"0": 27, "1": 26, "2": 27}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"y": X[:, 0], "stratify": True}, "stratify=True needs classes as labels, but y holds numbers to predict"),
        ({"y": np.where(np.arange(100) == 7, np.nan, 1.5)}, "y must hold finite numbers, but got NaN in example 7"),
        ({"x": np.where(np.arange(400).reshape(100, 4) == 8, np.inf, X)}, "x must .* got infinity in example 2"),
        ({"y": Y[:50]}, "x and y must have one length, but got 100 and 50"),
        ({"y": np.zeros(100)}, "y must hold at least two classes or values, but holds only 0"),
        ({"validation": 1.5}, "validation must be a share between 0 and 1 .* got 1.5"),
        ({"validation": 0}, "validation must be more than 0"),
        ({"validation": 60, "test": 40}, "must leave examples for training, but of 100 it takes 60 .* and 40 for test"),
        ({"y": np.array(["a"] * 99 + ["b"])}, "at least 2 examples of class b, .* but holds 1; .*stratify=F"),
        ({"y": TEXTS, "validation": (X[:1], ["c"])}, "training must have each class of validation, .* no c"),
        ({"y": TEXTS, "validation": (X[:1], ["a"])}, "validation must have each class .* no b; .*stratify=F"),
        ({"y": np.array(["a", None] * 50, object)}, r"example 1 has none \(NaN\), and 49 more"),
        ({"class_weights": {"7": 1}}, "class_weights must name classes, but got '7'; there are 0, 1, 2"),
        ({"class_weights": "ballanced"}, 'class_weights must be "balanced" or a dict'),
        ({"class_names": ["a"]}, "class_names must name each class, but got 1 names for 3 classes"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"x": 5}, "x must be an array whose first axis counts examples, but got 5"),
        ({"x": X[:0], "y": Y[:0]}, "x must hold at least one example, but is empty"),
        ({"x": X + 1j}, "x must hold numbers or texts, but got the type complex"),
        ({"x": np.ma.masked_greater(X, 0.5)}, "x must hold a value everywhere, but is a masked array"),
        ({"x": scipy.sparse.csr_array(X)}, r"x must be an array .* but got a sparse matrix: give x.toarray\(\)"),
        ({"y": {"a": Y, "b": Y}}, r"y must be one array, but got a dict; .* yourself: Data\(train=\(x, y\)"),
        ({"class_weights": {0: 0, 1: 0, 2: 0}}, "class_weights must leave a class a weight above 0, but all are 0"),
        ({"validation": np.float64(1.5)}, "validation must be a share between 0 and 1 .* got 1.5"),
        ({"validation": [1, 2]}, r"validation must be a share, a number of examples or \(x, y\), but got list"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as found:
        Data.from_arrays(**{"x": X, "y": Y, **arguments})
    message = str(found.value)
    assert message.startswith("from_arrays: ") and re.search(told, message) and "\n" not in message


def test_sizes_may_be_numpys() -> None:
    data = Data.from_arrays(X, Y, validation=np.int64(12), test=np.float32(0.1))
    assert data.description["examples"] == {"train": 78, "validation": 12, "test": 10}


def test_doubtful_labels_are_noted() -> None:
    data = Data.from_arrays(X, Y + 3)
    assert "is taken as numbers to predict; if they are classes, number them from 0 to 2" in data.notes[0]
    stratified = Data.from_arrays(X, Y + 3, stratify=True)
    assert "needs them numbered from 0" in stratified.notes[0]
    assert set(stratified.train[1]) == {3, 4, 5}
