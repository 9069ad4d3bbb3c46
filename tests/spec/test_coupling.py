"""`scale_learning_rate` in a spec: where it may stand, what it needs, and that it stays."""

from __future__ import annotations

from typing import Any

import pytest

import tuner
from tests.simulation import coordinator_of, make_spec, new_sweep
from tuner.api.writing import asked
from tuner.base.coupling import Coupling, coupling_of
from tuner.base.errors import SpecError
from tuner.inspection.own_training import scaling_without_effect
from tuner.inspection.scripts import loop_findings
from tuner.recording.plan import Planner
from tuner.recording.warmstart.sources import of_sweep
from tuner.spec import SweepSpec
from tuner.spec.changes import changes_from_overrides
from tuner.storage.journal import read_events
from tuner.sweep import fold

RATE = {"learning_rate": {"low": 1e-3, "high": 1e-2, "scale": "log"}}


def coupled(**batch_size: Any) -> SweepSpec:
    return make_spec(space={**RATE, "batch_size": batch_size}, search={"algorithm": "random"})


CHOICES = {"choices": [16, 64], "scale_learning_rate": "linear", "base": 32}


@pytest.mark.parametrize(
    "written",
    [CHOICES, {"low": 16, "high": 64, "step": 16, "scale_learning_rate": "sqrt", "base": 32},
     {"low": 16, "high": 64, "scale": "log", "scale_learning_rate": "none", "base": 32}],
)  # fmt: skip
def test_it_stands_beside_choices_and_ranges_and_goes_through_the_journal(written: dict[str, Any]) -> None:
    resolved = coupled(**written).resolved()
    assert resolved["space"]["batch_size"] == written
    assert coupling_of(resolved["space"]) == (
        None if written["scale_learning_rate"] == "none" else Coupling(written["scale_learning_rate"], 32)
    )


def test_python_says_the_same() -> None:
    sizes = [
        tuner.Choice(16, 64, scale_learning_rate="linear", base=32),
        tuner.Int(16, 64, step=16, scale_learning_rate="linear", base=32),
    ]
    for size in sizes:
        keywords: dict[str, Any] = {"trainable": "digits", "name": "a", "num_trials": 1, "epochs": 1}
        keywords |= {"objective": tuner.minimize("val_loss"), "space": {"learning_rate": 0.1, "batch_size": size}}
        space = asked(None, keywords, "tuner.run").spec.resolved()["space"]
        assert coupling_of(space) == Coupling("linear", 32)


@pytest.mark.parametrize(
    ("space", "rule"),
    [
        ({**RATE, "batch_size": {"choices": [16], "scale_learning_rate": "linear"}},
         "space.batch_size.base: is required with scale_learning_rate, but is missing"),
        ({**RATE, "batch_size": {"choices": [16], "base": 32}},
         "space.batch_size.base: has no effect without scale_learning_rate (linear or sqrt), but got 32"),
        ({**RATE, "batch_size": {"choices": [16], "scale_learning_rate": "liner", "base": 32}},
         "scale_learning_rate: must be 'none', 'linear' or 'sqrt', but got 'liner'; did you mean 'linear'?"),
        ({**RATE, "batch_size": {"choices": [16], "scale_learning_rate": "linear", "base": 0}},
         "space.batch_size.base: must be at least 1, but got 0"),
        ({**RATE, "batch_size": {"choices": [16], "scale_learning_rat": "linear", "base": 32}},
         "space.batch_size.scale_learning_rat: unknown key; did you mean 'scale_learning_rate'?"),
        ({"batch_size": CHOICES}, "space.batch_size.scale_learning_rate: needs learning_rate in the space"),
        ({**RATE, "momentum": {**CHOICES, "choices": [0.1, 0.2]}},
         "space.momentum.scale_learning_rate: must stand at batch_size"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_one_line(space: dict[str, Any], rule: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(space=space)
    assert any(rule in line for line in str(caught.value).splitlines()), str(caught.value)


def test_scripts_and_compiled_models_have_no_use_for_it() -> None:
    class Found:
        compiles = True

    spec = coupled(**CHOICES)
    assert any("scale_learning_rate: has no effect on a script" in line for line in loop_findings(spec).problems)
    [line] = scaling_without_effect(spec, Found())
    assert line.startswith("space.batch_size.scale_learning_rate: has no effect, as build_model compiles the model")
    Found.compiles = False
    assert scaling_without_effect(spec, Found()) == []


@pytest.mark.parametrize("change", ["scale_learning_rate=sqrt", "base=64", "scale_learning_rate=none"])
def test_a_resume_cannot_change_it(change: str) -> None:
    with pytest.raises(SpecError, match=r"space.batch_size.scale_learning_rate: decides the learning rate"):
        changes_from_overrides(coupled(**CHOICES).resolved(), [f"space.batch_size.{change}"], 0)
    widened = changes_from_overrides(coupled(**CHOICES).resolved(), ["space.batch_size.choices=[16, 64, 256]"], 0)
    assert widened == {"space.batch_size.choices": [16, 64, 256]}


def test_the_journal_keeps_the_base_rate_the_worker_gets_the_scaled_one_and_mlflow_both(tmp_path: Any) -> None:
    spec = coupled(**CHOICES)
    journal = new_sweep(tmp_path, spec)
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assignment = coordinator.next_trial()
    assert assignment is not None
    params = coordinator.sweep.trials[0].params
    scaled = params["learning_rate"] * params["batch_size"] / 32  # type: ignore[operator]
    assert assignment.params == {**params, "learning_rate": scaled}
    journal.close()
    events = read_events(journal.folder)
    update = Planner().plan(events)[0]
    assert float(update.params["learning_rate"]) == params["learning_rate"]
    assert float(update.params["scaled_learning_rate"]) == pytest.approx(scaled)
    sweep = fold(events)
    sweep.trials[0].outcome = "failed"
    for other, rate in ((spec, params["learning_rate"]), (make_spec(space={**RATE, "batch_size": 32}), scaled)):
        source = of_sweep(other, "one", sweep)
        if source.trials:  # the scaled rate may lie outside of the other range
            assert source.trials[0].params["learning_rate"] == pytest.approx(rate)
