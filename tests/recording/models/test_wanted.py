"""Which models of a sweep are logged."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.simulation import make_spec
from tuner.recording.models.wanted import wanted_models
from tuner.recording.names import Names
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

PARAMS = {"learning_rate": 0.01, "batch_size": 32, "epochs": 3}
ENDED = ev.SweepEnded(reason="all trials ended")


def trial(number: int, values: list[float], has_weights: bool = True, outcome: str = "completed") -> list[ev.AnyEvent]:
    best = values.index(max(values)) + 1 if values else 0
    saved = ev.CheckpointSaved(
        trial=number, epoch=len(values), path=f"checkpoints/{number}/best.npz", best_epoch=best, kind="best"
    )
    return [
        ev.TrialSuggested(trial=number, params=dict(PARAMS), origin="random"),
        ev.TrialStarted(trial=number, attempt=1, node="n", pid=1, gpus=[]),
        *(
            ev.EpochReported(
                trial=number, attempt=1, epoch=epoch, metrics={"val_accuracy": value, "f1": None}, epoch_s=1.0,
                decision="continue", reason="",
            )
            for epoch, value in enumerate(values, 1)
        ),
        *([saved] if has_weights else []),
        *([ev.TrialEnded(trial=number, outcome=outcome, reason="")] if outcome else []),
    ]  # fmt: skip


def sweep_of(*parts: Any, script: bool = False, **spec: Any) -> Sweep:
    started = ev.SweepStarted(
        spec=make_spec(name="a.b", **spec).resolved(), versions={}, seed=3, sweep_id="id", script=script
    )
    events: list[ev.AnyEvent] = [started]
    for part in parts:
        events += part if isinstance(part, list) else [part]
    return fold([msgspec.structs.replace(event, seq=seq, at=100.0 + seq) for seq, event in enumerate(events)])


def numbers(sweep: Sweep) -> list[int]:
    return [one.trial for one in wanted_models(sweep, Names())]


def test_the_best_trial_s_model_or_all_whose_weights_are_kept_or_none() -> None:
    trials = [*trial(0, [0.5, 0.7, 0.6]), *trial(1, [0.9]), *trial(2, [0.8], has_weights=False), ENDED]
    assert numbers(sweep_of(trials)) == [1]
    assert numbers(sweep_of(trials, tracking__log_models="best")) == [1]
    assert numbers(sweep_of(trials, tracking__log_models="kept")) == [1, 0]
    assert numbers(sweep_of(trials, tracking__log_models="none")) == []


def test_none_without_weights_of_a_script_or_of_a_sweep_that_goes_on() -> None:
    trials = trial(0, [0.5])
    assert numbers(sweep_of(trial(0, [0.5], has_weights=False), ENDED)) == []
    assert numbers(sweep_of(trials, ENDED, script=True)) == []
    assert numbers(sweep_of(trials)) == []
    assert numbers(sweep_of(trials, ev.SweepInterruptedEvent(reason="SIGINT"))) == [0]
    assert numbers(sweep_of(trials, ENDED, ev.SweepResumed(changes={}))) == []
    assert numbers(sweep_of(trial(0, [], has_weights=False, outcome="failed"), ENDED)) == []


def test_weights_of_another_epoch_than_the_best_one_are_not_its_model() -> None:
    events = trial(0, [0.5, 0.7], outcome="")
    older = [
        msgspec.structs.replace(event, best_epoch=1) if isinstance(event, ev.CheckpointSaved) else event
        for event in events
    ]
    stopped = ev.SweepEnded(reason="a budget", state="paused")
    assert numbers(sweep_of(older, stopped)) == []
    assert numbers(sweep_of(events, stopped)) == [0]


def test_what_is_said_of_a_model() -> None:
    [one] = wanted_models(sweep_of(trial(0, [0.5, 0.7, 0.6]), ENDED), Names())
    assert (one.name, one.epoch, one.is_best) == ("a-b-trial-0", 2, True)
    assert one.weights == "checkpoints/0/best.npz"
    assert one.tags == {"tuner.sweep": "a.b", "tuner.sweep_id": "id", "tuner.trial": "0", "tuner.epoch": "2"}
    [row] = one.rows  # what is no number is none of its metrics
    assert (row.key, row.value, row.step, row.at_ms) == ("val_accuracy", 0.7, 2, 104_000)


def test_a_journal_of_an_earlier_version_says_nothing_of_it() -> None:
    sweep = sweep_of(trial(0, [0.5]), ENDED)
    del sweep.spec["tracking"]["log_models"]
    assert numbers(sweep) == [0]
