"""Copies of sweeps at the command line: what refuses them, what only tells of them, and `tuner copy`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.test_commands import tuner
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.spec import dump_yaml
from tuner.storage import StorageRoot
from tuner.storage.journal import read_events
from tuner.sweep import fold


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage root with one sweep, interrupted after 25 reports, and a copy of it that was made by hand."""
    root = tmp_path / "sweeps"
    journal = new_sweep(root, make_spec())
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run(25)
    coordinator.stop("interrupted by SIGINT")
    coordinator.close()
    journal.close()
    shutil.copytree(root / "test", root / "by-hand")
    return root


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_writes_refuses_a_copy_that_was_made_by_hand(root: Path, tmp_path: Path) -> None:
    before = contents(root)
    spec = tmp_path / "by-hand.yaml"
    spec.write_text(dump_yaml({**make_spec().resolved(), "name": "by-hand"}))
    for command in (["resume", "by-hand"], ["record", "by-hand"], ["run", str(spec), "--or-resume"]):
        said = tuner(*command, "--storage", str(root), exit_code=2).stderr
        assert said.startswith("sweep by-hand: its journal is that of sweep test") and said.count("\n") == 1, said
        assert (
            f"(tuner copy by-hand NEW_NAME --storage {root})" in said and f"tuner resume test --storage {root}" in said
        )
    assert "no driver is at work on it" in tuner("stop", "by-hand", "--storage", str(root), exit_code=2).stderr
    assert contents(root) == before


@pytest.mark.parametrize("command", [["show"], ["trials"], ["report"], ["explain", "0"], ["verify"]])
def test_what_reads_tells_in_a_line(root: Path, command: list[str]) -> None:
    name, *rest = command
    code = 4 if name == "verify" else 0  # nothing of it is in MLflow
    done = tuner(name, "by-hand", *rest, "--storage", str(root), exit_code=code)
    told = "sweep by-hand can be read, but not resumed: its journal is that of sweep test, so its folder is a copy"
    assert done.stderr.count(told) == 1
    assert "can be read" not in tuner(name, "test", *rest, "--storage", str(root), exit_code=code).stderr


def test_lists_and_comparisons_tell_of_each_copy_once(root: Path) -> None:
    done = tuner("list", "--storage", str(root), "--json")
    assert [row["sweep"] for row in json.loads(done.stdout)] == ["by-hand", "test"]
    assert done.stderr.count("can be read, but not resumed") == 1
    done = tuner("compare", "test", "by-hand", "--storage", str(root), "--json")
    assert json.loads(done.stdout)["sweeps"] and done.stderr.count("can be read, but not resumed") == 1
    assert (
        "can be read"
        in tuner("export", "by-hand", "-o", str(root / "x.keras"), "--storage", str(root), exit_code=2).stderr
    )


def test_copy_makes_a_sweep_that_nothing_refuses(root: Path) -> None:
    where = ["--storage", str(root)]
    before = contents(root / "test")
    done = tuner("copy", "by-hand", "own", *where, "--json")
    data = json.loads(done.stdout)
    sweep = fold(read_events(StorageRoot(root).sweep("own")))
    assert data == {
        "sweep": "own",
        "sweep_id": sweep.sweep_id,
        "copied_from": {
            "sweep": "test", "sweep_id": "0" * 32, "url": f"{root}/by-hand", "events": sweep.num_events,
        },
        "state": "interrupted",
        "checkpoints": 0,
        "missing_checkpoints": [],
        "folder": f"{root}/own",
    }  # fmt: skip
    assert f"sweep own is a copy of by-hand: {sweep.num_events} events" in done.stderr
    assert f"go on with it: tuner resume own --storage {root}" in done.stderr
    assert f"its own MLflow runs are made then, or at once by: tuner record own --storage {root}" in done.stderr
    shown = tuner("show", "own", *where, "--json")
    assert json.loads(shown.stdout)["sweep"] == "own" and shown.stderr == ""
    assert json.loads(shown.stdout)["mlflow"]["backlog"] == sweep.num_events
    assert f"test, its first {sweep.num_events} events" in tuner("show", "own", *where).stdout
    assert contents(root / "test") == before


def test_copy_into_another_root(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    said = tuner("copy", "test", "test", "--storage", str(root), "--to", str(other)).stderr
    assert f"tuner resume test --storage {other}" in said
    assert "test (interrupted)" in tuner("show", "test", "--storage", str(other)).stdout


def test_copy_refuses_in_one_line(root: Path) -> None:
    where = ["--storage", str(root)]
    for old, new, told in (
        ("test", "by-hand", f"sweep by-hand exists in {root}; choose another name for the copy"),
        ("test", "test", f"sweep test exists in {root}; choose another name for the copy"),
        ("test", "a/b", "copy: name: must"),
        ("tset", "new", "no sweep 'tset'"),
    ):
        said = tuner("copy", old, new, *where, exit_code=2).stderr
        assert said.startswith(told) and said.count("\n") == 1, said
    assert {path.name for path in root.iterdir()} == {"test", "by-hand", ".root"}


def test_show_of_a_moved_root_names_its_store_there(root: Path, tmp_path: Path) -> None:
    from tuner.recording.cursor import Cursor, write_cursor

    write_cursor(
        StorageRoot(root).sweep("test"), Cursor(uri=f"sqlite:///{root}/mlflow.db", experiment_id="1", run_id="r", seq=9)
    )
    root.rename(moved := tmp_path / "moved")
    done = tuner("show", "test", "--storage", str(moved), "--json")
    mlflow = json.loads(done.stdout)["mlflow"]
    assert (mlflow["uri"], mlflow["run_id"]) == (f"sqlite:///{moved}/mlflow.db", "r") and done.stderr == ""


def test_show_of_a_sweep_with_a_store_of_its_own_names_that(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/elsewhere/mlflow.db"
    new_sweep(tmp_path / "one", make_spec(tracking={"uri": uri})).close()
    (tmp_path / "one").rename(tmp_path / "two")
    shown = json.loads(tuner("show", "test", "--storage", str(tmp_path / "two"), "--json").stdout)
    assert shown["mlflow"]["uri"] == uri


def test_a_damaged_id_of_the_root_is_told_to_readers_and_stops_writers(root: Path) -> None:
    (root / ".root" / "id.json").write_text("nonsense")
    told = f"{root}/.root/id.json: must hold the storage root's id, but is damaged; restore it, or remove it"
    assert told in tuner("show", "test", "--storage", str(root)).stderr
    assert told in tuner("resume", "test", "--storage", str(root), exit_code=4).stderr


def test_a_name_in_a_journal_does_not_steer_the_terminal(root: Path) -> None:
    journal = root / "by-hand" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"name":"test"', b'"name":"\\u001b[2J"', 1))
    said = tuner("show", "by-hand", "--storage", str(root)).stderr
    assert "that of sweep \\x1b[2J" in said and "\x1b" not in said
