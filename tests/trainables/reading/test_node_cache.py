"""Decoded data on the machine's disk: made once by several processes, whole after a kill, bounded, cleaned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests import folders
from tests.servers import wait_until
from trainables import Data, DataError
from trainables.reading import node_cache
from trainables.reading.rows import Rows, decoded

DECODES = """
import sys, time, numpy as np
from pathlib import Path
from trainables.reading.rows import decoded

def batches():
    with open(sys.argv[1], "a") as log:
        log.write("begun\\n")
    for number in range(5):
        yield {"x": np.full((10, 3), number, np.uint8)}
        time.sleep(float(sys.argv[2]))

rows = decoded("key", batches, {"x": "float32"})
print(int(rows.load(np.arange(50))["x"].sum()))
"""


def start(log: Path, pause_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DECODES, str(log), str(pause_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_several_processes_decode_once(tmp_path: Path) -> None:
    processes = [start(tmp_path / "log", 0.05) for _ in range(4)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["300"] * 4
    assert (tmp_path / "log").read_text() == "begun\n"


def test_a_killed_process_leaves_no_half_entry(tmp_path: Path, cache: Path) -> None:
    process, log = start(tmp_path / "log", 600), tmp_path / "log"
    wait_until(lambda: bool(list(cache.glob("key.*.part/rows.bin"))) and log.exists() and log.read_text() == "begun\n")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (cache / "key").exists()
    again = start(log, 0)
    assert again.communicate(timeout=60)[0].strip() == "300"
    assert not list(cache.glob("*.part")) and log.read_text() == "begun\nbegun\n"


def entry(key: str, count: int = 100) -> Rows | None:
    return decoded(key, lambda: iter([{"x": np.arange(count, dtype=np.uint8).reshape(-1, 1)}]))


def test_the_limit_holds_and_what_is_unused_longest_goes_first(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    first = entry("a")
    assert first is not None
    size = sum(file.stat().st_size for file in (cache / "a").iterdir())
    monkeypatch.setenv(node_cache.LIMIT_VARIABLE, str(int(2.5 * size)))
    entry("b")
    os.utime(cache / "a", (time.time() - 50, time.time() - 50))
    os.utime(cache / "b", (time.time() - 90, time.time() - 90))
    entry("a")  # a use
    entry("c")
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {"a", "c"}
    os.utime(cache / "a", (0, 0))
    entry("d")
    assert not (cache / "a").exists()
    assert first.read(np.array([3, 7]))["x"].tolist() == [[3], [7]]  # whoever has it open reads on
    monkeypatch.setenv(node_cache.LIMIT_VARIABLE, "50")
    assert entry("e") is None and not (cache / "e").exists()
    monkeypatch.setenv(node_cache.LIMIT_VARIABLE, "5 GB")
    with pytest.raises(DataError, match="TUNER_CACHE_BYTES must be a number of bytes from 0 on, but is '5 GB'"):
        entry("f")


def test_a_changed_file_is_decoded_anew(tmp_path: Path) -> None:
    root = folders.sounds(tmp_path / "s", 20)
    before = Data.from_audio_folder(root)
    folders.sound(root / "quiet" / "00003.wav", np.ones(200))
    assert Data.from_audio_folder(root).description["digest"] != before.description["digest"]


def test_rows_are_read_in_any_order_and_a_cut_file_is_told(cache: Path) -> None:
    rows = entry("a", 200)
    assert rows is not None
    order = np.random.default_rng(0).permutation(200)
    assert (rows.read(order)["x"][:, 0] == order).all() and len(rows.read(np.array([], int))["x"]) == 0
    assert rows.read(np.array([5, 6, 7, 3, 3]))["x"][:, 0].tolist() == [5, 6, 7, 3, 3]
    os.truncate(cache / "a" / "rows.bin", 150)
    with pytest.raises(DataError, match=r"rows\.bin: must hold 200 rows of 1 bytes, but was cut: remove it"):
        rows.read(order)
    with pytest.raises(DataError, match="but was cut"):
        entry("a", 200)


def test_a_home_that_cannot_be_written_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(node_cache.tempfile, "gettempdir", lambda: str(tmp_path))
    assert entry("a") is not None and list(tmp_path.glob("tuner-decoded-*/a"))


def test_importing_trainables_stays_light() -> None:
    heavy = "[name for name in ('tensorflow', 'pandas', 'pyarrow', 'keras') if name in sys.modules]"
    code = f"import sys; from trainables import Data; Data.from_csv; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
