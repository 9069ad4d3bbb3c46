"""Sound histories have no violation, whatever happened in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.review.verification.made import KEEP, Maker, make
from tests.review.verification.mutating import good
from tests.simulation import make_spec
from tuner.sweep import events as ev


@pytest.mark.parametrize("end", ["finished", "interrupted"])
@pytest.mark.parametrize("seed", range(12))
def test_a_sound_history_has_no_violation(seed: int, end: str) -> None:
    assert [str(finding) for finding in make(seed=seed, end=end).verify()] == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping__reduction_factor": 2},
        {"space__learning_rate__high": 0.02},
        {"checkpoints__keep": 1},
        {"checkpoints__keep": 6},
        {"failures__max_retries": 0},
    ],
    ids=str,
)
def test_a_sweep_that_was_changed_on_the_way_and_extended_after_its_end_is_sound(
    seed: int, changes: dict[str, Any]
) -> None:
    maker = Maker(make_spec(num_trials=12, search__seed=seed, checkpoints__keep=KEEP), seed)
    maker.run(40)
    maker.resumed(**changes)
    for num_trials in (16, 20):
        assert maker.run()
        maker.add(ev.SweepEnded(reason="all trials ended"))
        assert [str(finding) for finding in maker.made().verify()] == []
        maker.resumed(num_trials=num_trials)
    assert maker.run()
    maker.add(ev.SweepEnded(reason="all trials ended"))
    made = maker.made()
    assert [str(finding) for finding in made.verify()] == []
    assert len(made.runs) == 21


def test_the_history_that_is_mutated_has_everything_in_it() -> None:
    made = good()
    assert made.verify() == []
    outcomes = {event.outcome for event in made.events if isinstance(event, ev.TrialEnded)}
    assert outcomes == {"completed", "stopped", "diverged", "failed"}
    kinds = {type(event) for event in made.events}
    assert {ev.CheckpointSaved, ev.CheckpointsDeleted, ev.AttemptFailed, ev.SweepResumed} <= kinds
    assert any(isinstance(event, ev.TrialStarted) and event.epoch > 0 for event in made.events)
