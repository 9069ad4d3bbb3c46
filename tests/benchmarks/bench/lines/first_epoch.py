"""The first epoch after `tuner run`, against a bare `import tensorflow` and a bare `ray.init`, one after the other.

Also from the last epoch to the prompt. The sweep is the demo's: scikit-learn's digits, which need no download.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

from tests.benchmarks.bench.measuring import Figures, Goal, Options, Rounds, Row, ratios, row, values
from tests.benchmarks.bench.processes import run
from tests.benchmarks.bench.sweeps import Checkout, of_kind, sweep

BARE = """
import json, time
began = time.perf_counter()
import tensorflow
imported = time.perf_counter()
import ray
before = time.perf_counter()
ray.init(address="local", log_to_driver=False)
print(json.dumps({"tensorflow_s": imported - began, "ray_s": time.perf_counter() - before}))
"""
SPEC = {
    "trainable": "digits",
    "objective": {"metric": "val_accuracy", "mode": "max"},
    "epochs": {"min": 1, "max": 9},
    "space": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "batch_size": {"choices": [32, 64, 128, 256]},
    },
}


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    num_trials = options.size(16, 2)
    return {"bare": bare, "tuner": lambda: started({**SPEC, "num_trials": num_trials})}


def bare() -> Figures:
    text, _ = run([sys.executable, "-c", BARE])
    figures: Figures = json.loads(text.splitlines()[-1])
    return {**figures, "s": figures["tensorflow_s"] + figures["ray_s"]}


def started(spec: Mapping[str, object]) -> Figures:
    with sweep(Checkout.this(), spec) as running:
        pass
    epochs = [event["at"] for event in of_kind(running.events, "epoch_reported")]
    command = running.command
    return {"s": epochs[0] - command.started_at, "end_s": command.ended_at - epochs[-1]}


def rows(rounds: Rounds, options: Options) -> list[Row]:
    goal = Goal("<=", 0.75)
    return [
        row(
            "first epoch",
            "first epoch / (import tensorflow + ray.init)",
            ratios(rounds, "s", "tuner", "bare"),
            "",
            goal,
        ),
        row("first epoch", "import tensorflow", values(rounds, "bare", "tensorflow_s"), "s"),
        row("first epoch", "ray.init", values(rounds, "bare", "ray_s"), "s"),
        row("first epoch", "from `tuner run` to the first epoch's report", values(rounds, "tuner", "s"), "s"),
        row("first epoch", "from the last epoch to the prompt", values(rounds, "tuner", "end_s"), "s", Goal("<=", 2)),
    ]
