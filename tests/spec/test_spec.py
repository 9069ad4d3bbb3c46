"""Specs: every problem of a file in one go, each with its path, its rule, what was received and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulation import make_spec
from trainables import registry
from tuner.base.errors import SpecError, UsageError
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
        ("name: &a [*a, *a]\n", "must be YAML, but line 1, column 11: an alias must not stand within what it repeats"),
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
    with pytest.raises(UsageError, match="smaller than 64 KiB"):
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


@pytest.mark.parametrize("data", ["none.npz", "./images", "sub/../images"])
def test_data_are_looked_for_beside_the_spec_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    """What lies in the working directory is another machine's, or another day's, affair."""
    (tmp_path / "images").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "none.npz").touch()
    monkeypatch.chdir(tmp_path / "sub")
    spec = load_spec(write(tmp_path, GOOD), [f"data={data}"])
    assert spec.data == str(tmp_path / Path(data).name)


def test_data_of_a_default_sweep_are_looked_for_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "churn.csv").touch()
    monkeypatch.chdir(tmp_path)
    assert load_spec(registry.default_sweep("tabular"), ["data=churn.csv"]).data == str(tmp_path / "churn.csv")
    assert load_spec(registry.default_sweep("mlp"), ["data=./x.npz"]).data == str(tmp_path / "x.npz")


@pytest.mark.parametrize("data", ["images", "cifar10", "glue/sst2", "~/x.npz", "s3://bucket/x.npz"])
def test_names_urls_and_home_folders_stay_as_they_are(tmp_path: Path, data: str) -> None:
    (tmp_path / "images").mkdir()
    own = GOOD.replace("trainable: digits", "trainable: ./my_model.py:MyModel")
    assert load_spec(write(tmp_path, own), [f"data={data}"]).data == data


@pytest.mark.parametrize(("data", "is_path"), [("reviews", True), ("sentences", False), ("revews", False)])
def test_a_shipped_trainable_takes_a_folder_by_its_name(tmp_path: Path, data: str, is_path: bool) -> None:
    """The name of a built-in set stays one, whatever lies beside the spec."""
    (tmp_path / "reviews").mkdir()
    (tmp_path / "sentences").mkdir()
    text = GOOD.replace("trainable: digits", "trainable: mlp")
    assert load_spec(write(tmp_path, text), [f"data={data}"]).data == (str(tmp_path / data) if is_path else data)


def test_fixed_parameters_are_those_without_alternatives(tmp_path: Path) -> None:
    space = {"units": 8, "words": {"value": [1, 2]}, "depth": {"value": 2, "when": {"units": 8}}}
    found = load_spec(write(tmp_path, GOOD)).space.model_validate({**space, "dropout": {"low": 0.0, "high": 0.5}})
    assert found.fixed == {"units": 8, "words": [1, 2]}


@pytest.mark.parametrize("uri", ["/tmp/mlruns", "file:///tmp/x", "foo://x", "mlflow.db"])
def test_a_tracking_uri_needs_a_scheme_that_mlflow_takes(uri: str) -> None:
    with pytest.raises(SpecError, match=r"tracking\.uri: must start with a scheme that MLflow knows"):
        make_spec(tracking__uri=uri)


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "sqlite:////a/b.db", "sqlite+pysqlite:///b.db", "https://[::1]:5000/x"]
)
def test_a_tracking_uri_names_a_file_or_a_host(uri: str) -> None:
    assert make_spec(tracking__uri=uri).tracking.uri == uri


_A_FILE, _A_HOST = "a file that all processes share, such as", "a host, and its port if it has one, such as"


@pytest.mark.parametrize(
    ("rule", "uri"),
    [
        *((_A_FILE, uri) for uri in ("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:/x")),
        (_A_FILE, "sqlite:///file:a?mode=memory&uri=true"),
        *((_A_HOST, uri) for uri in ("http://", "http:///path", "https://:5000", "http:/host", "http://host:port")),
        (_A_HOST, "http://["),
    ],
)
def test_a_tracking_store_in_memory_or_a_server_without_a_host_is_refused(rule: str, uri: str) -> None:
    with pytest.raises(SpecError, match=rf"tracking\.uri: must name {rule} .*, but got"):
        make_spec(tracking__uri=uri)


@pytest.mark.parametrize(
    "storage", ["s3://bucket", "s3://bucket/team/sweeps", "gs://bucket/sweeps", "./a", "/b", "a:b"]
)
def test_storage_is_a_folder_or_a_bucket(storage: str) -> None:
    spec = make_spec(storage=storage, tracking={"uri": "http://127.0.0.1:5000"})
    assert spec.storage == storage


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("hdfs://x", "storage: must be a folder, or start with s3:// or gs:// and a bucket, but got 'hdfs://x'"),
        ("s4://x", "but got 's4://x'; did you mean 's3'?"),
        ("s3://", "and a bucket, but got 's3://'"),
        ("s3:/bucket", "and a bucket, but got 's3:/bucket'"),
        ("file:///x", "and a bucket, but got 'file:///x'"),
        ("a\nb", "storage: must be printable text, but got 'a\\nb'"),
    ],
)
def test_other_storage_is_refused_and_the_schemes_are_named(storage: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(storage=storage, tracking__uri="http://127.0.0.1:5000")
    assert message in str(caught.value) and len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "uri", ["https://x", "postgresql+psycopg2://u@h/db", "mysql://x", "databricks", "databricks://p"]
)
def test_object_storage_goes_with_a_tracking_server(uri: str) -> None:
    assert make_spec(storage="s3://bucket", tracking__uri=uri).tracking.uri == uri


@pytest.mark.parametrize("uri", [None, "sqlite:///mlflow.db"])
def test_object_storage_without_a_tracking_server_is_refused_with_all_other_problems(uri: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(storage="s3://bucket/x", tracking__uri=uri, num_trials=0)
    assert caught.value.problems == [
        "num_trials: must be at least 1, but got 0",
        "tracking.uri: must be a server (http://, https://, postgresql://, mysql://, mssql://, databricks://) where the"
        f" storage is 's3://bucket/x', but got {repr(uri) if uri else 'null'}",
    ]


def test_a_grid_over_a_continuum_is_told_with_all_other_problems(tmp_path: Path) -> None:
    text = GOOD.replace("num_trials: 4", "num_trials: 0\nsearch: {algorithm: grid}").replace("units:", "uints:")
    assert problems(tmp_path, text) == [
        "num_trials: must be at least 1, but got 0",
        "space.learning_rate: a grid needs a step, num or choices, but got a continuous range",
        "space.uints: the trainable has no such parameter; did you mean 'units'?",
    ]


@pytest.mark.parametrize("epochs", [None, "3", 0, True, {"low": 1.5, "high": 9}, {"choices": [1, 2.5]}])
def test_epochs_in_the_space_are_whole_numbers(epochs: Any) -> None:
    with pytest.raises(SpecError, match=r"space\.epochs: must be whole numbers of at least 1, but got"):
        make_spec(space={"epochs": epochs})
    assert make_spec(space={"epochs": {"low": 1, "high": 9}}).space["epochs"].size == 9


@pytest.mark.parametrize(
    ("path", "written", "message"),
    [
        ("budget__cost", 0, "budget.cost: must be greater than 0"),
        ("budget__cost", "5 EUR", "budget.cost: must be a number, but got '5 EUR'"),
        ("budget__price", -1.5, "budget.price: must be greater than 0.0, but got -1.5"),
        ("budget__wall_time", "4 hours", "budget.wall_time: must be seconds, or a time such as 90s, 30m, 2h or 1h30m"),
        ("budget__wall_time", "0s", "budget.wall_time: must be greater than 0"),
        ("budget__wall_time", "9" * 400 + "h", "budget.wall_time: must be seconds, or a time such as"),
        ("budget__plateau", 0, "budget.plateau.trials: must be at least 1, but got 0"),
        (
            "budget__plateau",
            2.5,
            "budget.plateau: must be a number of trials, or {trials: …, min_delta: …}, but got 2.5",
        ),
        (
            "budget__plateau",
            True,
            "budget.plateau: must be a number of trials, or {trials: …, min_delta: …}, but got true",
        ),
        ("budget__plateau", {"min_delta": 0.1}, "budget.plateau.trials: is required, but is missing"),
        ("budget__plateau", {"trials": 3, "min_delta": -1}, "budget.plateau.min_delta: must be at least 0"),
        (
            "budget__plateau",
            {"trials": 3, "mindelta": 1},
            "budget.plateau.mindelta: unknown key; did you mean 'min_delta'?",
        ),
        ("budget__epochs", 2.0, "budget.epochs: must be a whole number, but got 2.0"),
        ("failures__trial_timeout", "never", "failures.trial_timeout: must be seconds, or a time such as 90s"),
        ("failures__trial_timeout", -3, "failures.trial_timeout: must be greater than 0"),
        ("failures__trial_timeout", [1], "failures.trial_timeout: must be a number, but got [1]"),
        (
            "failures__worker_memory",
            "6 gigs",
            "failures.worker_memory: must be bytes, or a size such as 6GiB or 512MiB",
        ),
        (
            "failures__worker_memory",
            6,
            "failures.worker_memory: must be at least 1MiB, a size such as 6GiB, but got 6 bytes",
        ),
        ("failures__memory", 6, "failures.memory: unknown key; did you mean 'worker_memory'?"),
        ("num_trials", 10**30, "num_trials: must be at most 1000000000, but got 1000000000000000000000000000000"),
        ("epochs__max", 10**30, "epochs.max: must be at most 1000000000"),
        ("objective__metric", "", "objective.metric: must be printable text, but got ''"),
        ("tracking__experiment", "a\x00", "tracking.experiment: must be printable text, but got 'a\\x00'"),
        ("space", {"a-b": 1}, "space.a-b: a parameter's name must be letters, digits and underscores, 100 at most"),
        (
            "space",
            dict.fromkeys(map("p{}".format, range(201)), 1),
            "space: must have at most 200 parameters, but got 201",
        ),
    ],
)
def test_a_wrong_field_is_refused_with_its_path_and_its_rule(path: str, written: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(**{path: written})
    assert caught.value.problems[0].startswith(message) and len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("path", "written", "value"),
    [
        ("budget__wall_time", "1h30m", 5400.0),
        ("budget__wall_time", 90, 90.0),
        ("failures__trial_timeout", "10m", 600.0),
        ("failures__worker_memory", "6GiB", 6 * 2**30),
        ("failures__worker_memory", "6 GB", 6 * 2**30),
        ("failures__worker_memory", "1.5G", 1.5 * 2**30),
        ("failures__worker_memory", "512M", 512 * 2**20),
        ("failures__worker_memory", 2**31, 2**31),
        ("budget__plateau__trials", 7, 7),
        ("budget__cost", 12, 12.0),
        ("budget__price", 0.35, 0.35),
    ],
)
def test_times_sizes_and_costs_are_read_as_people_write_them(path: str, written: Any, value: float) -> None:
    found: Any = make_spec(**{path: written})
    for key in path.split("__"):
        found = getattr(found, key)
    assert found == value


def test_a_plateau_is_short_for_its_number_of_trials() -> None:
    assert make_spec(budget__plateau=20).budget.plateau == make_spec(budget__plateau__trials=20).budget.plateau


def test_the_schema_lets_editors_complete_every_field() -> None:
    schema = json_schema()
    assert {"name", "trainable", "objective", "num_trials", "epochs", "space"} <= set(schema["properties"])
    assert all("description" in field or "$ref" in field for field in schema["properties"].values())
    assert {"anyOf"} == set(schema["$defs"]["Space"]["additionalProperties"]) - {"discriminator"}


@pytest.mark.parametrize(
    ("path", "least"), [("cpus_per_trial", "at least 0.0001"), ("gpus_per_trial", "0, or at least 0.0001")]
)
@pytest.mark.parametrize("share", [9e-5, 1e-320])
def test_a_share_that_ray_could_not_count_is_refused(path: str, least: str, share: float) -> None:
    with pytest.raises(SpecError, match=f"resources.{path}: must be {least}, but got {share}$"):
        make_spec(**{f"resources__{path}": share})


@pytest.mark.parametrize("gpus", [0, 0.25, 1, 8])
def test_gpus_are_a_fraction_of_one_or_whole(gpus: float) -> None:
    assert make_spec(resources={"gpus_per_trial": gpus}).resources.gpus_per_trial == gpus


def test_parts_of_several_gpus_and_batches_without_a_row_for_each_are_refused(tmp_path: Path) -> None:
    gpus = "resources: {gpus_per_trial: 1.5}"
    rule = "resources.gpus_per_trial: must be a fraction of one GPU or a whole number of them, but got 1.5"
    assert problems(tmp_path, GOOD + gpus) == [rule]
    gpus = "resources: {gpus_per_trial: 4}\n"
    [found] = problems(tmp_path, f"{GOOD}{gpus}jit_compile: auto\n")
    assert found == (
        "jit_compile: must be false, or left out, where a trial has several GPUs, as XLA compiles no steps there, but"
        " got 'auto'"
    )
    written = GOOD.replace("space:\n", "space:\n  batch_size: {choices: [2, 32]}\n") + gpus
    rule = "must be at least resources.gpus_per_trial, of which each takes its share of a batch, but got 2"
    assert problems(tmp_path, written) == [f"space.batch_size: {rule}"]


@pytest.mark.parametrize(
    ("written", "gpus", "used"),
    [
        (None, 0, False),
        (None, 0.25, "auto"),
        (None, 1, "auto"),
        (None, 2, False),
        ("auto", 0, "auto"),
        (False, 1, False),
    ],
)
def test_xla_is_tried_on_one_gpu_or_where_it_is_asked_for(written: Any, gpus: float, used: Any) -> None:
    spec = make_spec(jit_compile=written, resources={"gpus_per_trial": gpus})
    assert spec.jit_compile_used == used and spec.resolved()["jit_compile"] == written


@pytest.mark.parametrize(
    ("written", "shown"), [("fast", "'fast'"), ("1", "1"), ("'true'", "'true'"), ("[auto]", "['auto']")]
)
def test_jit_compile_of_another_kind(tmp_path: Path, written: str, shown: str) -> None:
    expected = [f"jit_compile: must be auto, true or false, but got {shown}"]
    assert problems(tmp_path, f"{GOOD}jit_compile: {written}\n") == expected
