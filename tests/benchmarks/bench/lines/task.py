"""The 64-trial MNIST task: Tuner, Ray Tune as documented and by an expert, Optuna, KerasTuner.

Wall seconds from the command to its end, everything included. Each side searches the same space with the same model,
images and cores; each decides by its own rules which trials go on. Tuner and both of Ray's sides record in MLflow,
Optuna and KerasTuner do not. KerasTuner tries a number of configurations that its brackets allow; its time is scaled to
the number that was asked for.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.benchmarks.bench.measuring import Figures, Goal, NotMeasurable, Options, Rounds, Row, ratios, row, values
from tests.benchmarks.bench.processes import run
from tests.benchmarks.bench.sweeps import Checkout, num_epochs, sweep
from tests.benchmarks.peers import mnist_task

PEERS = Path(mnist_task.__file__).parent
GOALS = {"stock_ray": 20, "expert_ray": 5, "optuna": 5, "keras_tuner": 8}
NAMES = {
    "stock_ray": "Ray Tune as documented",
    "expert_ray": "Ray Tune by an expert",
    "optuna": "Optuna, two processes",
    "keras_tuner": "KerasTuner's Hyperband",
}
SCRIPTS = {
    "stock_ray": "ray_stock.py",
    "expert_ray": "ray_expert.py",
    "optuna": "optuna_processes.py",
    "keras_tuner": "keras_tuner_hyperband.py",
}
SLOTS = 2
EPOCHS = 9


def spec(num_trials: int) -> dict[str, object]:
    return {
        "trainable": "mnist-dense",
        "objective": {"metric": mnist_task.METRIC, "mode": mnist_task.MODE},
        "num_trials": num_trials,
        "epochs": {"min": 1, "max": EPOCHS},
        "space": {
            "learning_rate": dict(zip(("low", "high"), mnist_task.LEARNING_RATE, strict=True)) | {"scale": "log"},
            "batch_size": {"choices": mnist_task.BATCH_SIZES},
            "schedule": {"choices": mnist_task.SCHEDULES},
            "decay_rate": dict(zip(("low", "high"), mnist_task.DECAY_RATE, strict=True))
            | {"when": {"schedule": "exponential"}},
            "train_size": mnist_task.NUM_IMAGES,
        },
        "search": {"seed": 7},
        "early_stopping": {"reduction_factor": mnist_task.REDUCTION_FACTOR},
        "resources": {"cpus_per_trial": len(os.sched_getaffinity(0)) / SLOTS},
    }


def mnist() -> Path:
    """The file that all sides read.

    Raises:
        NotMeasurable: there is none.
    """
    folders = [os.environ.get("TUNER_DATA_DIR"), Path.home() / ".keras" / "datasets"]
    for path in (Path(folder) / "mnist.npz" for folder in folders if folder):
        if path.is_file():
            return path.resolve()
    raise NotMeasurable("MNIST is missing: set TUNER_DATA_DIR to a folder that holds mnist.npz")


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    file, num_trials = mnist(), options.size(64, 4)
    python = {"optuna": options.peers, "keras_tuner": options.peers}
    if options.peers is None:
        raise NotMeasurable("the peers' environment is missing: run `make bench`, which makes it")
    return {
        "tuner": partial(tuner, num_trials, file),
        **{
            side: partial(peer, python.get(side) or sys.executable, script, num_trials, file)
            for side, script in SCRIPTS.items()
        },
    }


def tuner(num_trials: int, file: Path) -> Figures:
    os.environ["TUNER_DATA_DIR"] = str(file.parent)
    with sweep(Checkout.this(), spec(num_trials)) as running:
        pass
    seconds = running.command.ended_at - running.command.started_at
    best = running.shown["best"]["value"]
    return {
        "s": seconds,
        "trials": num_trials,
        "epochs": num_epochs(running.events),
        "best": best,
        "utilization": running.shown["utilization"],
    }


def peer(python: str, script: str, num_trials: int, file: Path) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [python, str(PEERS / script), "--mnist", str(file), "--folder", folder, "--epochs", str(EPOCHS)]
        text, seconds = run([*command, "--trials", str(num_trials), "--slots", str(SLOTS)])
    done: Figures = json.loads(text.splitlines()[-1])
    return {**done, "s": seconds * num_trials / done["trials"], "whole_s": seconds}


def rows(rounds: Rounds, options: Options) -> list[Row]:
    num_trials = options.size(64, 4)
    line = f"{num_trials} trials"
    found = [
        row(line, f"{NAMES[side]} / Tuner", ratios(rounds, "s", side, "tuner"), "times", Goal(">=", goal))
        for side, goal in GOALS.items()
    ]
    for side in rounds[0]:
        last = rounds[-1][side]
        done = f"{last['trials']:.0f} trials, {last['epochs']:.0f} epochs, best {last['best']:.4f}"
        found.append(row(line, NAMES.get(side, "Tuner"), values(rounds, side, "s"), "s", note=done))
    return found
