"""stop, logs: a running sweep's driver, on this machine or on a cluster."""

from __future__ import annotations

import os
import time
from typing import Annotated, TextIO

import typer

from tuner.api.stopping import stop as stop_sweep
from tuner.base.errors import StorageError, UsageError
from tuner.cli.cluster_command import There, ask_there, logs_there
from tuner.cli.output import ClusterFile, JobServer, Storage, SweepName, people, print_data
from tuner.review import status
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.commands import program, storage_option
from tuner.storage.journal import read_holder
from tuner.storage.nofollow import open_file

LOOK_EVERY_S = 0.25
RAY_LOGS = "/tmp/ray/session_latest/logs/worker-*"
"""Of a Ray that was started with Ray's own defaults."""
NAMED_AT_MOST = 8


def stop(sweep: SweepName, storage: Storage = None, cluster: ClusterFile = None, address: JobServer = None) -> None:
    """Stop a running sweep after the running epochs, to be resumed; a second time does not wait for them."""
    if there := There(cluster, address):
        ask_there(there, sweep, ["stop", sweep], {"--storage": storage})
    folder, folded = status.open_sweep(StorageRoot.resolve(storage), sweep)
    stop_sweep(folder, folded, people.print)
    folder, folded = status.open_sweep(folder.root, sweep)
    again = f"; go on with it: {program()} resume {sweep}{storage_option(folder.root)}"
    where = status.state(folder, folded)
    people.print(f"sweep {sweep} is {where}{again if where == 'interrupted' else ''}")


def logs(
    sweep: SweepName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the driver has ended.")] = False,
    storage: Storage = None,
    cluster: ClusterFile = None,
    address: JobServer = None,
) -> None:
    """Print what a sweep's driver has said: with --cluster its progress, here what Ray and its workers told it."""
    if there := There(cluster, address):
        logs_there(there, sweep, follow, {"--storage": storage})
    folder, _ = status.open_sweep(StorageRoot.resolve(storage), sweep)
    printed = _printed(folder)
    try:
        with open(open_file(folder.driver_log, os.O_RDONLY, folder.base), encoding="utf-8", errors="replace") as log:
            _pass_on(log, folder, follow)
    except FileNotFoundError:
        what = f"no driver of sweep {sweep} has logged a failure on this machine"
        if not printed:
            raise UsageError(
                f"{folder.driver_log}: {what}; what a trainable prints on a cluster is in {RAY_LOGS}"
            ) from None
        people.print(f"{what}; {printed}")
        return
    except OSError as error:
        raise StorageError(f"{folder.driver_log}: cannot be read: {error.strerror or error}") from error
    if printed:
        people.print(printed)


def _printed(folder: SweepFolder) -> str:
    """Where that is which trainables printed on this machine: what runs, and what was kept at the end of each Ray."""
    from tuner.backend.outputs import saved_outputs
    from tuner.backend.ray_folder import live_logs

    files = [str(path) for path in saved_outputs(folder.outputs)]
    more = [f"and {len(files) - NAMED_AT_MOST} before them"] if len(files) > NAMED_AT_MOST else []
    where = [*(f"{logs}/worker-*" for logs in live_logs(folder.outputs)), *files[-NAMED_AT_MOST:], *more]
    return f"what trainables printed is in {', '.join(where)}" if where else ""


def _pass_on(log: TextIO, folder: SweepFolder, is_followed: bool) -> None:
    """Prints a log to its end, or to the driver's end if it is followed, unless its reader leaves before."""
    while True:
        is_over = not is_followed or read_holder(folder.lease) is None
        while text := log.read(65536):
            is_over = not print_data(text) or is_over
        if is_over:
            return
        time.sleep(LOOK_EVERY_S)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    app.command()(stop)
    app.command()(logs)
