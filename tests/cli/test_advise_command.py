"""tuner advise: what it prints, and that its commands can be pasted."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

import pytest

import tuner as api
from tests.cli.test_commands import tuner
from tests.simulation import SPACE, SimulatedCluster, coordinator_of, make_spec, new_sweep


def rising(params: dict[str, Any], epoch: int) -> float:
    return 0.9 + 0.05 * math.log10(params["learning_rate"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With `first`, whose best trials have the highest rates, and `begun`, without a trial."""
    folder = tmp_path / "all sweeps"
    spec = make_spec(name="first", num_trials=40, space={"learning_rate": SPACE["learning_rate"]})
    journal = new_sweep(folder, spec)
    SimulatedCluster(coordinator_of(journal), rising).run()
    journal.close()
    new_sweep(folder, make_spec(name="begun")).close()
    return folder


def test_each_piece_has_its_command_on_a_line_of_its_own(root: Path) -> None:
    lines = tuner("advise", "first", "--storage", str(root)).stdout.splitlines()
    assert lines[0].startswith("The best ") and lines[0].endswith(" to 0.1). Widen it:")
    words = shlex.split(lines[1])
    assert words[1:5] == ["resume", "first", "--storage", str(root)]
    assert words[5:] == ["--set", "space.learning_rate.high=0.3", "--set", "num_trials=60"]


def test_json_is_that_of_show_and_of_python(root: Path) -> None:
    data = json.loads(tuner("advise", "first", "--json", "--storage", str(root)).stdout)
    assert [list(piece) for piece in data] == [["rule", "text", "set"]] * len(data)
    assert data[0]["rule"] == "at_bound" and data[0]["set"] == ["space.learning_rate.high=0.3", "num_trials=60"]
    assert json.loads(tuner("show", "first", "--json", "--storage", str(root)).stdout)["advice"] == data
    found = api.load("first", storage=root).advise()
    assert [piece.set for piece in found] == [piece["set"] for piece in data]


def test_without_trials_there_is_nothing_to_advise_yet(root: Path) -> None:
    done = tuner("advise", "begun", "--storage", str(root))
    assert done.stdout == "" and done.stderr.startswith(
        "nothing to advise yet: 0 trials have ended, and most rules need 12"
    )
    assert json.loads(tuner("advise", "begun", "--json", "--storage", str(root)).stdout) == []
    assert "did you mean 'first'?" in tuner("advise", "frist", "--storage", str(root), exit_code=2).stderr
