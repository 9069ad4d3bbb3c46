"""What a local Ray starts in place of its two agents, which cost a second of a processor each and stay unused.

Ray's raylet waits for its agents' ports, and ends when one of them ends. This program needs the standard library alone:
it writes the ports and waits for the raylet's end. The agent of dashboards has nothing to say without a dashboard. The
agent of runtime environments is started when somebody asks for one, such as a trainable that uses Ray itself, and gets
what was meant for it.

    python -I -S idle_agent.py PATH_OF_RAYS_AGENT OPTIONS_OF_RAYS_AGENT
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time

UNUSED_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")
USED_PORT = "runtime_env_agent_port"
NOT_IN_USE = -1
"""Ray's own sign for a service that is not there."""
ORPHAN_LOOK_S = 5.0
AGENT_STARTS_WITHIN_S = 30.0
CHUNK_BYTES = 65536


class Agent:
    """Ray's own agent, started at the first call."""

    def __init__(self, command: list[str], options: dict[str, str]) -> None:
        self._command, self._options = command, options
        self._lock = threading.Lock()
        self._port: int | None = None

    def connect(self) -> socket.socket:
        with self._lock:
            if self._port is None:
                self._port = self._start()
        return socket.create_connection((self._options["node-ip-address"], self._port))

    def _start(self) -> int:
        path = port_file(self._options, USED_PORT)
        os.unlink(path)
        subprocess.Popen(self._command)  # it inherits the pipe from the raylet, and ends with it
        until = time.monotonic() + AGENT_STARTS_WITHIN_S
        while time.monotonic() < until:
            try:
                with open(path) as file:
                    return int(file.read())
            except (FileNotFoundError, ValueError):  # it is being written
                time.sleep(0.02)
        raise TimeoutError


def port_file(options: dict[str, str], name: str) -> str:
    """Where Ray's processes tell each other a port."""
    return os.path.join(options["session-dir"], f"{name}_{options['node-id']}")


def write_port(options: dict[str, str], name: str, port: int) -> None:
    path = port_file(options, name)
    with open(f"{path}.new", "w") as file:
        file.write(str(port))
    os.replace(f"{path}.new", path)


def wait_for(server: socket.socket | None = None) -> bool:
    """Waits until somebody connects; false once the raylet has ended, which holds the other end of standard input."""
    raylet = os.getppid()
    awaited = [0] if server is None else [0, server.fileno()]
    while True:
        ready, _, _ = select.select(awaited, [], [], ORPHAN_LOOK_S)
        if (0 in ready and not os.read(0, CHUNK_BYTES)) or os.getppid() != raylet:
            return False
        if awaited[-1] in ready and server is not None:
            return True


def pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(CHUNK_BYTES):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()


def serve(connection: socket.socket, agent: Agent) -> None:
    """Connects a caller with Ray's own agent."""
    with connection:
        try:
            other = agent.connect()
        except OSError:
            return
        with other:
            threading.Thread(target=pass_on, args=(connection, other), daemon=True).start()
            pass_on(other, connection)


def main() -> None:
    path, *arguments = sys.argv[1:]
    options = dict(argument[2:].split("=", 1) for argument in arguments if "=" in argument)
    if os.path.basename(os.path.dirname(path)) == "dashboard":
        for name in UNUSED_PORTS:
            write_port(options, name, NOT_IN_USE)
        wait_for()
        return
    agent = Agent([sys.executable, "-u", path, *arguments], options)
    with socket.create_server((options["node-ip-address"], 0)) as server:
        write_port(options, USED_PORT, server.getsockname()[1])
        while wait_for(server):
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection, agent), daemon=True).start()


if __name__ == "__main__":
    main()
