"""Links, pipes and hard links, planted for real in a sweep's folder: none is followed, waited for, written through."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from pathlib import Path

import pytest

from tests.planting import outside_tree, seen
from tuner.base.errors import ForeignFileError, StorageError, UsageError
from tuner.storage import (
    StorageRoot,
    SweepFolder,
    delete,
    exists,
    make_folder,
    names,
    open_log,
    read_bytes,
    remove_empty_folder,
    write_atomically,
)
from tuner.storage.names import unfinished_name

NAME = "full-000001-attempt-001-7.npz"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return outside_tree(tmp_path / "outside")


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """A sweep's folder in a storage root that is a link."""
    (tmp_path / "real" / "test" / "checkpoints" / "000001").mkdir(parents=True)
    (tmp_path / "sweeps").symlink_to("real")
    return StorageRoot(tmp_path / "sweeps").sweep("test")


def local(folder: SweepFolder) -> Path:
    assert isinstance(folder.path, Path)
    return folder.path


def test_through_a_root_that_is_a_link_all_is_as_usual(folder: SweepFolder) -> None:
    path = local(folder) / "checkpoints" / "000001" / NAME
    write_atomically(path, b"weights", folder.base)
    assert read_bytes(path, folder.base) == b"weights" and names(path.parent, folder.base) == [NAME]
    delete(path, folder.base)
    delete(path, folder.base)
    assert not exists(path, folder.base) and folder.problems() == []


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_folder_on_the_way_that_is_a_link_is_refused(
    folder: SweepFolder, outside: Path, tmp_path: Path, depth: int
) -> None:
    places = [local(folder), local(folder) / "checkpoints", local(folder) / "checkpoints" / "000001"]
    before = seen(outside)
    places[depth].rename(tmp_path / "moved")
    places[depth].symlink_to(outside)
    path = places[2] / NAME
    for act in (
        lambda: read_bytes(path, folder.base),
        lambda: write_atomically(path, b"x", folder.base),
        lambda: open_log(path, folder.base),
        lambda: delete(path, folder.base),
        lambda: names(path.parent, folder.base),
        lambda: exists(path, folder.base),
        lambda: make_folder(path, folder.base),
        lambda: remove_empty_folder(path, folder.base),
        folder.check,
    ):
        with pytest.raises(ForeignFileError) as refused:
            act()
        assert str(refused.value).startswith(f"{places[depth]}: is a link to {outside}; nothing of a sweep is")
        assert "\n" not in str(refused.value)
    assert seen(outside) == before


@pytest.mark.parametrize("kind", ["file", "folder", "dangling", "loop"])
def test_a_link_in_a_file_s_place_is_not_followed(folder: SweepFolder, outside: Path, kind: str) -> None:
    path = local(folder) / "driver.log"
    target = {"file": outside / "thesis.txt", "folder": outside, "dangling": outside / "none", "loop": path}[kind]
    before = seen(outside)
    path.symlink_to(target)
    for act in (lambda: read_bytes(path), lambda: read_bytes(path, folder.base), lambda: open_log(path, folder.base)):
        with pytest.raises(ForeignFileError, match=f"driver.log: is a link to {target}"):
            act()
    with pytest.raises(ForeignFileError, match=r"driver\.log: is a link"):
        folder.check()
    delete(path, folder.base)
    assert path.is_symlink() and seen(outside) == before
    write_atomically(path, b"own", folder.base)
    assert not path.is_symlink() and path.read_bytes() == b"own" and seen(outside) == before


def test_a_link_in_the_place_of_what_is_being_written_is_replaced(folder: SweepFolder, outside: Path) -> None:
    """Its name can be guessed; a killed process of the same number may have left it, too."""
    before = seen(outside)
    path = local(folder) / "spec.yaml"
    for target in (outside / "thesis.txt", outside / "none"):
        path.with_name(unfinished_name(path.name)).symlink_to(target)
        write_atomically(path, b"name: test", folder.base)
        assert path.read_bytes() == b"name: test" and seen(outside) == before
    path.with_name(unfinished_name(path.name)).write_bytes(b"left")
    write_atomically(path, b"again", folder.base)
    assert path.read_bytes() == b"again" and "spec.yaml" in names(folder.path)


def test_a_pipe_is_refused_and_not_waited_for(folder: SweepFolder) -> None:
    for name in ("journal.jsonl", "recorder.log", "spec.yaml"):
        path = local(folder) / name
        os.mkfifo(path)
        for act in (read_bytes, open_log, exists, delete):
            with contextlib.suppress(ForeignFileError):
                act(path, folder.base)
        with pytest.raises(ForeignFileError, match=f"{name}: is a pipe, not one of the sweep's own files; remove it"):
            folder.check()
        write_atomically(path, b"own", folder.base)
        assert path.read_bytes() == b"own"
    (local(folder) / "report.html").mkdir()  # what a write meets says so itself
    folder.check()


def test_a_file_with_two_names_is_read_but_not_written_in_place(folder: SweepFolder, outside: Path) -> None:
    """A copy that was made by hard links would change with it; so would whatever somebody linked there."""
    path = local(folder) / "driver.log"
    os.link(outside / "thesis.txt", path)
    before = seen(outside)
    assert read_bytes(path, folder.base) == b"of thesis.txt"
    with pytest.raises(ForeignFileError, match=r"driver.log: has 2 hard links.*cp -p driver.log own"):
        open_log(path, folder.base)
    write_atomically(path, b"own", folder.base)
    assert {name: what for name, what in seen(outside).items() if name != "."} == {
        name: what for name, what in before.items() if name != "."
    }
    open_log(path, folder.base).close()


@pytest.mark.parametrize("inside", ["../outside/thesis.txt", "checkpoints/../../outside/thesis.txt", "/etc/hostname"])
def test_a_path_that_leads_out_is_refused(folder: SweepFolder, outside: Path, inside: str) -> None:
    before = seen(outside)
    assert folder.base is not None
    path = folder.base / inside if ".." not in inside else folder.base.joinpath("..", "sweeps", inside)
    for act in (read_bytes, open_log, delete, names, exists, make_folder, remove_empty_folder):
        with pytest.raises(ForeignFileError, match="leads out of"):
            act(path, folder.base)  # type: ignore[operator]
    with pytest.raises(ForeignFileError, match="leads out of"):
        write_atomically(path, b"x", folder.base)
    assert seen(outside) == before
    for named in (inside, f"s3://other/{inside}", f"checkpoints/000001/{inside}"):
        with pytest.raises(ForeignFileError, match=r"its journal names the checkpoint .*; it is not read"):
            folder.named(named)


def test_a_name_that_leads_elsewhere_is_no_sweep_s(tmp_path: Path, memory_root: str) -> None:
    for root in (StorageRoot(tmp_path), StorageRoot.resolve(memory_root)):
        for name in ("", ".", "..", "../x", "a/b", "/etc", "s3://other/x", "memory://other/x"):
            with pytest.raises(UsageError, match=r"sweep: must be the name of a folder in .*, without / or \.\."):
                root.sweep(name)
    for url in (f"{tmp_path}/..", "/", f"{memory_root}/..", f"{memory_root}//x", f"{memory_root}/../x"):
        with pytest.raises(UsageError):
            SweepFolder.at(url)
    with pytest.raises(UsageError, match="without / or"):
        StorageRoot.resolve(memory_root).sweep("a*")


def test_folders_that_are_links_are_no_sweeps(folder: SweepFolder, outside: Path, tmp_path: Path) -> None:
    root = folder.root
    write_atomically(folder.journal, b"{}\n", folder.base)
    for name, target in {
        "latest": "test",
        "thesis": outside,
        "gone": tmp_path / "none",
        "mlartifacts": outside,
    }.items():
        (root.path / name).symlink_to(target)  # type: ignore[operator]
    assert [sweep.name for sweep in root.sweeps()] == ["test"]
    assert [link.name for link in root.links()] == ["gone", "latest", "thesis"]
    assert root.sweep("gone").is_taken and not root.sweep("none").is_taken
    with pytest.raises(ForeignFileError, match="latest: is a link to test"):
        root.sweep("latest").exists()


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(folder: SweepFolder, outside: Path) -> None:
    """A thread exchanges them all the time; whoever gets in at any moment gets in to the folder or is refused."""
    before = seen(outside)
    place, aside = local(folder) / "checkpoints" / "000001", local(folder) / "aside"
    ends, swaps = threading.Event(), 0

    def swap() -> None:
        nonlocal swaps
        while not ends.is_set():
            os.rename(place, aside)
            os.symlink(outside / "000001", place)
            time.sleep(0)
            os.unlink(place)
            os.rename(aside, place)
            swaps += 1

    thread = threading.Thread(target=swap)
    thread.start()
    counts = {"done": 0, "refused": 0}
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and (min(counts.values()) < 50 or swaps < 200):
            for act in (
                lambda: write_atomically(place / NAME, b"x", folder.base),
                lambda: [delete(place / name, folder.base) for name in names(place, folder.base)],
            ):
                try:
                    act()
                    counts["done"] += 1
                except StorageError as error:
                    counts["refused"] += isinstance(error, ForeignFileError)
    finally:
        ends.set()
        thread.join()
    assert min(counts.values()) > 0 and seen(outside) == before


def test_a_folder_that_may_be_searched_but_not_listed_will_do(tmp_path: Path) -> None:
    """As a storage root on a shared disk is, where everybody has a folder."""
    if os.geteuid() == 0:
        pytest.skip("root may list everything")
    (tmp_path / "root" / "test").mkdir(parents=True)
    (tmp_path / "root").chmod(0o111)
    folder = StorageRoot(tmp_path / "root").sweep("test")
    try:
        write_atomically(folder.spec, b"x", folder.base)
        assert read_bytes(folder.spec, folder.base) == b"x"
    finally:
        (tmp_path / "root").chmod(0o700)


def test_what_the_system_refuses_is_told_as_before(folder: SweepFolder) -> None:
    assert not exists(local(folder) / ("x" * 300), folder.base)
    with pytest.raises(FileNotFoundError) as missing:
        read_bytes(local(folder) / "none" / "x", folder.base)
    assert missing.value.errno == errno.ENOENT
    (local(folder) / "file").touch()
    with pytest.raises(StorageError, match="cannot be written: Not a directory"):
        write_atomically(local(folder) / "file" / "x", b"", folder.base)
