"""What a sweep's end deletes: its own left-over checkpoints, and nothing else, whatever lies and leads where."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.test_retention import KEEP, NAMES, UNFINISHED, sweep_of
from tests.objectstore import S3Server
from tests.planting import outside_tree, seen
from tuner.base.errors import StorageError
from tuner.engine.retention import Retention
from tuner.storage import StorageRoot, SweepFolder
from tuner.sweep import events as ev

OWN = [*NAMES.values(), "full-000002-attempt-001-7.npz", "best-1000000-attempt-012-99.npz", UNFINISHED]
FOREIGN = [
    "notes.txt", "full.npz", "full-2-attempt-001-7.npz", ".hidden", "full-000001-attempt-001-7.npz.bak", "000002",
    "..npz", ".notes.txt.7-8.tmp", "full-000001-attempt-001-x.npz", "-rf", "a b\nc", "\udce9.npz",
]  # fmt: skip
FOLDERS = ["000000", "000001", "000007", "1000000", "zz", "7", "0000007", "notes"]
KINDS = ["file", "folder", "link to a file", "link to a folder", "link to nothing", "loop", "pipe", "hard link"]

things = st.tuples(st.sampled_from(OWN + FOREIGN), st.sampled_from(KINDS))
trees = st.dictionaries(
    st.sampled_from(FOLDERS),
    st.one_of(st.lists(things, max_size=5, unique_by=lambda thing: thing[0]), st.sampled_from(KINDS[2:])),
    max_size=5,
)


def plant(path: Path, kind: str, outside: Path) -> None:
    if kind == "file":
        path.write_bytes(b"planted")
    elif kind == "folder":
        path.mkdir()
        (path / NAMES["full"]).write_bytes(b"within")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "hard link":
        os.link(outside / NAMES["full"], path)
    else:
        targets = {"link to a file": outside / NAMES["full"], "link to a folder": outside, "loop": path}
        path.symlink_to(targets.get(kind, outside / "none"))


@given(trees)
@settings(max_examples=150, deadline=None)
def test_own_orphans_go_and_all_else_stays(tree: dict[str, list[tuple[str, str]] | str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        outside, folder = outside_tree(Path(scratch) / "outside"), SweepFolder(Path(scratch) / "sweeps" / "test")
        checkpoints = Path(str(folder.checkpoints))
        checkpoints.mkdir(parents=True)
        for name, content in tree.items():
            if isinstance(content, str):
                plant(checkpoints / name, content, outside)
                continue
            (checkpoints / name).mkdir()
            for inner, kind in content:
                plant(checkpoints / name / inner, kind, outside)
        before, beside = seen(outside), everything(checkpoints)
        sweep = sweep_of(0.5, 0.4)
        named = {saved.path for trial in sweep.trials.values() for saved in trial.checkpoints}
        told = Retention(folder, KEEP, sweep).delete_orphans()
        assert seen(outside) == before
        assert all("\n" not in line for line in told)
        gone = beside - everything(checkpoints)
        expected = {
            f"{name}/{inner}"
            for name, content in tree.items()
            if name in ("000000", "000001", "000007", "1000000") and not isinstance(content, str)
            for inner, kind in content
            if inner in OWN and kind in ("file", "hard link") and f"checkpoints/{name}/{inner}" not in named
        }
        assert {path for path in gone if "/" in path} == expected
        emptied = {path for path in gone if "/" not in path}
        assert all(not any(path.startswith(f"{name}/") for path in everything(checkpoints)) for name in emptied)
        assert emptied <= {"000000", "000001", "000007", "1000000"}


def everything(folder: Path) -> set[str]:
    """Every name below a folder; links are names and no more."""
    return {
        os.path.relpath(os.path.join(at, name), folder) for at, dirs, files in os.walk(folder) for name in dirs + files
    }


def test_what_is_left_alone_is_told_in_a_few_lines(tmp_path: Path) -> None:
    outside, folder = outside_tree(tmp_path / "outside"), SweepFolder(tmp_path / "test")
    checkpoints = Path(str(folder.checkpoints))
    checkpoints.mkdir(parents=True)
    (checkpoints / "zz").symlink_to(outside)
    (checkpoints / "000009").symlink_to(outside)
    for name in "abc":
        (checkpoints / f"{name}.txt").touch()
    before = seen(outside)
    linked, alone = Retention(folder, KEEP, sweep_of(0.5)).delete_orphans()
    assert linked.startswith(f"{checkpoints}/000009: is a link to {outside}; nothing of a sweep is")
    what = "'a.txt', 'b.txt', 'c.txt' and 1 more left alone, as no checkpoint of the sweep's is called that"
    assert alone == f"{checkpoints}: {what}" and seen(outside) == before


def test_no_trial_s_end_deletes_through_a_link_and_no_path_in_a_journal_leads_out(tmp_path: Path) -> None:
    outside, folder = outside_tree(tmp_path / "outside"), SweepFolder(tmp_path / "test")
    checkpoints = Path(str(folder.checkpoints))
    checkpoints.mkdir(parents=True)
    (checkpoints / "000000").symlink_to(outside)
    before = seen(outside)
    sweep = sweep_of(0.5, 0.4)
    for path in ("../outside/thesis.txt", "/etc/hostname", "checkpoints/../../outside/thesis.txt", "s3://b/x"):
        sweep.apply(ev.CheckpointSaved(trial=0, epoch=1, path=path))
    kept = Retention(folder, KEEP, sweep)
    sweep.apply(ev.CheckpointsDeleted(trial=0))
    kept.delete(sweep.trials[0])
    kept.delete_orphans()
    assert seen(outside) == before


def test_a_trial_s_folder_that_becomes_a_link_while_it_is_emptied_leads_nowhere(tmp_path: Path) -> None:
    outside, folder = outside_tree(tmp_path / "outside"), SweepFolder(tmp_path / "test")
    place, aside = Path(str(folder.trial_checkpoints(1))), tmp_path / "aside"
    place.mkdir(parents=True)
    before = seen(outside)
    ends = threading.Event()

    def swap() -> None:
        while not ends.is_set():
            place.rename(aside)
            place.symlink_to(outside / "000001")
            place.unlink()
            aside.rename(place)

    thread = threading.Thread(target=swap)
    thread.start()
    kept = Retention(folder, KEEP, sweep_of())
    deleted = refused = 0
    until = time.monotonic() + 60
    try:
        while min(deleted, refused) < 20 and time.monotonic() < until:
            with suppress(OSError):
                handle = os.open(place, os.O_DIRECTORY | os.O_NOFOLLOW)
                os.close(os.open(NAMES["full"], os.O_CREAT | os.O_WRONLY, dir_fd=handle))
                os.close(handle)
            try:
                kept._delete("000001", set())
                deleted += 1
            except StorageError:
                refused += 1
    finally:
        ends.set()
        thread.join()
        kept.close()
    assert min(deleted, refused) > 0 and seen(outside) == before


@pytest.mark.slow
def test_in_an_object_store_nothing_outside_of_the_sweep_s_prefix_is_touched(s3_server: S3Server, s3_root: str) -> None:
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    client = s3_server.client()
    own = [f"test/checkpoints/000001/{name}" for name in OWN if not name.startswith(".")]
    named = f"test/checkpoints/000000/{NAMES['full']}"
    others = [
        "test/checkpoints/notes.txt", "test/checkpoints/zz/full-000001-attempt-001-7.npz",
        "test/checkpoints/000001/notes.txt", "test/checkpoints/000001/deeper/full-000001-attempt-001-7.npz",
        "test/checkpoints//full-000001-attempt-001-7.npz", "test/checkpoints/000001//full-000001-attempt-001-7.npz",
        "test/checkpoints/000001/../../../ab/full-000001-attempt-001-7.npz",
        "test/checkpoints/../full-000001-attempt-001-7.npz",
        "test/checkpoints/./full-000001-attempt-001-7.npz", "test/checkpoints/*/full-000001-attempt-001-7.npz",
        "test/checkpoints/000001/*", "test/checkpoints-old/000001/full-000001-attempt-001-7.npz",
        "test2/checkpoints/000001/full-000001-attempt-001-7.npz", "ab/full-000001-attempt-001-7.npz",
        "checkpoints/000001/full-000001-attempt-001-7.npz", "test",
    ]  # fmt: skip
    for key in (*own, named, *others):
        client.put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=key.encode())
    planted = set(s3_server.keys(s3_root))
    assert len(planted) == len(own) + 1 + len(others)
    folder = StorageRoot.resolve(s3_root).sweep("test")
    told = Retention(folder, KEEP, sweep_of(0.5)).delete_orphans()
    assert planted - set(s3_server.keys(s3_root)) == set(own)
    assert set(s3_server.keys(s3_root)) == {named, *others}
    assert "left alone, as no checkpoint of the sweep's is called that" in told[-1]
