"""A journal, a lease and a sweep's name where somebody has put links, pipes and keys of other shapes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.planting import outside_tree, seen
from tests.storage.journal.making import STARTED, folder_in, new_sweep, suggested
from tuner.base.errors import ForeignFileError, NameTakenError, StorageError
from tuner.storage import StorageRoot, read_bytes, write_atomically
from tuner.storage.journal import Journal, create_sweep, name_taken, read_events, read_holder
from tuner.storage.names import unfinished_name


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return outside_tree(tmp_path / "outside")


@pytest.mark.parametrize("name", ["journal.jsonl", "lease.json", "lease.lock"])
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_what_is_no_file_in_the_place_of_one_is_refused_at_once(
    tmp_path: Path, outside: Path, name: str, kind: str
) -> None:
    new_sweep(tmp_path).close()
    path = tmp_path / "test" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(outside / ("thesis.txt" if kind == "link" else "none"))
    before = seen(outside)
    with pytest.raises(ForeignFileError, match=f"test/{name}: is a (link|pipe)"):
        Journal(folder_in(tmp_path))
    assert seen(outside) == before
    if name == "journal.jsonl":
        with pytest.raises(ForeignFileError, match=f"test/{name}: is a (link|pipe)"):
            read_events(folder_in(tmp_path))
    else:
        path.unlink()
        Journal(folder_in(tmp_path)).close()


def test_a_journal_with_two_names_is_read_but_not_appended_to(tmp_path: Path) -> None:
    """As after `cp -al`: an append would change the copy, and two drivers would write one file under two leases."""
    new_sweep(tmp_path).close()
    (tmp_path / "copy").mkdir()
    os.link(tmp_path / "test" / "journal.jsonl", tmp_path / "copy" / "journal.jsonl")
    assert len(read_events(folder_in(tmp_path, "copy"))) == 1
    with pytest.raises(ForeignFileError, match=r"journal\.jsonl: has 2 hard links, and a write would change"):
        Journal(folder_in(tmp_path, "copy"))
    data = (tmp_path / "copy" / "journal.jsonl").read_bytes()
    (tmp_path / "copy" / "journal.jsonl").unlink()
    (tmp_path / "copy" / "journal.jsonl").write_bytes(data)
    Journal(folder_in(tmp_path, "copy")).close()


def test_a_journal_that_is_exchanged_for_a_link_under_its_driver_takes_nothing_more(
    tmp_path: Path, outside: Path
) -> None:
    journal = new_sweep(tmp_path)
    path = tmp_path / "test" / "journal.jsonl"
    before = seen(outside)
    for target in (outside / "journal.jsonl", tmp_path / "moved"):  # another's, and the very same file
        path.rename(tmp_path / "moved")
        path.symlink_to(target)
        with pytest.raises(StorageError, match="the journal was replaced by another file"):
            journal.append(suggested(0))
        (tmp_path / "moved").rename(path)
    assert [event.seq for event in journal.append(suggested(0))] == [1]
    (tmp_path / "test").rename(tmp_path / "aside")
    (tmp_path / "test").symlink_to("aside")
    with pytest.raises(ForeignFileError, match="test: is a link to aside"):
        journal.append(suggested(1))
    journal.close()
    assert seen(outside) == before


def test_a_beat_and_a_torn_line_go_into_files_of_their_own(tmp_path: Path, outside: Path) -> None:
    before = seen(outside)
    journal = new_sweep(tmp_path)
    folder = tmp_path / "test"
    (folder / unfinished_name("lease.json")).symlink_to(outside / "thesis.txt")
    journal._lease._renew()
    assert read_holder(journal.folder) is not None and not (folder / "lease.json").is_symlink()
    journal.close()
    with open(folder / "journal.jsonl", "ab") as file:
        file.write(b'{"torn')
    for second in range(5):  # whatever second it is by then
        (folder / f"journal.torn-{int(os.stat(folder).st_mtime) + second}").symlink_to(outside / "none")
    with pytest.warns(RuntimeWarning, match="dropped a torn last line"):
        Journal(journal.folder).close()
    assert [path.read_bytes() for path in folder.glob("*-again")] == [b'{"torn'] and seen(outside) == before


@pytest.mark.parametrize("target", ["none", "thesis.txt", ".", "loop"])
def test_a_link_takes_a_new_sweep_s_name_and_is_not_followed(tmp_path: Path, outside: Path, target: str) -> None:
    before = seen(outside)
    path = tmp_path / "test"
    path.symlink_to(path if target == "loop" else outside / target)
    for refuse in (lambda: new_sweep(tmp_path), lambda: raised(name_taken(folder_in(tmp_path)))):
        with pytest.raises(NameTakenError, match=r"test is a link to .*, not followed; choose another name"):
            refuse()
    assert seen(outside) == before and sorted(os.listdir(tmp_path)) == ["outside", "test"]


def raised(error: Exception) -> None:
    raise error


def test_a_sweep_is_made_in_a_root_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    new_sweep(tmp_path / "root").close()
    assert len(read_events(folder_in(tmp_path / "root"))) == 1 and (tmp_path / "real" / "test").is_dir()


@pytest.mark.parametrize("where", ["memory", pytest.param("s3", marks=pytest.mark.slow)])
def test_keys_of_other_shapes_are_no_events_and_no_leases(
    where: str, memory_root: str, request: pytest.FixtureRequest
) -> None:
    """A lease of another shape was looked for under the name that it should have, for ever."""
    root = memory_root if where == "memory" else str(request.getfixturevalue("s3_root"))
    journal = new_sweep(root)
    journal.append(suggested(0))
    folder = journal.folder
    assert not isinstance(folder.path, Path)
    fs, prefix = folder.path.fs, folder.path.path
    planted = [
        "lease/9.json", "lease/0000000000009.json", "lease/\u0669.json", "lease/x.json", "lease/000000000099.json/x",
        "journal/2.jsonl", "journal/0000000000002.jsonl", "journal/00000000000\u0662.jsonl", "journal/notes.txt",
        "journal/000000000009.jsonl/x", "journal/deeper/000000000002.jsonl",
    ]  # fmt: skip
    for key in planted:
        fs.pipe_file(f"{prefix}/{key}", b"{}\n")
    assert read_holder(folder) is not None
    journal.append(suggested(1))
    journal.close()
    assert read_holder(folder) is None and [event.seq for event in read_events(folder)] == [0, 1, 2]
    again = Journal(folder)
    again.append(suggested(2))
    again.close()
    assert [event.seq for event in read_events(folder)] == [0, 1, 2, 3]
    for key in planted:
        assert fs.cat_file(f"{prefix}/{key}") == b"{}\n"


@pytest.mark.parametrize("key", ["../other", "a/../../other", "checkpoints//x", "./x", "checkpoints/000001/../x"])
def test_a_key_that_leads_out_is_neither_read_nor_written(memory_root: str, key: str) -> None:
    folder = StorageRoot.resolve(memory_root).sweep("test")
    write_atomically(folder.root.path / "other", b"of somebody")
    for act in (lambda: read_bytes(folder.path / key), lambda: write_atomically(folder.path / key, b"x")):
        with pytest.raises(ForeignFileError, match="cannot be the key of a sweep, because it has empty parts"):
            act()
    assert read_bytes(folder.root.path / "other") == b"of somebody"


def test_a_sweep_does_not_touch_one_whose_name_begins_alike(memory_root: str) -> None:
    root = StorageRoot.resolve(memory_root)
    new_sweep(memory_root, "ab").close()
    assert not root.sweep("a").exists() and read_events(root.sweep("a")) == []
    create_sweep(root.sweep("a"), "", STARTED).close()
    assert [sweep.name for sweep in root.sweeps()] == ["a", "ab"]
