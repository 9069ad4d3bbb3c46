"""A sweep whose trials are cross-validated, with metrics of its own in an objective that is an expression."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.sweeps.conftest import ONE_SLOT, Cli
from tuner.spec import dump_yaml

pytestmark = [pytest.mark.slow(40)]

MODEL = """
    import numpy as np
    from trainables import Data, Trainable


    class Mine(Trainable):
        loss = "mse"

        def load_data(self):
            x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
            return Data(train=(x, x.sum(axis=1, keepdims=True)), test=(x, x[:, :1]))

        def build_model(self, params):
            import keras

            return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

        def evaluate(self, model, data):
            x, y = data
            return {"worst": np.abs(model.predict(x, verbose=0) - y).max()}
"""
OBJECTIVE = "val_loss + 0.5 * worst"


def test_folds_and_an_objective_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(textwrap.dedent(MODEL))
    spec = {
        "name": "folded",
        "trainable": "./mine.py:Mine",
        "objective": {"metric": OBJECTIVE, "mode": "min"},
        "num_trials": 2,
        "epochs": {"max": 2},
        "folds": 3,
        "space": {"batch_size": 16, "learning_rate": {"low": 0.01, "high": 0.1}},
        "resources": ONE_SLOT,
        "budget": {"epochs": 1},
    }
    (tmp_path / "sweep.yaml").write_text(dump_yaml(spec))
    checked = cli.json("check", str(tmp_path / "sweep.yaml"))
    assert (checked["folds"], checked["training_examples"]) == (3, 40)
    assert {OBJECTIVE, "worst", "worst_std", "worst_fold_2", "val_loss_fold_0"} <= set(checked["metrics"])
    cli("run", str(tmp_path / "sweep.yaml"))
    cli("resume", "folded", "--set", "budget.epochs=null")  # in the midst of a trial
    first, _ = cli.json("trials", "folded")
    assert (first["outcome"], first["attempts"]) == ("completed", 2)

    import tuner

    sweep = tuner.load("folded", storage=str(cli.root))
    for _, row in sweep.curves().iterrows():
        assert row[OBJECTIVE] == pytest.approx(row["val_loss"] + 0.5 * row["worst"])
        assert row["worst"] == pytest.approx(sum(row[f"worst_fold_{fold}"] for fold in range(3)) / 3)
    assert sweep.metric == OBJECTIVE and len(sweep.best_model().weights) == 2
    cli("export", "folded", "-o", str(tmp_path / "folded.keras"))
    cli("verify", "folded")
    data = cli.json("show", "folded")

    from mlflow import MlflowClient

    client = MlflowClient(data["mlflow"]["uri"])
    run = client.get_run(first["mlflow_run_id"])
    assert {"objective", "best_objective", "val_loss_std", "val_loss_fold_2", "test_loss", "test_worst"} <= set(
        run.data.metrics
    )
    assert [row.step for row in client.get_metric_history(run.info.run_id, "objective")] == [1, 2]
    assert run.data.metrics["best_objective"] == pytest.approx(first["best"])
