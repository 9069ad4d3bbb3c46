"""The rules of a running sweep, with pretended workers: whatever order, death or kill, the journal tells one story."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.base.errors import StorageError
from tuner.engine.coordinator import Coordinator
from tuner.engine.endings import TrialEnd
from tuner.engine.messages import Failure, Report, TrainedEpoch
from tuner.engine.slots import Slot
from tuner.review.verification import verify_sweep
from tuner.storage import SweepFolder
from tuner.storage.journal import Journal, read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


def run_sweep(folder: Path, curve: Any = accuracy, spec: Any = None, **cluster: Any) -> Sweep:
    """A sweep from its beginning to its end."""
    journal = new_sweep(folder, spec or make_spec())
    coordinator = coordinator_of(journal)
    assert SimulatedCluster(coordinator, curve, **cluster).run()
    coordinator.close()
    journal.close()
    return check_history(journal.folder)


def check_history(folder: SweepFolder) -> Sweep:
    """The invariants of every history, from the file alone."""
    found = verify_sweep(folder, mlflow=False, checkpoints=False)
    assert found.ok, str(found)
    return fold(read_events(folder))


def test_a_sweep_ends_with_every_trial_once(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path)
    assert sweep.outcomes()["unfinished"] == 0 and len(sweep.trials) == 30
    assert sweep.ended is not None and sweep.ended.reason == "all 30 trials ended"
    assert sweep.slots == 4


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**16), kills=st.lists(st.integers(1, 60), max_size=3), dies=st.sampled_from([0.0, 0.05]))
def test_killed_anywhere_and_resumed_the_history_is_sound(
    tmp_path_factory: pytest.TempPathFactory, seed: int, kills: list[int], dies: float
) -> None:
    """Promises 1 and 2: every decision of the whole history equals its replay, whatever was killed in between."""

    def curve(params: dict[str, Any], epoch: int) -> float:
        if params["learning_rate"] > 0.06:
            return math.nan
        if params["batch_size"] == 32 and params["learning_rate"] < 0.0003:
            raise RuntimeError("no such model")
        return accuracy(params, epoch)

    journal = new_sweep(tmp_path_factory.mktemp("killed"), make_spec(search__seed=seed))
    for steps in [*kills, 1_000_000]:
        coordinator = coordinator_of(journal)
        cluster = SimulatedCluster(coordinator, curve, slots=3, seed=seed + steps, dies=dies)
        is_over = cluster.run(steps)
        if is_over:
            coordinator.close()
        journal.close()
        if is_over:
            break
        journal = Journal(journal.folder)
        journal.append(ev.SweepResumed(changes={}))
    sweep = check_history(journal.folder)
    assert len(sweep.trials) == 30 and sweep.outcomes()["unfinished"] == 0
    assert sweep.ended is not None


def test_the_same_arrival_order_gives_the_same_sweep(tmp_path: Path) -> None:
    first = run_sweep(tmp_path / "a", seed=5)
    second = run_sweep(tmp_path / "b", seed=5)
    assert {n: (t.params, t.outcome, t.epochs_trained) for n, t in first.trials.items()} == {
        n: (t.params, t.outcome, t.epochs_trained) for n, t in second.trials.items()
    }


def test_diverged_trials_end_at_once_and_are_never_best(tmp_path: Path) -> None:
    def curve(params: dict[str, Any], epoch: int) -> float:
        return math.nan if params["learning_rate"] > 0.01 and epoch == 2 else accuracy(params, epoch)

    sweep = run_sweep(tmp_path, curve)
    diverged = [t for t in sweep.trials.values() if t.outcome == "diverged"]
    assert diverged and all(t.epochs_trained == 2 for t in diverged)
    assert sweep.best is not None and sweep.best.outcome != "diverged"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("epoch", [1, 5, 27])
def test_no_infinity_at_any_epoch_is_ever_best(tmp_path: Path, value: float, epoch: int) -> None:
    """The first, a middle and the last epoch; -inf would be the best of losses, and inf of accuracies."""

    def curve(params: dict[str, Any], at: int) -> float:
        return value if at == epoch and params["batch_size"] == 32 else accuracy(params, at)

    spec = make_spec(early_stopping={"algorithm": "none"}, search__algorithm="random", num_trials=12)
    sweep = run_sweep(tmp_path, curve, spec)
    hit = [trial for trial in sweep.trials.values() if trial.params["batch_size"] == 32]
    assert hit and {(trial.outcome, trial.epochs_trained) for trial in hit} == {("diverged", epoch)}
    assert sweep.best is not None and sweep.best.params["batch_size"] != 32


def test_a_first_report_is_one_durable_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    writes: list[list[str]] = []
    append = journal.append

    def noted(*events: ev.AnyEvent) -> list[ev.AnyEvent]:
        writes.append([type(event).__name__ for event in events])
        return append(*events)

    monkeypatch.setattr(journal, "append", noted)
    metrics: ev.Metrics = {"loss": 0.2, "val_loss": 0.1, "val_accuracy": 0.9}
    assert coordinator.report(Report(0, 1, "here", 1, (), 0, epochs=(TrainedEpoch(1, metrics, 0.1),)))
    assert writes == [["TrialStarted", "EpochReported"]]
    journal.close()


def test_a_finite_objective_beside_a_nan_loss_is_divergence(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assignment = coordinator.next_trial()
    assert assignment is not None
    metrics: ev.Metrics = {"loss": math.nan, "val_loss": 0.1, "val_accuracy": 0.9}
    report = Report(0, 1, "here", 1, (), 0, epochs=(TrainedEpoch(1, metrics, 0.1),))
    assert coordinator.report(report) is False
    assert coordinator.sweep.trials[0].outcome == "diverged"
    journal.close()


def test_an_exception_is_tried_again_and_then_fails_the_trial_with_its_last_line(tmp_path: Path) -> None:
    def curve(params: dict[str, Any], epoch: int) -> float:
        if params["batch_size"] == 64:
            raise ValueError("units must be even")
        return accuracy(params, epoch)

    sweep = run_sweep(tmp_path, curve, spec=make_spec(failures={"max_retries": 2}))
    failed = [t for t in sweep.trials.values() if t.outcome == "failed"]
    assert failed and all(t.params["batch_size"] == 64 and t.attempts == 3 for t in failed)
    assert {t.reason for t in failed} == {"ValueError: units must be even"}
    assert sweep.outcomes()["failed"] == sum(t.params["batch_size"] == 64 for t in sweep.trials.values())


def test_ten_failures_from_the_start_without_a_success_end_the_sweep(tmp_path: Path) -> None:
    def curve(params: dict[str, Any], epoch: int) -> float:
        raise ImportError("no module named foo")

    sweep = run_sweep(tmp_path, curve, spec=make_spec(num_trials=100, failures={"max_retries": 0}))
    assert sweep.outcomes()["failed"] >= 10 and len(sweep.trials) <= 10 + 4
    assert sweep.ended is not None and sweep.ended.state == "stopped"
    assert "the first 10 trials failed" in sweep.ended.reason and "no module named foo" in sweep.ended.reason
    assert sweep.best is None


def test_a_missing_metric_fails_the_trial_and_says_which_there_are(tmp_path: Path) -> None:
    sweep = run_sweep(
        tmp_path, spec=make_spec(objective={"metric": "val_auc", "mode": "max"}, failures={"max_retries": 0})
    )
    assert sweep.ended is not None
    assert "no metric 'val_auc' after epoch 1: ['loss', 'val_accuracy', 'val_loss']" in sweep.ended.reason


def test_a_dead_worker_costs_an_attempt_and_the_trial_goes_on(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path, dies=0.1, spec=make_spec(failures={"max_retries": 50}))
    assert sweep.outcomes()["failed"] == 0
    assert sum(t.attempts for t in sweep.trials.values()) > 30


def test_out_of_memory_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(failures={"max_retries": 0}))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    coordinator.next_trial()
    failure = Failure("memory", "MemoryError", "")
    coordinator.report(Report(0, 1, "here", 1, (), 0, failure=failure))
    assert coordinator.sweep.trials[0].outcome == "out_of_memory"
    journal.close()


def test_a_budget_of_epochs_pauses_the_sweep_with_trials_unfinished(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path, spec=make_spec(budget={"epochs": 20}))
    assert 20 <= sweep.num_epochs <= 20 + 4 * 3
    assert sweep.ended is not None and sweep.ended.state == "paused"
    assert "20 epochs is used up" in sweep.ended.reason and sweep.outcomes()["unfinished"] > 0


def test_a_stop_leaves_live_trials_unfinished_and_says_why(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    cluster = SimulatedCluster(coordinator, accuracy)
    cluster.run(10)
    coordinator.stop("interrupted by SIGINT")
    assert cluster.run()
    coordinator.close()
    journal.close()
    sweep = check_history(journal.folder)
    assert sweep.interrupted is not None and sweep.interrupted.reason == "interrupted by SIGINT"
    assert sweep.ended is None and sweep.outcomes()["unfinished"] > 0


def test_a_small_space_ends_early_and_says_so(tmp_path: Path) -> None:
    spec = make_spec(space={"learning_rate": {"choices": [0.1, 0.01, 0.001]}})
    sweep = run_sweep(tmp_path, spec=spec)
    assert sweep.ended is not None
    assert sweep.ended.reason == "the space has 3 configurations only, and all of them were tried"


def test_the_configurations_of_a_narrowed_space_alone_are_counted(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(space={"learning_rate": {"low": 1e-4, "high": 1e-1}}, num_trials=8))
    assert SimulatedCluster(coordinator_of(journal), accuracy).run()
    narrow = {"space.learning_rate.num": 3, "num_trials": 20}
    journal.append(ev.SweepResumed(changes=narrow))
    coordinator = coordinator_of(journal)
    assert SimulatedCluster(coordinator, accuracy).run()
    coordinator.close()
    journal.close()
    sweep = check_history(journal.folder)
    assert len(sweep.trials) == 11 and sweep.ended is not None
    assert sweep.ended.reason == "the space has 3 configurations only, and all of them were tried"


def test_checkpoints_of_ended_trials_beyond_the_best_are_deleted(tmp_path: Path) -> None:
    journal = new_sweep(
        tmp_path, make_spec(num_trials=6, checkpoints={"keep": 2}, early_stopping={"algorithm": "none"})
    )
    coordinator = coordinator_of(journal)
    real_report = coordinator.report

    def report(report: Report) -> bool:
        from dataclasses import replace

        from tuner.engine.messages import SavedCheckpoint

        epoch = report.epochs[-1].epoch
        saved = []
        for kind in ("full", "best"):
            name = journal.folder.checkpoint(report.trial, report.attempt, epoch, kind)
            path = journal.folder.path / name
            path.parent.mkdir(exist_ok=True)
            path.touch()
            saved.append(SavedCheckpoint(report.trial, epoch, name, epoch, kind))
        return real_report(replace(report, checkpoints=tuple(saved)))

    coordinator.report = report  # type: ignore[method-assign]
    assert SimulatedCluster(coordinator, accuracy).run()
    coordinator.close()
    coordinator.tidy()
    journal.close()
    sweep = fold(read_events(journal.folder))
    best = {trial.number for trial in sweep.ranked()[:2]}
    assert {int(path.name) for path in journal.folder.checkpoints.iterdir()} == best
    assert {t.number for t in sweep.trials.values() if t.checkpoints} == best
    for trial in best:
        [saved] = sweep.trials[trial].checkpoints
        assert saved.kind == "best" and saved.best_epoch == sweep.trials[trial].best_epoch
        assert [file.name for file in journal.folder.trial_checkpoints(trial).iterdir()] == [Path(saved.path).name]


def test_of_equal_values_the_first_reached_is_best_and_keeps_its_weights(tmp_path: Path) -> None:
    """Accuracies saturate: the lower number that comes later takes nobody's place."""
    from tuner.engine.messages import SavedCheckpoint, TrainedEpoch

    journal = new_sweep(tmp_path, make_spec(epochs={"max": 1}, checkpoints={"keep": 1}, num_trials=2))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(2)
    first, second = coordinator.next_trial(), coordinator.next_trial()
    assert first is not None and second is not None and (first.trial, second.trial) == (0, 1)
    assert first.wants_weights(0.9, "max")
    for trial in (1, 0):
        saved = SavedCheckpoint(trial, 1, journal.folder.checkpoint(trial, 1, 1, "best"), 1, "best")
        path = journal.folder.path / saved.path
        path.parent.mkdir()
        path.touch()
        metrics: ev.Metrics = {"loss": 0.1, "val_loss": 0.1, "val_accuracy": 0.9}
        epochs = (TrainedEpoch(1, metrics, 0.1),)
        coordinator.report(Report(trial, 1, "here", 1, (), 0, epochs=epochs, checkpoints=(saved,)))
        coordinator.release(trial)
    coordinator.close()
    coordinator.tidy()
    journal.close()
    assert coordinator.sweep.best is coordinator.sweep.trials[1] is coordinator.sweep.ranked()[0]
    assert [path.name for path in journal.folder.checkpoints.iterdir()] == ["000001"]  # type: ignore[attr-defined]


def test_a_listing_that_fails_costs_no_weights_that_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.engine import retention

    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    name = journal.folder.checkpoint(0, 1, 1, "best")
    (journal.folder.path / name).parent.mkdir()
    (journal.folder.path / name).touch()
    coordinator._books.append(ev.CheckpointSaved(trial=0, epoch=1, path=name, kind="best"))
    listed = retention.names

    def names(folder: Any, base: Path | None) -> list[str]:
        if folder.name == "000000":
            raise StorageError("503")
        return listed(folder, base)

    monkeypatch.setattr(retention, "names", names)
    coordinator._books.retention.delete_orphans()
    assert (journal.folder.path / name).exists()
    journal.close()


@pytest.mark.parametrize("failing", [False, True])
def test_a_journal_cut_after_any_line_is_gone_on_with_soundly(tmp_path: Path, failing: bool) -> None:
    """A write of several lines may be cut by a power failure; what was decided stays decided."""

    def curve(params: dict[str, Any], epoch: int) -> float:
        if params["learning_rate"] > 0.05:
            return math.nan
        if failing and params["batch_size"] == 32:
            raise RuntimeError("no such model")
        return accuracy(params, epoch)

    whole = new_sweep(tmp_path / "whole", make_spec(num_trials=6))
    coordinator = coordinator_of(whole)
    assert SimulatedCluster(coordinator, curve, slots=2).run()
    coordinator.close()
    whole.close()
    lines = whole.folder.journal.read_bytes().splitlines(keepends=True)
    for cut in range(2, len(lines)):
        folder = SweepFolder(tmp_path / f"cut-{cut}")
        folder.checkpoints.mkdir(parents=True)
        folder.journal.write_bytes(b"".join(lines[:cut]))
        journal = Journal(folder)
        if any(isinstance(event, ev.SweepEnded) for event in journal.events):
            journal.close()
            continue
        journal.append(ev.SweepResumed(changes={}))
        again = coordinator_of(journal)
        assert SimulatedCluster(again, curve, slots=2).run()
        again.close()
        journal.close()
        sweep = check_history(folder)
        for trial in sweep.trials.values():
            assert [epoch.decision for epoch in trial.epochs[:-1]] == ["continue"] * (trial.epochs_trained - 1)
            assert trial.epochs_trained <= 27 and trial.failures <= 3


def test_a_finished_sweep_is_finished_whatever_stopped_it_last(tmp_path: Path) -> None:
    whole = run_sweep(tmp_path / "a", seed=4)
    sweep = run_sweep(tmp_path / "b", seed=4, spec=make_spec(budget={"epochs": whole.num_epochs}))
    assert sweep.ended is not None and sweep.ended.state == "finished"


@pytest.mark.parametrize(
    ("cause", "exit_code"),
    [("storage", 4), ("data", 2), ("code", 2)],  # a full disk, data or code that were changed
)
def test_what_no_trial_can_go_on_with_stops_the_sweep_and_blames_no_trial(
    tmp_path: Path, cause: str, exit_code: int
) -> None:
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    coordinator.next_trial()
    failure = Failure(cause, "x: cannot be used: No space left on device", "")
    assert coordinator.report(Report(0, 1, "here", 1, (), 0, failure=failure)) is False
    coordinator.release(0)
    assert coordinator.finished and coordinator.next_trial() is None
    assert coordinator.fatal is not None and coordinator.fatal.exit_code == exit_code
    assert coordinator.sweep.trials[0].failures == 0
    journal.close()


def test_no_trial_ends_without_the_weights_that_a_full_disk_did_not_take(tmp_path: Path) -> None:
    """The journal's few lines may still find room. The sweep stops, and the next driver trains these epochs again."""
    journal = new_sweep(tmp_path, make_spec(epochs={"max": 1}))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    last = TrainedEpoch(1, {"loss": 0.2, "val_loss": 0.1, "val_accuracy": 0.9}, 0.1)
    failure = Failure("storage", "x.npz: cannot be written: No space left on device", "")
    assert coordinator.report(Report(0, 1, "here", 1, (), 0, epochs=(last,), failure=failure)) is False
    assert coordinator.fatal is not None and coordinator.sweep.trials[0].outcome is None
    coordinator.release(0)
    coordinator.close()
    journal.close()
    assert [trial.number for trial in check_history(journal.folder).unfinished] == [0]


def test_an_ended_trial_that_has_no_weights_is_told_and_logged(tmp_path: Path) -> None:
    notes: list[str] = []
    logged: list[str] = []
    journal = new_sweep(tmp_path, make_spec(epochs={"max": 1}))
    coordinator = Coordinator(make_spec(epochs={"max": 1}), journal, log=logged.append, note=notes.append)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    last = TrainedEpoch(1, {"loss": 0.2, "val_loss": 0.1, "val_accuracy": 0.9}, 0.1)
    failure = Failure("error", "ValueError: no test data", "Traceback")
    assert coordinator.report(Report(0, 1, "here", 1, (), 0, epochs=(last,), failure=failure)) is False
    assert coordinator.sweep.trials[0].outcome == "completed" and coordinator.sweep.trials[0].failures == 0
    assert logged == ["trial 0, attempt 1: Traceback"]
    assert notes == ["trial 0 has ended, but its weights may be missing: ValueError: no test data"]
    journal.close()


def test_a_warning_is_told_once_a_sweep_whichever_trials_print_it(tmp_path: Path) -> None:
    notes: list[str] = []
    journal = new_sweep(tmp_path, make_spec())
    coordinator = Coordinator(make_spec(), journal, log=lambda line: None, note=notes.append)
    coordinator.set_slots(2)
    for trial, warnings in enumerate([("UserWarning: a",), ("UserWarning: a", "tensorflow:b" * 1000)]):
        assert coordinator.next_trial() is not None
        coordinator.report(Report(trial, 1, "here", 1, (), 0, warnings=warnings))
    assert notes[0] == "trial 0 warns: UserWarning: a"
    assert len(notes) == 2 and notes[1].startswith("trial 1 warns: tensorflow:b") and len(notes[1]) < 2100
    journal.close()


def test_a_missing_metric_and_what_fails_after_it_are_one_failure(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(failures={"max_retries": 1}))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    failure = Failure("error", "ValueError: no such layer", "")
    report = Report(0, 1, "here", 1, (), 0, epochs=(TrainedEpoch(1, {"loss": 0.2}, 0.1),), failure=failure)
    assert coordinator.report(report) is False
    trial = coordinator.sweep.trials[0]
    assert trial.failures == 1 and trial.last_failure is not None and "no metric" in trial.last_failure.reason
    journal.close()


def test_a_sweep_whose_last_trial_the_journal_did_not_take_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is a shorter line, for which a full disk may still have room."""
    journal = new_sweep(tmp_path, make_spec(num_trials=2))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    coordinator._end(coordinator.sweep.trials[0], TrialEnd("cancelled", ""))
    coordinator.release(0)

    def refuse(*events: ev.AnyEvent) -> list[ev.AnyEvent]:
        raise StorageError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", refuse)
        with pytest.raises(StorageError):
            coordinator.next_trial()
    coordinator.stop("the driver failed")
    coordinator.close()
    journal.close()
    sweep = fold(read_events(journal.folder))
    assert sweep.ended is None and sweep.interrupted is not None and len(sweep.trials) == 1


def test_without_a_slot_one_trial_waits_and_the_sweep_says_so(tmp_path: Path) -> None:
    notes: list[str] = []
    journal = new_sweep(tmp_path, make_spec(num_trials=5))
    coordinator = Coordinator(make_spec(num_trials=5), journal, log=lambda line: None, note=notes.append)
    coordinator.set_slots(0)
    assert coordinator.wanted_slots == 5 and coordinator.next_trial() is not None
    assert coordinator.next_trial() is None and coordinator.wanted_slots == 5
    assert (coordinator.slots, coordinator.sweep.slots, coordinator.busy) == (0, 0, 0)
    slot, nodes = Slot(4, 0), [{"CPU": 0.0}, {"memory": 1.0}]
    coordinator.set_slots(0, slot.lacking(nodes))  # workers join, each too small
    for _ in range(2):
        nodes.append({"CPU": 2.0})
        coordinator.set_slots(0, slot.lacking(nodes))
    assert notes == [
        "no node has room for a trial: the sweep waits for one",
        "no node has room for a trial, which takes 4 CPUs and 0 GPUs (nodes have 2 CPUs and 0 GPUs): the sweep waits"
        " for one",
    ]
    coordinator.set_slots(2)
    assert coordinator.busy == 1 and coordinator.next_trial() is not None and coordinator.next_trial() is None
    coordinator.waiting = 1  # others use the cluster, too
    assert coordinator.busy == 1
    coordinator.stop("enough")
    assert coordinator.wanted_slots == 0
    coordinator.close()
    journal.close()
