"""Which column is taken as what, and what is told of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainables.columns import kinds
from trainables.columns.kinds import Column, Wanted, columns_of, values_of
from trainables.contract import DataError

N = 400
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "height": RNG.normal(3, 2, N),
        "rooms": RNG.integers(1, 6, N),
        "visits": RNG.integers(0, 90, N),
        "is_new": RNG.integers(0, 2, N).astype(bool),
        "city": np.array(["Bonn", "Rome", "Oslo"])[RNG.integers(0, 3, N)],
        "zip": [f"z{number}" for number in RNG.integers(0, 150, N)],
        "user_id": np.arange(N),
        "comment": [f"text {number}" for number in range(N)],
        "empty": np.full(N, np.nan),
        "when": pd.date_range("2020-01-01", periods=N),
        "odd": ["?" if number % 40 == 0 else str(number / 7) for number in range(N)],
    }
)


def found(frame: pd.DataFrame = FRAME, train: Any = None, **wanted: Any) -> tuple[dict[str, Column], str]:
    columns, notes = columns_of(
        frame,
        np.arange(len(frame)) if train is None else train,
        Wanted(**wanted),
        "t.csv",
        lambda row: f"row {row + 1}",
    )
    return {column.name: column for column in columns}, "\n".join(notes)


def test_columns_are_taken_as_what_they_hold() -> None:
    columns, notes = found()
    assert {name: column.kind for name, column in columns.items()} == {
        "height": "number", "rooms": "integer", "visits": "number", "is_new": "number", "city": "text",
        "zip": "hashed", "odd": "number",
    }  # fmt: skip
    assert columns["height"].mean == pytest.approx(FRAME.height.mean())
    assert set(columns["city"].vocabulary) == {"Bonn", "Rome", "Oslo"} and columns["city"].size == 4
    assert [name for name, column in columns.items() if column.has_missing] == ["odd"]
    for told in (
        "user_id is left out, as its values differ in nearly every row",
        "comment is left out, as its values differ",
        "empty is left out, as it is the same in all training rows",
        "when is left out, as it holds dates",
        "odd holds numbers, and '?' for missing ones",
        "taken as categories: rooms; space.numeric",
        "hashed into 128: zip",
        "values are missing in odd",
    ):
        assert told in notes


def test_the_user_says_otherwise() -> None:
    columns, _ = found(categorical=("visits", "comment"), numeric=("rooms",), left_out=("height", "odd"))
    assert columns["visits"].kind == "integer" and columns["rooms"].kind == "number"
    assert columns["comment"].kind == "hashed" and not {"height", "odd"} & {*columns}


def test_training_rows_alone_are_learned_from() -> None:
    train = np.flatnonzero(FRAME.city != "Oslo")
    columns, _ = found(train=train)
    assert "Oslo" not in columns["city"].vocabulary
    assert columns["height"].mean == pytest.approx(FRAME.height[train].mean())


def test_missing_values_are_values_of_their_own() -> None:
    frame = pd.DataFrame({"a": [1.5, np.nan, 3.5, 4.0], "city": ["Bonn", None, "Rome", ""], "n": [0, 1, 2, None]})
    columns, notes = found(frame)
    assert "values are missing in a, city, n" in notes
    assert np.isnan(values_of(frame.a, columns["a"])[1]) and columns["a"].mean == 3
    assert list(values_of(frame.city, columns["city"])) == ["Bonn", "", "Rome", ""]
    assert columns["city"].vocabulary[0] == "" and columns["n"].missing == -1 and -1 in columns["n"].vocabulary


def test_whole_numbers_are_the_same_text_beside_missing_ones_as_alone() -> None:
    frame = pd.DataFrame({"code": [10.0, None, 30.0, 10.0], "b": [1, 2, 3, 4]})
    column = Column("code", "text")
    assert list(kinds.texts(frame.code)) == ["10", "", "30", "10"]
    assert list(values_of(pd.Series([10, 30]), column)) == ["10", "30"]


@pytest.mark.parametrize(
    ("frame", "wanted", "told"),
    [
        ({"a": [1.0, np.inf, 2.0]}, {}, "column a must hold finite numbers, but got inf in row 2"),
        ({"a": [1, 1, 1]}, {}, "must have columns beside the target that differ between rows, but has none"),
        ({"a": [[1], [2], [3]]}, {}, "column a must hold a number or a text in each row, but holds lists"),
        ({"a": list("xyz")}, {"numeric": ("a",)}, "column a must hold numbers, as space.numeric names it, but got 'x'"),
        ({"a/b": [1, 2, 3], "a_b": [1, 2, 3]}, {}, "columns a/b and a_b must differ in more than a slash"),
    ],
)
def test_a_mistake_is_one_line(frame: dict[str, Any], wanted: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        found(pd.DataFrame(frame), **wanted)


def test_columns_that_there_are_not_are_told() -> None:
    for wanted, told in (
        (
            Wanted(categorical=("citty",)),
            "space.categorical must name columns, but there is no citty; did you mean city?",
        ),
        (Wanted(("city",), ("city",)), "space.categorical and space.numeric must not both name city"),
    ):
        with pytest.raises(DataError, match=told):
            wanted.check("t.csv", list(FRAME.columns))
