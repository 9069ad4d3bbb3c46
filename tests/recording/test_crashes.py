"""However often and wherever the recorder dies, MLflow ends up with the same, once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pytest

from tuner.base.errors import TrackingError, UsageError
from tuner.recording import Cursor, read_cursor, record, service
from tuner.recording.cursor import write_cursor
from tuner.storage import StorageRoot
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Database, Story

pytestmark = [pytest.mark.slow(8), pytest.mark.filterwarnings("ignore")]

NUM_TRIALS = 25


def tell(story: Story) -> None:
    """A sweep with all that can happen in it."""
    for trial in range(NUM_TRIALS):
        values = [0.25 + (trial * 7 % 40 + epoch) / 100 for epoch in range(trial % 9)]
        story.trial(trial, [*values, None] if trial % 5 == 4 else values, "diverged" if trial % 5 == 4 else "completed")
    story.suggest(NUM_TRIALS)
    story.add(ev.SweepInterruptedEvent(reason="Ctrl-C"), ev.SweepResumed(changes={}))
    story.epoch(NUM_TRIALS, 1, 0.96875)
    story.add(ev.CheckpointSaved(trial=NUM_TRIALS, epoch=1, path="p", best_epoch=1, test={"accuracy": 0.5}))
    story.end(NUM_TRIALS, "completed")
    story.add(ev.SweepEnded(reason="all trials ended"))


@pytest.fixture(scope="module")
def expected(
    new_story: type[Story], new_database: type[Database], empty_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[Any, ...]]]:
    """What a recorder that nothing happens to records."""
    root = StorageRoot(tmp_path_factory.mktemp("expected"))
    shutil.copy(empty_database, root.path / "mlflow.db")
    story = new_story(root.sweep("s"))
    tell(story)
    record(story.folder)
    everything = new_database(root.path / "mlflow.db").everything()
    assert len(everything["runs"]) == NUM_TRIALS + 2
    return everything


def kill_after(story: Story, delay_s: float) -> bool:
    """Records in a process that is killed after a time; true if it was at work until then."""
    pid = os.fork()
    if pid == 0:
        record(story.folder)
        os._exit(0)
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("forget", [False, True])
def test_killed_again_and_again(recorded: Story, database: Database, expected: dict[str, Any], forget: bool) -> None:
    tell(recorded)
    chance = random.Random(1)
    num_killed = sum(_kill_and_forget(recorded, chance, forget) for _ in range(6))
    assert num_killed > 2
    record(recorded.folder)
    assert database.everything() == expected
    assert read_cursor(recorded.folder).seq == len(recorded.events)


def _kill_and_forget(story: Story, chance: random.Random, forget: bool) -> bool:
    killed = kill_after(story, chance.uniform(0.03, 0.4))
    if forget:
        story.folder.cursor.unlink(missing_ok=True)
    return killed


@pytest.mark.parametrize("seq", [1, 57, 10_000])
def test_a_cursor_of_another_time_does_no_harm(
    recorded: Story, database: Database, expected: dict[str, Any], seq: int
) -> None:
    tell(recorded)
    record(recorded.folder)
    cursor = read_cursor(recorded.folder)
    trials = {trial: run_id for trial, run_id in cursor.trials.items() if trial < seq // 8}
    fields = {"uri": cursor.uri, "experiment_id": cursor.experiment_id, "run_id": cursor.run_id}
    write_cursor(recorded.folder, Cursor(**fields, trials=trials, seq=seq, offset=seq))
    record(recorded.folder)
    assert database.everything() == expected


@pytest.mark.parametrize("answer_lost", [False, True])
def test_requests_that_fail_before_or_after_the_deed(
    recorded: Story,
    database: Database,
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    answer_lost: bool,
) -> None:
    from mlflow import MlflowClient

    chance = random.Random(3)
    failed = []

    def unreliable(name: str) -> None:
        original = getattr(MlflowClient, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            fails = chance.random() < 0.2
            if fails and not answer_lost:
                failed.append(name)
                raise ConnectionError("refused")
            result = original(*args, **kwargs)
            if fails:
                failed.append(name)
                raise ConnectionError("no answer")
            return result

        monkeypatch.setattr(MlflowClient, name, call)

    for name in ("create_run", "log_batch", "set_terminated", "update_run", "search_runs", "create_experiment"):
        unreliable(name)
    monkeypatch.setattr(service, "BACKOFF_S", 0.001)
    monkeypatch.setattr(service, "BACKOFF_MAX_S", 0.001)
    tell(recorded)
    record(recorded.folder)
    assert {"create_run", "log_batch"} <= set(failed)
    assert database.everything() == expected


def test_a_run_that_appears_twice_is_deleted_once(recorded: Story, database: Database) -> None:
    from mlflow import MlflowClient

    recorded.trial(0, [0.5])
    record(recorded.folder)
    cursor = read_cursor(recorded.folder)
    client = MlflowClient(cursor.uri)
    tags = {"tuner.sweep_id": "id-s", "tuner.trial": "0"}
    client.create_run(cursor.experiment_id, tags=tags, run_name="trial 0")
    recorded.trial(1, [0.5])
    record(recorded.folder)
    assert set(database.runs()) == {"s", "trial 0", "trial 1"}
    assert read_cursor(recorded.folder).trials[0] == cursor.trials[0]


def test_two_recorders_never_work_at_once(story: Story) -> None:
    shutdown = service.Shutdown(0)
    shutdown.ask()
    with filelock.FileLock(story.folder.recorder_lock):
        with pytest.raises(
            TrackingError, match="1 event is not recorded in MLflow: another recorder is already running"
        ):
            service.serve(story.folder, shutdown)
        with pytest.raises(UsageError, match="a recorder is already running"):
            record(story.folder)
