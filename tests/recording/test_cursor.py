import subprocess
import sys
from pathlib import Path

import pytest

from tuner.paths import StorageRoot, SweepFolder
from tuner.recording.cursor import Cursor, backlog, read_cursor, write_cursor


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return StorageRoot(tmp_path).sweep(".")


def test_a_cursor_is_read_as_it_was_written(folder: SweepFolder) -> None:
    cursor = Cursor(uri="http://host", experiment_id="1", run_id="a", trials={0: "b", 17: "c"}, seq=9, offset=900)
    write_cursor(folder, cursor)
    assert read_cursor(folder) == cursor
    assert backlog(folder, 12) == 3
    assert backlog(folder, 5) == 0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"seq": "x"}', b"\xff\xfe"])
def test_a_damaged_cursor_is_an_empty_one(folder: SweepFolder, data: bytes) -> None:
    folder.cursor.write_bytes(data)
    assert read_cursor(folder) == Cursor()


def test_no_cursor_is_an_empty_one(folder: SweepFolder) -> None:
    assert read_cursor(folder) == Cursor()
    assert backlog(folder, 7) == 7


def test_the_driver_imports_no_mlflow() -> None:
    code = "import sys, tuner.recording; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
