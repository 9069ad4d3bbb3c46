"""Histories of the real engine, whatever is killed, are sound in the checker's eyes."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.engine.messages import Assignment, Report
from tuner.review.verification import verify_sweep
from tuner.storage.journal import Journal, read_events
from tuner.sweep import events as ev


class Cluster(SimulatedCluster):
    """Says once for each attempt where it went on from, as a worker does."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._begun: dict[int, int] = {}
        super().__init__(*arguments, **options)

    def _report(self, assignment: Assignment, done: int) -> Report:
        is_first = self._begun.get(assignment.trial) != assignment.attempt
        self._begun[assignment.trial] = assignment.attempt
        report = super()._report(assignment, done)
        return dataclasses.replace(report, started_at_epoch=done if is_first else None)


def curve(params: dict[str, Any], epoch: int) -> float:
    if params["learning_rate"] > 0.06:
        return math.nan
    if params["batch_size"] == 32 and params["learning_rate"] < 0.0003:
        raise RuntimeError("no such model")
    return accuracy(params, epoch)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kills", [(), (5,), (40, 1, 30)])
def test_a_history_of_the_engine_is_sound_before_and_after_every_kill(
    tmp_path: Path, seed: int, kills: tuple[int, ...]
) -> None:
    journal = new_sweep(tmp_path, make_spec(search__seed=seed))
    seen: list[ev.AnyEvent] = []
    for steps in (*kills, 1_000_000):
        coordinator = coordinator_of(journal)
        is_over = Cluster(coordinator, curve, slots=3, seed=seed + steps, dies=0.05).run(steps)
        if is_over:
            coordinator.close()
        journal.close()
        verified = verify_sweep(journal.folder, seen, mlflow=False, checkpoints=False)
        assert verified.ok, str(verified)
        seen = read_events(journal.folder)
        if is_over:
            break
        journal = Journal(journal.folder)
        journal.append(ev.SweepResumed(changes={}))
    assert verified.counts["trials"] == 30
    assert set(verified.skipped) == {"mlflow", "checkpoints"}
