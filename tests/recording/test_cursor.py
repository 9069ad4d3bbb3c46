import subprocess
import sys
from pathlib import Path

import pytest

from tuner.recording.cursor import Cursor, backlog, missing, read_cursor, write_cursor
from tuner.recording.names import VERSION
from tuner.storage import SweepFolder
from tuner.sweep import events as ev

EVENTS: list[ev.AnyEvent] = [
    ev.SweepStarted(spec={}, versions={}, seed=0, at=1.0),
    ev.TrialSuggested(trial=3, params={}, origin="tpe", at=2.0),
    ev.TrialEnded(trial=3, outcome="failed", reason="", at=3.0),
    ev.TrialSuggested(trial=4, params={}, origin="tpe", at=4.0),
    ev.SweepEnded(reason="", at=5.0),
]


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(tmp_path)


def test_a_cursor_is_read_as_it_was_written(folder: SweepFolder) -> None:
    cursor = Cursor(uri="http://host", experiment_id="1", run_id="a", trials={0: "b", 17: "c"}, seq=9, offset=900)
    write_cursor(folder, cursor)
    assert read_cursor(folder) == cursor
    assert backlog(folder, 12) == 3
    assert backlog(folder, 5) == 0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"seq": "x"}', b'{"seq": -3}', b"\xff\xfe", b"[" * 99_999])
def test_a_damaged_cursor_is_an_empty_one(folder: SweepFolder, data: bytes) -> None:
    folder.cursor.write_bytes(data)
    assert read_cursor(folder) == Cursor()


def test_no_cursor_is_an_empty_one(folder: SweepFolder) -> None:
    assert read_cursor(folder) == Cursor()
    assert backlog(folder, 7) == 7


@pytest.mark.parametrize(
    ("cursor", "fits"),
    [
        (Cursor(uri="u"), True),
        (Cursor(uri="u", run_id="r", seq=2, at=2.0), True),
        (Cursor(uri="u", run_id="r", seq=5, at=5.0), True),
        (Cursor(uri="of another server", run_id="r", seq=2, at=2.0), False),
        (Cursor(uri="u", run_id="r", seq=6, at=6.0), False),  # ahead of the journal
        (Cursor(uri="u", run_id="r", seq=2, at=1.5), False),  # of another journal
        (Cursor(uri="u", run_id="", seq=2, at=2.0), False),  # half of one
    ],
)
def test_a_cursor_is_held_against_the_journal(cursor: Cursor, fits: bool) -> None:
    assert cursor.fits(EVENTS, "u") == fits


def test_what_is_missing_is_told_in_events_and_trials(folder: SweepFolder) -> None:
    assert str(missing(folder, EVENTS)) == "5 events, of 2 trials, are not recorded in MLflow"
    write_cursor(folder, Cursor(uri="u", run_id="r", seq=3, trouble="it refuses connections"))
    rest = missing(folder, EVENTS)
    assert (rest.events, rest.trials, rest.reason) == (2, 1, "it refuses connections")
    write_cursor(folder, Cursor(uri="u", run_id="r", seq=4))
    assert str(missing(folder, EVENTS)) == "1 event is not recorded in MLflow"


def test_the_driver_imports_no_mlflow() -> None:
    code = "import sys, tuner.recording; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("names", "metric", "seq", "fits"),
    [(0, "top@5", 3, False), (VERSION, "top@5", 3, True), (0, "top_5", 3, True), (0, "top@5", 2, True)],
)
def test_what_was_recorded_under_other_keys_is_recorded_anew(names: int, metric: str, seq: int, fits: bool) -> None:
    epoch = ev.EpochReported(
        trial=3, attempt=1, epoch=1, metrics={metric: 0.5}, epoch_s=1.0, decision="continue", reason="", at=3.0
    )
    events = [*EVENTS[:2], epoch]
    cursor = Cursor(uri="u", run_id="r", seq=seq, at=float(seq), names=names)
    assert cursor.fits(events, "u") == fits
