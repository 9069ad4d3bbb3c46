"""`tuner check` with a cluster file: alone, and with the spec of the sweep that is to run on it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.test_commands import tuner

ROOT = Path(__file__).parents[2]
FILE = "cluster.yaml"
SHARED = ("--storage", "s3://bucket/sweeps", "--set", "tracking.uri=https://mlflow.example.com")


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_cluster_file_is_checked_alone() -> None:
    assert "cluster.yaml is a valid cluster file: 9 nodes at most" in tuner("check", "--cluster", FILE).stdout
    data = json.loads(tuner("check", "--cluster", FILE, "--json").stdout)
    assert data["cluster"] == {"file": FILE, "max_nodes": 9} and isinstance(data["warnings"], list)


def test_a_sweep_is_shown_as_it_would_run_on_the_cluster() -> None:
    arguments = ("check", "digits", "--cluster", FILE, *SHARED, "--set", "resources.gpus_per_trial=0.5")
    assert "32, 16 at the same time on the 9 nodes, at most, of cluster.yaml" in tuner(*arguments).stdout
    data = json.loads(tuner(*arguments, "--json").stdout)
    assert (data["slots"], data["cluster"]) == (16, {"file": FILE, "max_nodes": 9, "slots": 16})
    assert data["spec"]["storage"] == "s3://bucket/sweeps"


def test_problems_of_spec_trainable_and_cluster_come_together_with_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text((ROOT / FILE).read_text().replace("MarketType: spot", "MarketType: spto"))
    changes = ("--set", "objective.metric=val_acuracy", "--set", "resources.gpus_per_trial=0.3")
    done = tuner("check", "digits", "--cluster", str(path), *changes, "--json", exit_code=2)
    lines = done.stderr.splitlines()
    assert done.stdout == "" and len(lines) == 5
    for said in ("objective.metric", "MarketType", "gpus_per_trial", "storage: must be shared", "tracking.uri"):
        assert sum(said in line for line in lines) == 1
    invalid = tuner("check", "digits", "--cluster", str(path), "--set", "num_trials=0", exit_code=2).stderr
    assert "num_trials: must be at least 1" in invalid and "did you mean 'spot'?" in invalid


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "check: give a SPEC, --cluster FILE, or both"),
        (("digits", "--cluster", FILE, "--address", "auto"), "but not both"),
        (("--cluster", FILE, "--set", "num_trials=2"), "--set has no meaning without a SPEC"),
        (("--cluster", "nothing.yaml"), "nothing.yaml: cannot be read"),
    ],
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = tuner("check", *arguments, exit_code=2)
    assert message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["mine.py", "folder.py", "x" * 400 + ".py"])
def test_a_trainable_that_is_not_there_is_one_line_beside_a_cluster_file_too(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "mind.py").touch()
    change = f"trainable={tmp_path / name}:Mine"
    said = tuner("check", "digits", "--cluster", FILE, *SHARED, "--set", change, exit_code=2).stderr
    assert "digits.yaml: trainable: " in said and said.count("\n") == 1
    assert "did you mean folder.py" not in said and ("did you mean mind.py?" in said) == (name == "mine.py")


@pytest.mark.parametrize("target", [("check", "mlp", "--cluster", FILE), ("kubernetes", "mlp")])
def test_data_that_the_nodes_alone_have_are_no_problem_beside_others(target: tuple[str, ...]) -> None:
    there = ("--set", "data=s3://bucket/none.npz", "--set", "num_trials=0")
    said = tuner(*target, *SHARED, *there, AWS_ENDPOINT_URL="http://127.0.0.1:1", exit_code=2).stderr
    assert "num_trials: must be at least 1" in said and said.count("\n") == 1


def test_a_bucket_without_keys_and_a_store_without_artifacts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    arguments = ("check", "digits", "--cluster", FILE, *SHARED[:2], "--json")
    told = "\n".join(json.loads(tuner(*arguments, "--set", "tracking.uri=postgresql://db/runs").stdout)["warnings"])
    assert told.count("has no place for artifacts") == 1
    assert "storage: s3://bucket/sweeps: the cluster may have no key to it; export AWS_ACCESS_KEY_ID" in told
    told = tuner(*arguments, *SHARED[2:], AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="canary").stdout
    assert "may have no key" not in told and "no place for artifacts" not in told
