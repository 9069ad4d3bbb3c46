"""What a process prints while a trial trains is that trial's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tuner.storage import SweepFolder
from tuner.storage.printed import printed_text

CODE = """
import os, subprocess, sys
from tuner.storage import SweepFolder
from tuner.worker.printed import Printed

printed = Printed(SweepFolder.at(sys.argv[1]))
print("before any trial")
for trial in range(2):
    printed.begin(trial)
    print(":actor_name:of Ray")
    print("epoch of", trial)
    printed.copy()
    subprocess.run(["sh", "-c", f"echo child of {trial} >&2"])
    sys.stdout.write(f"no newline {trial}")
printed.end()
print("after")
"""


def test_each_trial_has_what_was_printed_while_it_trained(tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "one").mkdir(parents=True)
    folder = SweepFolder.at(str(tmp_path / "sweeps" / "one"))
    with open(tmp_path / "out", "ab") as out, open(tmp_path / "err", "ab") as err:
        subprocess.run([sys.executable, "-c", CODE, str(folder.path)], stdout=out, stderr=err, check=True)
    for trial in range(2):
        assert printed_text(folder, trial) == f"epoch of {trial}\nno newline {trial}child of {trial}\n"


def test_an_output_that_is_no_file_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "one").mkdir(parents=True)
    folder = SweepFolder.at(str(tmp_path / "sweeps" / "one"))
    subprocess.run([sys.executable, "-c", CODE, str(folder.path)], capture_output=True, check=True)
    assert printed_text(folder, 0) is None


WARNS = """
import sys
from tuner.storage import SweepFolder
from tuner.worker.printed import Printed

printed = Printed(SweepFolder.at(sys.argv[1]))
with open(sys.argv[2], "w") as file:
    for trial in range(3):
        printed.begin(trial)
        print("WARNING:tensorflow:the same of each trial")
        print("WARNING:tensorflow:of the last") if trial == 2 else None
        printed.copy()
        print(printed.take_warnings(), file=file)
printed.end()
"""


def test_a_process_tells_each_warning_once_and_each_trial_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "one").mkdir(parents=True)
    folder = SweepFolder.at(str(tmp_path / "sweeps" / "one"))
    told = tmp_path / "told"
    with open(tmp_path / "out", "ab") as out:
        subprocess.run([sys.executable, "-c", WARNS, str(folder.path), str(told)], stdout=out, check=True)
    same, last = "tensorflow:the same of each trial", "tensorflow:of the last"
    assert told.read_text().splitlines() == [str((same,)), "()", str((last,))]
    assert printed_text(folder, 1) == f"WARNING:{same}\n"


CRASH = """
import ctypes, os, sys
from tuner.storage import SweepFolder
from tuner.worker.printed import Printed
from tuner.worker.process import _print_at_once

_print_at_once()
printed = Printed(SweepFolder.at(sys.argv[1]), sys.argv[2])
printed.begin(3)
print("epoch 1")
printed.copy()
print("about to crash")
ctypes.string_at(0)
"""


def test_what_a_process_prints_before_it_crashes_is_kept_by_who_outlives_it(tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "one").mkdir(parents=True)
    folder = SweepFolder.at(str(tmp_path / "sweeps" / "one"))
    parent = f"""
import subprocess, sys
from tuner.worker.printed import Mark

mark = Mark()
mark.keep_rest()
for _ in range(2):
    subprocess.run([sys.executable, "-c", {CRASH!r}, sys.argv[1], mark.path])
    mark.keep_rest()
    mark.keep_rest()
"""
    with open(tmp_path / "out", "ab") as out, open(tmp_path / "err", "ab") as err:
        subprocess.run([sys.executable, "-c", parent, str(folder.path)], stdout=out, stderr=err, check=True)
    text = printed_text(folder, 3)
    assert text is not None
    attempt = re.escape("epoch 1\nabout to crash\nFatal Python error: Segmentation fault\n") + "[^§]*string_at[^§]*"
    assert re.fullmatch(attempt * 2, text) and text.count("epoch 1") == 2
