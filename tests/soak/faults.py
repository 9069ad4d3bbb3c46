"""The faults of a soak. Each is done to a target whose driver is at work, at a random moment, and is over on return.

A fault returns whether it could be done: a worker that is not there yet cannot be killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.servers import Mode
from tests.soak.target import Target
from tuner.review.verification import verify_sweep
from tuner.storage import SweepFolder
from tuner.sweep import events as ev

ORPHANS_S = 1.5
"""In which the workers of a killed driver end."""
INTERRUPTED = (0, 1, 3, 4, -2, -15, 130)
"""A driver that was asked to leave: done already, resumable, or not yet at work; 4 where tracking is away, too."""


@dataclass(frozen=True)
class Fault:
    """`needs`: a storage or a tracking that the target must have; empty for any."""

    kind: str
    do: Callable[[Target], bool]
    needs: str = ""


def kill_driver(target: Target) -> bool:
    if target.driver is None or target.driver.poll() is not None:
        return False
    target.kill()
    return True


def terminate_driver(target: Target) -> bool:
    return _ask_to_leave(target, signal.SIGTERM)


def interrupt_driver(target: Target) -> bool:
    if not _ask_to_leave(target, signal.SIGINT, wait=target.rng.random() < 0.5):
        return False
    if target.driver is not None and target.driver.poll() is None:
        time.sleep(target.rng.uniform(0, 1))
        target.signal(signal.SIGINT)  # the second one does not wait
        target.wait(*INTERRUPTED)
    return True


def _ask_to_leave(target: Target, number: signal.Signals, wait: bool = True) -> bool:
    if target.driver is None or target.driver.poll() is not None:
        return False
    target.signal(number)
    if wait:
        target.wait(*INTERRUPTED)
    return True


def kill_worker(target: Target) -> bool:
    workers = target.workers()
    if not workers:
        return False
    target.rng.choice(sorted(workers, key=lambda process: process.pid)).kill()
    return True


def kill_recorder(target: Target) -> bool:
    recorders = target.recorders()
    for recorder in recorders:
        recorder.kill()
    return bool(recorders)


def tear_the_last_line(target: Target) -> bool:
    """What a machine that died in the middle of a write leaves: the beginning of an event that nobody acted on."""
    if not target.sweep_folder.exists() or not kill_driver(target):
        return False
    line = ev.encode(ev.SlotsChanged(slots=2, at=time.time(), seq=len(target.events())))
    with open(target.sweep_folder.journal, "ab") as file:
        file.write(line[: target.rng.randint(1, len(line) - 2)])
    return True


def truncate_the_newest_checkpoint(target: Target) -> bool:
    return _harm_checkpoint(target, lambda data: data[: target.rng.randrange(len(data))])


def delete_the_newest_checkpoint(target: Target) -> bool:
    return _harm_checkpoint(target, None)


def _harm_checkpoint(target: Target, change: Callable[[bytes], bytes] | None) -> bool:
    if target.newest_checkpoint() is None or not kill_driver(target):
        return False
    path = target.newest_checkpoint()
    if path is None or not path.exists():
        return False
    target.is_harmed = True
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    return True


def delete_the_cursor(target: Target) -> bool:
    return _harm_cursor(target, None)


def garble_the_cursor(target: Target) -> bool:
    return _harm_cursor(target, b'{"uri": "x", "seq": 99999')


def _harm_cursor(target: Target, content: bytes | None) -> bool:
    cursor = target.sweep_folder.cursor
    if not cursor.exists() or not kill_driver(target):
        return False
    kill_recorder(target)
    if content is None:
        cursor.unlink(missing_ok=True)
    else:
        cursor.write_bytes(content)
    return True


def delete_the_spec(target: Target) -> bool:
    """The journal holds the spec, so its file is for people."""
    if not target.sweep_folder.exists() or not kill_driver(target):
        return False
    target.sweep_folder.spec.unlink(missing_ok=True)
    return True


def tracking_fails(mode: Mode) -> Callable[[Target], bool]:
    def do(target: Target) -> bool:
        proxy = target.places.proxy
        proxy.mode = mode
        _sleep_while_at_work(target, target.rng.uniform(2, 25))
        proxy.mode = "pass"
        return True

    return do


def restart_tracking(target: Target) -> bool:
    server = target.places.server
    server.stop()
    _sleep_while_at_work(target, target.rng.uniform(0, 10))
    server.start()
    return True


def fill_the_disk(target: Target) -> bool:
    """The driver, or a worker's checkpoint, finds no room: exit 4, and after there is room again it goes on."""
    if target.driver is None or target.driver.poll() is not None or not target.workers():
        return False
    ballast = target.folder / "disk" / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    try:
        _sleep_while_at_work(target, 30)
        is_over = target.driver.poll() is not None
        if is_over:
            target.wait(0, 4)
    finally:
        ballast.unlink()
    return True


def storage_fails(target: Target) -> bool:
    """S3 answers with 503 and 500, or not at all, to one request in five."""
    faults = target.places.s3.faults
    faults.random.seed(target.rng.random())
    faults.fraction = 0.2
    _sleep_while_at_work(target, target.rng.uniform(3, 15))
    faults.clear()
    return True


def resume_twice(target: Target) -> bool:
    """Two drivers at the same moment: one works, the other is refused and names it."""
    if not target.sweep_folder.exists() or not kill_driver(target) or target.is_finished:
        return False
    first, second = target.start_driver(), target.start("resume", "soak")
    until = time.monotonic() + 90
    while time.monotonic() < until and first.poll() is None and second.poll() is None:
        time.sleep(0.1)
    loser, winner = (first, second) if first.poll() is not None else (second, first)
    target.driver = winner
    if loser.poll() is None:
        target.problems.append("two drivers work on the sweep at the same time")
        os.killpg(loser.pid, signal.SIGKILL)
        loser.wait()
    elif loser.returncode != 2:
        target.problems.append(f"of two drivers the second ended with exit {loser.returncode}, not 2")
    return True


def plant_links(target: Target) -> bool:
    """Links into a folder of somebody else's, under names of all kinds, while the driver works."""
    if not target.sweep_folder.exists():
        return False
    checkpoints = target.sweep_folder.checkpoints
    checkpoints.mkdir(exist_ok=True)
    trials = [path for path in checkpoints.iterdir() if path.is_dir() and not path.is_symlink()]
    inside = target.rng.choice(trials) if trials else checkpoints
    for number, link in enumerate(
        (
            checkpoints / "zz",
            inside / f"full-{target.rng.randrange(27):06d}-attempt-001-{os.getpid()}.npz",
            inside / f".full-000001-attempt-001-{os.getpid()}.npz.{os.getpid()}-1.tmp",
            target.sweep_folder.path / ".report.html.1-1.tmp",
        )
    ):
        with contextlib.suppress(FileExistsError):
            target.planted.append(link)
            link.symlink_to(target.outside / "thesis" if number % 2 == 0 else target.outside / "thesis" / "chapter.tex")
    return True


def replace_checkpoints_by_a_link(target: Target) -> bool:
    """A resume refuses it in one line; once the folder is back it goes on."""
    checkpoints = target.sweep_folder.checkpoints
    if not checkpoints.is_dir() or not kill_driver(target):
        return False
    time.sleep(ORPHANS_S)
    aside = target.folder / "checkpoints"
    shutil.move(checkpoints, aside)
    checkpoints.symlink_to(target.outside / "thesis")
    target.start_driver()
    target.wait(2, 4)
    checkpoints.unlink()
    shutil.move(aside, checkpoints)
    return True


def copy_the_folder(target: Target) -> bool:
    """A copy by hand is refused; `tuner copy` makes a sweep of its own, which verifies; the original goes on."""
    if not target.sweep_folder.exists() or not kill_driver(target):
        return False
    time.sleep(ORPHANS_S)
    root = target.sweep_folder.path.parent
    shutil.copytree(target.sweep_folder.path, root / "by-hand", symlinks=True)
    if (code := target.command_ends("resume", "by-hand")) != 2:
        target.problems.append(f"a folder copied by hand was resumed with exit {code}, not 2")
    shutil.rmtree(root / "by-hand")
    if (code := target.command_ends("copy", "soak", "copied")) != 0:
        target.problems.append(f"`tuner copy` ended with exit {code}: {target.output[-300:]}")
        return True
    copied = verify_sweep(SweepFolder(root / "copied"), mlflow=False, checkpoints=not target.is_harmed)
    target.problems += [f"the copy: {finding}" for finding in copied.findings]
    shutil.rmtree(root / "copied")
    return True


def edit_the_trainable(target: Target) -> bool:
    """Another program under the same name: the sweep goes on with the one that it was started with."""
    if not target.sweep_folder.exists():
        return False
    target.edit_trainable()
    return True


def stop_and_continue_driver(target: Target) -> bool:
    """SIGSTOP for longer, at times, than a lease is fresh."""
    if target.driver is None or target.driver.poll() is not None:
        return False
    target.signal(signal.SIGSTOP)
    time.sleep(target.rng.uniform(2, 40))
    target.signal(signal.SIGCONT)
    return True


def stop_and_continue_worker(target: Target) -> bool:
    workers = target.workers()
    if not workers:
        return False
    worker = target.rng.choice(sorted(workers, key=lambda process: process.pid))
    with contextlib.suppress(psutil.NoSuchProcess):
        worker.suspend()
        _sleep_while_at_work(target, target.rng.uniform(2, 20))
        worker.resume()
    return True


def set_the_clock(target: Target) -> bool:
    """The driver's wall clock jumps by hours, forward or back, and returns."""
    if target.driver is None or target.driver.poll() is not None:
        return False
    target.set_clock(target.rng.choice([-7200, -3600, 3600, 7200, 86400]))
    _sleep_while_at_work(target, target.rng.uniform(2, 15))
    target.set_clock(0)  # else Ray's own threads, which the library tells the time wrongly, might never end
    return True


def delete_the_database(target: Target) -> bool:
    """The tracking store's file is gone while the recorder works; it is recreated from the journal."""
    if not target.database.exists():
        return False
    target.database.unlink()
    return True


def lock_the_database(target: Target) -> bool:
    """Another program holds the tracking store's file for a while."""
    if not target.database.exists():
        return False
    with contextlib.closing(sqlite3.connect(target.database, timeout=60)) as held:
        held.execute("begin exclusive")
        _sleep_while_at_work(target, target.rng.uniform(5, 45))
        held.rollback()
    return True


def kill_ray(name: str) -> Callable[[Target], bool]:
    """SIGKILL to a process of the cluster: the driver leaves with exit 4, and another cluster comes."""

    def do(target: Target) -> bool:
        if target.driver is None or target.driver.poll() is not None or not target.workers():
            return False
        target.places.kill_ray(name)
        target.wait(0, 1, 4)
        target.places.restart_ray()
        return True

    return do


def _sleep_while_at_work(target: Target, sleep_s: float) -> None:
    until = time.monotonic() + sleep_s
    while time.monotonic() < until and target.driver is not None and target.driver.poll() is None:
        time.sleep(0.1)


FAULTS = [
    Fault("kill-driver", kill_driver),
    Fault("terminate-driver", terminate_driver),
    Fault("interrupt-driver", interrupt_driver),
    Fault("kill-worker", kill_worker),
    Fault("kill-recorder", kill_recorder),
    Fault("torn-line", tear_the_last_line, "file"),
    Fault("truncated-checkpoint", truncate_the_newest_checkpoint),
    Fault("deleted-checkpoint", delete_the_newest_checkpoint),
    Fault("deleted-cursor", delete_the_cursor),
    Fault("garbled-cursor", garble_the_cursor),
    Fault("deleted-spec", delete_the_spec),
    Fault("tracking-refuses", tracking_fails("refuse"), "server"),
    Fault("tracking-hangs", tracking_fails("hang"), "server"),
    Fault("tracking-errors", tracking_fails("error"), "server"),
    Fault("tracking-cuts", tracking_fails("cut"), "server"),
    Fault("tracking-restarts", restart_tracking, "server"),
    Fault("disk-full", fill_the_disk, "disk"),
    Fault("s3-errors", storage_fails, "s3"),
    Fault("two-drivers", resume_twice),
    Fault("planted-links", plant_links, "file"),
    Fault("linked-checkpoints", replace_checkpoints_by_a_link, "file"),
    Fault("copied-folder", copy_the_folder, "file"),
    Fault("edited-trainable", edit_the_trainable),
    Fault("stopped-driver", stop_and_continue_driver),
    Fault("stopped-worker", stop_and_continue_worker),
    Fault("clock-jump", set_the_clock, "clock"),
    Fault("deleted-database", delete_the_database, "sqlite"),
    Fault("locked-database", lock_the_database, "sqlite"),
    Fault("kill-raylet", kill_ray("raylet")),
    Fault("kill-gcs", kill_ray("gcs_server")),
]
