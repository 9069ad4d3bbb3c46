"""The rate and the batch size of models that say them themselves, as MLflow's params."""

from __future__ import annotations

from typing import Any

from tuner.recording.plan import Planner
from tuner.sweep import events as ev


def params(*events: ev.AnyEvent, records: dict[str, str] | None = None) -> list[dict[str, str]]:
    """The params of trial 0 that each event tells."""
    spec: dict[str, Any] = {
        "name": "s", "trainable": "mine.py:Mine", "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": 1, "space": {"lr": {"low": 0.1, "high": 1.0}}, "records": records or {},
        "tracking": {"experiment": None},
    }  # fmt: skip
    planner, found = Planner(), []
    first = ev.SweepStarted(spec=spec, versions={}, seed=0, sweep_id="id")
    for seq, event in enumerate((first, *events)):
        updates = planner.plan([event.__class__(**{**_fields(event), "seq": seq, "at": 1000.0 + seq})])
        found.append(updates[0].params if 0 in updates else {})
    return found[1:]


def _fields(event: ev.AnyEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


SUGGESTED = ev.TrialSuggested(trial=0, params={"lr": 0.25, "epochs": 3}, origin="random")
USED = {"learning_rate": 0.25, "batch_size": 64, "epochs": 3}
STARTED = ev.TrialStarted(trial=0, attempt=1, node="n", pid=1, gpus=[], used=USED)
ENDED = ev.TrialEnded(trial=0, outcome="plateaued", reason="EarlyStopping ended it after epoch 2")


def test_they_are_told_once_the_trial_has_begun() -> None:
    suggested, started, ended = params(SUGGESTED, STARTED, ENDED)
    assert suggested == {"lr": "0.25", "epochs": "3"}
    assert started == {"lr": "0.25", "epochs": "3", "learning_rate": "0.25", "batch_size": "64"}
    assert ended == {}


def test_a_trial_that_never_began_has_the_same_set() -> None:
    _, ended = params(SUGGESTED, ev.TrialEnded(trial=0, outcome="failed", reason="no"))
    assert ended == {"lr": "0.25", "epochs": "3", "learning_rate": "inactive", "batch_size": "inactive"}


def test_a_mapping_says_it_at_once() -> None:
    suggested, started = params(SUGGESTED, STARTED, records={"learning_rate": "lr"})
    assert suggested == {"lr": "0.25", "epochs": "3", "learning_rate": "0.25"}
    assert started == {**suggested, "batch_size": "64"}


def test_a_tag_says_whether_xla_compiles_a_trial() -> None:
    spec = {"name": "s", "objective": {"metric": "loss", "mode": "min"}, "num_trials": 1, "space": {}, "tracking": {}}
    first = ev.SweepStarted(seq=0, spec=spec, versions={}, seed=0)
    started = ev.TrialStarted(seq=2, trial=0, attempt=1, node="n", pid=1, gpus=[], jit_compile=True)
    updates = Planner().plan([first, ev.TrialSuggested(seq=1, trial=0, params={"epochs": 1}, origin="tpe"), started])
    assert updates[0].tags["tuner.jit_compile"] == "true"
