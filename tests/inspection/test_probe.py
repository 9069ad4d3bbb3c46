"""A batch of training before a sweep: what fails, what a break changes and what has no effect, a line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.simulation import make_spec
from trainables import counts, registry
from trainables.contract import RATE_NAMES
from trainables.given import Given, giving
from tuner.inspection import Inspection
from tuner.inspection.trying import SKIP_VARIABLE, Tried, try_out
from tuner.processes import client, node_server, owned, running_server
from tuner.spec import SweepSpec

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HEAD = """
import os, sys
import numpy as np
import keras
import tensorflow as tf
from trainables.contract import Data, Params, Trainable

class Mine(Trainable):
    loss = "mse"
    metrics = ["mae"]

    class Params(Params):
        units: int = 4
        scale: float = 1.0
        gamma: float = 1.0

    def load_data(self):
        x = np.random.default_rng(0).normal(size=(90, 3)).astype("float32")
        return Data(train=(x, x), validation=(x, x), test=(x, x))
"""
PLAIN = """
    def build_model(self, params):
        units = max(params.units, 64)
        dropout = keras.layers.Dropout(params.scale / 9)
        return keras.Sequential([keras.layers.Dense(units), dropout, keras.layers.Dense(3)])
"""
OWN = """
    def build_model(self, params):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense, self.units = keras.layers.Dense(3), params.units
                self.steps = 0
            def call(self, x):
                return self.dense(x) * params.scale
        return Own()
"""
COMPILED = """
    def build_model(self, params):
        model = keras.Sequential([keras.layers.Dense(params.units), keras.layers.Dense(3)])
        model.compile(keras.optimizers.SGD(params.scale), loss="mse", metrics=["mae"])
        return model
    def callbacks(self, params):
        return [keras.callbacks.CSVLogger(FILE)]
"""
WEIGHTS = """
    def fit_options(self, params):
        return {"validation_freq": 1}
"""
SPACE = {
    "learning_rate": {"low": 0.01, "high": 0.1},
    "batch_size": 32,
    "units": {"low": 4, "high": 16},
    "scale": {"low": 0.5, "high": 2.0},
    "gamma": {"low": 0.5, "high": 2.0},
}


def spec_of(folder: Path, text: str, **space: Any) -> SweepSpec:
    (folder / "mine.py").write_text(text)
    trainable = f"{folder / 'mine.py'}:Mine"
    return make_spec(trainable=trainable, objective__metric="val_loss", space={**SPACE, **space})


def tried(folder: Path, text: str, **space: Any) -> Tried:
    spec = spec_of(folder, text, **space)
    trainable = registry.load_file(folder / "mine.py", "Mine")()
    return try_out(spec, trainable, trainable.load_data())


@pytest.mark.parametrize(
    ("body", "path", "without_effect"),
    [
        (PLAIN, "fast", {"units": "is the same with 4 and 16", "gamma": "nothing in the trainable reads it"}),
        (OWN, "fast", {"units": "is the same with 4 and 16", "gamma": "nothing in the trainable reads it"}),
        (PLAIN + WEIGHTS, "fit", {"units": "is the same with 4 and 16", "gamma": "nothing"}),
        (COMPILED, "fit", {"learning_rate": "nothing in the trainable reads it", "gamma": "nothing"}),
    ],
)
def test_what_a_batch_shows(tmp_path: Path, body: str, path: str, without_effect: dict[str, str]) -> None:
    log = tmp_path / "log.csv"
    found = tried(tmp_path, HEAD + body.replace("FILE", repr(str(log))))
    assert (found.problems, found.warnings, found.not_looked_at, found.path) == ([], [], [], path)
    assert {"loss", "mae", "val_loss", "val_mae", *RATE_NAMES, "epoch_s", *counts.COUNTS} == set(found.metrics)
    assert set(found.without_effect) == set(without_effect)
    assert all(without_effect[name] in why for name, why in found.without_effect.items())
    assert not log.exists()


STEP = """
            def train_step(self, data):
                {}
                return super().train_step(data)
            def call"""
COUNTS = """
    def build_model(self, params):
        class Counts(keras.Model):
            steps = 0
            def train_step(self, data):
                self.steps += 1
                return {**super().train_step(data), "steps": float(self.steps)}
        inputs = keras.Input((3,))
        model = Counts(inputs, keras.layers.Dense(3)(inputs))
        model.compile(keras.optimizers.SGD(params.scale), loss="mse", run_eagerly=True)
        return model
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            HEAD + PLAIN.replace("units = ", "1 / 0; units = "),
            "building the model of Mine raised ZeroDivisionError: division by zero (line 22 of mine.py)",
        ),
        (
            HEAD + PLAIN.replace("Dense(3)", "Dense(2)"),
            "of Mine raised InvalidArgumentError: Incompatible shapes: [1,3] vs. [1,2]; the model's output and y must",
        ),
        (
            HEAD + OWN.replace("\n            def call", STEP.format("raise KeyError('no such weight')")),
            "training the first batch of Mine raised KeyError: 'no such weight' (line 28 of mine.py)",
        ),
        (
            HEAD.replace("test=(x, x)", "test=(x[:, :2], x)") + PLAIN,
            "measuring the test metrics of Mine raised",
        ),
        (
            HEAD + PLAIN.replace("units = ", "assert params.units in (4, FIRST); units = "),
            "building the model of Mine with units ",
        ),
        (
            HEAD + COUNTS,
            "a trial that goes on from a checkpoint must equal one without a break, but steps is ",
        ),
    ],
)
def test_what_would_fail_in_a_trial_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    if "FIRST" in text:
        from tuner.inspection.configurations import draws

        first = draws(spec_of(tmp_path, ""))[0]["units"]
        text = text.replace("FIRST", str(first))
    [line] = tried(tmp_path, text).problems
    assert line.startswith("trainable: ") and problem in line and "\n" not in line


IN_A_WORKER = """
        assert not hasattr(sys, "left"), "something is left of load_data"
        assert tf.config.threading.get_intra_op_parallelism_threads() == 2
        assert "sklearn" not in sys.modules and os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
        units ="""


def test_the_process_is_like_a_worker_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNER_SKIP_PROBE")
    text = (HEAD + PLAIN).replace("        x = np", "        sys.left = True; x = np")
    text = text.replace("        units =", IN_A_WORKER.lstrip("\n"))
    spec = spec_of(tmp_path, text).model_copy(update={"resources": make_spec(resources__cpus_per_trial=2.5).resources})
    inspection = Inspection(spec, is_tried=True)
    found = inspection.result()
    assert found.problems == [] and found.path == "fast" and found.data is not None
    assert set(found.without_effect) == {"units", "gamma"} and not found.strictly(False).problems
    assert found.strictly(True).problems == found.effect_warnings
    monkeypatch.setenv("TUNER_SKIP_PROBE", "1")
    assert "but $TUNER_SKIP_PROBE says to skip it" in found.strictly(True).problems[-1]


def test_a_class_of_a_program_goes_to_the_process_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNER_SKIP_PROBE")
    module = {"__name__": "__main__"}
    exec(HEAD + PLAIN.replace("units = ", "os._exit(3) if params.units else 1; units = "), module)
    spec = make_spec(trainable="python:Mine", objective__metric="val_loss", space=SPACE)
    with giving(Given(module["Mine"])):  # type: ignore[arg-type]
        inspection = Inspection(spec, is_tried=True)
        assert inspection.in_background
        [problem] = inspection.result().problems
    rule = "trainable: a batch of it must train in a process of its own"
    assert problem.startswith(f"{rule}, but that ended with exit code 3")


EVALUATE = """
    def evaluate(self, model, data):
        x, y = data
        assert len(x) == 90  # not a batch or two
        RETURN
"""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('return {"cost": abs(model.predict(x, verbose=0) - y).max()}', None),
        ('return {"val_mae": 1.0}', "trainable: evaluate must give its metrics names of their own, but 'val_mae' is"),
        (
            'raise LookupError("odd")',
            "trainable: running evaluate of Mine raised LookupError: odd (line 29 of mine.py)",
        ),
    ],
)
def test_metrics_of_its_own(tmp_path: Path, line: str, problem: str | None) -> None:
    found = tried(tmp_path, HEAD + PLAIN + EVALUATE.replace("RETURN", line))
    if problem is None:
        assert found.problems == [] and "cost" in found.metrics
    else:
        assert len(found.problems) == 1 and found.problems[0].startswith(problem)


def test_a_batch_of_two_folds_shows_what_all_report(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, HEAD + PLAIN).model_copy(update={"folds": 4})
    trainable = registry.load_file(tmp_path / "mine.py", "Mine")()
    found = try_out(spec, trainable, trainable.load_data())
    assert (found.problems, found.warnings) == ([], [])
    assert {"val_mae", "val_mae_std", *(f"val_mae_fold_{fold}" for fold in range(4))} <= set(found.metrics)


@pytest.mark.parametrize("also", ["tuner.worker.process", "no.such.module"])
def test_a_fork_looks_and_a_plain_process_where_nothing_can_be_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also: str
) -> None:
    monkeypatch.delenv(SKIP_VARIABLE, raising=False)
    monkeypatch.setattr(client, "ALSO", ["--also", also])
    spec = spec_of(tmp_path, HEAD + PLAIN)
    with owned("local"):
        inspection = Inspection(spec, is_tried=True)
        found = inspection.result()
    assert found.problems == [] and found.path == "fast" and found.data is not None


def test_it_is_forked_from_the_process_that_a_worker_of_this_machine_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_TESTED", str(tmp_path))  # a name of its own
    monkeypatch.setenv("TUNER_FORK_LINGER_S", "1")
    assert running_server() is None
    node_server()
    assert running_server() is not None
    own = f"open({str(tmp_path / 'parent')!r}, 'w').write(str(os.getppid()))"
    found = Inspection(spec_of(tmp_path, HEAD + PLAIN + own)).result()
    assert found.problems == [] and found.data is not None
    parent = psutil.Process(int((tmp_path / "parent").read_text()))
    assert "tuner.processes" in parent.cmdline()
    parent.wait(60)
