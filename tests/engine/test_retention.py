"""Whose checkpoints stay: the best weights of the best few that have ended, and what a journal names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation import make_spec
from tuner.engine.retention import Retention
from tuner.storage import SweepFolder
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

KEEP = 2
NAMES = {kind: f"{kind}-000001-attempt-001-7.npz" for kind in ("full", "best")}
UNFINISHED = f".{NAMES['full']}.7-140245.tmp"


def sweep_of(*values: float, mode: str = "max") -> Sweep:
    """Unfinished trials with these best values, each with a full checkpoint and its best weights."""
    spec = make_spec(objective__mode=mode).resolved()
    events: list[ev.AnyEvent] = [ev.SweepStarted(spec=spec, versions={}, seed=0, sweep_id="x")]
    for trial, value in enumerate(values):
        events += [
            ev.TrialSuggested(trial=trial, params={"epochs": 1}, origin="random"),
            ev.EpochReported(
                trial=trial,
                attempt=1,
                epoch=1,
                metrics={"val_accuracy": value},
                epoch_s=1,
                decision="",
                reason="",
                seq=trial,
            ),
            *(
                ev.CheckpointSaved(
                    trial=trial, epoch=1, path=f"checkpoints/{trial:06d}/{NAMES[kind]}", best_epoch=1, kind=kind
                )
                for kind in ("full", "best")
            ),
        ]
    return fold(events)


def end(sweep: Sweep, trial: int, outcome: str = "completed") -> None:
    sweep.apply(ev.TrialEnded(trial=trial, outcome=outcome, reason=""))


def retention(sweep: Sweep, folder: Path = Path("nowhere")) -> Retention:
    return Retention(SweepFolder(folder), KEEP, sweep)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_few_of_those_that_ended_keep_their_best_weights(mode: str) -> None:
    sign = 1 if mode == "max" else -1
    sweep = sweep_of(*(sign * value for value in (0.5, 0.3, 0.4, 0.2, 0.9, 0.5)), mode=mode)
    kept = retention(sweep)

    def ended(trial: int, outcome: str = "completed") -> list[tuple[int, bool]]:
        end(sweep, trial, outcome)
        return [(other.number, stays) for other, stays in kept.ended(sweep.trials[trial])]

    assert ended(0) == [(0, True)] and kept.bar is None  # there is room for another one
    assert ended(1) == [(1, True)] and kept.bar == sign * 0.3
    assert ended(2, "stopped") == [(2, True), (1, False)] and kept.bar == sign * 0.4
    assert ended(3) == [(3, False)] and kept.bar == sign * 0.4
    assert ended(4, "failed") == [(4, False)] and kept.bar == sign * 0.4  # whatever it came to before
    sweep.trials[5].checkpoints.pop()
    assert ended(5) == [(2, False)] and kept.bar == sign * 0.5  # it has no weights to be let alone


def test_a_driver_that_goes_on_knows_the_best_that_ended_and_lets_go_of_what_the_last_one_could_not() -> None:
    sweep = sweep_of(0.5, 0.9, 0.4, 0.3, 0.2, 0.1)
    for trial in (0, 2, 3, 4):
        end(sweep, trial)
    end(sweep, 5, "failed")
    for trial in (2, 3):  # two that were among the best at their ends
        sweep.apply(ev.CheckpointsDeleted(trial=trial, keeps_best=True))
    sweep.apply(ev.CheckpointsDeleted(trial=4))
    kept = retention(sweep)
    assert kept.bar == 0.4  # trial 1 is the best, but may yet fail
    assert [(trial.number, stays) for trial, stays in kept.left_over()] == [(0, True), (3, False), (5, False)]


@pytest.mark.parametrize("best_epoch", [None, 1])
def test_full_checkpoints_stay_where_the_best_weights_did_not_arrive_by_themselves(best_epoch: int | None) -> None:
    """The end of a write was cut: the driver that ends the trial, and each after it, has the full ones alone."""
    sweep = sweep_of(0.5)
    trial = sweep.trials[0]
    sweep.apply(
        ev.EpochReported(
            trial=0, attempt=1, epoch=2, metrics={"val_accuracy": 0.6}, epoch_s=1, decision="stop", reason=""
        )
    )
    trial.checkpoints = [
        *(saved for saved in trial.checkpoints if saved.kind == "best" and best_epoch),
        ev.CheckpointSaved(trial=0, epoch=2, path="full-2", best_epoch=2),
    ]
    kept = retention(sweep)
    end(sweep, 0)
    assert kept.ended(trial) == [] and retention(sweep).left_over() == []


def test_files_that_no_event_names_are_deleted_but_a_write_under_way_only_at_the_sweeps_end(tmp_path: Path) -> None:
    sweep, folder = sweep_of(0.5, 0.4), SweepFolder(tmp_path)
    for trial in range(3):
        folder.trial_checkpoints(trial).mkdir(parents=True)
        for name in (*NAMES.values(), UNFINISHED):
            (folder.trial_checkpoints(trial) / name).write_text("")

    def there() -> dict[str, list[str]]:
        return {
            place.name: sorted(path.name for path in place.iterdir()) for place in sorted(folder.checkpoints.iterdir())
        }

    best, full = NAMES["best"], NAMES["full"]
    every = [UNFINISHED, best, full]
    end(sweep, 0)
    sweep.apply(ev.CheckpointsDeleted(trial=0, keeps_best=True))
    kept = retention(sweep, tmp_path)
    kept.delete(sweep.trials[0])
    kept.close()
    assert there() == {"000000": [UNFINISHED, best], "000001": every, "000002": every}
    kept = retention(sweep, tmp_path)
    kept.delete_orphans()
    assert there() == {"000000": [best], "000001": [best, full]}
