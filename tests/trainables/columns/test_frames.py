"""Rows of CSV and Parquet files, of folders of them and of built-in tables; the target that they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainables.columns import frames
from trainables.columns.targets import balance_notes, checked_target, labels_in, target_of
from trainables.contract import DataError
from trainables.reading.splitting import TEST, TRAIN, VALIDATION

FRAME = pd.DataFrame({"a": np.arange(12.0), "b": list("xyz") * 4, "label": ["no", "yes"] * 6})


def read(path: Path | str, target: str = "") -> frames.Rows:
    return frames.read(str(path), lambda columns: target_of(columns, target) is not None)


def test_csv_parquet_and_folders_of_them_hold_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_csv(tmp_path / "s.csv", index=False, sep=";")
    FRAME.to_csv(tmp_path / "index.csv")
    FRAME.to_parquet(tmp_path / "t.parquet")
    FRAME[:5].to_csv(tmp_path / "parts" / "1.csv", index=False)
    FRAME[5:].to_csv(tmp_path / "parts" / "2.csv.gz", index=False)
    for name in ("t.csv", "s.csv", "index.csv", "t.parquet", "parts"):
        rows = read(tmp_path / name)
        pd.testing.assert_frame_equal(rows.frame, FRAME, check_dtype=False)
        assert (rows.parts == TRAIN).all() and len(rows.notes) == (name in ("s.csv", "index.csv"))
    assert read(tmp_path / "parts").row(6) == f"row 2 of {tmp_path}/parts/2.csv.gz"


def test_files_called_train_validation_and_test_are_parts(tmp_path: Path) -> None:
    for name, part in (("train", FRAME[:6]), ("val", FRAME[6:9]), ("test", FRAME[9:])):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    assert sorted(read(tmp_path).parts) == [TRAIN] * 6 + [VALIDATION] * 3 + [TEST] * 3
    FRAME[["a", "b"]].to_csv(tmp_path / "test.csv", index=False)
    rows = read(tmp_path, "label")
    assert TEST not in rows.parts and "test.csv: left out, as it has no target column" in rows.notes[0]
    FRAME.to_csv(tmp_path / "sample.csv", index=False)
    with pytest.raises(DataError, match=r"nothing but train, validation and test files, but holds .*sample.csv, too"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape"), [("breast_cancer", (569, 31)), ("wine", (178, 14)), ("diabetes", (442, 11))]
)
def test_built_in_tables_are_those_of_scikit_learn(name: str, shape: tuple[int, int]) -> None:
    from sklearn import datasets

    rows = read(name)
    options: dict[str, Any] = {"scaled": False} if name == "diabetes" else {}
    theirs = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    assert rows.frame.shape == shape and list(rows.frame.columns[:-1]) == list(theirs.data.columns)
    assert np.allclose(rows.frame.iloc[:, :-1].to_numpy(), theirs.data.to_numpy())
    target = theirs.target if name == "diabetes" else [theirs.target_names[number] for number in theirs.target]
    assert list(rows.frame["target"]) == list(target)


@pytest.mark.parametrize(
    ("columns", "wanted", "found"),
    [
        (["a", "b"], "", "b"),
        (["Label", "b"], "", "Label"),
        (["y", "label", "b"], "", "label"),
        (["target", "b"], "b", "b"),
        (["target", "b"], "c", None),
    ],
)
def test_the_target_is_the_column_that_is_named_or_is_called_so_or_is_last(
    columns: list[str], wanted: str, found: str | None
) -> None:
    assert target_of(columns, wanted) == found


def rows_of(frame: pd.DataFrame) -> frames.Rows:
    return frames.Rows("t.csv", frame, np.zeros(len(frame), np.uint8), lambda row: f"row {row + 1}")


def test_the_target_says_whether_it_holds_classes() -> None:
    def classes(values: list[Any], task: Any = "auto") -> tuple[list[int] | None, int]:
        labels, notes = labels_in(rows_of(pd.DataFrame({"y": values})), "y", task)
        return (None if labels.classes is None else labels.classes.tolist()), len(notes)

    assert classes(["no", "yes", "no"]) == ([0, 1, 0], 0)
    assert classes([0, 1, 2, 0, 1, 2]) == ([0, 1, 2, 0, 1, 2], 0)
    assert classes([1, 2, 1, 2]) == ([0, 1, 0, 1], 0) and classes([-1.0, 1.0, 1.0]) == ([0, 1, 1], 0)
    assert classes([0.5, 1.5, 0.5]) == (None, 0) and classes([3, 4, 5, 3]) == (None, 1)
    assert classes([3, 4, 5, 3], "classification") == ([0, 1, 2, 0], 0)
    assert classes([0, 1, 0, 1], "regression") == (None, 0)
    assert "named label" not in str(checked_target(rows_of(FRAME), "a")) and "by its name" in str(
        checked_target(rows_of(FRAME), "")[1]
    )


def test_classes_of_very_different_sizes_are_told() -> None:
    labels, _ = labels_in(rows_of(pd.DataFrame({"y": ["a"] * 95 + ["b"] * 5})), "y", "auto")
    assert balance_notes("t.csv", labels, np.arange(100)) == [
        "t.csv: class b has 5% of the training rows; class_weights: balanced makes up for that"
    ]
    assert balance_notes("t.csv", labels, np.arange(80, 100)) == []


@pytest.mark.parametrize(
    ("text", "target", "told"),
    [
        ("a,label\n1,x\n2,y\n", "lable", "space.target must name a column, but there is no lable; did you mean label?"),
        ("label\nx\ny\n", "", "must have columns beside the target, but has label alone"),
        ("a,label\n1,x\n2,x\n", "", "target label must hold at least two classes or values, but holds only x"),
        ("a,label\n1,x\n2,\n", "", r"target label must have a label for each example, but row 2 has none \(NaN\)"),
        ("a,label\n1,0.5\n2,\n", "", "target label must hold finite numbers, but got NaN in row 2"),
        ("a,a,label\n1,2,x\n", "", "must have each column once, but has a twice"),
        ("a,label\n", "", "must hold at least one row, but has a header alone"),
        ("", "", "must hold data, but is empty"),
    ],
)
def test_a_mistake_is_one_line_with_the_files_name(tmp_path: Path, text: str, target: str, told: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=told) as raised:
        rows = read(path, target)
        labels_in(rows, checked_target(rows, target)[0], "auto")
    assert str(raised.value).startswith(str(path)) and "\n" not in str(raised.value)


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("PK")
    with pytest.raises(DataError, match=r"t.xlsx: must be a CSV or Parquet file"):
        read(tmp_path / "t.xlsx")
    with pytest.raises(DataError, match=r"winee: must be a file, but there is none.*did you mean wine\?"):
        read("winee")
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="must hold CSV files or Parquet files, but holds both"):
        read(tmp_path)
