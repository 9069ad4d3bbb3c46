"""Commands on sweeps that are links or hold some, and on names that lead elsewhere: one line, and nothing is done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.test_commands import tuner
from tests.planting import outside_tree, seen
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.storage import StorageRoot
from tuner.storage.journal import Journal
from tuner.sweep import events as ev

COMMANDS = [
    ("show",), ("trials",), ("report",), ("verify",), ("stop",), ("logs",), ("resume",), ("record",), ("export",),
    ("explain", "0"), ("ui",), ("compare", "other"),
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage root with two small sweeps, one of them interrupted."""
    for name in ("test", "other"):
        journal = new_sweep(tmp_path / "sweeps", make_spec(name=name, num_trials=3))
        cluster = SimulatedCluster(coordinator_of(journal), accuracy)
        cluster.run(4)
        journal.append(ev.SweepInterruptedEvent(reason="by hand"))
        journal.close()
    return tmp_path / "sweeps"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return outside_tree(tmp_path / "outside")


def refused(command: tuple[str, ...], root: Path, exit_code: int, sweep: str = "test") -> str:
    name, *others = command
    return tuner(name, sweep, *others, "--storage", str(root), exit_code=exit_code).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_sweep_s_folder_that_is_a_link_is_refused_by_every_command(
    root: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (root / "test").rename(tmp_path / "moved")
    (root / "test").symlink_to(tmp_path / "moved")
    before = seen(tmp_path / "moved")
    said = refused(command, root, 4)
    if command != ("verify",):
        assert said.startswith(f"{root}/test: is a link to {tmp_path}/moved; nothing of a sweep is read"), said
        assert said.count("\n") == 1
    assert seen(tmp_path / "moved") == before
    found = json.loads(tuner("verify", "test", "--json", "--storage", str(root), exit_code=4).stdout)["findings"]
    assert [finding["invariant"] for finding in found] == ["events"] and "is a link to" in found[0]["message"]


@pytest.mark.parametrize(
    "name",
    [
        "checkpoints", "checkpoints/000001", "journal.jsonl", "spec.yaml", "spec.edited.yaml", "lease.json",
        "lease.lock", "recorder.json", "recorder.lock", "recorder.log", "driver.log", "report.html",
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [("resume",), ("report",), ("record",), ("logs",)])
def test_a_link_in_the_place_of_what_is_the_sweep_s_is_refused(
    root: Path, tmp_path: Path, outside: Path, command: tuple[str, ...], name: str
) -> None:
    path = root / "test" / name
    if path.exists():
        path.rename(tmp_path / "moved")
    path.symlink_to(outside / ("000001" if name.startswith("checkpoints") else "thesis.txt"))
    before, mine = seen(outside), sorted(os.listdir(root / "test"))
    said = refused(command, root, 4)
    assert said.startswith(f"{path}: is a link to {outside}/") and said.count("\n") == 1
    assert seen(outside) == before and sorted(os.listdir(root / "test")) == mine
    found = json.loads(tuner("verify", "test", "--json", "--storage", str(root), exit_code=4).stdout)["findings"]
    assert any(f"{path}: is a link" in finding["message"] for finding in found)
    assert seen(outside) == before


@pytest.mark.parametrize("name", ["journal.jsonl", "recorder.json", "driver.log", "spec.yaml"])
def test_a_pipe_hangs_nobody(root: Path, name: str) -> None:
    (root / "test" / name).unlink(missing_ok=True)
    os.mkfifo(root / "test" / name)
    for command in (("resume",), ("show",), ("record",), ("logs",)):
        assert f"{root}/test/{name}: is a pipe, not one" in refused(command, root, 4)
    assert [row["sweep"] for row in json.loads(tuner("list", "--json", "--storage", str(root)).stdout)] == [
        "other",
        "test",
    ]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["../sweeps/test", "..", ".", "a/b", "/etc", "", "s3://bucket/x"])
def test_a_name_that_leads_elsewhere_is_refused(root: Path, command: tuple[str, ...], name: str) -> None:
    said = refused(command, root, 2, name)
    assert said == f"sweep: must be the name of a folder in {root}, without / or .., but got {name!r}\n"


def test_list_leaves_links_out_and_says_so(root: Path, outside: Path, tmp_path: Path) -> None:
    before = seen(outside)
    for name, target in {
        "latest": root / "test",
        "thesis": outside,
        "gone": root / "none",
        "loop": root / "loop",
    }.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    done = tuner("list", "--json", "--storage", str(root))
    assert [row["sweep"] for row in json.loads(done.stdout)] == ["other", "test"]
    told = [line.partition(": is a link")[0] for line in done.stderr.splitlines()]
    assert told == [f"{root}/{name}" for name in ("gone", "latest", "loop", "thesis")]
    assert seen(outside) == before
    (tmp_path / "root").symlink_to(root)
    assert json.loads(tuner("show", "test", "--json", "--storage", str(tmp_path / "root")).stdout)["sweep"] == "test"


@pytest.mark.parametrize(
    "path", ["../../outside/thesis.txt", "/etc/hostname", "s3://bucket/x.npz", "checkpoints/000001/../../../outside/x"]
)
def test_a_checkpoint_that_a_journal_names_elsewhere_is_not_read(root: Path, outside: Path, path: str) -> None:
    before = seen(outside)
    journal = Journal(StorageRoot(root).sweep("test"))
    best = coordinator_of(journal).sweep.best
    assert best is not None
    saved = ev.CheckpointSaved(trial=best.number, epoch=best.best_epoch, path=path, best_epoch=best.best_epoch)
    journal.append(saved)
    journal.close()
    said = refused(("export",), root, 4)
    assert f"{root}/test: its journal names the checkpoint {path!r}, but checkpoints are named" in said
    found = json.loads(tuner("verify", "test", "--json", "--storage", str(root), exit_code=4).stdout)["findings"]
    assert any("which is not the path of a checkpoint: not read" in finding["message"] for finding in found)
    assert seen(outside) == before


def test_an_output_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "page.html").symlink_to("pages/test.html")
    done = tuner("report", "test", "--json", "--output", str(tmp_path / "page.html"), "--storage", str(root))
    assert json.loads(done.stdout)["report"] == f"{tmp_path}/pages/test.html"
    assert (tmp_path / "page.html").is_symlink() and b"<html" in (tmp_path / "pages" / "test.html").read_bytes()
