"""From a user's class by a probe to a spec, and to a sweep that begins with what the probe found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweeps.conftest import Cli, check_history
from tests.sweeps.test_faults import verified
from tuner.inspection import load_checked
from tuner.sweep import events as ev

MODEL = """
import numpy as np
from trainables import Data, Trainable, TrainingParams

class Own(Trainable):
    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)

    class Params(TrainingParams):
        units: int = 8

    def load_data(self):
        x = np.random.default_rng(0).normal(size=(1200, 6)).astype("float32")
        y = (x[:, :2].sum(axis=1) > 1.7).astype("int64")
        return Data(train=(x[:1000], y[:1000]), validation=(x[1000:], y[1000:]))

    def build_model(self, params):
        import keras

        layers = [keras.layers.Dense(params.units, activation="relu"), keras.layers.Dense(2, activation="softmax")]
        return keras.Sequential([keras.Input((6,)), *layers])
"""


@pytest.mark.slow(60)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_spec_of_a_probe_runs_and_begins_with_its_points(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(MODEL)
    file = tmp_path / "own.yaml"
    said = cli("init", f"{tmp_path}/own.py:Own", "--probe", "--output", str(file)).stderr
    assert f"wrote {file}; see what it would do: tuner check {file}" in said.splitlines()

    text, spec = file.read_text(), load_checked(file)
    assert "\ntrainable: ./own.py:Own\n" in text and "# range test of adam at batch" in text
    assert "classes are imbalanced" in text and "slots like the one measured" in text
    rate, sizes = spec.space["learning_rate"], spec.space["batch_size"]
    assert 1e-5 < rate.low < rate.high <= 10 and set(sizes.choices) <= {8, 16, 32, 64}  # type: ignore[union-attr]
    assert list(spec.space) == ["learning_rate", "batch_size", "units"] and spec.search.warm_start == ["probe"]
    assert (spec.objective.metric, spec.storage) == ("val_accuracy", str(cli.root))
    assert "is there already" in cli("init", f"{tmp_path}/own.py", "--probe", "-o", str(file), exit_code=2).stderr

    few = ("--set", "num_trials=4", "--set", "epochs.max=2", "--set", "resources.cpus_per_trial=2")
    done = cli("run", str(file), *few)
    assert "warm start: the sweep begins with " in done.stderr and "configurations of the probe of" in done.stderr
    assert len(check_history(cli.folder("own")).trials) == 4
    learned = next(event for event in cli.events("own") if isinstance(event, ev.WarmStarted))
    suggested = [event for event in cli.events("own") if isinstance(event, ev.TrialSuggested)]
    assert [event.origin for event in suggested[: len(learned.points)]] == ["point"] * len(learned.points)
    assert learned.points and learned.points[0].items() <= suggested[0].params.items()
    verified(cli, "own")
    assert [sweep["sweep"] for sweep in cli.json("list")] == ["own"]
    assert "is no sweep: it has what `tuner probe` measured" in cli("show", "probe", exit_code=2).stderr
