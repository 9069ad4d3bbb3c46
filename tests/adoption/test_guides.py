"""Programs in the style of Keras's guides as sweeps: killed in the middle, resumed, and equal to none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forks import run_forked
from tests.sweeps.conftest import ONE_SLOT, Cli, finish, kill_group
from tuner.engine.assignments import training_seed
from tuner.review.verification import verify_sweep
from tuner.spec import dump_yaml
from tuner.sweep import Sweep
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

MODELS = Path(__file__).parent / "models"
Reference = Callable[..., list[list[dict[str, float]]]]
PROGRAMS: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "dense": ("Dense", "max val_sparse_categorical_accuracy", 400, {"units": {"choices": [8, 16]}}),
    "cnn": ("Cnn", "max val_accuracy", 14, {"filters": {"choices": [2, 4]}}),
    "lstm": ("Lstm", "max val_auc", 8, {"units": {"choices": [4, 8]}}),
    "transformer": ("Transformer", "max val_accuracy", 80, {"num_heads": {"choices": [1, 2]}}),
    "autoencoder": ("Autoencoder", "min val_loss", 400, {"latent_dim": {"choices": [2, 3]}}),
    "gan": ("Points", "min val_gap", 60, {"generator_rate": {"choices": [0.001, 0.003]}}),
    "image_folder": ("ImageFolder", "max val_accuracy", 20, {"filters": {"choices": [2, 4]}}),
    "structured": ("Structured", "max val_auc", 40, {"units": {"choices": [4, 8]}}),
    "transfer": ("Transfer", "max val_accuracy", 24, {"unfreeze_at": {"choices": [2, 3]}}),
    "multi": ("Tickets", "min val_loss", 40, {"priority_weight": {"choices": [0.5, 1.0]}}),
}
"""By file: its class, the objective, epochs enough for some seconds, and what of its own is searched."""


def with_images(folder: Path) -> None:
    """A folder a class, of small PNG files."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for index, name in enumerate(("cats", "dogs")):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(40):
            pixels = np.clip(rng.normal(100 + 60 * index, 40, size=(12, 12, 3)), 0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")


def with_table(folder: Path) -> None:
    rng = np.random.default_rng(0)
    age, pressure, kind = rng.normal(54, 9, 220), rng.normal(130, 17, 220), rng.choice(["fixed", "normal", "none"], 220)
    target = (age + (kind == "fixed") * 9 + rng.normal(0, 3, 220) > 64).astype(int)
    rows = [f"{a:.1f},{p:.1f},{k},{t}" for a, p, k, t in zip(age, pressure, kind, target, strict=True)]
    (folder / "patients.csv").write_text("\n".join(["age,pressure,kind,target", *rows]) + "\n")


def with_base(folder: Path) -> None:
    """A model to fine-tune, made in a process of its own."""
    layers = "[keras.Input((6,)), keras.layers.Dense(8, activation='relu'), keras.layers.Dense(8, activation='relu')]"
    (folder / "base.py").write_text(
        f"import keras\nkeras.Sequential({layers}, name='base').save({str(folder / 'base.keras')!r})"
    )
    run_forked(folder / "base.py")
    (folder / "base.py").unlink()


FILES = {"image_folder": with_images, "structured": with_table, "transfer": with_base}

RESUMED = {*FILES, "gan"}
"""Their driver is killed, and another one looks at their files again; of the others, the worker alone is killed."""


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    """Trains trials in one process, without a sweep around them."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.adoption.reference"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None

    def train(**request: Any) -> list[list[dict[str, float]]]:
        process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        return json.loads(process.stdout.readline())  # type: ignore[union-attr,no-any-return]

    yield train
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=60)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_adopted(cli: Cli, program: str, reference: Reference, tmp_path: Path) -> None:
    name, objective, epochs, space = PROGRAMS[program]
    mode, metric = objective.split()
    folder = tmp_path / program
    folder.mkdir()
    shutil.copy(MODELS / f"{program}.py", folder)
    FILES.get(program, lambda folder: None)(folder)
    spec = {
        "name": "adopted",
        "trainable": f"./{program}.py:{name}",
        "objective": {"metric": metric, "mode": mode},
        "num_trials": 2,
        "epochs": {"max": epochs},
        "space": {"learning_rate": {"low": 1e-3, "high": 1e-2, "scale": "log"}, "batch_size": 32, **space},
        "early_stopping": {"algorithm": "none"},
        "resources": ONE_SLOT,
    }
    (folder / "sweep.yaml").write_text(dump_yaml(spec))

    driver = cli.start("run", str(folder / "sweep.yaml"))
    cli.wait_for("adopted", has_checkpoint)
    if program in RESUMED:
        kill_group(driver)
        assert cli.json("show", "adopted")["state"] == "interrupted"
        cli("resume", "adopted")
    else:
        os.kill(last_worker(cli), signal.SIGKILL)
        finish(driver, exit_code=0)

    verified = verify_sweep(cli.folder("adopted"))
    assert verified.ok, str(verified)
    sweep: Sweep = cli.wait_for("adopted", lambda sweep: sweep.ended is not None)
    assert [trial.outcome for trial in sweep.trials.values()] == ["completed"] * 2
    assert sum(trial.attempts for trial in sweep.trials.values()) == 3
    trials = [
        {
            "params": trial.params | {"epochs": epochs},
            "seed": training_seed(sweep.spec["search"]["seed"], trial.number),
            "epochs": epochs,
        }
        for trial in sweep.trials.values()
    ]
    undisturbed = reference(file=str(folder / f"{program}.py"), name=name, metric=metric, mode=mode, trials=trials)
    for trial, expected in zip(sweep.trials.values(), undisturbed, strict=True):
        assert len(trial.epochs) == epochs
        for number, (reported, metrics) in enumerate(zip(trial.epochs, expected, strict=True), start=1):
            for key in metrics.keys() - {"epoch_s"}:
                assert reported.metrics[key] == metrics[key], f"trial {trial.number}, epoch {number}: {key}"


def last_worker(cli: Cli) -> int:
    return [event.pid for event in cli.events("adopted") if isinstance(event, ev.TrialStarted)][-1]


def has_checkpoint(sweep: Sweep) -> bool:
    return any(trial.checkpoints for trial in sweep.unfinished)
