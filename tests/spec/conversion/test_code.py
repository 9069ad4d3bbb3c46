"""Python code of Optuna, Ray Tune, Hyperopt and W&B as specs; it is never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spec.conversion.test_wandb import fields_of
from tuner.base.errors import UsageError
from tuner.spec.conversion.code import draft_of_code
from tuner.spec.conversion.draft import Draft
from tuner.spec.conversion.files import converted
from tuner.spec.conversion.writing import spec_text

OPTUNA = """\
import optuna
raise SystemExit("never run")
WIDEST = 2 ** 8
BATCH_SIZES = [32, 64, 128]

def objective(trial):
    optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd", "rmsprop"])
    params = {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "batch_size": trial.suggest_categorical("batch_size", BATCH_SIZES),
        "units": trial.suggest_int("units", 16, WIDEST, step=16),
    }
    if optimizer == "sgd":
        momentum = trial.suggest_float("momentum", 0.0, 0.99)
        if trial.suggest_categorical("nesterov", [True, False]):
            warm = trial.suggest_float("warm", 0, 1)
    elif optimizer in ("adam",):
        beta = trial.suggest_float("beta_1", 0.8, 0.999)
    else:
        rho = trial.suggest_float("rho", 0.8, 0.999, step=0.05)
    if params["lr"] > 0.01:
        trial.suggest_int("cool-down", 0, 1000, 100)
    for layer in range(3):
        trial.suggest_int(f"layer_{layer}", 4, 128, log=True)
    trial.suggest_int("deep", lowest(), 9)
    trial.suggest_discrete_uniform("dropout", 0.0, 0.5, 0.1)
    trial.report(0.5, 1)

study = optuna.create_study(
    direction="maximize", study_name="mnist", storage="sqlite:///mnist.db",
    sampler=optuna.samplers.TPESampler(seed=10, multivariate=True),
    pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=2),
)
study.optimize(objective, n_trials=100, timeout=600, n_jobs=2)
"""

RAY = """\
import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler

scheduler = ASHAScheduler(max_t=81, grace_period=3, reduction_factor=3)
tuner = tune.Tuner(
    tune.with_resources(train, {"cpu": 2, "gpu": 0.5}),
    param_space={
        "lr": tune.loguniform(1e-4, 1e-1),
        "units": tune.randint(32, 257),
        "wide": tune.qrandint(32, 256, 32),
        "rate": tune.quniform(0, 1, 0.1),
        "net": {"act": tune.choice(["relu", None]), "lr": tune.uniform(0, 1)},
        "threads": 2,
        "noise": tune.randn(0, 0.5),
        "drawn": tune.sample_from(lambda spec: np.random.rand()),
        "folder": data_folder,
    },
    tune_config=tune.TuneConfig(metric="val_loss", mode="min", num_samples=50, scheduler=scheduler,
                                max_concurrent_trials=4, time_budget_s=3600),
    run_config=tune.RunConfig(name="nets", stop={"training_iteration": 27}),
)
"""


def read(text: str) -> tuple[Draft, dict[str, Any]]:
    draft = draft_of_code(text, "search")
    assert draft is not None
    return draft, fields_of(spec_text(draft, "search.py"))


def test_an_optuna_study_with_its_conditions() -> None:
    draft, fields = read(OPTUNA)
    assert fields == {
        "name": "mnist",
        "trainable": "./my_model.py:MyModel",
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "num_trials": 100,
        "epochs": {"min": 2, "max": 32},
        "space": {
            "optimizer": {"choices": ["adam", "sgd", "rmsprop"]},
            "lr": {"low": 1e-5, "high": 0.1, "scale": "log"},
            "batch_size": {"choices": [32, 64, 128]},
            "units": {"low": 16, "high": 256, "step": 16},
            "momentum": {"low": 0.0, "high": 0.99, "when": {"optimizer": "sgd"}},
            "nesterov": {"choices": [True, False], "when": {"optimizer": "sgd"}},
            "warm": {"low": 0.0, "high": 1.0, "when": {"optimizer": "sgd", "nesterov": True}},
            "beta_1": {"low": 0.8, "high": 0.999, "when": {"optimizer": "adam"}},
            "rho": {"low": 0.8, "high": 0.95, "step": 0.05, "when": {"optimizer": "rmsprop"}},
            "cool_down": {"low": 0, "high": 1000, "step": 100},
            "layer": {"low": 4, "high": 128, "scale": "log", "repeat": 3},
            "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
        },
        "search": {"algorithm": "tpe", "seed": 10},
        "early_stopping": {"algorithm": "asha", "reduction_factor": 4},
        "budget": {"wall_time": 600},
    }
    told = "\n".join(draft.notes)
    for part in (
        "layer: is one list here",
        "lowest()",
        "cool_down",
        "its condition has no counterpart",
        "multivariate",
        "n_jobs",
    ):
        assert part in told
    assert len([note for note in draft.notes if "condition" in note]) == 1


@pytest.mark.parametrize(
    ("loop", "repeat"),
    [("range(n)", "depth"), ("range(1, n + 1)", "depth"), ("range(4)", 4), ("range(n - 1)", None), ("names", None)],
)
def test_a_parameter_of_each_turn_of_a_loop_is_a_list(loop: str, repeat: object) -> None:
    draft, _ = read(
        "def build(trial):\n    n = trial.suggest_int('depth', 1, 4)\n"
        f"    for i in {loop}:\n        trial.suggest_int(f'units_{{i}}', 16, 64)\n"
    )
    if repeat is None:
        assert [*draft.space] == ["depth"]
        assert any(note.startswith("line 4: ") and note.endswith("left out") for note in draft.notes)
    else:
        assert draft.space["units"] == {"low": 16, "high": 64, "repeat": repeat}


@pytest.mark.parametrize(
    "line",
    [
        "units = [trial.suggest_int(f'units_{i}', 16, 64) for i in range(n)]",
        "units = tuple(trial.suggest_int('units_{}'.format(i), 16, 64) for i in range(n))",
        "units = {i: trial.suggest_int('units_' + str(i), 16, 64) for i in range(n)}",
        "units = [trial.suggest_int('units_%d' % i, 16, 64) for i in range(n)]",
    ],
)
def test_a_comprehension_is_a_loop(line: str) -> None:
    draft, _ = read(f"def build(trial):\n    n = trial.suggest_int('depth', 1, 4)\n    {line}\n")
    assert draft.space["units"] == {"low": 16, "high": 64, "repeat": "depth"}


def test_a_comprehension_with_a_condition_is_none() -> None:
    line = "units = [trial.suggest_int(f'units_{i}', 16, 64) for i in range(4) if i % 2]"
    draft, _ = read(f"def build(trial):\n    {line}\n    trial.suggest_int('depth', 1, 4)\n")
    assert [*draft.space] == ["depth"]


def test_a_space_of_ray_tune() -> None:
    draft, fields = read(RAY)
    assert fields == {
        "name": "nets",
        "trainable": "./my_model.py:MyModel",
        "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": 50,
        "epochs": {"min": 3, "max": 27},
        "space": {
            "lr": {"low": 1e-4, "high": 0.1, "scale": "log"},
            "units": {"low": 32, "high": 256},
            "wide": {"low": 32, "high": 256, "step": 32},
            "rate": {"low": 0.0, "high": 1.0, "step": 0.1},
            "act": {"choices": ["relu", None]},
            "net_lr": {"low": 0.0, "high": 1.0},
            "threads": 2,
            "noise": {"low": -1.0, "high": 1.0},
        },
        "search": {"algorithm": "random"},
        "early_stopping": {"algorithm": "asha", "reduction_factor": 3},
        "budget": {"wall_time": 3600},
        "resources": {"cpus_per_trial": 2, "gpus_per_trial": 0.5},
    }
    told = "\n".join(draft.notes)
    for part in ("noise: there are no normal", "sample_from", "data_folder", "max_concurrent_trials"):
        assert part in told


def test_what_a_program_does_by_itself_counts() -> None:
    grid = "tune.Tuner(f, param_space={'a': tune.grid_search([1, 2]), 'b': tune.grid_search([1, 2, 3])})"
    fields = read(grid)[1]
    assert (fields["search"], fields["num_trials"]) == ({"algorithm": "grid"}, 6)
    assert fields["early_stopping"] == {"algorithm": "none"}
    asha = "tune.run(f, config={'a': tune.uniform(0, 1)}, scheduler=ASHAScheduler(), search_alg=HyperOptSearch())"
    fields = read(asha)[1]
    assert (fields["epochs"], fields["early_stopping"]["reduction_factor"]) == ({"max": 100}, 4)
    assert fields["search"] == {"algorithm": "tpe"}
    pruned = (
        "def f(trial):\n x = trial.suggest_float('x', 0, 1)\n if trial.should_prune(): raise E\nstudy = create_study()"
    )
    draft, fields = read(pruned)
    assert (fields["early_stopping"], fields["objective"]["mode"]) == ({"algorithm": "asha"}, "min")
    assert any("MedianPruner" in note for note in draft.notes)


def test_what_is_not_plain_is_told_and_not_guessed() -> None:
    draft, fields = read("def f(trial):\n    trial.suggest_float('x', 0, 1)\nstudy.optimize(f, n_trials=args.trials)\n")
    assert fields["num_trials"] == 64
    assert "line 3, n_trials: args.trials cannot be told without running the program; left out" in draft.notes
    assert any(note.startswith("num_trials: is not in the file") for note in draft.notes)


def test_a_name_that_is_assigned_twice_is_no_constant() -> None:
    draft, _ = read("n = 3\nn = 4\ndef f(trial):\n    trial.suggest_int('x', 1, n)\n    trial.suggest_int('y', 1, 2)\n")
    assert [*draft.space] == ["y"]


def test_a_space_of_hyperopt() -> None:
    _, fields = read(
        "from hyperopt import hp, fmin, tpe\nimport numpy as np\n"
        "space = {'lr': hp.loguniform('lr', np.log(1e-4), np.log(0.1)), 'units': hp.quniform('units', 16, 64, 16),\n"
        "         'act': hp.choice('act', ['relu', 'tanh']), 'n': hp.randint('n', 5)}\n"
        "fmin(f, space, algo=tpe.suggest, max_evals=30)\n"
    )
    assert fields["space"] == {
        "lr": {"low": 0.0001, "high": 0.1, "scale": "log"},
        "units": {"low": 16, "high": 64, "step": 16},
        "act": {"choices": ["relu", "tanh"]},
        "n": {"low": 0, "high": 4},
    }
    assert (fields["num_trials"], fields["search"]) == (30, {"algorithm": "tpe"})


def test_a_sweep_configuration_of_wandb_in_code() -> None:
    _, fields = read(
        "import wandb\nconfig = {'method': 'random', 'metric': {'name': 'val_loss', 'goal': 'minimize'},\n"
        "  'parameters': {'lr': {'min': 1e-4, 'max': 1e-1}, 'epochs': {'value': 5}}}\n"
        "wandb.agent(wandb.sweep(config, project='nets'), train, count=20)\n"
    )
    assert fields["space"] == {"lr": {"low": 0.0001, "high": 0.1}}
    assert (fields["num_trials"], fields["epochs"]) == (20, {"max": 5})
    assert fields["tracking"] == {"experiment": "nets"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("x = 1\n", "no space was found in it"),
        ("x = (\n", "must be Python, but line 1"),
        ("x = " + "(" * 500 + ")" * 500, "must be Python"),
        ("x = " + "-" * 50_000 + "1", "must be Python"),
        ("import subprocess\nsubprocess.run(['x'], timeout=5)\n", "no space was found"),
    ],
)
def test_code_without_a_space_is_refused_in_one_line(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "search.py").write_text(text)
    with pytest.raises(UsageError, match=rule):
        converted(tmp_path / "search.py")


def test_arithmetic_is_bounded() -> None:
    draft, _ = read(
        "def f(trial):\n    trial.suggest_int('x', 1, 9 ** 9 ** 9)\n    trial.suggest_int('y', 1, 2 ** 3)\n"
    )
    assert draft.space == {"y": {"low": 1, "high": 8}}
