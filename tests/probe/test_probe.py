"""What `tuner.probe` returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.probe.measured import probe
from tests.simulation import make_spec
from trainables.contract import Trainable
from tuner.base.errors import UsageError
from tuner.inspection import load_checked
from tuner.probe.probe import Probe
from tuner.probe.suggestions import Suggestions

SPEC = make_spec(space={"learning_rate": {"low": 1e-6, "high": 1.0, "scale": "log"}, "units": {"low": 16, "high": 64}})


def test_its_spec_has_what_was_written_and_the_suggestions() -> None:
    found = Probe(probe(), SPEC)
    assert found.spec == {
        "name": "test",
        "trainable": "digits",
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "num_trials": 30,
        "epochs": {"min": 1, "max": 18},
        "space": {
            "learning_rate": {"low": 2.3e-4, "high": 6e-2, "scale": "log"},
            "units": {"low": 16, "high": 64},
            "batch_size": {"choices": [16, 32, 64]},
        },
        "search": {"seed": 3, "warm_start": ["probe"]},
    }
    assert found.suggestions == Suggestions(probe())


def test_it_is_written_once_and_can_be_read(tmp_path: Path) -> None:
    found = Probe(probe(), SPEC)
    assert found.write(tmp_path / "ours.yaml") == tmp_path / "ours.yaml"
    text = (tmp_path / "ours.yaml").read_text()
    assert text.startswith("# Written by: tuner.probe('digits'). Change what you like")
    assert load_checked(tmp_path / "ours.yaml").resolved()["space"] == found.spec["space"]
    with pytest.raises(UsageError, match=r"ours\.yaml: is there already; choose another name$"):
        found.write(tmp_path / "ours.yaml")
    assert (tmp_path / "ours.yaml").read_text() == text
    with pytest.raises(UsageError, match=r"ours\.yaml: cannot be written: there is no folder .*nowhere$"):
        found.write(tmp_path / "nowhere" / "ours.yaml")


def test_a_class_of_a_notebook_is_for_run_alone(tmp_path: Path) -> None:
    class Own(Trainable):
        pass

    found = Probe(probe(), SPEC, Own)
    assert found.spec["trainable"] is Own and found.cost is not None
    with pytest.raises(UsageError, match=r"use tuner\.run\(probe\.spec\)"):
        found.write(tmp_path / "ours.yaml")
    assert found.as_data()["spec"]["trainable"] == "digits"


def test_people_read_it_and_programs(tmp_path: Path) -> None:
    found = Probe(probe(seconds={"rates": 30.2, "ladder": 12.0}), SPEC)
    lines = repr(found).splitlines()
    assert lines[0] == "<tuner.Probe of digits, 42 s; suggests"
    assert lines[1] == "  learning_rate  0.00023 to 0.06, with adam" and "16, 32, 64" in lines[2]
    assert "epochs         1 to 18" in repr(found) and "a sweep        30 trials train about" in repr(found)
    data = json.loads(json.dumps(found.as_data(), allow_nan=False))
    assert data["suggestions"]["epochs"]["max"] == 18 and set(data["cost"]["wall_s"]) == {"1", "8", "64"}
    assert data["spec"] == found.spec and data["rates"][0]["optimizer"] == "adam"
