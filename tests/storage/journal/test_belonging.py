"""What a journal says of the root and the folder that its sweep belongs to."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from tests.storage.journal.making import STARTED, folder_in, new_sweep, suggested
from tuner.storage import StorageRoot, delete, read_bytes, write_atomically
from tuner.storage.identity import root_id
from tuner.storage.journal import Journal, belonging_if_writable, read_events, started_at
from tuner.storage.journal.journal import read_lines
from tuner.sweep import events as ev
from tuner.sweep import fold


@pytest.fixture(params=["disk", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path, memory_root: str) -> str:
    return str(tmp_path) if request.param == "disk" else memory_root


def test_a_new_sweep_s_journal_names_its_root_and_its_folder(root: str) -> None:
    journal = new_sweep(root)
    journal.close()
    [first] = read_events(journal.folder)
    assert isinstance(first, ev.SweepStarted)
    assert (first.root_id, first.url) == (root_id(StorageRoot.resolve(root)), journal.folder.url)
    assert started_at(journal.folder.url) == first
    other = new_sweep(root, "other")
    other.close()
    assert fold(other.events).root_id == first.root_id


@pytest.mark.parametrize("url", ["", "/none", "/dev/null", "nowhere://x/y", "s3:/x", "a\0b", "x" * 5000, "ftp://h/x"])
def test_where_no_sweep_can_be_read_none_is(url: str) -> None:
    assert started_at(url) is None


def test_a_damaged_first_event_is_none(root: str) -> None:
    journal = new_sweep(root)
    journal.close()
    folder = journal.folder
    write_atomically(folder.segments / "000000000000.jsonl" if folder.is_remote else folder.journal, b"nonsense\n")
    assert started_at(folder.url) is None


def test_the_first_event_of_a_long_journal_is_read_alone(root: str) -> None:
    journal = new_sweep(root)
    for trial in range(40):
        journal.append(suggested(trial))
    found = started_at(journal.folder.url)
    journal.close()
    assert found == read_events(journal.folder)[0] == started_at(journal.folder.url)


def test_lines_are_those_of_the_events_whatever_separators_are_in_them(root: str) -> None:
    journal = new_sweep(root)
    journal.append(ev.TrialSuggested(trial=0, params={"name": "a\u2028b\x0bc\x85d\re"}, origin="random"))
    for trial in range(1, 40):
        journal.append(suggested(trial), suggested(trial + 100))
    events, lines = read_lines(journal.folder)
    assert events == journal.events == [ev.decode(line) for line in lines] and len(events) == 80
    assert [ev.decode(line) for line in lines] == events
    journal.close()
    assert read_lines(journal.folder) == (events, lines)


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.append(suggested(0))
    journal.close()
    before = read_lines(journal.folder)
    with open(journal.folder.journal, "ab") as file:
        file.write(b'{"event":"trial_sugg')
    assert read_lines(journal.folder) == before


def test_an_id_that_was_lost_is_made_anew_from_the_journals(tmp_path: Path) -> None:
    new_sweep(tmp_path, "a").close()
    root = StorageRoot(tmp_path)
    was = root_id(root)
    delete(root.identity)
    made = new_sweep(tmp_path, "b")
    made.close()
    assert root_id(root) == was == fold(made.events).root_id


def test_sweeps_of_another_root_lend_it_no_id(tmp_path: Path) -> None:
    new_sweep(tmp_path / "old", "a").close()
    shutil.copytree(tmp_path / "old" / "a", tmp_path / "new" / "a")
    new_sweep(tmp_path / "new", "b").close()
    assert root_id(StorageRoot(tmp_path / "new")) != root_id(StorageRoot(tmp_path / "old"))


def test_a_journal_of_before_belongs_to_no_root_until_it_is_resumed(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    folder.path.mkdir()  # type: ignore[union-attr]
    fields = msgspec.to_builtins(msgspec.structs.replace(STARTED, at=1.0, seq=0))
    del fields["root_id"], fields["url"], fields["copied_from"]
    write_atomically(folder.journal, msgspec.json.encode(fields) + b"\n")
    journal = Journal(folder)
    assert (fold(journal.events).root_id, fold(journal.events).url) == ("", "")
    journal.append(ev.SweepResumed(changes={}, **belonging_if_writable(folder)._asdict()))
    journal.close()
    sweep = fold(read_events(folder))
    assert (sweep.root_id, sweep.url) == (root_id(folder.root), folder.url)
    assert read_bytes(folder.root.identity)


def test_a_damaged_id_keeps_no_sweep_from_going_on(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    write_atomically(journal.folder.root.identity, b"nonsense")
    assert belonging_if_writable(journal.folder) == ("", journal.folder.url)


def test_what_a_copy_took_over_says_nothing_of_its_place() -> None:
    started = ev.SweepStarted(
        spec={"name": "b"}, versions={}, seed=0, seq=0, root_id="r", url="/r/b", copied_from={"sweep": "a", "events": 2}
    )
    resumed = ev.SweepResumed(changes={}, seq=1, root_id="old", url="/old/a")
    sweep = fold([started, resumed])
    assert (sweep.root_id, sweep.url) == ("r", "/r/b")
    sweep.apply(ev.SweepResumed(changes={}, seq=2, root_id="s", url="/s/b"))
    assert (sweep.root_id, sweep.url) == ("s", "/s/b")
