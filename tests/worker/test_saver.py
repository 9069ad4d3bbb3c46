"""Checkpoints on their way to storage: beside the training, pruned, and told only once they are there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tuner.base.errors import StorageError
from tuner.engine.messages import SavedCheckpoint
from tuner.storage import AnyPath, SweepFolder, write_atomically
from tuner.worker.saver import CheckpointSaver


class Snapshot:
    def to_bytes(self) -> bytes:
        return b"weights"


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    folder = SweepFolder(tmp_path / "sweep")
    (folder.path / "checkpoints").mkdir(parents=True)
    return folder


def saved(folder: SweepFolder, epoch: int, kind: str = "full", trial: int = 3) -> SavedCheckpoint:
    return SavedCheckpoint(trial, epoch, folder.checkpoint(trial, 1, epoch, kind), epoch, kind)


def names(folder: SweepFolder) -> list[str]:
    return sorted(path.name[:11] for path in folder.trial_checkpoints(3).iterdir())  # type: ignore[attr-defined]


def test_a_checkpoint_is_told_once_it_is_on_storage(folder: SweepFolder) -> None:
    goes_on = threading.Event()

    def slow(path: AnyPath, data: bytes) -> None:
        goes_on.wait(10)
        write_atomically(path, data)

    saver = CheckpointSaver(folder, slow)
    saver.save(saved(folder, 1), Snapshot())
    assert saver.is_busy and saver.taken() == [] and saver.taken(0.05) == []
    goes_on.set()
    [done] = saver.taken(10)
    assert (folder.path / done.path).read_bytes() == b"weights" and done.write_s > 0
    assert not saver.is_busy and saver.taken() == []


def test_of_each_kind_the_newest_stay_and_other_attempts_are_left_alone(folder: SweepFolder) -> None:
    saver = CheckpointSaver(folder)
    for epoch in (1, 2, 3, 4):
        saver.save(saved(folder, epoch), Snapshot())
        saver.save(saved(folder, epoch, "best"), Snapshot())
    assert len(saver.taken(10)) == 8
    assert names(folder) == ["best-000004", "full-000002", "full-000003", "full-000004"]
    saver.begin_trial()
    saver.save(saved(folder, 5), Snapshot())
    assert len(saver.taken(10)) == 1 and len(names(folder)) == 5


def test_a_refused_write_is_told_as_storage_and_a_removed_sweep_stays_removed(folder: SweepFolder) -> None:
    def full(path: AnyPath, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    saver = CheckpointSaver(folder, full)
    saver.save(saved(folder, 1), Snapshot())
    with pytest.raises(StorageError, match="No space left"):
        saver.taken(10)
    (folder.path / "checkpoints" / "000003").rmdir()
    (folder.path / "checkpoints").rmdir()
    saver = CheckpointSaver(folder)
    saver.save(saved(folder, 2), Snapshot())
    with pytest.raises(StorageError, match="No such file or directory"):
        saver.taken(10)
    assert not (folder.path / "checkpoints").exists()


def test_a_refused_write_is_told_before_what_has_arrived_where_a_report_waits_for_all(folder: SweepFolder) -> None:
    """It may be the last one of its trial, which must not end without the weights that were to stay."""

    def no_best(path: AnyPath, data: bytes) -> None:
        if path.name.startswith("best"):
            raise OSError(28, "No space left on device")
        write_atomically(path, data)

    saver = CheckpointSaver(folder, no_best)
    for kind in ("full", "best"):
        saver.save(saved(folder, 1, kind), Snapshot())
    with pytest.raises(StorageError, match="No space left"):
        saver.taken(None)
    assert [done.kind for done in saver.taken(10)] == ["full"]
    for kind in ("full", "best"):
        saver.save(saved(folder, 2, kind), Snapshot())
    assert [done.kind for done in saver.taken(10)] == ["full"]
    with pytest.raises(StorageError, match="No space left"):
        saver.taken()
