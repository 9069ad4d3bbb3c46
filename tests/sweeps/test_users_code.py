"""What users' code relies on in every process: what load_data learned, files beside the spec, arrays of one's own."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.sweeps.conftest import Cli
from tuner.spec import dump_yaml

pytestmark = [pytest.mark.slow]

MODEL = '''
    import keras
    import pathlib

    import numpy as np

    from trainables.contract import Data, Params, Trainable


    class Scale:
        def __init__(self, x):
            self.mean = x.mean(axis=0)


    class Prices(Trainable):
        """The mean of what a trial trains on is a metric."""

        loss = None

        class Params(Params):
            centred: bool = False

        def load_data(self):
            x = np.loadtxt("data/prices.csv", delimiter=",", dtype="float32")
            self.scale = Scale(x)
            return Data((x, x[:, :1]), (x[:8], x[:8, :1]))

        def select_data(self, data, params):
            if params.centred:
                for x, _ in (data.train, data.validation):
                    x -= self.scale.mean
                self.suffix = "centred"
            return data

        def build_model(self, params):
            bias = float(pathlib.Path("data/bias.txt").read_text()) + self.scale.mean.sum() * 0
            return Seen(bias)


    class Seen(keras.Model):
        def __init__(self, bias):
            super().__init__()
            self.dense = keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(bias))

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            return {"seen": keras.ops.mean(data[0]), "loss": keras.ops.mean(self(data[0]))}

        def test_step(self, data):
            return {"loss": keras.ops.mean(keras.ops.square(self(data[0]) - data[1]))}
'''


def test_learned_state_relative_files_and_changes_in_place(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "data").mkdir(parents=True)
    elsewhere.mkdir()
    (project / "data" / "prices.csv").write_text("".join(f"{n},{n + 2}\n" for n in range(16)))
    (project / "data" / "bias.txt").write_text("0.25")
    (project / "prices.py").write_text(textwrap.dedent(MODEL))
    spec = {
        "name": "prices",
        "trainable": "./prices.py:Prices",
        "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": 4,
        "epochs": {"max": 2},
        "space": {"batch_size": 16, "learning_rate": {"choices": [0.1, 0.2]}, "centred": {"choices": [True, False]}},
        "search": {"algorithm": "grid"},
        "early_stopping": {"algorithm": "none"},
        "resources": {"cpus_per_trial": 2},
        "budget": {"epochs": 5},
    }
    (project / "sweep.yaml").write_text(dump_yaml(spec))
    monkeypatch.chdir(elsewhere)
    cli("run", str(project / "sweep.yaml"))
    cli("resume", "prices", "--set", "budget.epochs=null")
    trials = cli.json("trials", "prices")
    assert [trial["outcome"] for trial in trials] == ["completed"] * 4
    import tuner

    sweep = tuner.load("prices", storage=str(cli.root))
    seen = sweep.curves().groupby("number")["seen"].last()
    for trial in trials:
        expected = 0.0 if trial["params"]["centred"] else 8.5
        assert seen[trial["trial"]] == pytest.approx(expected, abs=1e-3), trial
    cli("export", "prices", "-o", str(elsewhere / "prices.keras"), exit_code=2)  # Seen has no get_config
    model = sweep.best_model()
    assert Path.cwd() == elsewhere and len(model.weights) == 2
    (project / "data" / "prices.csv").unlink()
    refused = cli("check", str(project / "sweep.yaml"), exit_code=2).stderr
    assert "data/prices.csv" in refused and f"relative paths begin in {project}" in refused.replace("\n", "")
