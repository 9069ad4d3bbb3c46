"""Copies of sweeps: whole or not at all, of a beginning that holds together, and nobody else's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.simulation import make_spec
from tuner.base.errors import NameTakenError, SpecError, StorageError, TunerError, UsageError
from tuner.engine import copying
from tuner.engine.copying import copy_sweep
from tuner.spec import dump_yaml, spec_from_mapping
from tuner.spec.reading import read_yaml
from tuner.storage import AnyPath, StorageRoot, SweepFolder, delete, exists, names, read_bytes, write_atomically
from tuner.storage.identity import root_id
from tuner.storage.journal import Journal, create_sweep, read_events, read_holder
from tuner.storage.journal.journal import read_lines
from tuner.sweep import events as ev

PATH = "checkpoints/{:06d}/full-000001-attempt-001-1.npz"
SERVER = "http://127.0.0.1:9"


def suggested(trial: int) -> ev.TrialSuggested:
    return ev.TrialSuggested(trial=trial, params={"learning_rate": 0.001}, origin="random")


def write(path: AnyPath, data: bytes = b"weights") -> None:
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)


def made(root: StorageRoot, name: str = "old", **spec: Any) -> Journal:
    """A sweep of three trials with a checkpoint each, and one that is deleted."""
    resolved = make_spec(name=name, **{"tracking__uri": SERVER} | spec)
    started = ev.SweepStarted(spec=resolved.resolved(), versions={"tuner": "1"}, seed=3, sweep_id="0" * 32)
    journal = create_sweep(root.sweep(name), dump_yaml(resolved.resolved()), started)
    for trial in range(3):
        journal.append(suggested(trial))
        saved(journal, trial, f"weights of {trial}".encode())
    journal.append(ev.TrialEnded(trial=1, outcome="stopped", reason=""), ev.CheckpointsDeleted(trial=1))
    delete(journal.folder.path / PATH.format(1))
    return journal


def saved(journal: Journal, trial: int, data: bytes) -> None:
    write(journal.folder.path / PATH.format(trial), data)
    journal.append(ev.CheckpointSaved(trial=trial, epoch=1, path=PATH.format(trial), best_epoch=1))


def files(folder: SweepFolder) -> list[str]:
    """The checkpoints of a sweep."""
    return [f"{one}/{name}" for one in names(folder.checkpoints) for name in names(folder.checkpoints / one)]


@pytest.fixture(params=["disk to disk", "disk to memory", "memory to disk", "memory to memory"])
def roots(request: pytest.FixtureRequest, tmp_path: Path, memory_root: str) -> tuple[StorageRoot, StorageRoot]:
    places = (
        {"disk": str(tmp_path / name), "memory": f"{memory_root}/{name}"}[kind]
        for kind, name in zip(request.param.split(" to "), ("one", "two"), strict=True)
    )
    old, new = (StorageRoot.resolve(place) for place in places)
    return old, new


def test_a_copy_is_a_sweep_of_its_own(roots: tuple[StorageRoot, StorageRoot]) -> None:
    says_where = not roots[1].is_remote  # no spec may name a store in memory
    journal = made(roots[0], storage="./sweeps" if says_where else None)
    for name, data in {"model.py": b"x = 1", "deep/er.py": b"", "__pycache__/model.pyc": b"\0"}.items():
        write(journal.folder.code / name, data)
    write(journal.folder.cursor, b'{"run_id": "of the original"}')
    before = read_events(journal.folder)
    copied = copy_sweep(journal.folder, roots[1], "new")
    new = copied.folder
    journal.close()
    events = read_events(new)
    assert events[1:] == before[1:] and read_events(journal.folder) == before
    first = events[0]
    assert isinstance(first, ev.SweepStarted) and isinstance(before[0], ev.SweepStarted)
    assert first.sweep_id not in ("", before[0].sweep_id) and (first.at, first.seq) == (before[0].at, 0)
    assert (first.root_id, first.url) == (root_id(roots[1]), new.url)
    assert first.copied_from == {"sweep": "old", "sweep_id": "0" * 32, "url": journal.folder.url, "events": len(before)}
    assert first.spec == {**before[0].spec, "name": "new", "storage": roots[1].url if says_where else None}
    assert read_bytes(new.spec) == dump_yaml(spec_from_mapping(first.spec).resolved()).encode()
    assert files(new) == ["000000/full-000001-attempt-001-1.npz", "000002/full-000001-attempt-001-1.npz"]
    assert read_bytes(new.path / PATH.format(2)) == b"weights of 2"
    assert read_bytes(new.code / "model.py") == b"x = 1" and read_bytes(new.code / "deep" / "er.py") == b""
    assert (copied.checkpoints, copied.missing, copied.sweep.name) == (2, (), "new")
    assert not exists(new.cursor) and read_holder(new) is None
    assert [sweep.name for sweep in roots[1].sweeps()] == ["new"]
    assert all(not name.startswith(".new") for name in names(roots[1].path))
    again = Journal(new)
    assert again.append(suggested(3))[0].seq == len(before)
    again.close()
    assert read_events(journal.folder) == before


def test_a_copy_of_a_copy_belongs_to_itself(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path)
    made(root).close()
    journal = Journal(root.sweep("old"))
    journal.append(ev.SweepResumed(changes={"num_trials": 31}, root_id="another", url="/elsewhere/old"))
    journal.close()
    for old, new in (("old", "new"), ("new", "newer")):
        sweep = copy_sweep(root.sweep(old), root, new).sweep
        assert (sweep.url, sweep.root_id, sweep.num_trials) == (root.sweep(new).url, root_id(root), 31)
        assert sweep.copied_from["sweep"] == old
        assert read_yaml(tmp_path / new / "spec.yaml")["num_trials"] == 31
        [first, *_] = read_events(root.sweep(new))
        assert isinstance(first, ev.SweepStarted) and first.spec["num_trials"] == 30


def test_what_a_newer_version_put_into_events_is_copied(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path)
    made(root).close()
    journal = tmp_path / "old" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'{"event"', b'{"digest":{"a":[1]},"event"'))
    copy_sweep(root.sweep("old"), root, "new")
    first, *rest = (tmp_path / "new" / "journal.jsonl").read_bytes().splitlines()
    assert msgspec.json.decode(first)["digest"] == {"a": [1]}
    assert rest == journal.read_bytes().splitlines()[1:]


def test_a_misnamed_folder_and_a_torn_line_are_no_obstacle(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path)
    made(root).close()
    shutil.copytree(tmp_path / "old", tmp_path / "old copy (1)")
    with open(tmp_path / "old copy (1)" / "journal.jsonl", "ab") as file:
        file.write(b'{"event":"trial_sug')
    copied = copy_sweep(root.sweep("old copy (1)"), root, "new")
    assert read_events(copied.folder)[1:] == read_events(root.sweep("old"))[1:]
    assert copied.sweep.copied_from["sweep"] == "old"


def test_a_long_journal_on_an_object_store_is_one_object(memory_root: str) -> None:
    root = StorageRoot.resolve(memory_root)
    journal = made(root)
    for trial in range(3, 60):
        journal.append(suggested(trial))
    copied = copy_sweep(journal.folder, root, "new")
    journal.close()
    assert names(copied.folder.segments) == [f"000000000000-{copied.sweep.num_events - 1:012d}.jsonl"]
    assert read_events(copied.folder)[1:] == read_events(journal.folder)[1:]


def test_a_sweep_that_has_only_begun(roots: tuple[StorageRoot, StorageRoot]) -> None:
    spec = make_spec(name="old", tracking__uri=SERVER).resolved()
    journal = create_sweep(roots[0].sweep("old"), "", ev.SweepStarted(spec=spec, versions={}, seed=0))
    copied = copy_sweep(journal.folder, roots[1], "new")
    journal.close()
    assert len(read_events(copied.folder)) == 1
    Journal(copied.folder).close()


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "../x", ".x", "x" * 101, "mlflow.db", "mlartifacts", "é"])
def test_a_copy_s_name_must_be_a_sweep_s(tmp_path: Path, name: str) -> None:
    root = StorageRoot(tmp_path / "root")
    made(root).close()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TunerError) as refused:
        copy_sweep(root.sweep("old"), root, name)
    assert isinstance(refused.value, SpecError) and str(refused.value).startswith("copy: name: must")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_there_is_not_touched(roots: tuple[StorageRoot, StorageRoot]) -> None:
    made(roots[0]).close()
    made(roots[1], "taken").close()
    write(roots[1].path / "folder" / "thesis.tex")
    for name, told in (("taken", "sweep taken exists in"), ("folder", "exists and is no sweep")):
        before = read_lines(roots[1].sweep("taken"))
        with pytest.raises(NameTakenError, match=rf"{told}.*; choose another name for the copy"):
            copy_sweep(roots[0].sweep("old"), roots[1], name)
        assert read_lines(roots[1].sweep("taken")) == before
    assert names(roots[1].path / "folder") == ["thesis.tex"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), StorageError("no room"), OSError(28, "No space left on device")]
)
@pytest.mark.parametrize("at", ["copy_file", "_write_journal"])
def test_a_copy_that_fails_leaves_nothing(
    roots: tuple[StorageRoot, StorageRoot], monkeypatch: pytest.MonkeyPatch, error: BaseException, at: str
) -> None:
    made(roots[0]).close()

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, StorageError, OSError)):
        patch.setattr(copying, at, fail)
        copy_sweep(roots[0].sweep("old"), roots[1], "new")
    assert roots[1].sweeps() == [] and set(names(roots[1].sweep("new").path)) <= {"lease"}
    assert [name for name in names(roots[1].path) if "new" in name.replace("lease", "")] in ([], ["new"])
    assert copy_sweep(roots[0].sweep("old"), roots[1], "new").checkpoints == 2


def test_checkpoints_that_are_deleted_meanwhile_are_named_no_more(
    roots: tuple[StorageRoot, StorageRoot], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = made(roots[0])
    copy_file, seen = copying.copy_file, []

    def slowly(source: AnyPath, target: AnyPath, name: str) -> bool:
        seen.append(name)
        if len(seen) == 1:  # of trial 0; trial 2's goes meanwhile, and another trial's comes
            journal.append(ev.TrialEnded(trial=2, outcome="stopped", reason=""), ev.CheckpointsDeleted(trial=2))
            delete(journal.folder.path / PATH.format(2))
            journal.append(suggested(3))
            saved(journal, 3, b"new")
        return copy_file(source, target, name)

    monkeypatch.setattr(copying, "copy_file", slowly)
    copied = copy_sweep(journal.folder, roots[1], "new")
    journal.close()
    assert copied.missing == () and len(read_events(copied.folder)) == len(read_events(journal.folder))
    assert files(copied.folder) == [
        name.format(trial) for trial in (0, 3) for name in [PATH.removeprefix("checkpoints/")]
    ]


def test_a_checkpoint_that_is_gone_is_passed_over_and_told(roots: tuple[StorageRoot, StorageRoot]) -> None:
    journal = made(roots[0])
    journal.close()
    delete(journal.folder.path / PATH.format(0))
    copied = copy_sweep(journal.folder, roots[1], "new")
    assert copied.missing == (PATH.format(0),) and copied.checkpoints == 1


def test_nothing_is_read_through_a_link_or_outside_of_the_folder(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path / "root")
    journal = made(root)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("of somebody else")
    folder = tmp_path / "root" / "old"
    (folder / "checkpoints" / "000007").symlink_to(secret)
    (folder / "checkpoints" / "000000" / "link.npz").symlink_to(secret / "key")
    (folder / "code").mkdir()
    (folder / "code" / "link.py").symlink_to(secret / "key")
    (folder / "code" / "deep").symlink_to(secret)
    os.mkfifo(folder / "checkpoints" / "000000" / "pipe.npz")
    journal.append(suggested(7))
    paths = ["checkpoints/000007/key", "checkpoints/000000/link.npz", "checkpoints/../../../secret/key", "/etc/passwd"]
    paths += ["checkpoints/000000/../000002/../../spec.yaml", "checkpoints", "spec.yaml", "checkpoints/000000/pipe.npz"]
    paths += ["checkpoints/a\0b"]
    for path in paths:
        journal.append(ev.CheckpointSaved(trial=7, epoch=1, path=path))
    journal.close()
    copied = copy_sweep(journal.folder, root, "new")
    assert copied.missing == (paths[-1],)
    new = tmp_path / "root" / "new"
    found = {path.relative_to(new).as_posix() for path in new.rglob("*") if not path.is_dir()}
    assert found == {"spec.yaml", "journal.jsonl", PATH.format(0), PATH.format(2)}
    (folder / "code" / "deep").unlink()
    shutil.rmtree(folder / "code")
    (folder / "code").symlink_to(secret)
    assert not copy_sweep(journal.folder, root, "newer").folder.code.exists()  # type: ignore[union-attr]


def test_a_copy_without_a_tracking_store_is_refused_with_the_way_on(tmp_path: Path, memory_root: str) -> None:
    root = StorageRoot(tmp_path)
    made(root, tracking__uri=None).close()
    with pytest.raises(UsageError, match=r"must be a server when the storage is an object store.*--set tracking\.uri="):
        copy_sweep(root.sweep("old"), StorageRoot.resolve(memory_root), "new")
    assert names(StorageRoot.resolve(memory_root).path) == []


def test_an_empty_journal_cannot_be_copied(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "journal.jsonl").touch()
    with pytest.raises(StorageError, match="the journal is empty"):
        copy_sweep(StorageRoot(tmp_path).sweep("old"), StorageRoot(tmp_path), "new")


@pytest.mark.slow
def test_between_a_disk_and_s3(tmp_path: Path, s3_root: str) -> None:
    here, there = StorageRoot(tmp_path / "sweeps"), StorageRoot.resolve(s3_root)
    journal = made(here)
    write(journal.folder.code / "deep" / "model.py", b"x = 1")
    journal.close()
    up = copy_sweep(journal.folder, there, "up")
    across = copy_sweep(up.folder, there, "across")
    down = copy_sweep(across.folder, here, "down")
    for copied in (up, across, down):
        assert copied.missing == () and copied.checkpoints == 2
        assert read_events(copied.folder)[1:] == read_events(journal.folder)[1:]
        assert read_bytes(copied.folder.code / "deep" / "model.py") == b"x = 1"
        again = Journal(copied.folder)
        again.append(suggested(9))
        again.close()
    assert len({read_lines(one.folder)[1][0] for one in (up, across, down)}) == 3
