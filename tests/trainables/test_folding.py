"""How data are divided into folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.contract import Data, DataError, Trainable
from trainables.folding import fold_data, fold_metric_names, members_of_folds, split


class Mine(Trainable):
    loss = "mse"

    def load_data(self) -> Data:
        raise AssertionError("nothing here builds a model")

    def build_model(self, params: Any) -> Any:
        raise AssertionError("nothing here builds a model")


class Own(Mine):
    returned: Any = None

    def folds(self, data: Data) -> Any:
        return self.returned


def rows(count: int, first: int = 0) -> np.ndarray[Any, Any]:
    return np.arange(first, first + count, dtype=np.float32).reshape(-1, 1)


def numbers(part: Any) -> list[int]:
    return [int(value) for value in np.ravel(part)]


@given(st.integers(2, 9), st.integers(0, 40), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_each_example_validates_once_and_each_class_is_spread(count: int, more: int, seed: int, classes: int) -> None:
    length = count + more
    labels = np.random.default_rng(seed).integers(0, classes, length)
    members = members_of_folds(length, count, seed, labels)
    assert sorted(np.concatenate(members)) == list(range(length))
    assert max(map(len, members)) - min(map(len, members)) <= 1
    for label in range(classes):
        shares = [int((labels[fold] == label).sum()) for fold in members]
        assert max(shares) - min(shares) <= 1


def test_folds_of_arrays() -> None:
    x, y = rows(17), np.arange(17) % 3
    test = (rows(3), np.zeros(3))
    folds = split(Data((x[:12], y[:12]), (x[12:], y[12:]), test), 5, seed=1)
    assert len(folds) == 5 and all(fold.test is test for fold in folds)
    assert sorted(number for fold in folds for number in numbers(fold.validation[0])) == list(range(17))
    for fold in folds:
        trained, validated = numbers(fold.train[0]), numbers(fold.validation[0])
        assert sorted(trained + validated) == list(range(17)) and trained != sorted(trained)
        assert [number % 3 for number in trained] == fold.train[1].tolist()
    bases = {id(part.base) for fold in folds for part in (fold.train[0], fold.validation[0])}
    assert len(bases) == 1 and folds[0].train[0].base.nbytes < 2 * x.nbytes  # runs of one array
    again, other = (split(Data((x, y)), 5, seed) for seed in (1, 2))
    assert numbers(again[0].validation[0]) == numbers(split(Data((x, y)), 5, 1)[0].validation[0])
    assert numbers(again[0].validation[0]) != numbers(other[0].validation[0])


@pytest.mark.parametrize(
    "y",
    [np.repeat([0, 1], [20, 5]), np.repeat([0.0, 1.0], [20, 5]), np.repeat(["a", "b"], [20, 5]),
     np.repeat([[1, 0], [0, 1]], [20, 5], axis=0), np.repeat([True, False], [20, 5])[:, None]],
)  # fmt: skip
def test_classes_are_spread_however_they_are_written(y: np.ndarray[Any, Any]) -> None:
    for fold in split(Data((rows(25), y)), 5, seed=3):
        assert sum(number >= 20 for number in numbers(fold.validation[0])) == 1


def test_structures_of_arrays() -> None:
    x = {"left": rows(9), "right": (rows(9), rows(9, 100))}
    for fold in split(Data((x, rows(9), np.ones(9))), 3, seed=0):
        left = numbers(fold.train[0]["left"])
        assert left == numbers(fold.train[1]) == [number - 100 for number in numbers(fold.train[0]["right"][1])]
        assert len(fold.train[2]) == 6
    assert [len(fold.validation) for fold in split(Data(rows(9)), 2, seed=0)] == [5, 4]


def test_class_weights_are_for_training_alone() -> None:
    y, other = np.repeat([0, 1], [8, 2]), np.repeat([0, 1], [4, 1])
    weights = np.where(y == 1, 5.0, 1.0)
    for fold in split(Data((rows(10), y, weights), (rows(5, 10), other)), 3, seed=0):
        assert len(fold.validation) == 2
        assert fold.train[2].tolist() == [5.0 if label else 1.0 for label in fold.train[1]]
    with pytest.raises(DataError, match="of one form"):
        split(Data((rows(10), y, np.arange(10.0)), (rows(5, 10), other)), 3, seed=0)


class DataSet:
    cardinality = None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data((rows(3), rows(3))), "folds must be at most the 3 training and validation examples, but got 5"),
        (Data(DataSet()), "folds needs arrays, but the training data are a DataSet: give the trainable a method folds"),
        (Data(rows(9), DataSet()), "folds needs arrays, but the validation data are a DataSet"),
        (Data((rows(9), rows(9)), rows(9)), "folds needs training and validation data of one form"),
        (Data((rows(9), rows(9)), (rows(9), np.zeros((9, 1, 2)))), "data of one form"),
    ],
)
def test_what_cannot_be_divided(data: Data, message: str) -> None:
    with pytest.raises(DataError) as caught:
        fold_data(Mine(), data, 5, 0)
    assert message in str(caught.value)


def test_folds_of_the_trainables_own() -> None:
    data = Data(rows(4), rows(2), test=rows(1))
    assert fold_data(Mine(), data, None, 0) is None
    own = Own()
    own.returned = [Data(rows(2), rows(2)), Data(rows(3), rows(1), test=rows(7))]
    first, second = fold_data(own, data, None, 0) or ()
    assert first.test is data.test and len(second.test) == 7
    with pytest.raises(DataError, match="must be left out of the spec"):
        fold_data(own, data, 5, 0)
    for wrong, got in ((None, "NoneType"), ([data], "1 values"), ([data, rows(1)], "2 values")):
        own.returned = wrong
        with pytest.raises(DataError, match=f"a list of 2 to 100 Data, but it returned {got}"):
            fold_data(own, data, None, 0)


def test_names() -> None:
    found = fold_metric_names(["loss", "val_loss", "auc", "learning_rate", "epoch_s"], 2)
    assert found[5:] == ["val_loss_std", "val_loss_fold_0", "val_loss_fold_1", "auc_std", "auc_fold_0", "auc_fold_1"]
