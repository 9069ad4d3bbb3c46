"""One sweep that faults are done to: its commands, its driver, and what was acknowledged before each fault."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.clocks import LIBRARY, FakeClock
from tests.soak.places import Places, children_of_soak
from tests.sweeps.conftest import MODELS, environment
from tuner.base.errors import TunerError
from tuner.spec import dump_yaml
from tuner.storage import StorageRoot, SweepFolder, write_atomically
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

NAME = "soak"
PATIENCE_S = 600.0
"""For a driver to end by itself; one that hangs longer is a fault of the product's."""


@dataclass
class Target:
    """A sweep and who works on it."""

    places: Places
    rng: random.Random
    folder: Path
    """This soak's own files of the sweep: spec, output of its drivers, local storage."""
    storage: str
    """Where the sweep lives: local, disk or s3."""
    tracking: str
    """Where it is recorded: sqlite or server."""
    say: Callable[[str], None]
    problems: list[str] = field(default_factory=list)
    """What a user must never see, such as a traceback or a wrong exit code."""
    acknowledged: list[ev.AnyEvent] = field(default_factory=list)
    is_harmed: bool = False
    """Whether a fault took checkpoints away, so that not all that are journalled can be there."""
    driver: subprocess.Popen[bytes] | None = None
    was_killed: bool = False
    """Whether the newest driver was."""
    started_at: float = 0.0
    num_drivers: int = 0
    num_edits: int = 0
    planted: list[Path] = field(default_factory=list)
    """Links, which a finished sweep's verification would tell about."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.trainable = self.folder / "model" / "tiny.py"
        self.trainable.parent.mkdir()
        shutil.copy(MODELS / "tiny.py", self.trainable)
        (self.folder / "clock").mkdir()
        self.clock = FakeClock(self.folder / "clock") if LIBRARY is not None else None
        disk = self.folder / "disk"
        if self.storage == "s3":
            self.root = StorageRoot.resolve(self.places.s3.new_root())
        else:
            if self.storage == "disk":
                self.places.mount_disk(disk)
            self.root = StorageRoot(disk / "sweeps" if self.storage == "disk" else self.folder / "sweeps")
        self.outside = self.folder / "outside"
        (self.outside / "thesis" / "000001").mkdir(parents=True)
        for name in ("chapter.tex", "000001/full-000001-attempt-001-1.npz", ".hidden.tmp"):
            (self.outside / "thesis" / name).write_text("ten years of work")
        self._outside_before = self._outside_now()
        self.database = self.folder / "mlflow.db"
        if self.tracking == "sqlite":
            self.database.write_bytes(self.places.database.read_bytes())
            uri = f"sqlite:///{self.database}"
        else:
            uri = self.places.proxy.url
        self.spec = self.folder / "soak.yaml"
        self.spec.write_text(dump_yaml(self._spec(uri)))

    def _spec(self, uri: str) -> dict[str, Any]:
        broken = self.rng.random() < 0.4
        return {
            "name": NAME,
            "trainable": f"{self.trainable}:Tiny",
            "objective": {"metric": "val_loss", "mode": "min"},
            "num_trials": self.rng.randint(8, 16),
            "epochs": {"min": 3, "max": 27},
            "space": {
                "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
                "batch_size": {"choices": [16, 32]},
                "broken": {"choices": ["no", "nan", "build"]} if broken else "no",
                "pause_s": 0.01,
            },
            "search": {"seed": self.rng.randrange(1000)},
            "failures": {"max_retries": 3 if broken else 20},
            "checkpoints": {"keep": 3},
            "tracking": {"uri": uri, "experiment": f"soak-{self.folder.name}"},
        }

    @property
    def sweep_folder(self) -> SweepFolder:
        return self.root.sweep(NAME)

    def events(self) -> list[ev.AnyEvent]:
        """What is acknowledged now; nothing where it cannot be read at the moment."""
        try:
            return read_events(self.sweep_folder) if self.sweep_folder.exists() else []
        except (TunerError, OSError):
            return []

    def sweep(self) -> Sweep:
        return fold(self.events())

    @property
    def is_finished(self) -> bool:
        sweep = self.sweep()
        return sweep.ended is not None and sweep.ended.state == "finished"

    # Commands

    def command(self, *arguments: str) -> list[str]:
        address = ["--address", self.places.ray_address] if arguments[0] in ("run", "resume") else []
        return [sys.executable, "-m", "tuner.cli.main", *arguments, "--storage", self.root.url, *address]

    def start_driver(self) -> subprocess.Popen[bytes]:
        """`run --or-resume`, in a process group of its own, its output in a file."""
        self.num_drivers += 1
        self.was_killed = False
        self.driver = self.start("run", str(self.spec), "--or-resume")
        self.started_at = time.monotonic()
        return self.driver

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        number = len(list(self.folder.glob("out-*")))
        with open(self.folder / f"out-{number:02d}.txt", "wb") as out:
            return subprocess.Popen(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment() | (self.clock.environment if self.clock is not None else {}),
                start_new_session=True,
            )

    def command_ends(self, *arguments: str) -> int:
        """The exit code of a command that is over soon."""
        return self.start(*arguments).wait(PATIENCE_S)

    @property
    def output(self) -> str:
        """What the newest command wrote."""
        newest = max(self.folder.glob("out-*"))
        return newest.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        assert self.driver is not None
        if self.driver.poll() is None:
            os.kill(self.driver.pid, number)

    def wait(self, *expected: int, patience_s: float = PATIENCE_S) -> int:
        """Waits for the driver's end, and holds its exit code against those expected."""
        assert self.driver is not None
        try:
            code = self.driver.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.problems.append(f"driver {self.num_drivers} did not end within {patience_s:g} s")
            self.kill()
            return -9
        if code not in expected and not self.was_killed:
            last = " | ".join(self.output.strip().splitlines()[-3:])
            self.problems.append(f"driver {self.num_drivers} ended with exit {code}, not {expected}: {last[:400]}")
        if "Traceback" in self.output and not self.output.rstrip().endswith("KeyboardInterrupt"):
            self.problems.append(f"driver {self.num_drivers} wrote a traceback")
        self.take_acknowledged()
        return code

    def kill(self) -> None:
        """SIGKILL to the driver alone; what it started must cope."""
        assert self.driver is not None
        self.was_killed = True
        self.signal(signal.SIGKILL)
        self.driver.wait(60)
        self.take_acknowledged()

    def take_acknowledged(self) -> None:
        """Remembers what is on storage: it must be there for good."""
        events = self.events()
        if len(events) > len(self.acknowledged):
            self.acknowledged = events

    # What faults change

    def set_clock(self, offset_s: int) -> None:
        """Moves the wall clock of the driver, and of those to come."""
        assert self.clock is not None
        self.clock.set(offset_s)

    def edit_trainable(self) -> None:
        """Makes another program of the trainable's file: other labels."""
        self.num_edits += 1
        source = (MODELS / "tiny.py").read_text().replace("y = x.sum(", f"y = {100 * self.num_edits} * x.sum(")
        write_atomically(self.trainable, source.encode())

    def _outside_now(self) -> list[tuple[str, int, bytes]]:
        """Names, times and content of what is not the sweep's."""
        files = sorted(path for path in self.outside.rglob("*"))
        return [(str(path), path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in files]

    @property
    def is_outside_whole(self) -> bool:
        """Whether nothing outside of the sweep's folder was touched."""
        return self._outside_now() == self._outside_before

    def remove_planted(self) -> None:
        for link in self.planted:
            link.unlink(missing_ok=True)

    # Whom faults are done to

    def recorders(self) -> list[psutil.Process]:
        url = self.sweep_folder.url
        return [p for p in children_of_soak(url) if "tuner.recording" in (p.info["cmdline"] or ())]

    def workers(self) -> list[psutil.Process]:
        """Processes that train an unfinished trial now."""
        live = {trial.number for trial in self.sweep().unfinished}
        started = {event.trial: event.pid for event in self.events() if isinstance(event, ev.TrialStarted)}
        found = []
        for pid in {pid for trial, pid in started.items() if trial in live}:
            try:
                process = psutil.Process(pid)
                if any("ray::" in part or "default_worker" in part for part in process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def newest_checkpoint(self) -> Any:
        """The newest full checkpoint that an unfinished trial would go on from; None if there is none."""
        saved = [trial.checkpoints[-1] for trial in self.sweep().unfinished if trial.checkpoints]
        return self.sweep_folder.path / max(saved, key=lambda one: one.seq).path if saved else None

    def close(self) -> None:
        """Ends what is left of it on this machine."""
        if self.driver is not None and self.driver.poll() is None:
            self.kill()
        for recorder in self.recorders():
            recorder.kill()
        if self.storage == "disk":
            self.places.unmount_disk(self.folder / "disk")
