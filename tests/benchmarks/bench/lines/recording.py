"""The recorder's processor time on SQLite and PostgreSQL, as a share of all cores' time, with epochs of 0.2 s and 2 s.

Counted from the first epoch to the last. The database server's own time is a row of its own, since it usually runs
elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.benchmarks.bench.lines.slots import EPOCHS, calibrated, spec
from tests.benchmarks.bench.measuring import Figures, Goal, Options, Rounds, Row, row, values
from tests.benchmarks.bench.processes import command_line, cpu_s, descendants
from tests.benchmarks.bench.sweeps import Checkout, Event, num_ended, num_epochs, of_kind, sweep
from tests.servers import Postgres

RECORDER = "tuner.recording"


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    found: dict[str, Callable[[], Figures]] = {}
    for length, (seconds, units, num_trials) in EPOCHS.items():
        asked = spec(units, calibrated(seconds, units), options.size(num_trials, 6))
        found[f"SQLite, {length} epochs"] = partial(measured, asked)
        if not Postgres.is_missing():
            found[f"PostgreSQL, {length} epochs"] = partial(on_postgres, asked)
    return found


def on_postgres(asked: Mapping[str, Any]) -> Figures:
    with Postgres() as server:
        tracking = {"uri": server.uri, "experiment": "bench"}
        return measured({**asked, "tracking": tracking}, server)


def measured(asked: Mapping[str, Any], server: Postgres | None = None) -> Figures:
    num_trials = int(asked["num_trials"])
    with sweep(Checkout.this(), asked) as running:
        running.wait_for(lambda events: num_epochs(events) > 0)
        [recorder] = [pid for pid in running.command.pids() if RECORDER in command_line(pid)]
        spent_s, server_s = [cpu_s(recorder)], server_cpu_s(server)

        def is_over(events: list[Event]) -> bool:
            spent_s.append(max(cpu_s(recorder), spent_s[-1]))  # it may be gone when the last trial's end is read
            return num_ended(events) >= num_trials

        running.wait_for(is_over)
        server_s = server_cpu_s(server) - server_s
    epochs = [event["at"] for event in of_kind(running.events, "epoch_reported")]
    available_s = (epochs[-1] - epochs[0]) * len(os.sched_getaffinity(0))
    recorder_s = spent_s[-1] - spent_s[0]
    return {
        "share": recorder_s / available_s,
        "server_share": server_s / available_s,
        "recorder_s": recorder_s,
        "epochs": len(epochs),
    }


def server_cpu_s(server: Postgres | None) -> float:
    """Of a PostgreSQL server and its processes, dead ones included."""
    if server is None:
        return 0.0
    mine = descendants(os.getpid())
    [main] = [pid for pid in mine if f"-p {server.port} " in command_line(pid) and "postgres" in command_line(pid)]
    return sum(map(cpu_s, {main, *descendants(main)}))


def rows(rounds: Rounds, options: Options) -> list[Row]:
    line = "recording"
    found = [
        row(line, f"share of all cores' time, {side}", values(rounds, side, "share"), "%", Goal("<=", 0.01))
        for side in rounds[0]
    ]
    for side in (side for side in rounds[0] if side.startswith("PostgreSQL")):
        measured = values(rounds, side, "server_share")
        found.append(row(line, f"share of all cores' time, the server's own, {side}", measured, "%"))
    if missing := Postgres.is_missing():
        found.append(Row(line, "share of all cores' time, PostgreSQL", None, "%", Goal("<=", 0.01), missing))
    return found
