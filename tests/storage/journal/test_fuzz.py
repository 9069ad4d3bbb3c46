"""Whatever a journal's bytes are, a reader gives events or one clear line, and is quick about it."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.storage.journal.making import STARTED, suggested
from tuner.base.errors import StorageError
from tuner.storage import SweepFolder, write_atomically
from tuner.storage.journal import Journal, read_events
from tuner.storage.journal.journal import stamped
from tuner.sweep import events as ev

EPOCH = ev.EpochReported(
    trial=0, attempt=1, epoch=1, metrics={"loss": 0.5}, epoch_s=1.0, decision="continue", reason=""
)
EVENTS = [STARTED, suggested(0), EPOCH, ev.SweepResumed(changes={"num_trials": 9}), ev.SweepEnded(reason="ümlaut")]
LINES = [ev.encode(stamped(event, 1.0, seq)) for seq, event in enumerate(EVENTS)]  # type: ignore[type-var]
GOOD = b"".join(LINES)
DEEP = b'{"event":"sweep_resumed","seq":1,"changes":' + b'{"a":' * 4000 + b"1" + b"}" * 4001 + b"\n"


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good journal, cut, flipped, with lines of all kinds put in, left out, repeated or swapped."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["cut", "flip", "line", "value", "repeat", "drop", "swap", "encode"])):
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case "flip" if lines[at]:
                data = bytearray(lines[at])
                data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
                lines[at] = bytes(data)
            case "line":
                lines.insert(at, draw(st.binary(max_size=60)) + draw(st.sampled_from([b"\n", b""])))
            case "value":
                lines.insert(at, json.dumps(draw(ANY_JSON)).encode() + b"\n")
            case "repeat":
                lines.insert(at, lines[at])
            case "drop" if len(lines) > 1:
                del lines[at]
            case "swap":
                lines[at], lines[-1] = lines[-1], lines[at]
            case "encode":
                text = lines[at].decode("utf-8", "replace")
                lines[at] = text.encode(draw(st.sampled_from(["utf-16", "utf-32", "utf-8-sig"])))
    return b"".join(lines)


NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**30), 2**64, 1e308, -1])
ANY_JSON = st.recursive(
    NUMBERS | st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["event", "seq", "at", "trial", "spec", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(damaged() | st.binary(max_size=300))
@example(b"")
@example(b"\n")
@example(b"\n\n\n")
@example(b"null\n" * 3)
@example(LINES[0] + DEEP)
@example(LINES[0] + DEEP + LINES[1])
@example(LINES[0] + b"[" * 100_000 + b"\n" + LINES[1])
@example(LINES[0] + b'{"event":"slots_changed","seq":1,"slots":' + b"9" * 5000 + b"}\n" + LINES[1])
@example(LINES[0] + b'{"event":"slots_changed","seq":1,"slots":1,"at":1e999}\n')
@example(LINES[0] + b'{"event":"trial_ended","seq":1,"trial":1,"reason":"\xff","outcome":"\xed\xa0\x80"}\n' + LINES[1])
@example(LINES[0] + b'{"event":"slots_changed","seq":1,"slots":1}{"event":"slots_changed","seq":2,"slots":1}\n')
@example(b"\xef\xbb\xbf" + GOOD)
@example(GOOD.decode().encode("utf-16"))
@example(b"\x00" * 10_000_000)
@example(LINES[0] + b"\n" * 200_000 + LINES[1])
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_a_reader_gives_events_or_a_storage_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz" / "journal.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    started = time.perf_counter()
    events = _events_or_one_line(SweepFolder(path.parent))
    assert time.perf_counter() - started < 5  # some milliseconds, but this machine may be busy
    assert [event.seq for event in events or []] == list(range(len(events or [])))
    if data.startswith(GOOD) and b"\n" not in data[len(GOOD) :]:
        assert events is not None and len(events) == len(EVENTS)


@given(damaged() | st.binary(max_size=300))
def test_the_same_on_an_object_store(data: bytes) -> None:
    folder = SweepFolder.at(f"memory://{uuid.uuid4().hex}/test")
    write_atomically(folder.segments / "000000000000.jsonl", data)
    events = _events_or_one_line(folder)
    assert [event.seq for event in events or []] == list(range(len(events or [])))


@given(st.integers(0, len(GOOD)), st.binary(max_size=30).filter(lambda data: b"\n" not in data))
@pytest.mark.filterwarnings("ignore:.*dropped a torn last line")
def test_a_writer_opens_a_journal_cut_anywhere_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int, rest: bytes
) -> None:
    folder = SweepFolder(tmp_path_factory.mktemp("cut"))
    folder.journal.write_bytes(GOOD[:cut] + rest)
    whole = GOOD[:cut].count(b"\n")
    if whole == 0:
        with pytest.raises(StorageError, match="the journal is empty"):
            Journal(folder)
        return
    journal = Journal(folder)
    assert len(journal.events) == whole
    assert journal.append(suggested(9))[0].seq == whole
    journal.close()
    assert len(read_events(folder)) == whole + 1


def _events_or_one_line(folder: SweepFolder) -> list[ev.AnyEvent] | None:
    try:
        return read_events(folder)
    except StorageError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        assert str(folder.path) in str(error)
        return None


def test_errors_name_file_line_and_byte(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.journal.write_bytes(LINES[0] + LINES[1] + b"{nonsense}\n" + LINES[3])
    where = f"{folder.journal}: line 3, byte {len(LINES[0]) + len(LINES[1])}: damaged line"
    with pytest.raises(StorageError, match=where):
        read_events(folder)
