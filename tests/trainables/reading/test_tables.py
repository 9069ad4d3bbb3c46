"""Data.from_frame, from_csv and from_parquet: the same rows from each; every mistake names file, column and row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests import folders
from trainables import Data, DataError

N = 120
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "height": RNG.normal(size=N),
        "visits": RNG.integers(0, 9, N),
        "is_new": RNG.integers(0, 2, N).astype(bool),
        "city": np.array(["Bonn", "Rome", "Oslo"])[RNG.integers(0, 3, N)],
        "label": np.array(["no", "yes"])[np.arange(N) % 2],
    }
)
OPTIONS: dict[str, Any] = {"target": "label", "categorical": ["city"], "test": 0.1, "seed": 5}


def test_frame_csv_and_parquet_give_the_same_data(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_parquet(tmp_path / "t.parquet")
    FRAME[:50].to_csv(tmp_path / "parts_1.csv", index=False)
    FRAME[50:].to_csv(tmp_path / "parts_2.csv", index=False)
    frame = Data.from_frame(FRAME, **OPTIONS)
    others = [
        Data.from_csv(tmp_path / "t.csv", **OPTIONS),
        Data.from_parquet(tmp_path / "t.parquet", **OPTIONS),
        Data.from_csv(tmp_path / "parts_*.csv", **OPTIONS),
        Data.from_csv([tmp_path / "parts_1.csv", tmp_path / "parts_2.csv"], **OPTIONS),
    ]
    assert frame.feature_names == ("height", "visits", "is_new", "city=Bonn", "city=Oslo", "city=Rome")
    assert frame.train[0].shape == (84, 6) and frame.train[0].dtype == np.float32
    assert frame.class_names == ("no", "yes") and len(frame.test[0]) == 12
    for other in others:
        for part in ("train", "validation", "test"):
            for one, two in zip(getattr(frame, part), getattr(other, part), strict=True):
                assert np.allclose(one, two) and one.dtype == two.dtype
    assert others[2].description["source"].endswith("parts_*.csv")


def test_validation_may_be_a_file_and_categories_are_those_of_training(tmp_path: Path) -> None:
    FRAME[FRAME.city != "Oslo"].to_csv(tmp_path / "train.csv", index=False)
    FRAME[FRAME.city == "Oslo"].to_csv(tmp_path / "val.csv", index=False)
    data = Data.from_csv(tmp_path / "train.csv", "label", categorical=["city"], validation=tmp_path / "val.csv")
    assert data.feature_names[3:] == ("city=Bonn", "city=Rome")
    assert (data.validation[0][:, 3:] == 0).all() and len(data.validation[0]) == (FRAME.city == "Oslo").sum()


def test_targets_are_classes_or_numbers(tmp_path: Path) -> None:
    numbers = Data.from_frame(FRAME, "height", features=["visits"])
    assert numbers.train[1].dtype == np.float32 and numbers.class_names == ()
    grades = FRAME.assign(grade=np.arange(N) % 4 + 3)
    told = Data.from_frame(grades, "grade", features=["visits"])
    assert "classes=True" in told.notes[0] and told.train[1].dtype == np.float32
    classes = Data.from_frame(grades, "grade", features=["visits"], classes=True)
    assert classes.class_names == ("3", "4", "5", "6") and set(classes.train[1]) == {0, 1, 2, 3}
    assert Data.from_frame(FRAME, ["height", "visits"], features=["is_new"]).train[1].shape == (96, 2)
    assert Data.from_frame(FRAME, features=["height"]).train.shape == (96, 1)


def test_pieces_of_a_file_that_pandas_reads_as_other_types_are_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.reading.tables._CHUNK_ROWS", 10)
    rows = [f"{n % 2},{n},{n % 2}\n" for n in range(40)]
    rows[35] = ",35,b\n"
    rows[36] = "1,36,b\n"
    (tmp_path / "t.csv").write_text("group,a,label\n" + "".join(rows))
    data = Data.from_csv(tmp_path / "t.csv", "label", categorical=["group"])
    assert data.feature_names == ("group=0", "group=1", "a") and data.class_names == ("0", "1", "b")
    x = np.concatenate([data.train[0], data.validation[0]])
    assert (x[:, :2].sum(axis=1) == (x[:, 2] != 35)).all()
    assert (x[:, 1] == (x[:, 2] % 2) + (x[:, 2] == 36) - (x[:, 2] == 35)).all()


CSV = "a,b,label\n" + "".join(f"{n},{n / 2},{n % 2}\n" for n in range(20))


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (CSV, {"target": "lable"}, "must have a column lable, but has none; did you mean label"),
        (CSV, {"features": ["c"]}, "must have a column c, but has none; there are a, b, label"),
        (CSV, {"features": "a"}, "features must be a list of columns, but got the text 'a'"),
        (CSV, {"features": ["a", "label"]}, "features must not hold the target label"),
        (CSV, {"separator": ";"}, "must have a column label, but has none; .* separated by ',': write separator=','"),
        (CSV.replace(",", ";"), {}, "must have a column label, but has none; .* separated by ';': write separator=';'"),
        (CSV.replace("a,b,", "a,größe,"), {}, "in UTF-8, but invalid .* at byte 4: convert the file, or from_frame"),
        (CSV, {"target": 2}, "must have a column 2, but has none; there are a, b, label"),
        (
            CSV.replace("\n3,", "\nthree,"),
            {},
            "column a must hold numbers, but got 'three' in row 4; categorical=\\['a'\\]",
        ),
        (CSV.replace("\n3,1.5,", "\n3,,"), {}, "column b must hold finite numbers, but got NaN in row 4; .*fillna"),
        (CSV.replace("\n3,1.5,1", "\n3,1.5,"), {}, "target label must hold finite numbers, but got NaN in row 4"),
        (CSV.replace("\n3,1.5,1", "\n3,1.5,1,9,9"), {}, "must be a CSV file with a header, but cannot be read"),
        ("", {}, "must hold data, but is empty"),
        ("a,b,label\n", {}, "must hold at least one row, but has a header alone"),
        ("a,a,label\n1,2,0\n", {}, "must have each column once, but has a twice"),
        (",b,label\n0,1,0\n1,2,1\n", {}, "column 1 must have a name, but has none"),
        ("label\n0\n1\n", {}, "must have columns beside the target, but has none"),
        ("a,label\n1,x\n2,x\n", {}, "target label must hold at least two classes or values, but holds only x"),
    ],
)
def test_a_mistake_is_one_line_with_the_files_name(
    tmp_path: Path, text: str, options: dict[str, Any], told: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataError) as found:
        Data.from_csv(path, **{"target": "label", **options})
    message = str(found.value)
    assert re.search(told, message) and "\n" not in message
    assert message.startswith(f"{path}: ") or "features must be" in message


def test_a_frames_columns_may_be_numbers_and_its_target_is_a_name() -> None:
    data = Data.from_frame(pd.DataFrame(RNG.normal(size=(40, 3))), target=2)
    assert data.train[0].shape == (32, 2) and data.feature_names == ("0", "1")
    with pytest.raises(DataError, match="target must name a column, or list several, but got Series"):
        Data.from_frame(FRAME, target=FRAME["label"])


def test_missing_files_and_other_formats_are_told(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text(CSV)
    for path, told in (
        (tmp_path / "chrun.csv", "must be a file, but there is none; did you mean churn.csv?"),
        (tmp_path / "no" / "a.csv", "there is no folder"),
        (tmp_path / "x*.csv", "must be a pattern that files match, but there is none"),
    ):
        with pytest.raises(DataError, match=re.escape(told)):
            Data.from_csv(path, "label")
    with pytest.raises(DataError, match=r"churn\.csv: must be a Parquet file, but cannot be read"):
        Data.from_parquet(tmp_path / "churn.csv", "label")
    FRAME.to_parquet(tmp_path / "as.csv")
    with pytest.raises(DataError, match=r"as\.csv: .* but is a Parquet file: Data.from_parquet reads it"):
        Data.from_csv(tmp_path / "as.csv", "label")
    with pytest.raises(DataError, match=r"^in_memory_bytes must be a number of bytes from 0 on, but got '1GB'"):
        Data.from_csv(tmp_path / "churn.csv", "label", in_memory_bytes="1GB")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"^classes must be True or False, but got list"):
        Data.from_csv(tmp_path / "churn.csv", "label", classes=["no", "yes"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"^stratify must be True or False, but got ndarray"):
        Data.from_arrays(np.eye(9), np.arange(9) % 3, stratify=np.arange(9) % 3)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="must be given a pandas DataFrame, but got str"):
        Data.from_frame("churn.csv", "label")
    with pytest.raises(DataError, match=r"must hold \.parquet or \.pq files, but holds none"):
        Data.from_parquet(tmp_path, "label")
    other = tmp_path / "other.csv"
    other.write_text(CSV.replace("a,b,", "a,c,"))
    with pytest.raises(DataError, match=r"other\.csv: must have the columns of .*churn\.csv, but"):
        Data.from_csv(tmp_path / "churn.csv", "label", validation=other)


def test_a_folder_of_tables_is_one_table(tmp_path: Path) -> None:
    data = Data.from_csv(folders.tables(tmp_path / "many", 30), "label", categorical=["color"])
    assert data.description["examples"] == {"train": 96, "validation": 24}
    (tmp_path / "many" / "00007.csv").write_text("height,width,color,label\n1,x,red,low\n")
    with pytest.raises(DataError, match=r"00007\.csv: column width must hold numbers, but got 'x' in row 1"):
        Data.from_csv(tmp_path / "many", "label", categorical=["color"])
