"""stop, logs: the driver of a sweep, on this machine or on a cluster."""

from __future__ import annotations

import os
import time
from typing import Annotated, TextIO

import typer

from tuner.api.stopping import stop as stop_sweep
from tuner.base.errors import StorageError, UsageError
from tuner.cli.cluster_command import There, ask_there, logs_there
from tuner.cli.elsewhere import asked_elsewhere
from tuner.cli.kubernetes_there import Pods
from tuner.cli.output import (
    ClusterFile,
    JobServer,
    KubeNamespace,
    OnKubernetes,
    Storage,
    SweepName,
    has_reader,
    people,
    print_data,
)
from tuner.cli.pages import add
from tuner.review import status
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.commands import program, storage_option
from tuner.storage.journal import read_holder
from tuner.storage.nofollow import open_file
from tuner.storage.printed import printed_text

LOOK_EVERY_S = 0.25
RAY_LOGS = "/tmp/ray/session_latest/logs/worker-*"
"""Logs of a Ray cluster that was started with Ray's defaults."""
NAMED_AT_MOST = 8


def stop(
    sweep: SweepName,
    storage: Storage = None,
    cluster: ClusterFile = None,
    address: JobServer = None,
    kubernetes: OnKubernetes = False,
    namespace: KubeNamespace = None,
) -> None:
    """Stop a running sweep; it can be resumed.

    Waits for the running epochs to end. Stop it a second time to stop at once.
    """
    words = ["stop", sweep]
    storage = asked_elsewhere(sweep, words, storage, cluster, address, kubernetes, namespace)
    folder, folded = status.open_sweep(StorageRoot.resolve(storage), sweep)
    stop_sweep(folder, folded, people.print)
    folder, folded = status.open_sweep(folder.root, sweep)
    again = f"; go on with it: {program()} resume {sweep}{storage_option(folder.root)}"
    where = status.state(folder, folded)
    people.print(f"sweep {sweep} is {where}{again if where == 'interrupted' else ''}")


def logs(
    sweep: SweepName,
    trial: Annotated[
        int | None, typer.Option("--trial", metavar="N", help="Print what trial N printed.", min=0)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until the driver ends.")] = False,
    storage: Storage = None,
    cluster: ClusterFile = None,
    address: JobServer = None,
    kubernetes: OnKubernetes = False,
    namespace: KubeNamespace = None,
) -> None:
    """Print the log of a sweep, or what a trial printed.

    On a cluster that is the progress of the sweep; on this machine, what Ray and the workers reported to it. Of what a
    trial printed, the first and the last MiB are kept.
    """
    if trial is not None:
        _print_trial(sweep, trial, follow, storage, There.asked(cluster, address), kubernetes, namespace)
        return
    if (pods := Pods.asked(kubernetes, namespace, cluster, address)) is not None:
        storage = pods.logs(sweep, follow, storage)
    if (there := There.asked(cluster, address)) is not None:
        raise typer.Exit(logs_there(there, sweep, follow, {"--storage": storage}))
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


def _print_trial(
    sweep: str,
    trial: int,
    is_followed: bool,
    storage: str | None,
    there: There | None,
    kubernetes: bool,
    namespace: str | None,
) -> None:
    """Prints what a trial printed, here or where its sweep runs."""
    asked = ["logs", sweep, "--trial", str(trial), *(["--follow"] if is_followed else [])]
    if (pods := Pods.asked(kubernetes, namespace, None, None)) is not None:
        storage = pods.answer(sweep, asked, storage)
    if there is not None:
        raise typer.Exit(ask_there(there, sweep, asked, {"--storage": storage}))
    folder, folded = status.open_sweep(StorageRoot.resolve(storage), sweep)
    if trial not in folded.trials:
        raise UsageError(f"sweep {sweep} has no trial {trial}: it has {len(folded.trials)}, from 0")
    told = ""
    while True:
        is_over = not is_followed or read_holder(folder.lease) is None or _has_ended(folder, trial)
        text = printed_text(folder, trial) or ""
        if not print_data(text[len(told) :] if text.startswith(told) else text) or is_over or not has_reader():
            break
        told = text
        time.sleep(LOOK_EVERY_S)
    if not text and not is_followed:
        people.print(f"trial {trial} of sweep {sweep} has printed nothing")


def _has_ended(folder: SweepFolder, trial: int) -> bool:
    _, folded = status.open_sweep(folder.root, folder.name)
    return folded.trials[trial].outcome is not None


def _printed(folder: SweepFolder) -> str:
    """The files with the output of the trainables on this machine, of running workers and of earlier ones."""
    from tuner.backend.outputs import saved_outputs
    from tuner.backend.ray_folder import live_logs

    files = [str(path) for path in saved_outputs(folder.outputs)]
    more = [f"and {len(files) - NAMED_AT_MOST} before them"] if len(files) > NAMED_AT_MOST else []
    where = [*(f"{logs}/worker-*" for logs in live_logs(folder.outputs)), *files[-NAMED_AT_MOST:], *more]
    return f"what trainables printed is in {', '.join(where)}" if where else ""


def _pass_on(log: TextIO, folder: SweepFolder, is_followed: bool) -> None:
    """Prints a log to its end or, if it is followed, until the driver ends; stops when the reader leaves."""
    while True:
        is_over = not is_followed or read_holder(folder.lease) is None
        while text := log.read(65536):
            is_over = not print_data(text) or is_over
        if is_over:
            return
        time.sleep(LOOK_EVERY_S)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        stop,
        """
        tuner stop first
        tuner stop first --cluster cluster.yaml
        """,
    )
    add(
        app,
        logs,
        """
        tuner logs first
        tuner logs first --trial 7 --follow
        tuner logs first --cluster cluster.yaml --follow
        """,
    )
