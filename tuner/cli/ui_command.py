"""ui: the MLflow UI on the store that holds the runs of the sweeps, or Tuner's own pages on the sweeps."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tuner.base.errors import TrackingError, TunerError, UsageError
from tuner.base.secrets import with_credentials, without_credentials
from tuner.cli.completion import sweep_names
from tuner.cli.output import Storage, people
from tuner.cli.pages import add
from tuner.storage import DATABASE, StorageRoot, SweepFolder, exists

if TYPE_CHECKING:
    from tuner.sweep import Sweep


def ui(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", autocompletion=sweep_names, help="Show the store of this sweep.")
    ] = None,
    storage: Storage = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Port to listen on; 0 for any free one.", min=0, max=65535)
    ] = 5000,
    live: Annotated[
        bool, typer.Option("--live", help="Serve the reports of all sweeps, which follow running sweeps, not MLflow.")
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="With --live, address to listen on. Beyond this machine, pages need the token of the printed URL."
            " [default: 127.0.0.1]",
        ),
    ] = None,
) -> None:
    """Start the MLflow UI, or live reports on all sweeps.

    It listens on 127.0.0.1 until Ctrl-C. Of a sweep that is recorded on a server, it prints the server's address. With
    --live, it serves a list of all sweeps, and the report of each, which follows the sweep as it runs.
    """
    if live:
        from tuner.cli.live_command import serve_live

        serve_live(StorageRoot.resolve(storage), sweep, host, port)
        return
    if host is not None:
        raise UsageError("--host: must be given with --live; the MLflow UI listens on 127.0.0.1")
    from tuner.recording.database import check_reachable
    from tuner.recording.links import experiments_page
    from tuner.recording.relocation import relocate_artifacts
    from tuner.review import status

    root = StorageRoot.resolve(storage)
    opened = status.open_sweep(root, sweep) if sweep is not None else None
    uri = status.tracking_uri(*opened) if opened is not None else root.default_tracking_uri
    if uri.startswith(("http://", "https://")):
        public = without_credentials(uri)
        people.print(f"sweep {sweep} is recorded on a server: open {public}")
        _tell_page(public, public, opened)
        return
    if uri == f"sqlite:///{root.database}" and not exists(root.database):
        raise UsageError(f"{root.path}: no sweep has been recorded there yet (--storage names another storage root)")
    check_reachable(with_credentials(uri))
    if uri == f"sqlite:///{root.database}":
        try:
            relocate_artifacts(uri, root.artifacts.as_uri())
        except TrackingError as error:  # a root that was moved, and that may only be read
            people.print(f"artifacts are looked for where the storage root was before: {error}")
    port = _free_port(port)
    base = f"http://127.0.0.1:{port}"
    people.print(f"MLflow UI: {base}   (Ctrl-C ends it)")
    people.print(f"experiments: {experiments_page(base)}")
    _tell_page(base, without_credentials(uri), opened or _newest(root))
    _serve(uri, port, root)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        ui,
        """
        tuner ui
        tuner ui first --port 0
        tuner ui --live
        tuner ui --live first
        """,
    )


def _serve(uri: str, port: int, root: StorageRoot) -> NoReturn:
    """Replaces this process by an MLflow server on a store."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", str(root.artifacts)]
    store = {"MLFLOW_BACKEND_STORE_URI": with_credentials(uri)}  # not on the command line, which everybody sees
    jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # processes for language models
    os.execve(sys.executable, command, {**jobs, **os.environ, **store, "MLFLOW_DISABLE_TELEMETRY": "true"})


def _newest(root: StorageRoot) -> tuple[SweepFolder, Sweep] | None:
    """The sweep that was last recorded in the root's own store; None if there is none that can be read."""
    from tuner.recording import read_cursor
    from tuner.review import status

    with suppress(TunerError, OSError):
        cursors = {folder.name: read_cursor(folder) for folder in root.sweeps()}
        for name in sorted(cursors, key=lambda name: cursors[name].at, reverse=True):
            if cursors[name].uri.endswith(f"/{DATABASE}"):
                folder, sweep = status.find_sweep(root, name)
                if status.recorded_at(folder, sweep, cursors[name]) == root.default_tracking_uri:
                    return folder, sweep
    return None


def _tell_page(base: str, uri: str, opened: tuple[SweepFolder, Sweep] | None) -> None:
    """Prints the page with the trials of a sweep, if it is recorded in the store at `uri`."""
    from tuner.recording import read_cursor
    from tuner.recording.links import trials_page
    from tuner.recording.view_tag import ensure_view
    from tuner.review import status

    if opened is None:
        return
    folder, sweep = opened
    cursor = read_cursor(folder)
    if cursor.experiment_id and status.recorded_at(folder, sweep, cursor) == uri:
        has_view = ensure_view(with_credentials(uri), cursor.experiment_id, sweep)
        page = trials_page(base, cursor.experiment_id, sweep, has_view)
        people.print(f"trials of {sweep.name}, best first: {page}")


def _free_port(wanted: int) -> int:
    """The wanted port, or a free one if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            people.print(f"port {wanted} is in use; taking another one")
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
