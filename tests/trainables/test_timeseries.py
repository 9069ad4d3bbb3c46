"""`timeseries` in one process: better than repeating the past, in the series' units, bit for bit, without retraces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import registry

pytestmark = [pytest.mark.slow(7), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

FIXED = {"horizon": 3, "season": 24, "test_share": 0.1}
TRIAL = {**FIXED, "learning_rate": 0.003, "batch_size": 64, "window": 12, "units": 16, "cell": "dense"}


def test_forecasts(tmp_path: Path) -> None:
    import keras

    from trainables.training import WarmTrainer

    trainable = registry.load("timeseries")("seasons")
    trainable.fixed_params = FIXED
    data = trainable.load_data()
    trainer = WarmTrainer(trainable, data, "val_mae", "min")

    def epochs(params: dict[str, Any], count: int) -> list[dict[str, float]]:
        trainer.start(params, 5)
        return [{**trainer.train_epoch().metrics, "epoch_s": 0.0} for _ in range(count)]

    first = epochs(TRIAL, 6)
    assert first[-1]["val_mase"] < 0.8
    assert trainer.test_metrics()["test_mase"] < 0.9
    model, path = trainer.best_model(), tmp_path / "model.keras"
    model.save(path)
    used = trainable.select_data(data, trainable.Params(**TRIAL))
    forecast = keras.saving.load_model(path).predict(used.validation[0], verbose=0)
    error = float(np.abs(forecast - used.validation[1]).mean())
    assert error == pytest.approx(min(epoch["val_mae"] for epoch in first), rel=1e-4)
    assert first[-1]["val_mase"] == pytest.approx(first[-1]["val_mae"] / trainable.naive_mae, rel=1e-5)

    other = {**TRIAL, "learning_rate": 0.01, "batch_size": 100, "schedule": "cosine", "epochs": 2}
    epochs(other, 1)
    assert epochs(TRIAL, 3) == first[:3] and trainer.traces == 2
    for changed in ({"cell": "gru", "dropout": 0.2}, {"cell": "conv", "layers": 2}, {"window": 30}):
        before = trainer.traces
        once = epochs({**TRIAL, **changed}, 2)
        assert once[-1]["val_mase"] < 1.2 and trainer.traces == before + 2
        if "gru" in changed.values():
            assert epochs({**TRIAL, **changed}, 2) == once
