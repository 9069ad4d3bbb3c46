"""`timeseries`: what follows a window of a series with one or several columns, as so many values ahead.

`data` is a CSV or Parquet file with a row for each time, an .npz file with one array, or `seasons`, a made set.

Measured: `tuner run timeseries` (24 trials, seasons, 6 hours ahead) ends with a val_mae of 8.1 and a test_mae of 9.4 in
39 s on 2 cores: a GRU of 64 units on windows of 48. Repeating the day before has a val_mae of 14.8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from trainables.contract import Data, DataError, ParamError, Trainable
from trainables.contract import Params as TrainingParams
from trainables.exceptions import Infeasible
from trainables.room import GIB, free_bytes
from trainables.series import reading
from trainables.series.scaling import Scaling
from trainables.series.windows import Split, naive_mae, windows

if TYPE_CHECKING:
    import keras


class Timeseries(Trainable):
    """Forecasts of one column of a series; dense, convolutional or recurrent, the window searched."""

    constants = ("target", "time_column", "columns", "horizon", "season", "validation_share", "test_share")

    class Params(TrainingParams):
        target: str | int | None = None
        """The column that is predicted; by default one named target, y or value, else the last one."""
        time_column: str | None = None
        """Of a table: says when, and orders nothing: the rows must be in order. Is no input."""
        columns: list[str | int] | None = None
        """Those to use, the target among them; by default all."""
        validation_share: float = Field(0.2, gt=0, lt=1)
        """Of the times: those at the end, before the test's."""
        test_share: float = Field(0.0, ge=0, lt=1)
        """Of the times: the last ones."""
        horizon: int = Field(1, ge=1)
        """How many values ahead are predicted."""
        season: int = Field(0, ge=0)
        """How many times a season has: mase compares with the values of the season before; 0: with the last value."""
        window: int = Field(24, ge=1)
        """How many times the model sees."""
        cell: Literal["dense", "conv", "gru", "lstm"] = "gru"
        """What looks at the window."""
        units: int = Field(32, ge=1)
        """Width of each layer."""
        layers: int = Field(1, ge=1, le=16)
        kernel_size: int = Field(3, ge=1)
        """Times that a convolution sees (conv)."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share left out before the last layer, in training."""
        from_last_value: bool = True
        """Predict the change from the window's last value rather than the value."""

    def __init__(self, data: str | None = None) -> None:
        super().__init__(data)
        if data is None:
            rule = "seasons, a CSV or Parquet file with a row for each time, or an .npz file"
            raise DataError(f"timeseries must be given data, {rule}, but got none")
        self.scaling: Scaling | None = None
        self.naive_mae = 1.0

    @property
    def loss(self) -> Callable[[Any, Any], Any]:
        """The mean squared error of scaled values, so that rates mean the same in any units."""
        variance = self.scaling.deviation**2 if self.scaling else 1.0

        def scaled_mse(y_true: Any, y_pred: Any) -> Any:
            return _mean(_ops().square(y_true - y_pred)) / variance

        return scaled_mse

    @property
    def metrics(self) -> tuple[Any, ...]:  # type: ignore[override]  # by the data, so the instance's own
        """In the series' units; mase by the error of a naive forecast of the training part (Hyndman, Koehler 2006)."""
        naive = self.naive_mae

        def mase(y_true: Any, y_pred: Any) -> Any:
            return _mean(_ops().abs(y_true - y_pred)) / naive

        return ("mae", "mse", mase)

    def load_data(self) -> Data:
        assert self.data is not None
        given = {**_defaults(), **self.fixed_params}
        series = reading.read(self.data, given)
        horizon, season = given["horizon"], given["season"]
        split = Split.of(series.name, len(series.values), given["validation_share"], given["test_share"], horizon)
        self.target, self.num_columns = series.target, len(series.columns)
        self.scaling = Scaling.of(series.values[: split.train], series.target, series.name)
        target = series.values[:, series.target]
        if season >= split.train - horizon:
            raise ParamError("season", f"must be less than the {split.train} times of training, but got {season}")
        self.naive_mae = naive_mae(target, split.origins("train", max(season, 1), horizon), horizon, season) or 1.0
        on_validation = naive_mae(target, split.origins("validation", 1, horizon), horizon, season)
        what = f"the value of {season} times before" if season else "the last value"
        ends = {"train": (0, split.train), "validation": (split.train, split.validation)}
        ends |= {"test": (split.validation, split.test)} if split.test > split.validation else {}
        times = np.arange(len(series.values), dtype=np.int32)
        parts: dict[str, Any] = {part: (times[a:b], series.values[a:b]) for part, (a, b) in ends.items()}
        description = {
            "source": series.name,
            "target": series.columns[series.target],
            "columns": list(series.columns)[:1000],
            "baseline": f"{what} has a val_mae of {on_validation:.4g}",
            "examples": {part: b - a for part, (a, b) in ends.items()},
        }
        return Data(**parts, feature_names=series.columns, notes=series.notes, description=description)

    def select_data(self, data: Data, params: Any) -> Data:
        """Windows of the series: x (N, window, columns) and y (N, horizon)."""
        parts = [part for part in (data.train, data.validation, data.test) if part is not None]
        times = np.concatenate([part[0] for part in parts])
        if (np.diff(times) != 1).any():
            raise DataError("folds: a series is split by time, so it cannot be divided into folds; leave folds out")
        values = np.concatenate([part[1] for part in parts])
        ends = np.cumsum([len(part[0]) for part in parts]).tolist()
        split, horizon, window = Split(ends[0], ends[1], ends[-1]), params.horizon, params.window
        if window + horizon > split.train:
            rule = f"at most {split.train - horizon}, as training has {split.train} times and horizon is {horizon}"
            rule = f"must be {rule}, but got {window}"  # where it is the smallest window, a mistake in the spec
            raise ParamError("window", rule) from Infeasible(f"window {rule}")
        needed_bytes = 2 * values.nbytes * window
        if needed_bytes > (free := free_bytes()):
            raise Infeasible(
                f"windows of {window} need {needed_bytes / GIB:.1f} GiB, but {free / GIB:.1f} GiB are free"
            )
        made = {
            part: windows(values, self.target, split.origins(part, window, horizon), window, horizon)
            for part in ("train", "validation", "test")[: len(parts)]
        }
        return replace(data, train=made["train"], validation=made["validation"], test=made.get("test"))

    def build_model(self, params: Any) -> keras.Model:
        from trainables.series.networks import network

        assert self.scaling is not None
        return network(params, self.num_columns, self.scaling, params.horizon)


def _mean(values: Any) -> Any:
    return _ops().mean(values, axis=-1)


def _ops() -> Any:
    from keras import ops

    return ops


def _defaults() -> dict[str, Any]:
    return {name: Timeseries.Params.model_fields[name].default for name in Timeseries.constants}
