"""Specs in the words of other tools: each foreign word gets what to write instead, once, and no wrong advice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.base.errors import SpecError
from tuner.spec import spec_from_mapping
from tuner.spec.foreign import foreign_words


def problems(**fields: Any) -> list[str]:
    """Of a new sweep's spec; nested fields as a__b."""
    written = make_spec().resolved()
    for path, value in fields.items():
        *parents, last = path.split("__")
        (written[parents[0]] if parents else written)[last] = value
    with pytest.raises(SpecError) as caught:
        spec_from_mapping(written, is_new=True)
    return caught.value.problems


def test_a_file_for_wandb_is_translated_line_by_line() -> None:
    written = {
        "program": "train.py",
        "method": "bayes",
        "name": "net",
        "metric": {"name": "val_accuracy", "goal": "maximize"},
        "early_terminate": {"type": "hyperband", "min_iter": 3},
        "run_cap": 20,
        "project": "digits",
        "entity": "us",
        "parameters": {
            "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1},
            "batch_size": {"values": [16, 32]},
            "decay": {"distribution": "log_uniform", "min": -9.21034, "max": 0},
            "epochs": {"value": 9},
        },
    }
    with pytest.raises(SpecError) as caught:
        spec_from_mapping(written, is_new=True)
    assert sorted(caught.value.problems) == sorted(
        [
            "program: unknown key; write command: [python, train.py, '--learning_rate={learning_rate}',"
            " '--batch_size={batch_size}', '--decay={decay}', …], or trainable: ./train.py:main",
            "method: unknown key; write search: {algorithm: tpe} (search.algorithm)",
            "metric: unknown key; write objective: {metric: val_accuracy, mode: max}",
            "early_terminate: unknown key; write early_stopping: {algorithm: asha}, and epochs: {min: 3}",
            "run_cap: unknown key; write num_trials: 20",
            "project: unknown key; write tracking: {experiment: digits} (tracking.experiment)",
            "entity: unknown key; there is nothing like it here; leave it out",
            "parameters: unknown key; write space; `tuner init --from FILE` writes a W&B sweep as a spec",
            "parameters.learning_rate.distribution: unknown key; write scale: log",
            "parameters.learning_rate.min: unknown key; write low: 0.0001",
            "parameters.learning_rate.max: unknown key; write high: 0.1",
            "parameters.batch_size.values: unknown key; write choices: [16, 32]",
            "parameters.decay.distribution: unknown key; write scale: log, with low and high themselves rather than"
            " their logarithms",
            "parameters.decay.min: unknown key; write low: 0.0001",
            "parameters.decay.max: unknown key; write high: 1.0",
            "epochs: is required, but is missing; write epochs: {max: 9}",
        ]
    )


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"min": 16, "max": 64, "q": 16}, [".min: unknown key; write low: 16", ".max: unknown key; write high: 64",
                                           ".q: unknown key; write step: 16"]),
        ({"min_value": 1e-4, "max_value": 0.1, "sampling": "log"},
         [".min_value: unknown key; write low: 0.0001", ".max_value: unknown key; write high: 0.1",
          ".sampling: unknown key; write scale: log"]),
        ({"low": 1e-4, "high": 0.1, "log": True}, [".log: unknown key; write scale: log"]),
        ({"low": 1e-4, "high": 0.1, "log": False},
         [".log: unknown key; leave it out: without scale a range is linear"]),
        ({"low": 1e-4, "high": 0.1, "scale": "loguniform"},
         [".scale: must be 'linear' or 'log', but got 'loguniform'; write scale: log"]),
        ({"low": 1, "high": 9, "sampling": "reverse_log"},
         [".sampling: unknown key; there is no reverse_log here; write scale: linear or scale: log, between low and"
          " high"]),
        ({"distribution": "normal", "mu": 0, "low": 0, "high": 1},
         [".distribution: unknown key; there is no normal here; write scale: linear or scale: log, between low and"
          " high", ".mu: unknown key; there is nothing like it here; leave it out"]),
        ({"distribution": "normal", "mu": 10, "sigma": 2},
         [": there are no normal distributions here; write {low: 6.0, high: 14.0}"]),
        ({"distribution": "q_log_normal", "mu": 3, "sigma": 0.5, "q": 8},
         [": there are no log-normal distributions here; write {low: 8, high: 56, step: 8, scale: log}"]),
        ({"distribution": "beta", "a": 2, "b": 5},
         [": there are no beta distributions here; write {low: 0.0, high: 1.0}"]),
        ({"distribution": "inv_log_uniform_values", "min": 0.1, "max": 1},
         [": there is no inv_log_uniform_values here; write {low: 0.1, high: 1.0, scale: log}"]),
        ({"distribution": "normal", "sigma": "wide"},
         [": there is no normal here, and it needs a number mu and a sigma above 0"]),
        ({"value": 3, "distribution": "constant"},
         [".distribution: unknown key; leave it out: choices, or a value, say it"]),
        ({"low": 1, "min": 1, "high": 9}, [".min: unknown key; leave it out: low is there"]),
        ({"low": 16, "high": 64, "default": 32},
         [".default: unknown key; write the configuration to begin with in search.points, with 32 in it, or leave it"
          " out"]),
        ({"choices": [1, 2], "ordered": True, "parent_name": "kind", "parent_values": ["cnn"]},
         [".ordered: unknown key; leave it out: choices have no order; a number with one is written low, high and step"
          " or num", ".parent_name: unknown key; write when: {kind: [cnn]}",
          ".parent_values: unknown key; write when: {kind: [cnn]}"]),
        ({"units": {"low": 16, "high": 64}, "dropout": {"min": 0.0, "max": 0.5}},
         [": parameters have flat names, without groups; write 'units' and 'dropout' directly under space"]),
        ({"parameters": {"units": {"values": [1, 2]}}},
         [": parameters have flat names, without groups; write 'units' directly under space"]),
        ({"grid_search": [1, 2]}, [".grid_search: unknown key; write choices: [1, 2]"]),
        ({"loguniform": [1e-4, 0.1]}, [": unknown keys loguniform; write {low: 0.0001, high: 0.1, scale: log}"]),
        ({"_type": "choice", "_value": [16, 32]}, [": unknown keys _type, _value; write {choices: [16, 32]}"]),
        ({"class_name": "Float", "config": {"name": "x", "min_value": 0.1, "max_value": 1.0, "sampling": "log"}},
         [": unknown keys class_name, config; write {low: 0.1, high: 1.0, scale: log}"]),
        ("tune.loguniform(1e-4, 1e-1)", [": text is not evaluated; write {low: 0.0001, high: 0.1, scale: log}"]),
        ("tune.randint(1, 9)", [": text is not evaluated; write {low: 1, high: 8}"]),
        ("tune.choice([16, 32])", [": text is not evaluated; write {choices: [16, 32]}"]),
        ("hp.Int('units', 32, 512, step=32)", [": text is not evaluated; write {low: 32, high: 512, step: 32}"]),
        ("hp.Float('x', min_value=0.1, max_value=1.0, sampling='log')",
         [": text is not evaluated; write {low: 0.1, high: 1.0, scale: log}"]),
        ("hp.loguniform('x', -9.21034, 0)", [": text is not evaluated; write {low: 0.0001, high: 1.0, scale: log}"]),
        ("trial.suggest_float('x', 1e-4, 0.1, log=True)",
         [": text is not evaluated; write {low: 0.0001, high: 0.1, scale: log}"]),
        ("tune.uniform(0, 1)", [": text is not evaluated; write {low: 0.0, high: 1.0}"]),
        ("tune.quniform(16, 64, 16)", [": text is not evaluated; write {low: 16, high: 64, step: 16}"]),
        ("trial.suggest_float('x', 1, 100, log=True)",
         [": text is not evaluated; write {low: 1.0, high: 100.0, scale: log}"]),
        ({"class_name": "Float", "config": {"name": "x", "min_value": 0, "max_value": 1}},
         [": unknown keys class_name, config; write {low: 0.0, high: 1.0}"]),
        ({"distribution": "uniform", "min": 0, "max": 1},
         [".distribution: unknown key; leave it out: without scale a range is linear",
          ".min: unknown key; write low: 0.0", ".max: unknown key; write high: 1.0"]),
        ({"distribution": "int_uniform", "min": 0, "max": 4},
         [".distribution: unknown key; leave it out: without scale a range is linear",
          ".min: unknown key; write low: 0", ".max: unknown key; write high: 4"]),
        ({"type": "categorical", "values": ["a", "b"]},
         [".type: unknown key; leave it out: choices, or a value, say it",
          ".values: unknown key; write choices: [a, b]"]),
        ("hp.Boolean('x')", [": text is not evaluated; write {choices: [false, true]}"]),
        ("tune.randn(0, 1)", [": text is not evaluated; write {low: …, high: …, scale: …} or {choices: […]}"]),
        ("tune.sample_from(lambda spec: 3)",
         [": text is not evaluated; write {low: …, high: …, scale: …} or {choices: […]}"]),
        ("tune.uniform(low, high)",
         [": text is not evaluated; write {low: …, high: …, scale: …} or {choices: […]}"]),
    ],
)  # fmt: skip
def test_a_parameter_in_foreign_words_is_told_in_ours(parameter: Any, expected: list[str]) -> None:
    assert problems(space={"x": parameter}) == [f"space.x{line}" for line in expected]


@pytest.mark.parametrize(
    ("field", "written", "expected"),
    [
        ("epochs", 9, "epochs: must be a mapping, but got 9; write epochs: {max: 9}"),
        ("epochs", [3, 9], "epochs: must be a mapping, but got [3, 9]; write epochs: {min: 3, max: 9}"),
        ("objective", "val_loss",
         "objective: must be a mapping, but got 'val_loss'; write objective: {metric: val_loss, mode: min or max}"),
        ("objective__mode", "minimize", "objective.mode: must be 'min' or 'max', but got 'minimize'; write mode: min"),
        ("search__algorithm", "bayes",
         "search.algorithm: must be 'tpe', 'random' or 'grid', but got 'bayes'; write algorithm: tpe"),
        ("early_stopping__algorithm", "hyperband",
         "early_stopping.algorithm: must be 'asha' or 'none', but got 'hyperband'; write algorithm: asha"),
        ("early_stopping", {"eta": 4}, "early_stopping.eta: unknown key; write reduction_factor: 4"),
        ("max_trials", 20, "max_trials: unknown key; leave it out: num_trials is there"),
        ("seed", 3, "seed: unknown key; leave it out: search.seed is there"),
        ("direction", "maximize", "direction: unknown key; leave it out: objective.mode is there"),
        ("early_stopping", False,
         "early_stopping: must be a mapping, but got false; write early_stopping: {algorithm: none}"),
        ("max_concurrent_trials", 4, "max_concurrent_trials: unknown key; as many trials run as there is room for;"
         " write resources: {cpus_per_trial: …} to have fewer"),
        ("resources", {"gpu": 1}, "resources.gpu: unknown key; write gpus_per_trial: 1"),
    ],
)  # fmt: skip
def test_a_section_in_foreign_words_is_told_in_ours(field: str, written: Any, expected: str) -> None:
    assert problems(**{field: written}) == [expected]


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ({"type": "hyperband", "max_iter": 27, "s": 2},
         "{algorithm: asha}, and epochs: {min: 3, max: 27}"),
        ({"type": "hyperband", "max_iter": 32, "s": 3, "eta": 2},
         "{algorithm: asha, reduction_factor: 2}, and epochs: {min: 4, max: 32}"),
        ({"type": "hyperband", "s": 2}, "{algorithm: asha}"),
    ],
)  # fmt: skip
def test_brackets_of_wandb_are_rungs_of_ours(written: dict[str, Any], instead: str) -> None:
    spec = {name: value for name, value in make_spec().resolved().items() if name not in ("early_stopping", "epochs")}
    with pytest.raises(SpecError) as caught:
        spec_from_mapping({**spec, "early_terminate": written}, is_new=True)
    rest = [] if "max_iter" in written else ["epochs: is required, but is missing"]
    assert sorted(caught.value.problems) == sorted(
        [f"early_terminate: unknown key; write early_stopping: {instead}", *rest]
    )


def test_a_command_of_wandb_is_told_as_ours() -> None:
    spec = {name: value for name, value in make_spec(space={"lr": 0.1}).resolved().items() if name != "trainable"}
    wandb = {"program": "net.py", "command": ["${env}", "python3", "${program}", "--fast", "${args}"]}
    with pytest.raises(SpecError) as caught:
        spec_from_mapping({**spec, **wandb}, is_new=True)
    assert sorted(caught.value.problems) == [
        "command: the words ${…} are W&B's; write command: [python, net.py, '--fast', '--lr={lr}']",
        "program: unknown key; leave it out: command is there",
    ]
    ours = {"command": ["sh", "-c", "echo ${HOME} {lr}"]}
    assert not foreign_words({**spec, **ours}).rules


def test_words_that_look_alike_by_chance_are_no_advice() -> None:
    for name in ("metrics", "valves", "crates"):
        assert "did you mean" not in problems(**{name: 1})[0]


def test_what_has_a_section_here_is_written_in_it() -> None:
    written = {"seed": 3, "metric": "loss", "goal": "minimize"}
    rules = foreign_words(written).rules
    assert rules["seed",] == "unknown key; write search: {seed: 3} (search.seed)"
    assert rules["metric",] == "unknown key; write objective: {metric: loss, mode: min}"


def test_a_foreign_word_hides_no_other_problem() -> None:
    found = problems(method="bayes", search={"seed": -1}, space={"x": {"min": 1, "high": "many"}})
    assert [line.partition(":")[0] for line in found] == ["space.x.high", "space.x.min", "search.seed", "method"]


def test_our_own_words_are_never_foreign() -> None:
    spec = make_spec(space={"kind": {"choices": ["uniform", "log"]}, "low": {"low": 1, "high": 9}})
    assert not foreign_words(spec.resolved()).rules
    for text in ("(" * 400, "a.b(c)", "uniform", "tune.uniform(" + "(" * 300 + ")"):
        space = {"x": text}
        if "tune" in text:
            assert problems(space=space) == [
                "space.x: text is not evaluated; write {low: …, high: …, scale: …} or {choices: […]}"
            ]
        else:
            spec_from_mapping({**spec.resolved(), "space": space}, is_new=True)
