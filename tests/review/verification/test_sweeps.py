"""The shell around the pure checks: a sweep on disk, recorded by the real recorder, read back and verified."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.review.verification.made import Made, make
from tests.review.verification.test_files import checkpoint_bytes
from tuner.cli.app import app
from tuner.review.verification import Finding, Verification, verify_sweep
from tuner.storage import StorageRoot, SweepFolder, delete, write_atomically
from tuner.storage.journal import Journal, create_sweep
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def write(made: Made, folder: SweepFolder) -> None:
    """Puts a made sweep onto the disk."""
    folder.path.mkdir(parents=True)
    folder.journal.write_bytes(b"".join(ev.encode(event) for event in made.events))
    for path, file in made.files.items():
        target = folder.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(checkpoint_bytes(file.epoch, file.best_epoch, file.num_state, file.num_best))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    """A finished sweep on disk, recorded in SQLite."""
    from tuner.recording import record

    folder = StorageRoot(tmp_path_factory.mktemp("recorded")).sweep("test")
    write(make(num_trials=12), folder)
    record(folder)
    return folder


@pytest.fixture
def folder(recorded: SweepFolder, tmp_path: Path) -> SweepFolder:
    """A copy of it, to be damaged."""
    shutil.copytree(recorded.root.path, tmp_path / "root")
    return StorageRoot(tmp_path / "root").sweep("test")


def execute(folder: SweepFolder, statement: str) -> None:
    """Changes the tracking database behind MLflow's back."""
    connection = sqlite3.connect(folder.root.path / "mlflow.db")
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()


def test_a_sound_sweep_has_no_violation_and_everything_is_counted(recorded: SweepFolder) -> None:
    made = make(num_trials=12)
    verified = verify_sweep(recorded, made.events[:50])
    assert verified.findings == [] and verified.ok and not verified.skipped
    epochs = sum(isinstance(event, ev.EpochReported) for event in made.events)
    assert verified.counts == {
        "events": len(made.events),
        "trials": 12,
        "epochs": epochs,
        "decisions": 12 + epochs,
        "observations": 12,
        "attempts": sum(isinstance(event, ev.TrialStarted) for event in made.events),
        "epochs_trained_twice": verified.counts["epochs_trained_twice"],
        "metric_rows": sum(len(run.rows) for run in made.runs),
        "runs": 13,
        "checkpoints": 3,
    }
    assert verified.counts["epochs_trained_twice"] > 0


def only(verified: Verification) -> Finding:
    [finding] = verified.findings
    return finding


def test_a_lost_row_and_a_second_run_in_the_database_are_told(folder: SweepFolder) -> None:
    run = "select run_uuid from runs where name like 'trial 3 ·%'"
    execute(folder, f"delete from metrics where key = 'loss' and step = 1 and run_uuid = ({run})")
    finding = only(verify_sweep(folder))
    assert finding.kind == "lost" and finding.message.startswith("trial 3: row loss ")
    assert verify_sweep(folder, mlflow=False).ok

    execute(folder, f"update runs set status = 'RUNNING' where run_uuid = ({run})")
    execute(folder, f"update params set value = '33' where key = 'batch_size' and run_uuid = ({run})")
    messages = [finding.message for finding in verify_sweep(folder).findings]
    assert any("run is RUNNING, but must be" in message for message in messages)
    assert any("param batch_size is '33'" in message for message in messages)

    execute(folder, f"update runs set lifecycle_stage = 'deleted' where run_uuid = ({run})")
    assert only(verify_sweep(folder)).message == "trial 3 has no run"


def test_a_nan_is_read_back_as_one(folder: SweepFolder) -> None:
    execute(folder, "update metrics set is_nan = 1, value = 0 where key = 'loss' and step = 1")
    assert {finding.invariant for finding in verify_sweep(folder).findings} == {"mlflow"}


def test_a_store_that_is_away_is_told(folder: SweepFolder) -> None:
    (folder.root.path / "mlflow.db").unlink()
    finding = only(verify_sweep(folder))
    assert finding.invariant == "mlflow" and "there is no such file" in finding.message
    assert not (folder.root.path / "mlflow.db").exists()


def test_a_backlog_is_told(folder: SweepFolder) -> None:
    folder.cursor.unlink()
    assert "events are not recorded; `tuner record test`" in only(verify_sweep(folder)).message


def test_files_that_are_missing_damaged_or_too_many_are_told(folder: SweepFolder) -> None:
    files = sorted(folder.checkpoints.rglob("*.npz"))
    assert len(files) == 3
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-50])
    (files[2].parent / ".best.npz.1.tmp").write_bytes(b"")
    (folder.path / ".spec.yaml.1.tmp").write_bytes(b"")
    messages = [f"{finding.invariant}: {finding.kind}" for finding in verify_sweep(folder).findings]
    assert sorted(messages) == ["checkpoints: lost"] * 2 + ["checkpoints: wrong"] * 2


def test_a_damaged_journal_is_one_finding(folder: SweepFolder) -> None:
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join([*lines[:9], b"{\n", *lines[10:]]))
    verified = verify_sweep(folder)
    assert only(verified).invariant == "events" and "damaged line" in verified.findings[0].message
    folder.journal.write_bytes(b"".join([*lines[:9], *lines[10:]]))
    assert {finding.invariant for finding in verify_sweep(folder).findings} >= {"events"}


def verify(folder: SweepFolder, *options: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, ["verify", "test", "--storage", str(folder.root.path), *options])


def test_the_command_says_what_holds_and_what_does_not(folder: SweepFolder) -> None:
    done = verify(folder)
    assert done.exit_code == 0, done.stderr
    assert "mlflow" in done.stdout and "13 runs" in done.stdout and "all that was looked at holds" in done.stderr

    sorted(folder.checkpoints.rglob("*.npz"))[0].unlink()
    done = verify(folder, "--json")
    assert done.exit_code == 4
    data = json.loads(done.stdout)
    assert list(data) == ["sweep", "ok", "counts", "findings", "skipped"]
    assert data["ok"] is False and data["findings"][0]["invariant"] == "checkpoints"
    assert "sweep test: 1 violation" in done.stderr
    done = verify(folder)
    assert done.exit_code == 4 and "is missing, which trial" in done.stdout

    folder.journal.write_bytes(b"{\n" + folder.journal.read_bytes())
    done = verify(folder)
    assert done.exit_code == 4 and "skipped, as the journal cannot be read" in done.stdout


def test_a_sweep_that_a_driver_works_on_is_verified_by_its_journal_alone(folder: SweepFolder) -> None:
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join(lines[:-1]))  # not ended
    journal = Journal(folder)
    verified = verify_sweep(folder)
    journal.close()
    assert verified.ok and set(verified.skipped) == {"mlflow", "checkpoints"}
    assert "a driver is running the sweep" in verified.skipped["mlflow"]
    assert not verify_sweep(folder).skipped


def test_a_sweep_on_an_object_store_is_verified_alike(s3_root: str) -> None:
    made = make(num_trials=12)
    folder = StorageRoot.resolve(s3_root).sweep("test")
    started = made.events[0]
    assert isinstance(started, ev.SweepStarted)
    journal = create_sweep(folder, "", started)
    journal.append(*made.events[1:])
    journal.close()
    for path, file in made.files.items():
        data = checkpoint_bytes(file.epoch, file.best_epoch, file.num_state, file.num_best)
        write_atomically(folder.path / path, data)
    verified = verify_sweep(folder, mlflow=False)
    assert verified.ok and verified.counts["checkpoints"] == 3
    delete(folder.path / next(iter(made.files)))
    finding = only(verify_sweep(folder, mlflow=False))
    assert (finding.invariant, finding.kind) == ("checkpoints", "lost")
