"""Which folders are a sweep's own: every way of copying and moving one, and what each is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.simulation import make_spec, new_sweep
from tuner.base.errors import MisplacedError
from tuner.recording import check_place, misplaced, read_cursor
from tuner.storage import StorageRoot, SweepFolder, delete, read_bytes, write_atomically
from tuner.storage.identity import made_root_id
from tuner.storage.journal import Journal, belonging_if_writable, create_sweep, read_events
from tuner.sweep import events as ev
from tuner.sweep import fold

SERVER = "http://127.0.0.1:9"


def made(root: Path, uri: str | None = None, name: str = "a") -> SweepFolder:
    journal = new_sweep(root, make_spec(name=name, tracking__uri=uri))
    journal.close()
    return journal.folder


def why(folder: SweepFolder) -> str:
    return misplaced(folder, fold(read_events(folder)))


def refusal(folder: SweepFolder) -> str:
    with pytest.raises(MisplacedError) as refused:
        check_place(folder, fold(read_events(folder)))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def at(path: Path) -> SweepFolder:
    return SweepFolder.at(str(path))


def test_a_sweep_in_its_place(tmp_path: Path) -> None:
    folder = made(tmp_path / "one")
    assert why(folder) == ""
    check_place(folder, fold(read_events(folder)))
    delete(folder.root.identity)
    assert why(folder) == "", "the id's file alone was lost"
    (tmp_path / "link").symlink_to(tmp_path / "one")
    made_root_id(folder.root, lambda: fold(read_events(folder)).root_id)
    assert why(at(tmp_path / "link" / "a")) == ""


@pytest.mark.parametrize("uri", [None, SERVER])
def test_a_copy_in_its_root_has_another_name(tmp_path: Path, uri: str | None) -> None:
    folder = made(tmp_path, uri)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert refusal(at(tmp_path / "b")) == (
        f"sweep b: its journal is that of sweep a, so its folder is a copy, or was renamed. Make it a sweep of its own,"
        f" with its own MLflow runs (tuner copy b NEW_NAME --storage {tmp_path}), or continue sweep a itself"
        f' (tuner.resume("a", storage="{tmp_path}"))'
    )
    assert why(folder) == ""
    shutil.rmtree(tmp_path / "a")
    assert refusal(at(tmp_path / "b")).endswith(f"or move it back to {tmp_path}/a")
    (tmp_path / "b").rename(tmp_path / "a")
    assert why(folder) == ""


@pytest.mark.parametrize("uri", [None, SERVER])
@pytest.mark.parametrize("has_id", [True, False])
@pytest.mark.parametrize("way", ["copied", "moved"])
def test_a_folder_in_another_root(tmp_path: Path, uri: str | None, has_id: bool, way: str) -> None:
    made(tmp_path / "one", uri)
    if has_id:
        made(tmp_path / "two", uri, "other")
    (tmp_path / "two").mkdir(exist_ok=True)
    shutil.copytree(tmp_path / "one" / "a", tmp_path / "two" / "a")
    if way == "moved":
        shutil.rmtree(tmp_path / "one" / "a")
    said = refusal(at(tmp_path / "two" / "a"))
    assert f"so its folder is a copy, or was moved without its root from {tmp_path}/one/a. Make it" in said
    assert f"(tuner copy a NEW_NAME --storage {tmp_path}/two), or move it back to {tmp_path}/one/a" in said
    assert ("if its whole storage root was moved, move the folder .root of the old root, too" in said) == (not has_id)


def test_a_folder_within_a_sweep_s_folder_or_deeper_is_in_another_root(tmp_path: Path) -> None:
    made(tmp_path)
    shutil.copytree(tmp_path / "a", tmp_path / "archive" / "a")
    assert "another storage root" in refusal(at(tmp_path / "archive" / "a"))


def test_a_root_that_is_moved_whole_goes_on_wherever_it_is_recorded(tmp_path: Path) -> None:
    for number, uri in enumerate((None, SERVER, f"sqlite:///{tmp_path}/shared.db")):
        made(tmp_path / f"one{number}", uri)
        (tmp_path / f"one{number}").rename(tmp_path / f"two{number}")
        assert why(at(tmp_path / f"two{number}" / "a")) == ""


def test_a_root_that_is_copied_whole_goes_on_with_its_own_store_only(tmp_path: Path) -> None:
    inside = f"sqlite:///{tmp_path}/two0/own.db"
    for number, uri in enumerate(
        (inside, None, SERVER, f"sqlite:///{tmp_path}/shared.db", f"sqlite:///{tmp_path}/one4/x.db")
    ):
        made(tmp_path / f"one{number}", uri)
        shutil.copytree(tmp_path / f"one{number}", tmp_path / f"two{number}")
        copied = at(tmp_path / f"two{number}" / "a")
        assert why(at(tmp_path / f"one{number}" / "a")) == ""
        if number < 2:
            assert why(copied) == ""
            continue
        said = refusal(copied)
        assert f"it is a copy of the one that is still in {tmp_path}/one{number}/a, and both record in {uri}" in said
        assert said.endswith("or continue that one; once it is deleted, this one takes its place")
        (tmp_path / f"one{number}" / "a").rename(tmp_path / f"gone{number}")
        assert why(copied) == ""


def test_a_root_that_was_moved_and_resumed_is_known_where_it_is(tmp_path: Path) -> None:
    made(tmp_path / "one", SERVER)
    (tmp_path / "one").rename(tmp_path / "two")
    folder = at(tmp_path / "two" / "a")
    journal = Journal(folder)
    journal.append(ev.SweepResumed(changes={}, **belonging_if_writable(folder)._asdict()))
    journal.close()
    shutil.copytree(tmp_path / "two", tmp_path / "three")
    assert "still in " + folder.url in refusal(at(tmp_path / "three" / "a")) and why(folder) == ""


def test_another_name_of_the_root_is_no_copy(tmp_path: Path) -> None:
    made(tmp_path / "one", SERVER)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert why(at(tmp_path / "link" / "a")) == ""


def test_another_sweep_in_the_old_place_is_no_original(tmp_path: Path) -> None:
    made(tmp_path / "one", SERVER)
    (tmp_path / "one").rename(tmp_path / "two")
    other = ev.SweepStarted(spec=make_spec(name="a").resolved(), versions={}, seed=0, sweep_id="1" * 32)
    create_sweep(at(tmp_path / "one" / "a"), "", other).close()
    assert why(at(tmp_path / "two" / "a")) == ""


def test_of_a_journal_of_before_the_name_alone_counts(tmp_path: Path) -> None:
    folder = made(tmp_path / "one", SERVER)
    first = msgspec.json.decode(read_bytes(folder.journal))
    write_atomically(folder.journal, msgspec.json.encode({**first, "root_id": "", "url": ""}) + b"\n")
    made(tmp_path / "two", None, "other")
    shutil.copytree(tmp_path / "one" / "a", tmp_path / "two" / "a")
    shutil.copytree(tmp_path / "one" / "a", tmp_path / "one" / "b")
    assert why(at(tmp_path / "two" / "a")) == why(folder) == ""
    assert 'tuner.resume("a"' in refusal(at(tmp_path / "one" / "b"))
    shutil.rmtree(tmp_path / "one" / "a")
    assert refusal(at(tmp_path / "one" / "b")).endswith(f"or move it back to {tmp_path}/one/a")


def test_on_an_object_store_it_is_the_same(memory_root: str) -> None:
    roots = [StorageRoot.resolve(f"{memory_root}/{name}") for name in ("one", "two", "three")]
    spec = make_spec(name="a", tracking__uri=SERVER).resolved()
    journal = create_sweep(roots[0].sweep("a"), "", ev.SweepStarted(spec=spec, versions={}, seed=0, sweep_id="0" * 32))
    journal.close()
    data = read_bytes(journal.folder.segments / "000000000000.jsonl")
    for folder in (roots[0].sweep("b"), roots[1].sweep("a"), roots[2].sweep("a")):
        write_atomically(folder.segments / "000000000000.jsonl", data)
    write_atomically(roots[2].identity, read_bytes(roots[0].identity))
    assert why(roots[0].sweep("a")) == ""
    assert "that of sweep a" in why(roots[0].sweep("b"))
    assert "another storage root" in why(roots[1].sweep("a"))
    assert "both record in" in why(roots[2].sweep("a"))
    delete(roots[0].sweep("a").segments / "000000000000.jsonl")
    assert why(roots[2].sweep("a")) == ""


@pytest.mark.parametrize("url", ["/none", "nowhere://x", "a\0b", "s3:/x", "/dev/null"])
def test_a_place_that_nobody_can_look_at_holds_no_original(tmp_path: Path, url: str) -> None:
    folder = made(tmp_path, SERVER)
    first = msgspec.json.decode(read_bytes(folder.journal))
    write_atomically(folder.journal, msgspec.json.encode({**first, "url": url}) + b"\n")
    assert why(folder) == ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_recorder_that_is_started_by_hand_in_a_copy_records_nothing(
    tmp_path: Path, empty_database: Path, new_database: Any
) -> None:
    from tuner.recording import record

    made(tmp_path)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    record(at(tmp_path / "a"))
    before = new_database(tmp_path / "mlflow.db").everything()
    journal = Journal(at(tmp_path / "a"))
    journal.append(ev.TrialSuggested(trial=0, params={"learning_rate": 0.1}, origin="tpe"))
    journal.close()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    command = [sys.executable, "-P", "-m", "tuner.recording", str(tmp_path / "b"), "--patience-seconds", "1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("tuner: sweep b: its journal is that of sweep a")
    with pytest.raises(MisplacedError):
        record(at(tmp_path / "b"))
    assert new_database(tmp_path / "mlflow.db").everything() == before
    assert read_cursor(at(tmp_path / "b")).seq == 1
