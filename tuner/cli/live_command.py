"""ui --live: pages on the sweeps of a storage root, which follow them as they run."""

from __future__ import annotations

from contextlib import suppress

from tuner.cli.output import people
from tuner.storage import StorageRoot

LOOPBACK = "127.0.0.1"


def serve_live(root: StorageRoot, sweep: str | None, host: str | None, port: int) -> None:
    """Serves the pages until Ctrl-C.

    Raises:
        UsageError: there is no such sweep, or the host is none of this machine's.
        StorageError: the root cannot be read.
    """
    from tuner.live.access import is_loopback, new_token
    from tuner.live.app import live_app
    from tuner.live.serving import address_of, listen, serve
    from tuner.review import status

    if sweep is not None and not root.sweep(sweep).exists():
        status.find_history(root, sweep)
    host = LOOPBACK if host is None else host
    token = None if is_loopback(host) else new_token()
    with listen(host, port, people.print) as listening:
        people.print(f"sweeps: {address_of(listening, host, token, sweep)}   (Ctrl-C ends it)")
        if token is not None:
            people.print("whoever has this URL can read the sweeps; it is valid until the end of this process")
        with suppress(KeyboardInterrupt):
            serve(live_app(root, token, listening.getsockname()[1]), listening)
