"""How often a running sweep waits for the disk: what depends on the engine alone, and not on the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.engine.coordinator import Coordinator
from tuner.engine.messages import Report, SavedCheckpoint


class Reporting(SimulatedCluster):
    """Counts reports; each brings a full checkpoint, and the best weights too."""

    num_reports = 0

    def _report(self, assignment, done):  # type: ignore[no-untyped-def]
        report: Report = super()._report(assignment, done)
        self.num_reports += 1
        epoch = report.epochs[-1].epoch
        saved = [
            SavedCheckpoint(report.trial, epoch, f"checkpoints/{report.trial:06d}/{kind}-{epoch}", epoch, kind)
            for kind in ("full", "best")
        ]
        object.__setattr__(report, "checkpoints", tuple(saved))
        return report


def test_a_report_and_a_suggestion_are_a_write_each_whatever_follows_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator: Coordinator = coordinator_of(new_sweep(tmp_path, make_spec(num_trials=40, checkpoints={"keep": 2})))
    cluster = Reporting(coordinator, accuracy)
    syncs = 0
    write = os.fdatasync

    def count(handle: int) -> None:
        nonlocal syncs
        syncs += 1
        write(handle)

    monkeypatch.setattr(os, "fdatasync", count)
    assert cluster.run()
    coordinator.close()
    sweep = coordinator.sweep
    assert sweep.num_epochs > 60 and sweep.outcomes()["stopped"] > 10
    assert sum(bool(trial.checkpoints) for trial in sweep.trials.values()) == 2
    assert syncs == cluster.num_reports + 40 + 1  # and one for the sweep's end, with the last deletions
