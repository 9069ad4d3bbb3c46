"""Processes that train: forked from one process a node that has imported TensorFlow, or plain ones.

TensorFlow's import costs each process seconds and half a gigabyte. So one process a node imports it, and forks whoever
needs it (`server`); `client` asks it to. What a process does is a function by name, which gets a connection to whoever
asked. A process ends with its connection, and how it ended is told. `shared` maps data into all of them.

Forking needs Linux. Where it cannot be (`forking.why_plain`), the same server starts plain processes.
"""

from tuner.processes.client import EndedError, Process, Server, node_server, running_server
from tuner.processes.forking import may_fork, why_plain
from tuner.processes.own import begin_own, data_name, end_own, own_server, owned, trains_here

__all__ = [
    "EndedError",
    "Process",
    "Server",
    "begin_own",
    "data_name",
    "end_own",
    "may_fork",
    "node_server",
    "own_server",
    "owned",
    "running_server",
    "trains_here",
    "why_plain",
]
