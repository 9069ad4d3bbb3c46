"""A spec made in Python: what it becomes, and what is wrong with it, by the keyword's path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tuner
from tuner.api.writing import asked
from tuner.spec import dump_yaml
from tuner.spec.space import Float, Int

WHOLE: dict[str, Any] = {
    "trainable": "digits",
    "name": "first",
    "num_trials": 4,
    "epochs": 9,
    "objective": tuner.maximize("val_accuracy"),
    "space": {"learning_rate": tuner.Float(1e-4, 1e-1, log=True)},
}


def spec_of(spec: Any = None, **keywords: Any) -> dict[str, Any]:
    return asked(spec, keywords, "tuner.run").spec.resolved()


def test_keywords_alone_make_a_spec() -> None:
    space = {
        "learning_rate": tuner.Float(1e-4, 1e-1, log=True),
        "momentum": tuner.Float(0, 0.9, num=4, when={"optimizer": "sgd"}),
        "batch_size": tuner.Choice(32, 64),
        "units": tuner.Int(32, 256, step=32),
        "optimizer": "sgd",
    }
    space = {name: space[name] for name in ("optimizer", "learning_rate", "momentum", "batch_size", "units")}
    found = spec_of(**{**WHOLE, "space": space})
    assert found["space"] == {
        "optimizer": "sgd",
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "momentum": {"low": 0.0, "high": 0.9, "num": 4, "when": {"optimizer": "sgd"}},
        "batch_size": {"choices": [32, 64]},
        "units": {"low": 32, "high": 256, "step": 32},
    }
    assert found["epochs"] == {"min": 1, "max": 9}
    assert found["objective"] == {"metric": "val_accuracy", "mode": "max"}


def test_a_float_between_whole_bounds_is_one_and_goes_through_yaml(tmp_path: Path) -> None:
    made = asked(None, {**WHOLE, "space": {"weight_decay": tuner.Float(0, 1), "units": tuner.Int(1, 2)}}, "tuner.run")
    assert isinstance(made.spec.space["weight_decay"], Float) and isinstance(made.spec.space["units"], Int)
    (tmp_path / "spec.yaml").write_text(dump_yaml(made.spec.resolved()))
    assert spec_of(tmp_path / "spec.yaml") == made.spec.resolved()


@pytest.mark.parametrize("epochs", [(3, 27), [3, 27], {"min": 3, "max": 27}])
def test_epochs_may_say_both_ends(epochs: Any) -> None:
    assert spec_of(**{**WHOLE, "epochs": epochs})["epochs"] == {"min": 3, "max": 27}


def test_values_of_numpy_and_paths_are_values() -> None:
    space = {"learning_rate": tuner.Choice(*np.array([0.1, 0.2])), "units": tuner.Int(np.int64(1), np.int32(4))}
    found = spec_of(**{**WHOLE, "num_trials": np.int64(3), "space": space, "data": Path("digits")})
    assert found["num_trials"] == 3 and found["space"]["units"] == {"low": 1, "high": 4} and found["data"] == "digits"


def test_keywords_stand_above_a_spec_field_by_field() -> None:
    below = spec_of(**{**WHOLE, "epochs": (3, 9), "budget": {"wall_time": "1h"}})
    for spec in (below, tuner.SweepSpec(**below)):
        found = spec_of(spec, epochs=27, budget={"epochs": 100}, space={"units": tuner.Int(1, 9)}, num_trials=5)
        assert found["epochs"] == {"min": 3, "max": 27} and found["num_trials"] == 5
        assert found["budget"]["wall_time"] == 3600 and found["budget"]["epochs"] == 100
        assert list(found["space"]) == ["units"]
    assert spec_of("digits", name="mine")["name"] == "mine"


def test_a_keyword_s_paths_are_relative_to_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "s.yaml").write_text(dump_yaml(spec_of(**WHOLE) | {"trainable": "./mine.py:Mine"}))
    monkeypatch.chdir(tmp_path)
    assert spec_of("specs/s.yaml")["trainable"] == f"{tmp_path}/specs/mine.py:Mine"
    assert spec_of("specs/s.yaml", trainable="./mine.py:Mine")["trainable"] == f"{tmp_path}/mine.py:Mine"


def test_all_problems_come_together_by_the_keyword_s_path() -> None:
    space = {
        "learning_rate": tuner.Float(1e-1, 1e-4, log=True),
        "batch_size": tuner.Int(32.0, 256),  # type: ignore[arg-type]
        "units": tuner.Choice(),
        "decay_rate": tuner.Float(0.1, 0.9, when={"schedul": "cosine"}),
        "schedule": "cosine",
    }
    keywords = {
        **WHOLE,
        "objective": tuner.maximize("val_acc"),
        "num_trials": 0,
        "space": space,
        "budget": {"epoch": 1},
    }
    with pytest.raises(tuner.SpecError) as caught:
        tuner.run(**keywords)
    assert [problem.partition(", but got")[0] for problem in caught.value.problems] == [
        "num_trials: must be at least 1",
        "space.learning_rate.low: must be below high",
        "space.batch_size.low: must be a whole number",
        "space.units.choices: must not be empty",
        "budget.epoch: unknown key; did you mean 'epochs'?",
        "space.decay_rate.when.schedul: a condition must name a parameter of the space",
        "objective.metric: must be a metric that the trainable reports",
    ]
    assert str(caught.value).startswith("tuner.run: num_trials: must be at least 1, but got 0\n")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"trainable": int}, "trainable: must be a name, ./file.py:Class or a subclass of Trainable"),
        ({"trainable": 7}, "trainable: must be a name"),
        ({"epochs": "many"}, "tuner.run: epochs.max: must be a whole number, but got 'many'"),
        ({"objective": "score"}, "objective: whether more of 'score' is better cannot be told by its name"),
        ({"space": {"learning_rate": [0.1]}}, "tuner.run: space.learning_rate"),
        ({"with_changed_code": True}, "with_changed_code: has no meaning without or_resume"),
    ],
)
def test_wrong_use_is_one_line(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(tuner.UsageError, match=r"must|no meaning|cannot be told") as caught:
        tuner.run(**{**WHOLE, **keywords})
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", [7, ["digits"]])
def test_what_is_no_spec_is_refused(spec: Any) -> None:
    with pytest.raises(tuner.UsageError, match=r"tuner.run: spec: must be a YAML file"):
        tuner.run(spec)
    with pytest.raises(tuner.UsageError, match="did you mean digits"):
        tuner.run("digit")
