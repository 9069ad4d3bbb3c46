"""What may change when a sweep is resumed, and what may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation import SPACE, make_spec
from tuner.base.errors import SpecError
from tuner.spec import spec_from_mapping
from tuner.spec.changes import changes_between, changes_from_overrides
from tuner.sweep import events as ev
from tuner.sweep import fold

SPEC = make_spec(
    space={
        **SPACE,
        "units": 64,
        "layers": {"low": 1, "high": 9, "step": 2},
        "dropout": {"low": 0.0, "high": 1.0, "step": 0.5},
        "staircase": {"choices": [0, 1]},
    },
    budget={"wall_time": "1h"},
)
BEFORE = SPEC.resolved()


def after(changes: dict[str, Any], before: dict[str, Any] = BEFORE) -> Any:
    """The spec of a sweep that was resumed with these changes, by way of the journal."""
    started = ev.SweepStarted(spec=before, versions={}, seed=0)
    events = [ev.decode(ev.encode(event)) for event in (started, ev.SweepResumed(changes=changes))]
    return spec_from_mapping(fold(events).spec)


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("num_trials=60", {"num_trials": 60}),
    ("num_trials=10", {"num_trials": 10}),
    ("num_trials=30", {}),
    ("budget.wall_time=2h", {"budget.wall_time": 7200.0}),
    ("budget.wall_time=null", {"budget.wall_time": None}),
    ("budget.epochs=500", {"budget.epochs": 500}),
    ("budget.cost=9.5", {"budget.cost": 9.5}),
    ("budget.plateau=20", {"budget.plateau.trials": 20, "budget.plateau.min_delta": 0.0}),
    ("failures.worker_memory=1MiB", {"failures.worker_memory": 1048576.0}),
    ("resources.cpus_per_trial=2", {"resources.cpus_per_trial": 2.0}),
    ("checkpoints.keep=9", {"checkpoints.keep": 9}),
    ("tracking.uri=http://127.0.0.1:5000", {"tracking.uri": "http://127.0.0.1:5000"}),
    ("early_stopping.reduction_factor=4", {"early_stopping.reduction_factor": 4}),
    ("early_stopping={algorithm: none}", {"early_stopping.algorithm": "none"}),
    ("early_stopping.patience=5", {
        "early_stopping.patience.patience": 5, "early_stopping.patience.min_delta": 0.0,
        "early_stopping.patience.baseline": None, "early_stopping.patience.restore_best": True,
    }),
    ("name=test", {}),
    ("storage=null", {}),
    ("space.learning_rate.high=0.3", {"space.learning_rate.high": 0.3}),
    ("space.learning_rate.high=3", {"space.learning_rate.high": 3.0}),
    ("space.learning_rate={low: 1, high: 2}", {
        "space.learning_rate.low": 1.0, "space.learning_rate.high": 2.0, "space.learning_rate.scale": "linear",
    }),
    ("space.learning_rate.scale=linear", {"space.learning_rate.scale": "linear"}),
    ("space.learning_rate.step=null", {}),
    ("space.layers.step=1", {"space.layers.step": 1}),
    ("space.layers={low: 1, high: 3}", {"space.layers.high": 3, "space.layers.step": 1}),
    ("space.dropout.step=null", {"space.dropout.step": None}),
    ("space.dropout={low: 0.0, high: 1, num: 5}", {"space.dropout.num": 5, "space.dropout.step": None}),
    ("space.layers={low: 1, high: 9, num: 3}", {"space.layers.num": 3, "space.layers.step": 1}),
    ("space.learning_rate.num=4", {"space.learning_rate.num": 4}),
    ("space.dropout={low: 0, high: 2, step: 1}", {"space.dropout.high": 2.0, "space.dropout.step": 1.0}),
    ("space.dropout={low: 0, high: 2, num: 3, step: 1}", {
        "space.dropout.high": 2.0, "space.dropout.num": 3, "space.dropout.step": None,
    }),
    ("space.batch_size.choices=[32, 512]", {"space.batch_size.choices": [32, 512]}),
    ("space.staircase.choices=[false, true]", {"space.staircase.choices": [False, True]}),
    ("space.schedule.choices=[exponential]", {"space.schedule.choices": ["exponential"]}),
    ("space.decay_rate.low=0.2", {"space.decay_rate.low": 0.2}),
    ("space.units=64", {}),
    ("jit_compile=auto", {"jit_compile": "auto"}),
    ("tracking.log_models=kept", {"tracking.log_models": "kept"}),
    ("deterministic=true", {"deterministic": True}),
]  # fmt: skip

REFUSED = [
    ("name=other", "name: names the sweep and its folder, so it cannot change in a resume; start a new sweep"),
    ("storage=/elsewhere", "storage: is where the sweep is stored, so it cannot change in a resume; start a new sweep"),
    ("objective.metric=val_loss", "objective.metric: ranks all trials so far, so it cannot change in a resume"),
    ("trainable=mlp", "trainable: decides what a trial is, so it cannot change in a resume; start a new sweep"),
    ("data=digits", "data: decides what a trial is"),
    ("precision=mixed_bfloat16", "precision: decides what a trial is"),
    ("epochs.max=81", "epochs.max: decides how long a trial trains and where trials are compared"),
    ("search.seed=4", "search.seed: decided what was tried so far"),
    ("space.units=32", "space.units: is 64 in all trials so far, so it cannot change"),
    ("space.units={low: 1, high: 2}", "space.units: is a constant, so it cannot become a range of whole numbers"),
    ("space.layers.num=3", "space.layers.num: must not stand beside a step, but got num 3, step 2"),
    ("space.layers.high=9.5", "space.layers.step: must divide high - low"),
    ("space.layers={low: 1, high: 9.5}", "space.layers: is a range of whole numbers, so it cannot become a range of n"),
    (
        "space.dropout={low: 0, high: 10000000000000, step: 1}",
        "space.dropout.step: must divide high - low into at most 1e+12 steps, but got 1",
    ),
    ("space.learning_rate=0.1", "space.learning_rate: is a range of numbers, so it cannot become a constant"),
    ("space.batch_size={low: 1, high: 9}", "space.batch_size: is a choice, so it cannot become a range of whole numb"),
    ("space.decay_rate.when=null", "space.decay_rate.when: decides which trials have decay_rate, so it cannot change"),
    ("space.momentum=0.9", "space.momentum: no trial so far has it, so it cannot be added; start a new sweep"),
    (
        "space.schedule.choices=[constant]",
        "space.decay_rate.when.schedule: must be a value of 'schedule', but got 'exp",
    ),
    ("space.learning_rate.low=1", "space.learning_rate.low: must be below high, but got low 1, high 0.1"),
    ("space={learning_rate: {low: 0.1, high: 0.2}}", "space.schedule: all trials so far have it, so it cannot be remo"),
    ("num_trials=9", "num_trials: 10 trials have already started, so it cannot be 9"),
    ("num_trials=0", "num_trials: must be at least 1, but got 0"),
    ("budget.epoch=5", "budget.epoch: unknown key; did you mean 'epochs'?"),
]


@pytest.mark.parametrize(("override", "changes"), ACCEPTED)
def test_how_long_on_what_and_within_which_ranges_may_change(override: str, changes: dict[str, Any]) -> None:
    found = changes_from_overrides(BEFORE, [override], num_suggested=10)
    assert found == changes
    assert {path: type(value) for path, value in found.items()} == {path: type(v) for path, v in changes.items()}
    assert changes_between(BEFORE, after(found), 10, "again") == found


@pytest.mark.parametrize(("override", "message"), REFUSED)
def test_what_decides_the_trials_may_not_and_the_reason_is_told(override: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        changes_from_overrides(BEFORE, [override], num_suggested=10)
    assert any(problem.startswith(message) for problem in caught.value.problems)


def test_all_refusals_come_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        changes_from_overrides(BEFORE, ["objective.mode=min", "space.units=3", "num_trials=1"], num_suggested=10)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "space.units", "objective.mode", "num_trials",
    ]  # fmt: skip


@given(st.lists(st.sampled_from([override for override, _ in ACCEPTED if "num_trials=10" not in override])))
def test_changes_laid_over_the_journals_spec_give_the_wanted_one(overrides: list[str]) -> None:
    try:
        found = changes_from_overrides(BEFORE, overrides, num_suggested=10)
    except SpecError:  # two that do not go together
        return
    assert changes_between(BEFORE, after(found), 10, "again") == found
    assert changes_between(after(found).resolved(), after(found), 10, "again") == {}


def test_a_spec_is_not_held_against_the_name_and_the_storage_that_the_sweep_was_found_by() -> None:
    assert changes_between(BEFORE, SPEC.model_copy(update={"name": "other", "storage": "/moved"}), 10, "x") == {}


def test_a_change_can_be_taken_back() -> None:
    wanted = ["budget.plateau=20", "space.dropout.step=null", "budget.wall_time=null"]
    changed = after(changes_from_overrides(BEFORE, wanted, 10))
    back = changes_between(changed.resolved(), SPEC, 10, "sweep.yaml")
    assert back == {"budget.plateau": None, "space.dropout.step": 0.5, "budget.wall_time": 3600.0}
    assert after(back, changed.resolved()) == SPEC


def test_a_spec_without_the_constants_that_were_added_is_the_same_spec() -> None:
    small = make_spec(space={"units": {"low": 1, "high": 9}, "dropout": 0.5})
    completed = {**small.resolved(), "space": {**small.resolved()["space"], "learning_rate": 0.001, "batch_size": 32}}
    assert changes_between(completed, small, 10, "sweep.yaml") == {}
    assert changes_between(completed, make_spec(space=small.space, num_trials=99), 10, "x") == {"num_trials": 99}
    with pytest.raises(SpecError, match=r"space\.dropout: all trials so far have it, so it cannot be removed"):
        changes_between(completed, make_spec(space={"units": {"low": 1, "high": 9}}), 10, "sweep.yaml")


def test_a_batch_size_that_is_searched_cannot_be_left_out_and_what_comes_after_it_is_looked_at_too() -> None:
    wanted = make_spec(space={**{name: SPEC.space[name] for name in SPEC.space if name != "batch_size"}, "units": 32})
    with pytest.raises(SpecError) as caught:
        changes_between(BEFORE, wanted, 0, "s.yaml")
    assert caught.value.problems == [
        "space.batch_size: all trials so far have it, so it cannot be removed; start a new sweep",
        "space.units: is 64 in all trials so far, so it cannot change",
    ]


def test_a_spec_of_a_version_with_fewer_fields_is_completed_before_it_is_compared() -> None:
    old = {**BEFORE, "budget": {"wall_time": 3600.0, "epochs": None}}
    del old["precision"]
    assert changes_between(old, SPEC, 10, "sweep.yaml") == {}
    assert changes_from_overrides(old, ["budget.plateau.trials=3"], 10) == {
        "budget.plateau.trials": 3,
        "budget.plateau.min_delta": 0.0,
    }
