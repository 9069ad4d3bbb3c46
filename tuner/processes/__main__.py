"""The server's process, begun by a driver or by the first worker of a node; or a plain process that it started."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import socket
import sys

from tuner.processes import child
from tuner.processes.server import LINGER_S, LINGER_VARIABLE, Server, die_with


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", nargs="?", default="", help="of the socket, without the zero byte in front")
    parser.add_argument("--owned", action="store_true", help="ends with its parent, and with standard input")
    parser.add_argument("--plain", action="store_true", help="imports nothing: forks nobody")
    parser.add_argument("--also", nargs="*", default=[], help="modules to import after TensorFlow")
    parser.add_argument("--work", help="what a plain process does")
    options = parser.parse_args()
    if options.work:
        told = json.loads(options.work)
        sys.path[:] = told["paths"] or sys.path
        child.work(told["work"], told["connection"], told["kept"])
    _serve(options)


def _serve(options: argparse.Namespace) -> None:
    if options.owned:
        die_with(os.getppid())
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind("\0" + options.name)
    except OSError:
        return  # another worker of this node was quicker
    listener.listen(256)
    if not options.owned:
        _leave_parent()
    if not options.plain:
        from trainables.process import import_frameworks

        import_frameworks()
        for module in options.also:
            importlib.import_module(module)
    linger_s = float(os.environ.get(LINGER_VARIABLE, LINGER_S))
    with contextlib.suppress(KeyboardInterrupt):
        Server(listener, 0 if options.owned else None, linger_s).run()


def _leave_parent() -> None:
    """Goes on in a process without a parent that would end it: it is the node's, not that of one worker."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)


if __name__ == "__main__":
    main()
