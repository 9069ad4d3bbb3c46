"""W&B sweep files as specs: every distribution, groups, Hyperband, and what has no counterpart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tuner.base.errors import UsageError
from tuner.spec import load_spec, spec_from_mapping
from tuner.spec.conversion.distributions import parameter_of
from tuner.spec.conversion.files import converted
from tuner.spec.conversion.wandb import draft_of
from tuner.spec.conversion.writing import spec_text

BAYES = """\
program: train.py
method: bayes
name: Sweep of July, 2nd
project: mnist
entity: us
description: a first try
metric: {name: val_loss, goal: minimize}
run_cap: 40
early_terminate: {type: hyperband, s: 2, eta: 3, max_iter: 27}
command: ["${env}", "${interpreter}", "${program}", "${args}"]
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-1}
  batch_size: {distribution: q_log_uniform_values, q: 8, min: 32, max: 256}
  optimizer:
    parameters:
      name: {values: [adam, sgd]}
      momentum: {min: 0.0, max: 0.99}
  scheduler:
    parameters:
      name: {values: [none, cosine], probabilities: [0.2, 0.8]}
  dropout: {value: 0.2}
"""


def fields_of(text: str) -> dict[str, Any]:
    """The fields of a spec's text, which must be valid."""
    fields: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    spec_from_mapping(fields, is_new=True)
    return fields


def test_a_whole_file_becomes_a_valid_spec(tmp_path: Path) -> None:
    source = tmp_path / "wandb.yaml"
    source.write_text(BAYES)
    draft = converted(source)
    text = spec_text(draft, "wandb.yaml")
    fields = fields_of(text)
    assert fields == {
        "name": "Sweep-of-July--2nd",
        "command": [
            "python",
            "train.py",
            "--learning_rate={learning_rate}",
            "--batch_size={batch_size}",
            "--optimizer_name={optimizer_name}",
            "--momentum={momentum}",
            "--scheduler_name={scheduler_name}",
            "--dropout={dropout}",
        ],
        "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": 40,
        "epochs": {"min": 3, "max": 27},
        "space": {
            "learning_rate": {"low": 1e-5, "high": 0.1, "scale": "log"},
            "batch_size": {"low": 32, "high": 256, "step": 8, "scale": "log"},
            "optimizer_name": {"choices": ["adam", "sgd"]},
            "momentum": {"low": 0.0, "high": 0.99},
            "scheduler_name": {"choices": ["none", "cosine"]},
            "dropout": 0.2,
        },
        "search": {"algorithm": "tpe"},
        "early_stopping": {"algorithm": "asha", "reduction_factor": 3},
        "tracking": {"experiment": "mnist"},
    }
    places = [note.partition(": ")[0] for note in draft.notes]
    assert {
        "entity",
        "description",
        "early_terminate",
        "parameters.optimizer.name",
        "parameters.optimizer.momentum",
        "parameters.scheduler.name",
        "parameters.scheduler.name.probabilities",
    } <= {*places}
    assert all(f"#   {note}" in text.splitlines() for note in draft.notes)
    (tmp_path / "sweep.yaml").write_text(text)
    assert load_spec(tmp_path / "sweep.yaml").num_trials == 40


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ({"value": "adam"}, "adam"),
        ({"distribution": "constant", "value": 3}, 3),
        ({"values": [16, 32]}, {"choices": [16, 32]}),
        ({"values": [16]}, 16),
        ({"values": [16, 16, 32]}, {"choices": [16, 32]}),
        ({"distribution": "categorical", "values": ["a", None, True]}, {"choices": ["a", None, True]}),
        ({"min": 1, "max": 9}, {"low": 1, "high": 9}),
        ({"min": 1, "max": 9.5}, {"low": 1.0, "high": 9.5}),
        ({"distribution": "int_uniform", "min": 1, "max": 9}, {"low": 1, "high": 9}),
        ({"distribution": "int_uniform", "min": 3, "max": 3}, 3),
        ({"distribution": "uniform", "min": 0, "max": 1}, {"low": 0.0, "high": 1.0}),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25}, {"low": 0.0, "high": 1.0, "step": 0.25}),
        ({"distribution": "q_uniform", "min": 3, "max": 100, "q": 8}, {"low": 0, "high": 96, "step": 8}),
        ({"distribution": "q_uniform", "min": 1, "max": 9}, {"low": 1, "high": 9}),
        ({"distribution": "log_uniform", "min": -9.210340372, "max": 0},
         {"low": 0.0001, "high": 1.0, "scale": "log"}),
        ({"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
         {"low": 1e-5, "high": 0.1, "scale": "log"}),
        ({"distribution": "log_uniform_values", "min": 1, "max": 10}, {"low": 1.0, "high": 10.0, "scale": "log"}),
        ({"distribution": "inv_log_uniform", "min": 0, "max": 9.210340372},
         {"low": 0.0001, "high": 1.0, "scale": "log"}),
        ({"distribution": "inv_log_uniform_values", "min": 0.01, "max": 1},
         {"low": 0.01, "high": 1.0, "scale": "log"}),
        ({"distribution": "q_log_uniform", "min": 3.5, "max": 5.55, "q": 8},
         {"low": 32, "high": 256, "step": 8, "scale": "log"}),
        ({"distribution": "q_log_uniform_values", "min": 1, "max": 64, "q": 16},
         {"low": 16, "high": 64, "step": 16, "scale": "log"}),
    ],
)  # fmt: skip
def test_a_distribution_with_a_counterpart_is_it(written: dict[str, Any], ours: Any) -> None:
    parameter, notes = parameter_of(written)
    assert parameter == ours
    assert [type(parameter[end]) for end in ("low", "high") if isinstance(ours, dict) and end in ours] == [
        type(ours[end]) for end in ("low", "high") if isinstance(ours, dict) and end in ours
    ]
    assert [part for part, _ in notes] == (["values"] if written.get("values") == [16, 16, 32] else [])


@pytest.mark.parametrize(
    ("written", "ours", "says"),
    [
        ({"distribution": "normal", "mu": 10, "sigma": 2}, {"low": 6.0, "high": 14.0}, "mu ± 2 sigma"),
        ({"mu": 10, "sigma": 2}, {"low": 6.0, "high": 14.0}, "mu ± 2 sigma"),
        ({"distribution": "normal"}, {"low": -2.0, "high": 2.0}, "mu ± 2 sigma"),
        ({"distribution": "q_normal", "mu": 100, "sigma": 20, "q": 10}, {"low": 60, "high": 140, "step": 10}, "normal"),
        ({"distribution": "log_normal", "mu": 0, "sigma": 1}, {"low": 0.135335, "high": 7.38906, "scale": "log"},
         "logarithmic scale"),
        ({"distribution": "q_log_normal", "mu": 4, "sigma": 0.5, "q": 1}, {"low": 20, "high": 148, "scale": "log"},
         "log-normal"),
        ({"distribution": "beta", "a": 2, "b": 5}, {"low": 0.0, "high": 1.0}, "beta"),
        ({"distribution": "q_beta", "a": 2, "b": 5, "q": 0.1}, {"low": 0, "high": 1, "step": 0.1}, "beta"),
    ],
)  # fmt: skip
def test_a_distribution_without_a_counterpart_is_a_range_and_says_so(
    written: dict[str, Any], ours: Any, says: str
) -> None:
    parameter, [(part, text)] = parameter_of(written)
    assert (parameter, part) == (ours, "distribution")
    assert says in text


NUMBERS = st.one_of(st.integers(-300, 300), st.floats(-1e6, 1e6, allow_nan=False))
KINDS = [
    *("constant", "categorical", "int_uniform", "uniform", "q_uniform", "log_uniform", "q_log_uniform", "normal"),
    *("inv_log_uniform", "log_uniform_values", "inv_log_uniform_values", "q_log_uniform_values", "q_normal", "beta"),
    *("log_normal", "q_log_normal", "q_beta", "zipf", None),
]
WRITTEN = st.fixed_dictionaries(
    {},
    optional={
        "distribution": st.sampled_from(KINDS),
        **{word: NUMBERS for word in ("min", "max", "mu", "sigma", "q", "a", "value")},
        "values": st.lists(
            st.one_of(NUMBERS, st.booleans(), st.text(max_size=3), st.none(), st.lists(NUMBERS, max_size=2)), max_size=4
        ),
    },
)


@given(
    st.dictionaries(st.text("lr_-. é9", min_size=1, max_size=5), WRITTEN, max_size=5),
    st.sampled_from(["bayes", "grid"]),
)
def test_whatever_a_file_holds_the_spec_is_valid_and_nothing_is_lost_silently(
    parameters: dict[str, Any], method: str
) -> None:
    draft = draft_of({"method": method, "parameters": parameters}, "file")
    fields = fields_of(spec_text(draft, "file.yaml"))
    told = [note for note in draft.notes if "left out" in note]
    is_length = "epochs" in parameters
    assert len(fields["space"]) + len(told) + is_length >= len(parameters)


def test_lists_are_values() -> None:
    parameters = {"hidden": {"values": [[64], [128, 64]]}, "shape": {"value": [8, 8]}, "one": {"values": [[4]]}}
    draft = draft_of({"method": "bayes", "parameters": parameters}, "file")
    space = fields_of(spec_text(draft, "file.yaml"))["space"]
    assert space == {"hidden": {"choices": [[64], [128, 64]]}, "shape": {"value": [8, 8]}, "one": {"value": [4]}}


def test_groups_are_flat_and_names_are_identifiers() -> None:
    parameters = {"optimizer": {"parameters": {"lr": {"value": 1}, "learning-rate": {"value": 2}}}, "lr": {"value": 3}}
    draft = draft_of({"method": "random", "parameters": parameters}, "file")
    assert draft.space == {"optimizer_lr": 1, "learning_rate": 2, "lr": 3}
    assert any("is called learning_rate here" in note for note in draft.notes)


def test_how_long_a_training_is_comes_from_where_the_file_says_it() -> None:
    def epochs(parameters: dict[str, Any], **more: Any) -> tuple[Any, Any]:
        fields = draft_of({"method": "random", "parameters": parameters, **more}, "file").fields()
        return fields["epochs"], fields["space"].get("epochs")

    assert epochs({"epochs": {"value": 9}}) == ({"max": 9}, None)
    assert epochs({"epochs": {"values": [5, 20]}}) == ({"max": 20}, {"choices": [5, 20]})
    assert epochs({"epochs": {"min": 5, "max": 30}}) == ({"max": 30}, {"low": 5, "high": 30})
    assert epochs({}, early_terminate={"type": "hyperband", "min_iter": 3}) == ({"min": 3, "max": 27}, None)
    assert epochs({}, program="a.py", command=["python", "a.py", "--epochs", "12", "${args}"]) == ({"max": 12}, None)
    assert epochs({"epochs": {"value": "many"}}) == ({"max": 10}, None)


@pytest.mark.parametrize(
    ("run", "command"),
    [
        ({"program": "train.py"},
         ["python", "train.py", "--lr={lr}", "--batch-size={batch_size}", "--epochs={epochs}"]),
        ({"program": "a/train.py", "command": ["${env}", "python3", "-u", "${program}", "${args_no_hyphens}"]},
         ["python", "-u", "a/train.py", "lr={lr}", "batch-size={batch_size}", "epochs={epochs}"]),
        ({"command": ["/usr/bin/env", "./run.sh", "{lr}"]}, ["./run.sh", "{{lr}}"]),
        ({"command": "python train.py --epochs 12"}, ["python", "train.py", "--epochs", "12"]),
    ],
)  # fmt: skip
def test_what_wandb_runs_is_a_command(run: dict[str, Any], command: list[str]) -> None:
    parameters = {"lr": {"value": 0.1}, "batch-size": {"values": [16, 32]}, "epochs": {"value": 5}}
    draft = draft_of({"method": "random", "parameters": parameters, **run}, "file")
    assert fields_of(spec_text(draft, "file.yaml"))["command"] == command
    assert any(note.startswith("wandb.log: ") for note in draft.notes)


def test_a_macro_without_a_counterpart_is_told() -> None:
    run = {"program": "train.py", "command": ["python", "${program}", "${args_json}"]}
    draft = draft_of({"method": "random", "parameters": {}, **run}, "file")
    assert draft.runs == {"command": ["python", "train.py"]}
    assert "command: there is no ${args_json} here; left out" in draft.notes


def test_a_grid_has_as_many_trials_as_configurations() -> None:
    parameters = {"a": {"values": [1, 2, 3]}, "b": {"min": 1, "max": 4}}
    fields = draft_of({"method": "grid", "parameters": parameters}, "file").fields()
    assert (fields["num_trials"], fields["search"]["algorithm"]) == (12, "grid")
    endless = draft_of({"method": "grid", "parameters": {"a": {"min": 0.0, "max": 1.0}}}, "file")
    assert endless.fields()["search"]["algorithm"] == "tpe"
    assert any(note.startswith("search.algorithm: a grid needs values") for note in endless.notes)


def test_without_early_terminate_every_trial_is_trained_to_its_end() -> None:
    fields = draft_of({"method": "random", "parameters": {"a": {"value": 1}}}, "file").fields()
    assert fields["early_stopping"] == {"algorithm": "none"}
    assert fields["search"] == {"algorithm": "random"}


def test_a_metric_of_wandbs_callback_for_keras_is_called_as_keras_does() -> None:
    metric = {"name": "epoch/val_accuracy", "goal": "maximize", "target": 0.99}
    draft = draft_of({"method": "bayes", "metric": metric, "parameters": {}}, "file")
    assert draft.fields()["objective"] == {"metric": "val_accuracy", "mode": "max"}
    assert {"metric.name", "metric.target"} <= {note.partition(": ")[0] for note in draft.notes}


def test_json_is_read_as_well(tmp_path: Path) -> None:
    source = tmp_path / "sweep.json"
    source.write_text(json.dumps({"method": "random", "parameters": {"a": {"values": [1, 2]}}}))
    assert converted(source).space == {"a": {"choices": [1, 2]}}


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("notes.yaml", "a: 1\n", "has no mapping `parameters`"),
        ("list.yaml", "- 1\n", "must hold a mapping"),
        ("broken.yaml", "a: [1\n", "must be YAML"),
        ("notes.txt", "parameters: {}\n", "must be a W&B sweep"),
        ("ours.yaml", "trainable: digits\nspace: {lr: 1}\nparameters: {}\n", "is a spec already"),
    ],
)
def test_a_file_of_none_of_them_is_refused_in_one_line(tmp_path: Path, name: str, text: str, rule: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=rule) as caught:
        converted(tmp_path / name)
    assert "\n" not in str(caught.value) or name == "broken.yaml"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("missing.yaml", "missing.py"):
        with pytest.raises(UsageError, match="missing"):
            converted(tmp_path / name)
