"""Series in files, their windows and baselines: nothing of a later part is seen, and every mistake is one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainables import DataError
from trainables.learned import load_and_learn, teach
from trainables.series.windows import Split, naive_mae, windows
from trainables.timeseries import Timeseries

N = 60
VALUES = np.sin(np.arange(N)) * 5 + 20


def loaded(data: Any, **fixed: Any) -> tuple[Timeseries, Any]:
    trainable = Timeseries(str(data))
    trainable.fixed_params = fixed
    return trainable, trainable.load_data()


def table(tmp_path: Path, name: str = "series.csv", **columns: Any) -> Path:
    frame = pd.DataFrame(columns)
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_csv(tmp_path / name, index=False)
    return tmp_path / name


def test_windows_end_where_their_targets_begin() -> None:
    values = np.stack([np.arange(20), 100 + np.arange(20)], axis=1).astype(np.float32)
    split = Split.of("x", 20, 0.25, 0.2, 2)
    assert split == Split(11, 16, 20)
    seen = {}
    for part in ("train", "validation", "test"):
        x, y = windows(values, 1, split.origins(part, 3, 2), 3, 2)
        assert x.shape[1:] == (3, 2) and (x[:, -1, 1] + 1 == y[:, 0]).all() and (np.diff(y) == 1).all()
        seen[part] = {*(y.ravel() - 100).astype(int).tolist()}
    assert seen == {"train": {*range(3, 11)}, "validation": {*range(11, 16)}, "test": {*range(16, 20)}}


@pytest.mark.parametrize("window", [1, 4, 9])
def test_every_window_is_judged_by_the_same_forecasts(tmp_path: Path, window: int) -> None:
    trainable, data = loaded(table(tmp_path, y=VALUES), horizon=3, test_share=0.1)
    used = trainable.select_data(data, Timeseries.Params(horizon=3, test_share=0.1, window=window))
    expected = VALUES[42:54].astype(np.float32)
    np.testing.assert_array_equal(used.validation[1], np.lib.stride_tricks.sliding_window_view(expected, 3))
    assert used.validation[0].shape == (10, window, 1) and len(used.test[1]) == 4


def test_scaling_and_baseline_know_the_training_part_alone(tmp_path: Path) -> None:
    changed = np.concatenate([VALUES[:48], VALUES[48:] * 100])
    found = [loaded(table(tmp_path, y=values))[0] for values in (VALUES, changed)]
    assert found[0].scaling == found[1].scaling and found[0].naive_mae == found[1].naive_mae
    scaled = VALUES[:48] * found[0].scaling.factors[0] + found[0].scaling.offsets[0]  # type: ignore[union-attr]
    assert abs(scaled.mean()) < 1e-5 and abs(scaled.std() - 1) < 1e-5


def test_naive_forecasts_by_hand() -> None:
    series = np.array([0, 10, 1, 12, 3, 11], np.float32)
    assert naive_mae(series, range(2, 5), 2, 0) == pytest.approx(np.mean([9, 11, 9, 2, 2, 1]))
    assert naive_mae(series, range(2, 5), 2, 2) == pytest.approx(np.mean([1, 2, 2, 2, 2, 1]))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_file_says_by_its_header_what_separates_its_columns(tmp_path: Path, separator: str) -> None:
    path = table(tmp_path, date=np.arange(N), a=VALUES, b=VALUES[::-1])
    path.write_text(path.read_text().replace(",", separator))
    assert loaded(path)[1].feature_names == ("a", "b")


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "npz", "npz-columns"])
def test_files_give_the_same_series(tmp_path: Path, kind: str) -> None:
    other, fixed = np.arange(N)[::-1] * 1.0, {}
    if kind.startswith("npz"):
        path = tmp_path / "series.npz"
        stacked = np.stack([other, VALUES], axis=1)
        np.savez(path, **({"series": stacked, "more": VALUES} if kind == "npz" else {"anything": stacked}))  # type: ignore[arg-type]
    else:
        dates = pd.date_range("2024-01-01", periods=N, freq="h").astype(str)
        path = table(tmp_path, f"series.{kind}", date=dates, other=other, wanted=VALUES)
        fixed = {"target": "wanted"}
    trainable, data = loaded(path, **fixed)
    assert trainable.num_columns == 2 and trainable.target == 1
    np.testing.assert_allclose(data.train[1], np.stack([other, VALUES], axis=1)[:48], rtol=1e-6)
    assert bool(data.notes) == kind.startswith("npz")
    assert "the last value has a val_mae of " in data.description["baseline"]


def test_columns_and_times(tmp_path: Path) -> None:
    path = table(tmp_path, when=np.arange(N), a=VALUES, b=VALUES[::-1], c=["x"] * N)
    trainable, data = loaded(path, columns=["b", "a"], target="b")
    assert data.feature_names == ("b", "a") and trainable.target == 0
    with pytest.raises(DataError, match="column c must hold numbers, but got 'x' in row 1; name the columns to use"):
        loaded(path)
    path = table(tmp_path, year=np.arange(1900, 1900 + N), y=VALUES)
    assert loaded(path)[1].feature_names == ("y",)
    assert loaded(path, columns=["year", "y"])[1].feature_names == ("year", "y")
    path = table(tmp_path, **{"0": VALUES, "1": VALUES[::-1]})
    assert loaded(path, columns=[1, 0], target=0)[1].feature_names == ("1", "0")


@pytest.mark.parametrize(
    ("columns", "fixed", "message"),
    [
        ({"y": VALUES[:6]}, {"horizon": 5}, "at least 6 times for training, as horizon is 5, but of 6 it has 5"),
        ({"y": VALUES[:2]}, {"horizon": 1}, "at least 2 times for training, as horizon is 1, but of 2 it has 1"),
        ({"y": VALUES[:20]}, {"horizon": 5}, "at least 5 times for validation, as horizon is 5, but of 20 it has 4"),
        ({"y": np.ones(N)}, {}, "the target must change, but is 1 in all of the training part"),
        ({"y": [*VALUES[:-1], np.nan]}, {}, "a finite number in each row, but has none in row 60; fill such gaps"),
        ({"y": VALUES, "x": VALUES}, {"target": "z"}, "must have a column z, but has none"),
        ({"y": VALUES, "x": VALUES}, {"target": "x", "columns": ["y"]}, "target must be a column, but there is no x"),
        ({"y": VALUES}, {"time_column": "dat"}, "time_column must be a column, but there is no dat"),
        ({"date": ["2024-01-02", "2024-01-01"] * 30, "y": VALUES}, {}, "in order of date, but row 2 is before row 1"),
        ({"date": ["monday"] * N, "y": VALUES}, {}, "column date must hold times, but got 'monday' in row 1"),
        ({"y": VALUES}, {"season": 48}, "season must be less than the 48 times of training, but got 48"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(tmp_path: Path, columns: Any, fixed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        loaded(table(tmp_path, **columns), **fixed)
    assert "\n" not in str(caught.value)


def test_what_trials_may_not_ask_for(tmp_path: Path) -> None:
    trainable, data = loaded(table(tmp_path, y=VALUES))
    with pytest.raises(
        DataError, match="window must be at most 47, as training has 48 times and horizon is 1, but got"
    ):
        trainable.select_data(data, Timeseries.Params(window=48))
    from trainables.folding import fold_data

    folds = fold_data(trainable, data, 3, 0)
    assert folds is not None
    with pytest.raises(DataError, match="a series is split by time, so it cannot be divided into folds"):
        trainable.select_data(folds[0], Timeseries.Params(window=2))


def test_what_is_no_series(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=VALUES, b=VALUES)
    with pytest.raises(DataError, match="must hold one array, or one named series, but got a, b"):
        loaded(tmp_path / "two.npz")
    (tmp_path / "none.npz").write_bytes(b"none")
    with pytest.raises(DataError, match=r"must be an .npz file as numpy.savez writes it"):
        loaded(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"but there is no such file.*did you mean two.npz\?"):
        loaded(tmp_path / "tow.npz")
    with pytest.raises(DataError, match="but is a folder"):
        loaded(tmp_path)
    with pytest.raises(DataError, match="timeseries must be given data, seasons, a CSV"):
        Timeseries()


def test_another_process_has_the_same_loss_and_metrics() -> None:
    first, other = Timeseries("seasons"), Timeseries("seasons")
    data, learned = load_and_learn(first)
    teach(other, learned, data)
    assert other.scaling == first.scaling and other.naive_mae == first.naive_mae
    assert not learned.left_out and len(learned.pickled) < 10_000
