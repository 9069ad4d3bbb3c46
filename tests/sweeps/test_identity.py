"""A trainable that is edited while its sweep runs, and before a resume: real sweeps, their weights and MLflow."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.conftest import ONE_SLOT, SLOW_SPACE, Cli, check_history, finish, slowed
from tuner.base.errors import UsageError
from tuner.review.best import best_model
from tuner.review.verification import verify_sweep
from tuner.sweep import Sweep
from tuner.sweep import events as ev

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::RuntimeWarning"),
]

HELPER = "SCALE = 1.0\ndef width(params):\n    return params.units\n"
MINE = """
import os
import time
import numpy as np
import helper, hidden
from trainables.contract import Data, Params, Trainable

class Mine(Trainable):
    loss = "mse"

    class Params(Params):
        units: int = 4
        pause_s: float = 0.0
        slow_while: str = ""

    def load_data(self):
        x = np.load(os.path.join(os.path.dirname(__file__), "x.npy"))
        y = x.sum(axis=1, keepdims=True) * helper.SCALE
        return Data(train=(x[:192], y[:192]), validation=(x[192:], y[192:]))

    def build_model(self, params):
        import keras
        import tensorflow as tf
        from later import NAME

        def pause():
            if os.path.exists(params.slow_while):
                time.sleep(params.pause_s)

        class Slow(keras.Sequential):
            def train_step(self, data):
                tf.py_function(pause, [], [])
                return super().train_step(data)

        layers = [keras.Input((3,)), keras.layers.Dense(helper.width(params), name=NAME), keras.layers.Dense(1)]
        return Slow(layers) if params.slow_while else keras.Sequential(layers)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's file, what it imports now and later, one of which holds a secret, and its data."""
    import numpy as np

    folder = tmp_path / "code"
    folder.mkdir()
    texts = {"mine.py": MINE, "helper.py": HELPER, "later.py": "NAME = 'first'\n"}
    for name, text in {**texts, "hidden.py": "API_KEY = 'canary-in-the-code'\n"}.items():
        (folder / name).write_text(text)
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(256, 3)).astype("float32"))
    return folder / "mine.py"


def edit(mine: Path) -> None:
    """Another width, other labels, another layer, and a class that is called otherwise."""
    mine.write_text(MINE.replace("class Mine(", "class Renamed("))
    mine.with_name("helper.py").write_text("SCALE = 100.0\ndef width(params):\n    return 2 * params.units\n")
    mine.with_name("later.py").write_text("NAME = 'second'\n")


def widths(cli: Cli, name: str, *trials: int) -> list[tuple[str, int]]:
    models = [best_model(name, trial, str(cli.root)) for trial in trials]
    return [(model.layers[0].name, model.layers[0].units) for model in models]


def test_an_edited_trainable_is_told_and_not_mixed_in(
    cli: Cli, tiny_spec: Callable[..., str], mine: Path, tmp_path: Path
) -> None:
    slow, slow_while = slowed(tmp_path)  # the trial is not over when its process is killed
    space: dict[str, Any] = {**slow, "learning_rate": {"low": 1e-3, "high": 1e-2}}
    spec = tiny_spec(
        trainable=f"{mine}:Mine",
        space=space,
        num_trials=3,
        epochs={"max": 2},
        early_stopping={"algorithm": "none"},
        resources=ONE_SLOT,
        budget={"epochs": 2},
        checkpoints={"keep": 9},
        failures={"max_retries": 5},
    )
    process = cli.start("run", spec)
    first = cli.wait_for("tiny", lambda sweep: any(trial.attempts for trial in sweep.trials.values()))
    edit(mine)  # while the sweep runs: a worker that starts from now on has the kept code
    [pid] = {event.pid for event in cli.events("tiny") if isinstance(event, ev.TrialStarted)}
    os.kill(pid, signal.SIGKILL)
    slow_while.unlink()
    finish(process, 0)
    assert first.code["digest"] and widths(cli, "tiny", 0) == [("first", 4)]

    said = cli("resume", "tiny", "--set", "budget.epochs=4").stderr
    assert "are changed since the sweep was trained with it" in said and "-SCALE = 1.0" in said
    assert "it goes on with the code that it was started with; --with-changed-code takes today's" in said
    assert widths(cli, "tiny", 0, 1) == [("first", 4), ("first", 4)]
    renamed = cli("resume", "tiny", "--set", "budget.epochs=6", "--with-changed-code", exit_code=2).stderr
    assert "named Mine, but has none; known: Renamed" in renamed

    mine.write_text(MINE)
    said = cli("resume", "tiny", "--set", "budget.epochs=6", "--with-changed-code").stderr
    assert "it goes on with the changed code" in said and "train.y has other values" in said
    sweep = check_history(cli.folder("tiny"))
    assert _values(sweep)[2] > 100 * max(_values(sweep)[:2])
    assert widths(cli, "tiny", 0, 1, 2) == [("first", 4), ("first", 4), ("second", 8)]
    with pytest.raises(Exception, match="must have the shape"):
        best_model("tiny", 0, str(cli.root), with_changed_code=True)
    said = cli("export", "tiny", "--trial", "0", "-o", str(mine.with_name("a.keras"))).stderr
    assert "the model is built by the code that trial 0 was trained with" in said

    verified = verify_sweep(cli.folder("tiny"))
    assert verified.ok and verified.counts["code_files"] == 6
    assert any(note.startswith("code: trials 0 to 1 with code ") for note in verified.notes)
    artifacts = {path.name for path in (Path(cli.root) / "mlartifacts").rglob("code/*/*.py")}
    assert artifacts == {"mine.py", "helper.py", "later.py"}
    everything = b"".join(path.read_bytes() for path in Path(cli.root).rglob("*") if path.is_file())
    assert b"canary-in-the-code" not in everything
    (next(Path(cli.folder("tiny").url, "code").iterdir()) / "later.py").write_text("")
    assert [finding.invariant for finding in verify_sweep(cli.folder("tiny")).findings] == ["code"]


def _values(sweep: Sweep) -> list[float]:
    return [trial.best_value for trial in sweep.trials.values()]


def test_changed_data_are_refused_before_anything_is_trained(
    cli: Cli, tiny_spec: Callable[..., str], mine: Path
) -> None:
    import numpy as np

    spec = tiny_spec(
        trainable=f"{mine}:Mine",
        space={**SLOW_SPACE, "pause_s": 0.0},
        num_trials=2,
        epochs={"max": 1},
        resources=ONE_SLOT,
        budget={"epochs": 1},
    )
    cli("run", spec)
    x = np.load(mine.with_name("x.npy"))
    before = len(cli.events("tiny"))
    x[100, 1] += 1
    np.save(mine.with_name("x.npy"), x)
    said = cli("resume", "tiny", "--set", "budget.epochs=9", exit_code=2).stderr
    assert "data: must be those that the sweep was trained with, but train.x has other values, train.y has" in said
    assert len(cli.events("tiny")) == before
    said = cli("run", spec, "--set", "budget.epochs=9", "--or-resume", "--with-changed-data").stderr
    assert "it goes on with the changed data" in said
    assert check_history(cli.folder("tiny")).data["arrays"]["train.x"]["shape"] == [192, 3]
    mine.unlink()
    mine.with_name("hidden.py").unlink()
    with pytest.raises(UsageError, match=r"hidden\.py: is gone since the sweep began"):
        best_model("tiny", None, str(cli.root))
