"""ui: the MLflow UI on the store that the sweeps are recorded in."""

from __future__ import annotations

import os
import socket
import sys
from typing import Annotated

import typer

from tuner.cli.output import Storage, people
from tuner.errors import UsageError
from tuner.paths import StorageRoot, exists
from tuner.secrets import with_credentials, without_credentials


def ui(
    sweep: Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="Open the store of this sweep.")] = None,
    storage: Storage = None,
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535)] = 5000,
) -> None:
    """Start the MLflow UI on the sweeps of a storage root, on this machine only, until Ctrl-C."""
    from tuner import status
    from tuner.recording.database import check_reachable

    root = StorageRoot.resolve(storage)
    uri = status.tracking_uri(*status.open_sweep(root, sweep)) if sweep is not None else root.default_tracking_uri
    if uri.startswith(("http://", "https://")):
        people.print(f"sweep {sweep} is recorded on a server: open {without_credentials(uri)}")
        return
    if uri == f"sqlite:///{root.database}" and not exists(root.database):
        raise UsageError(f"{root.path}: no sweep has been recorded there yet (--storage names another storage root)")
    check_reachable(with_credentials(uri))
    port = _free_port(port)
    people.print(f"MLflow UI: http://127.0.0.1:{port}   (Ctrl-C ends it)")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", str(root.artifacts)]
    store = {"MLFLOW_BACKEND_STORE_URI": with_credentials(uri)}  # not on the command line, which everybody sees
    os.execve(sys.executable, command, {**os.environ, **store, "MLFLOW_DISABLE_TELEMETRY": "true"})


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    app.command()(ui)


def _free_port(wanted: int) -> int:
    """The wanted port, or another one if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            people.print(f"port {wanted} is taken, so another one")
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
