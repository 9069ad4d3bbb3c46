"""`tuner probe`: what it refuses at once, and one probe of real training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import tuner


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["digit"], "did you mean digits"),
        (["digits", "--batch-size", "many"], "whole numbers such as 32,128, but got many"),
        (["digits", "--figure", "probe.gif"], "must end in .png, .svg, .pdf"),
        (["digits", "--figure", "nowhere/probe.png"], "its folder must exist"),
        (["digits", "--output", "there.yaml"], "is there already"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.yaml").write_text("")
    errors = tuner("probe", *arguments, exit_code=2).stderr
    assert told in errors and len(errors.strip().splitlines()) == 1


@pytest.mark.slow(20)
def test_a_probe_measures_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--optimizer", "adam,sgd", "--batch-size", "32", "--noise-scale", "--figure", "probe.png"]
    done = tuner("probe", "digits", *given, "--output", "probed.yaml", "--storage", "root", "--json")
    found = json.loads(done.stdout)
    assert [(test["optimizer"], test["batch_size"]) for test in found["rates"]] == [("adam", 32), ("sgd", 32)]
    for test in found["rates"]:
        assert 1e-6 < test["low"] <= test["steepest"] <= test["high"] < 10
        assert len(test["rates"]) == len(test["losses"]) > 60
    steps = found["ladder"]["steps"]
    assert [step["batch_size"] for step in steps[:3]] == [8, 16, 32]
    assert all(step["fits"] and step["peak_memory_bytes"] > 2**20 for step in steps)
    assert found["epochs"]["curves"][0]["values"][-1] > 0.8
    assert sum(found["classes"]["counts"].values()) == found["train_examples"]
    assert found["noise_scale"]["low"] <= found["noise_scale"]["batch_size"] <= found["noise_scale"]["high"]
    assert Path("probe.png").read_bytes().startswith(b"\x89PNG") and Path("probed.yaml").exists()
    assert "learning rates of adam at a batch of 32" in done.stderr
    tuner("check", "probed.yaml")
