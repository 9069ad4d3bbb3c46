"""`tabular`: classes and numbers to predict, the same twice, and an export that takes the raw columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainables.contract import DataError, epoch_metrics
from trainables.exceptions import Infeasible
from trainables.learned import load_and_learn, teach
from trainables.tabular import Tabular

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]

N = 500
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "in/out": np.where(np.arange(N) % 9, RNG.normal(5, 3, N), np.nan),
        "rooms": RNG.integers(1, 6, N),
        "city": np.array(["Bonn", "Rome", None], object)[RNG.integers(0, 3, N)],
        "zip": [f"z{number}" for number in RNG.integers(0, 150, N)],
    }
)
FRAME["churned"] = np.where((FRAME["in/out"].fillna(0) > 5) ^ (FRAME.city == "Rome"), "yes", "no")


@pytest.fixture
def churn(tmp_path: Path) -> str:
    FRAME.to_csv(tmp_path / "churn.csv", index=False)
    return str(tmp_path / "churn.csv")


def trained(data: str, metric: str, mode: Any, epochs: int, **params: Any) -> tuple[Tabular, Any, list[Any]]:
    """A new trial; its trainable has what another process learned, as a worker's has."""
    from trainables.training import WarmTrainer

    loaded, trainable = Tabular(data), Tabular(data)
    read, learned = load_and_learn(loaded)
    teach(trainable, learned, read)
    assert learned.pickled and len(learned.pickled) < 20_000 and not learned.left_out
    trainer = WarmTrainer(trainable, read, metric, mode)
    trainer.start(params, 1)
    return trainable, trainer, [{**trainer.train_epoch().metrics, "epoch_s": 0} for _ in range(epochs)]


@pytest.mark.slow(8)
@pytest.mark.filterwarnings("error::UserWarning")
def test_a_trial_is_the_same_twice_and_its_export_takes_raw_columns(churn: str, tmp_path: Path) -> None:
    import keras

    params = {"learning_rate": 0.01, "crosses": True, "class_weights": "balanced", "dropout": 0.1}
    trainable, trainer, first = trained(churn, "val_accuracy", "max", 8, **params)
    assert first == trained(churn, "val_accuracy", "max", 8, **params)[2]
    assert first[-1]["accuracy"] > 0.9 > first[0]["accuracy"]
    data = trainable.select_data(trainer._data, trainable.Params(**params))
    x, y, weights = data.train
    assert {name: (values.shape[1], values.dtype) for name, values in x.items()} == {
        "numbers": (2, np.float32),
        "categories": (3, np.int32),
        "crosses": (1, np.int32),
    }
    assert np.bincount(y, weights) == pytest.approx([200, 200])

    model = trainer.best_model()
    trainable.exported(model, trainable.Params(**params)).save(tmp_path / "churn.keras")
    exported = keras.saving.load_model(tmp_path / "churn.keras")
    raw = {name.replace("/", "_"): FRAME[name].to_numpy() for name in FRAME.columns[:-1]}
    raw["city"] = FRAME.city.fillna("").to_numpy(object)
    predicted = exported.predict(raw, verbose=0)
    assert (np.array(["no", "yes"])[predicted.argmax(axis=1)] == FRAME.churned).mean() > 0.9
    rows = [index for index in range(N) if FRAME.city[index] == "Bonn"][:50]
    unknown = exported.predict(
        {**{k: v[rows] for k, v in raw.items()}, "city": np.array(["Paris"] * 50, object)}, verbose=0
    )
    assert np.isfinite(unknown).all() and not np.allclose(unknown, predicted[rows])


@pytest.mark.slow(6)
def test_numbers_are_predicted_in_their_own_units() -> None:
    trainable, trainer, epochs = trained("diabetes", "val_loss", "min", 6, learning_rate=0.01)
    assert set(epochs[0]) == set(epoch_metrics(trainable))  # type: ignore[arg-type]
    x, y = trainer._data.validation
    predicted = trainer.best_model().predict(x, verbose=0)[:, 0]
    best = epochs[trainer.best_epoch - 1]
    assert best["val_mae"] == pytest.approx(np.abs(predicted - y).mean(), rel=1e-4) and best["val_mae"] < 50
    of_training = trainer._data.train[1].std()
    assert best["val_loss"] == pytest.approx(((predicted - y) ** 2).mean() / of_training**2, rel=1e-4)
    assert best["val_loss"] < 0.6 and trainer.test_metrics()["test_mae"] < 60


def test_the_target_decides_metrics_before_the_data_are_loaded(churn: str) -> None:
    assert "val_accuracy" in epoch_metrics(Tabular("wine"))  # type: ignore[arg-type]
    assert "val_mae" in epoch_metrics(Tabular("diabetes"))  # type: ignore[arg-type]
    other = Tabular(churn)
    other.fixed_params = {"target": "in/out", "left_out": "churned"}
    with pytest.raises(DataError, match=r"churn.csv: target in/out must hold finite numbers, but got NaN in row 1"):
        epoch_metrics(other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "fixed", "told"),
    [
        ("churn", {"crossed": "city*rooms, city"}, "space.crossed must hold pairs such as city.plan, but got 'city'"),
        ("churn", {"crossed": "city*zip"}, "space.crossed must name columns of categories, but zip is none"),
        ("diabetes", {"class_weights": "balanced"}, "space.class_weights: has no effect"),
        ("breast_cancer", {"crosses": True}, "space.crosses: has no effect"),
    ],
)
def test_a_constant_that_cannot_be_is_one_line(churn: str, data: str, fixed: dict[str, Any], told: str) -> None:
    trainable = Tabular(churn if data == "churn" else data)
    trainable.fixed_params = fixed
    with pytest.raises(DataError, match=told):
        print(trainable.metrics)


def test_a_choice_without_an_effect_is_infeasible() -> None:
    from trainables.contract import Data

    trainable = Tabular("diabetes")
    for name, value in (("crosses", True), ("class_weights", "balanced")):
        with pytest.raises(Infeasible, match="has no effect"):
            trainable.select_data(Data(None, None), trainable.Params(**{name: value}))


def test_it_must_be_given_data() -> None:
    with pytest.raises(DataError, match="must be given data, a CSV or Parquet file or one of breast_cancer, wine"):
        Tabular(None)
