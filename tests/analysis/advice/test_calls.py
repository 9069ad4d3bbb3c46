"""Advice on a class of a notebook or a script is a call in Python: no command can give the class."""

from __future__ import annotations

import math
from typing import Any

from tests.synthetic import UNKNOWN, swept
from tuner.analysis.advice import advice
from tuner.analysis.advice.calls import resume_call, run_call

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [32, 64]},
}


def called(call: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """The function, and what it is given, of a call that is pasted where `Mine` is defined."""
    found: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    class tuner:
        @staticmethod
        def resume(*args: Any, **kwargs: Any) -> None:
            found.append(("resume", args, kwargs))

        @staticmethod
        def run(*args: Any, **kwargs: Any) -> None:
            found.append(("run", args, kwargs))

    exec(call, {"tuner": tuner, "Mine": "the class"})
    return found[0]


def test_advice_on_a_given_class_is_a_call() -> None:
    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return math.log10(params["learning_rate"])

    sweep = swept(curve, num_trials=64, space=SPACE)
    sweep.spec["trainable"] = "python:Mine"
    [found] = [piece for piece in advice(sweep, UNKNOWN) if piece.rule == "at_bound"]
    assert found.set == ["space.learning_rate.high=0.3", "num_trials=96"]
    given = {
        "trainable": "the class",
        "space": {"learning_rate": {"low": 1e-4, "high": 0.3, "scale": "log"}},
        "num_trials": 96,
    }
    assert called(found.command) == ("resume", ("test",), given)


def test_a_new_sweep_has_the_whole_space_and_parts_of_sections() -> None:
    spec = {"trainable": "python:Mine", "space": SPACE, "search": {"seed": 1, "points": []}, "num_trials": 9}
    call = run_call(spec, "test", None, ["space.batch_size=32", "search.seed=2", "early_stopping.algorithm=none"])
    assert called(call) == (
        "run",
        ("sweep.yaml",),
        {
            "trainable": "the class",
            "name": "test-2",
            "space": {**SPACE, "batch_size": 32},
            "search": {"seed": 2},
            "early_stopping": {"algorithm": "none"},
        },
    )
    assert "num_trials" not in call and spec["space"] is SPACE and SPACE["batch_size"] == {"choices": [32, 64]}


def test_a_resume_names_the_changed_parameters_alone() -> None:
    spec = {"trainable": "python:Mine", "space": SPACE, "num_trials": 9}
    call = resume_call(spec, "it's", None, ["space.batch_size.choices=[32, 64, 128]"])
    assert called(call) == (
        "resume",
        ("it's",),
        {"trainable": "the class", "space": {"batch_size": {"choices": [32, 64, 128]}}},
    )
