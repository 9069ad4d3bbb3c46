"""Specs: every problem of a file in one go, each with its path, its rule, what was received and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import make_spec
from tuner.errors import SpecError, UsageError
from tuner.inspection import load_checked
from tuner.spec import dump_yaml, load_spec, spec_from_mapping
from tuner.spec.models import json_schema

GOOD = """
name: good
trainable: digits
objective: {metric: val_accuracy, mode: max}
num_trials: 4
epochs: {min: 1, max: 9}
space:
  learning_rate: {low: 1e-4, high: 1e-1, scale: log}
  units: {low: 16, high: 64, step: 16}
budget: {wall_time: 1h30m}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_checked(write(folder, text))
    return caught.value.problems


def test_a_spec_survives_yaml_and_back(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD))
    assert spec.space["learning_rate"].low == 1e-4  # type: ignore[union-attr]
    assert spec.budget.wall_time == 5400
    again = load_spec(write(tmp_path, dump_yaml(spec.resolved())))
    assert again == spec == spec_from_mapping(spec.resolved())


def test_overrides_win_and_make_what_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    spec = load_spec(
        path, ["epochs.max=27", "tracking.uri=http://127.0.0.1:1", "space.units=32", "search.seed=9"], "other"
    )
    assert (spec.epochs.max, spec.tracking.uri, spec.search.seed, spec.name) == (27, "http://127.0.0.1:1", 9, "other")
    assert spec.space["units"].from_unit(0.3) == 32


def test_all_problems_come_at_once_those_with_the_trainable_too(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
name: bad name
trainable: digits
objectiv: 1
objective: {metric: val_acuracy, mode: max}
num_trials: 0
epochs: {min: 5, max: 3}
space:
  learning_rate: {low: 0, high: 0.1}
  batch_size: {choices: [0, 32, 100000]}
  units: {low: 64, high: 16}
  dropuot: {low: 0.0, high: 0.5}
  optimizer: {choices: [adam, sgd]}
  momentum: {choices: [0.0, 0.9], when: {optimizer: sdg}}
  decay_steps: {low: 1, high: 10, stp: 3}
search: {algorithm: tp}
""",
    )
    assert found == [
        "name: must be letters, digits, dots, dashes and underscores, 100 at most, but got 'bad name'",
        "num_trials: must be at least 1, but got 0",
        "epochs.min: must not be above epochs.max, but got min 5, max 3",
        "space.units.low: must be below high, but got low 64, high 16",
        "space.decay_steps.stp: unknown key; did you mean 'step'?",
        "search.algorithm: must be 'tpe', 'random' or 'grid', but got 'tp'; did you mean 'tpe'?",
        "objectiv: unknown key; did you mean 'objective'?",
        "space.momentum.when.optimizer: must be a value of 'optimizer', but got 'sdg'; did you mean 'sgd'?",
        "space.learning_rate.low: must be greater than 0, but got 0",
        "space.batch_size.choices[0]: must be at least 1, but got 0",
        "space.dropuot: the trainable has no such parameter; did you mean 'dropout'?",
        "objective.metric: must be a metric that the trainable reports, but got 'val_acuracy';"
        " did you mean 'val_accuracy'?",
        "space.batch_size.choices[2]: must not be above the training set's 1200 examples, but got 100000",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n- 2\n", "must hold a mapping"),
        ("name: [a\n", "must be YAML, but line 2"),
        ("name: a\nname: b\n", 'must be YAML, but line 2, column 1: found duplicate key "name"'),
        ("name: &a [*a, *a]\n", "is required, but is missing"),
        ("a: !!python/object/apply:os.system [ls]\n", "must be YAML, but line 1"),
    ],
)
def test_what_is_no_spec_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_spec(write(tmp_path, text))
    assert message in str(caught.value)


def test_a_file_that_is_missing_or_huge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        load_spec(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="smaller than 256 KiB"):
        load_spec(write(tmp_path, "# " + "x" * 300_000))
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    with pytest.raises(UsageError, match="must be UTF-8"):
        load_spec(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "must be PATH=VALUE"),
        ("num_trials.x=1", "num_trials is 4, not a mapping"),
        ("name=[", "the value must be YAML"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_spec(write(tmp_path, GOOD), [override])
    assert message in str(caught.value)


def test_paths_are_relative_to_the_spec(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").touch()
    text = GOOD.replace("trainable: digits", "trainable: ./my_model.py:MyModel\ndata: mine.npz")
    spec = load_spec(write(tmp_path, text))
    assert spec.trainable == f"{tmp_path / 'my_model.py'}:MyModel"
    assert spec.data == str(tmp_path / "mine.npz")


@pytest.mark.parametrize("uri", ["/tmp/mlruns", "file:///tmp/x", "foo://x", "mlflow.db"])
def test_a_tracking_uri_needs_a_scheme_that_mlflow_takes(uri: str) -> None:
    with pytest.raises(SpecError, match=r"tracking\.uri: must start with a scheme that MLflow knows"):
        make_spec(tracking__uri=uri)


def test_object_storage_is_refused_as_long_as_it_does_nothing() -> None:
    with pytest.raises(SpecError, match="storage: must be a local or shared folder in this version"):
        make_spec(storage="s3://bucket/sweeps")


def test_the_schema_lets_editors_complete_every_field() -> None:
    schema = json_schema()
    assert {"name", "trainable", "objective", "num_trials", "epochs", "space"} <= set(schema["properties"])
    assert all("description" in field or "$ref" in field for field in schema["properties"].values())
    assert {"anyOf"} == set(schema["$defs"]["Space"]["additionalProperties"]) - {"discriminator"}
