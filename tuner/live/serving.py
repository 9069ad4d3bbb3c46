"""The server: its socket, its address, its end."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from types import FrameType
from urllib.parse import quote

import uvicorn
from starlette.types import ASGIApp

from tuner.base.errors import UsageError


def listen(host: str, port: int, told: Callable[[str], None]) -> socket.socket:
    """A socket that listens; on another port, which is told, if the wanted one is taken.

    Raises:
        UsageError: the host is none of this machine's, or its port may not be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f"--host: must be an address or a name of this machine, but got {host!r}: {error}") from None
    found = socket.socket(family, kind, protocol)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            found.close()
            raise UsageError(f"--host: cannot listen on {host}, port {port}: {error.strerror}") from None
        told(f"port {port} is in use; taking another one")
        found.bind((address[0], 0, *address[2:]))
    found.listen(128)
    return found


def address_of(listening: socket.socket, host: str, token: str | None, sweep: str | None) -> str:
    """The URL to open, with the token if there is one."""
    bare = host.strip("[]")
    name = socket.gethostname() if bare in ("0.0.0.0", "::", "") else f"[{bare}]" if ":" in bare else bare
    path = f"/sweeps/{quote(sweep, safe='')}" if sweep is not None else "/"
    return f"http://{name}:{listening.getsockname()[1]}{path}{f'?token={token}' if token else ''}"


class _Server(uvicorn.Server):
    """Ends at the first signal, without waiting for pages that are being made, and without a word of them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        logging.getLogger("uvicorn.error").disabled = True
        self.force_exit = True
        super().handle_exit(sig, frame)


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Answers until SIGINT or SIGTERM, and then ends at once."""
    _Server(configured(app)).run(sockets=[listening])


def configured(app: ASGIApp) -> uvicorn.Config:
    """The settings of a server, which waits for no page that is still open."""
    return uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False,
        proxy_headers=False, http="h11", loop="asyncio", ws="none",
    )  # fmt: skip
