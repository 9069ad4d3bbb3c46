"""What one trial does to data and trainable, no other sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainables.contract import Data, Trainable
from trainables.isolation import is_read_only, isolated, read_only


class Scaled(Trainable):
    loss = "mse"

    def __init__(self, data: str | None = None) -> None:
        super().__init__(data)
        self.mean = np.ones(2)
        self.parts = {"train": [np.arange(3.0)]}

    def load_data(self) -> Data:
        x = np.full((4, 2), 5.0)
        return Data(({"a": x, "b": (x,)}, np.zeros(4)), (x, np.zeros(4)))

    def build_model(self, params: Any) -> Any:
        raise AssertionError("nothing here builds a model")


def in_place(own: Any, data: Data) -> Data:
    data.train[0]["a"] -= 5.0
    own.mean /= 4.0
    own.parts["train"][0] += 1.0
    own.seen = True
    return data


def out_of_place(own: Any, data: Data) -> Data:
    own.mean = own.mean * 2
    return Data((data.train[0]["a"][:2], data.train[1][:2]), data.validation)


@pytest.mark.parametrize("_", range(2))
def test_changes_in_place_are_each_trials_own(_: int) -> None:
    trainable = Scaled()
    data = trainable.load_data()
    shared, given = read_only(trainable, data)
    for _again in range(2):
        used = isolated(shared, given, in_place)
        assert (used.train[0]["a"] == 0).all() and (used.train[0]["b"][0] == 5).all()
    for known in (trainable, shared):
        assert (known.mean == 1).all() and (known.parts["train"][0] == np.arange(3)).all()  # type: ignore[attr-defined]
        assert not hasattr(known, "seen")
    assert (given.train[0]["a"] == 5).all() and (data.validation[0] == 5).all()
    assert data.train[0]["a"].flags.writeable and not given.train[0]["a"].flags.writeable


def test_who_only_reads_is_given_no_copies() -> None:
    trainable = Scaled()
    data = trainable.load_data()
    shared, given = read_only(trainable, data)
    used = isolated(shared, given, out_of_place)
    assert np.shares_memory(used.train[0], data.train[0]["a"]) and (shared.mean == 1).all()  # type: ignore[attr-defined]
    assert given.train[0]["a"] is given.train[0]["b"][0] is given.validation[0]


def test_data_frames_are_copied() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0]})

    def scale(_: Trainable, data: Data) -> Any:
        data.train[0]["a"] -= 1.0
        return data.train[0]["a"].tolist()

    shared, given = read_only(Scaled(), Data((frame, np.zeros(2)), (frame, np.zeros(2))))
    assert [isolated(shared, given, scale) for _ in range(2)] == [[0.0, 1.0]] * 2
    assert frame["a"].tolist() == [1.0, 2.0]


def test_other_errors_are_raised_at_once() -> None:
    calls = []

    def fail(_: Trainable, data: Data) -> None:
        calls.append(data)
        raise ValueError("units must be even")

    with pytest.raises(ValueError, match="even"):
        isolated(*read_only(Scaled(), Scaled().load_data()), fail)
    assert len(calls) == 1


@pytest.mark.parametrize("write", [lambda x: x.__isub__(1), lambda x: x.sort(), lambda x: x.setflags(write=True)])
def test_numpys_refusals_are_known(write: Any) -> None:
    x = np.frombuffer(bytes(16))
    with pytest.raises(ValueError) as caught:
        write(x)
    assert is_read_only(caught.value)
