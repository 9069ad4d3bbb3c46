"""`python -m tests.soak`: sweeps under random faults until the time is up; exit 1 if one of them lost anything.

Each sweep has its own seed, one more than the one before, and prints it: `--seed THAT --sweeps 1` repeats its faults.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.clocks import LIBRARY
from tests.soak.faults import FAULTS, ORPHANS_S, Fault
from tests.soak.places import Places, children_of_soak
from tests.soak.target import Target
from tuner.recording import backlog
from tuner.review.verification import Finding, Verification, verify_sweep

FIRST_LIFE_S = 25.0
"""What a driver's life is taken for before one was measured."""
CHANCE_S = 60.0
"""For what a fault needs to be there: a worker, a checkpoint."""
LAST_TRIES = 8


class Tally:
    """The table at the end."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.sweeps = self.drivers = self.trials = self.events = self.trained_twice = 0
        self.lost = self.duplicated = self.wrong = self.outside = 0

    def take(self, target: Target, verified: Verification) -> None:
        self.sweeps += 1
        self.drivers += target.num_drivers
        self.trials += verified.counts.get("trials", 0)
        self.events += verified.counts.get("events", 0)
        self.trained_twice += verified.counts.get("epochs_trained_twice", 0)
        self.lost += verified.num("lost")
        self.duplicated += verified.num("duplicated")
        self.wrong += verified.num("wrong") + len(target.problems)
        self.outside += not target.is_outside_whole

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong or self.outside)

    def __str__(self) -> str:
        rows = [(fault.kind, self.faults[fault.kind]) for fault in FAULTS if self.faults[fault.kind]]
        rows += [("faults in all", self.faults.total())]
        names = ("sweeps", "drivers", "trials", "events", "trained_twice", "lost", "duplicated", "wrong", "outside")
        rows += [(name.replace("_", " "), getattr(self, name)) for name in names]
        return "\n".join(f"  {name:24}{number:8}" for name, number in rows)


class Soak:
    def __init__(self, places: Places, faults: list[Fault], until: float) -> None:
        self.places, self.faults, self.until = places, faults, until
        self.tally = Tally()
        self.life_s = FIRST_LIFE_S

    def sweep(self, seed: int) -> bool:
        """One sweep from its first driver to its verification; whether nothing is wrong with it."""
        began_at = time.monotonic()

        def say(text: str) -> None:
            print(f"[seed {seed}] {time.monotonic() - began_at:6.1f} s  {text}", flush=True)

        rng = random.Random(seed)
        storage, tracking = self._place(rng)
        target = Target(self.places, rng, self.places.folder / f"sweep-{seed}", storage, tracking, say)
        say(f"a sweep on {storage}, recorded in {tracking}")
        try:
            for _ in range(rng.randint(3, 6)):
                self._fault(target)
            self._to_the_end(target)
            verified = self._verified(target)
        except Exception:
            traceback.print_exc()
            target.problems.append("the soak itself failed")
            verified = Verification({}, [Finding("events", "not verified")])
        finally:
            target.close()
        self.tally.take(target, verified)
        outside = [] if target.is_outside_whole else ["a folder outside of the sweep's was touched"]
        for line in [*map(str, verified.findings), *target.problems, *outside]:
            say(f"WRONG: {line}")
        is_clean = verified.ok and not target.problems and not outside
        if is_clean:
            say(f"holds: {', '.join(f'{number} {name}' for name, number in verified.counts.items())}")
            shutil.rmtree(target.folder, ignore_errors=True)
        else:
            say(f"its files stay in {target.folder}")
        return is_clean

    def _place(self, rng: random.Random) -> tuple[str, str]:
        """Storage and tracking that the wanted faults need, drawn."""
        storages = [*["local"] * 3, "s3", *(["disk"] if self.places.can_mount else [])]
        needed = {fault.needs for fault in self.faults}
        if needed <= {"disk", "s3"}:
            storages = [name for name in storages if name in needed]
        storage = rng.choice(storages)
        tracking = "server" if storage == "s3" or needed == {"server"} or rng.random() < 0.5 else "sqlite"
        tracking = "sqlite" if needed == {"sqlite"} and storage != "s3" else tracking
        return storage, tracking

    def _fault(self, target: Target) -> None:
        """A driver's work until a moment that is uniform over its life, and what happens to it then."""
        has = {"", target.storage, target.tracking, *(["file"] if target.storage != "s3" else [])}
        has |= {"clock"} if LIBRARY is not None else set()
        fault = target.rng.choice([fault for fault in self.faults if fault.needs in has] or self.faults)
        if target.driver is None or target.driver.poll() is not None:
            if target.is_finished:
                return
            target.start_driver()
        assert target.driver is not None
        age_s = time.monotonic() - target.started_at
        self._wait(target, target.rng.uniform(0.0, max(5.0, self.life_s - age_s)))
        moment_s = time.monotonic() - target.started_at
        if target.driver.poll() is not None:
            target.wait(0, 1, 4)
        was_done = fault.do(target)
        until = time.monotonic() + CHANCE_S
        while not was_done and time.monotonic() < until and target.driver.poll() is None:
            time.sleep(0.2)
            was_done = fault.do(target)
        target.take_acknowledged()
        if was_done:
            self.tally.faults[fault.kind] += 1
        state = f"{len(target.acknowledged)} events"
        target.say(
            f"driver {target.num_drivers}, {moment_s:.1f} s: {fault.kind}{'' if was_done else ' (no chance)'}, {state}"
        )

        if target.driver.poll() is not None:
            self._verify_as_left(target)

    def _verify_as_left(self, target: Target) -> None:
        """Nobody works on the sweep: what it could be resumed from is sound. MLflow may be behind."""
        if target.events():
            time.sleep(ORPHANS_S)
            left = verify_sweep(
                target.sweep_folder, target.acknowledged, mlflow=False, checkpoints=not target.is_harmed
            )
            target.problems += [f"after driver {target.num_drivers}: {finding}" for finding in left.findings]

    def _wait(self, target: Target, wait_s: float) -> None:
        until = time.monotonic() + wait_s
        while time.monotonic() < until and target.driver is not None and target.driver.poll() is None:
            time.sleep(0.05)

    def _to_the_end(self, target: Target) -> None:
        """Resumes until the sweep is finished and recorded."""
        for _ in range(LAST_TRIES):
            if target.driver is None or target.driver.poll() is not None:
                if target.is_finished:
                    break
                target.start_driver()
            target.wait(0, 1, 4)
            self.life_s = 0.8 * self.life_s + 0.2 * (time.monotonic() - target.started_at)
        else:
            target.problems.append(f"not finished after {LAST_TRIES} resumes")
        target.wait(0, 1, 4)
        until = time.monotonic() + 90
        while target.recorders() and time.monotonic() < until:
            time.sleep(0.2)
        if backlog(target.sweep_folder, len(target.events())):
            recording = target.start("record", "soak")
            if recording.wait(120) != 0:
                target.problems.append(f"`tuner record` ended with exit {recording.returncode}: {target.output[-300:]}")

    def _verified(self, target: Target) -> Verification:
        target.remove_planted()
        return verify_sweep(target.sweep_folder, target.acknowledged)


def main() -> int:
    kinds = [fault.kind for fault in FAULTS]
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Sweeps under random faults.")
    parser.add_argument("--minutes", type=float, default=10.0, help="no sweep begins after so long")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="of the first sweep; random by default"
    )
    parser.add_argument("--sweeps", type=int, default=10**6, help="so many at most")
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds, metavar="KIND", help=", ".join(kinds))
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    folder = Path(tempfile.mkdtemp(prefix="tuner-soak-"))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    print(f"--seed {options.seed}, {options.minutes:g} minutes, files in {folder}", flush=True)
    places = Places(folder)
    faults = [fault for fault in FAULTS if fault.kind in options.only]
    if not places.can_mount:
        faults = [fault for fault in faults if fault.needs != "disk"]
        print("disk-full is left out: this user may not mount a small disk", flush=True)
    if LIBRARY is None:
        faults = [fault for fault in faults if fault.needs != "clock"]
        print("clock-jump is left out: libfaketime is not installed", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    soak = Soak(places, faults, time.monotonic() + 60 * options.minutes)
    try:
        for number in range(options.sweeps):
            if time.monotonic() >= soak.until:
                break
            soak.sweep(options.seed + number)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    finally:
        places.close()
        for process in children_of_soak(str(folder)):
            process.kill()
    print(soak.tally)
    if soak.tally.is_clean:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if soak.tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
