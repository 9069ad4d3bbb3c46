"""--with-changed-code and --with-changed-data: where they are, where they mean nothing, how they reach a cluster."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.test_commands import tuner
from tests.simulation import make_spec, new_sweep
from tuner.cli import cluster_command
from tuner.cli.cluster_command import There
from tuner.cluster import launch


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run", {"--with-changed-code", "--with-changed-data"}),
        ("resume", {"--with-changed-code", "--with-changed-data"}),
        ("export", {"--with-changed-code"}),
    ],
)
def test_help_tells_of_them(command: str, options: set[str]) -> None:
    words = set(tuner(command, "--help").stdout.split())
    assert words & {"--with-changed-code", "--with-changed-data"} == options


@pytest.mark.parametrize("option", ["--with-changed-code", "--with-changed-data"])
def test_a_new_sweep_takes_what_is_there(tmp_path: Path, option: str) -> None:
    said = tuner("run", "digits", option, "--storage", str(tmp_path), exit_code=2).stderr
    assert said == f"{option}: has no meaning without --or-resume, as a new sweep takes what is there\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["--cluster", "--address"])
def test_they_reach_the_driver_on_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    asked: list[list[str]] = []

    def resume(head: Any, sweep: str, arguments: list[str]) -> Any:
        asked.append(list(arguments))
        return SimpleNamespace(sweep=sweep)

    monkeypatch.setattr(There, "head", lambda there, not_with: SimpleNamespace(option="--there"))
    monkeypatch.setattr(launch, "resume", resume)
    monkeypatch.setattr(cluster_command, "watch", lambda head, submitted: 0)
    where = (way, "http://127.0.0.1:8265" if way == "--address" else "cluster.yaml")
    tuner("resume", "mine", "--with-changed-code", "--with-changed-data", "--num-trials", "9", *where)
    tuner("resume", "mine", "--with-changed-data", *where)
    tuner("resume", "mine", *where)
    both = ["--set", "num_trials=9", "--with-changed-code", "--with-changed-data"]
    assert asked == [both, ["--with-changed-data"], []]


def test_a_sweep_of_an_older_version_is_verified_and_says_that_its_code_is_not_known(tmp_path: Path) -> None:
    new_sweep(tmp_path, make_spec()).close()
    said = tuner("verify", "test", "--storage", str(tmp_path), exit_code=4)
    assert "not known" in next(line for line in said.stdout.splitlines() if "the trainable's code" in line)
