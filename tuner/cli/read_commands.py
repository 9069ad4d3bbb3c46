"""list, show, trials: the state of sweeps, running or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import typer
from rich.table import Column, Table
from rich.text import Text

from tuner.analysis.importance_values import matters_text
from tuner.api.looking import load, sweeps
from tuner.base.outcomes import num_ended
from tuner.base.text import duration_text, infeasible_text, metric_text, params_text, short, times_text
from tuner.cli.elsewhere import asked_elsewhere
from tuner.cli.output import (
    AsJson,
    ClusterFile,
    JobServer,
    KubeNamespace,
    OnKubernetes,
    Storage,
    SweepName,
    people,
    print_json,
)
from tuner.cli.pages import add
from tuner.cli.tables import add_row, new_table, tables
from tuner.storage import StorageRoot


def list_sweeps(storage: Storage = None, as_json: AsJson = False) -> None:
    """List the sweeps in a storage root."""
    root = StorageRoot.resolve(storage)
    for link in root.links():
        people.print(f"{link}: is a link, and a sweep is not looked for through links; not listed")
    rows = sweeps(root.url)
    if as_json:
        print_json(rows)
        return
    if not rows:
        people.print(f"no sweeps in {root.path}")
        return
    table = new_table("sweep", "state", "trials", "epochs", "best", "started")
    for row in rows:
        best = f"{row['metric']} {short(row['best'])}" if row["best"] is not None else "-"
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["started_at"])) if row["started_at"] else "-"
        add_row(table, row["sweep"], row["state"], f"{row['trials']}/{row['num_trials']}", row["epochs"], best, started)
    tables.print(table)


def show(
    sweep: SweepName,
    storage: Storage = None,
    cluster: ClusterFile = None,
    address: JobServer = None,
    kubernetes: OnKubernetes = False,
    namespace: KubeNamespace = None,
    as_json: AsJson = False,
) -> None:
    """Show the state and the best trial of a sweep.

    Shows outcomes, times, the use of the slots, and how far the sweep is recorded in MLflow.
    """
    words = ["show", sweep, *_json(as_json)]
    storage = asked_elsewhere(sweep, words, storage, cluster, address, kubernetes, namespace)
    opened = load(sweep, storage=storage)
    if as_json:
        print_json(opened.show())
        return
    data, importance = opened._glance()
    ended = num_ended(data["outcomes"])
    counts = ", ".join(f"{count} {outcome}" for outcome, count in data["outcomes"].items() if count)
    table = Table.grid("", Column(overflow="fold"), padding=(0, 2))
    rows = [
        ("sweep", f"{data['sweep']} ({data['state']})"),
        ("trials", f"{ended} of {data['num_trials']}: {counts or 'none yet'}"),
        *(
            [("infeasible", text)]
            if (text := infeasible_text(data["infeasible"], sum(data["outcomes"].values())))
            else []
        ),
        ("best", _best_text(opened.metric, data["best"])),
        *([("what matters", matters_text(importance))] if importance is not None else []),
        ("epochs", str(data["epochs"])),
        ("time", f"{duration_text(data['wall_s'])} at work, {duration_text(data['training_s'])} of training"),
        ("slots", f"{data['slots']}, {data['utilization']:.0%} of their time training"),
        *_mlflow_rows(data["mlflow"]),
        ("folder", str(opened.path)),
    ]
    if original := opened.copied_from:
        rows.append(("copy of", f"{original.get('sweep')}, its first {original.get('events')} events"))
    for name, text in rows:
        table.add_row(name, Text(text))
    tables.print(table)


def trials(
    sweep: SweepName,
    storage: Storage = None,
    cluster: ClusterFile = None,
    address: JobServer = None,
    kubernetes: OnKubernetes = False,
    namespace: KubeNamespace = None,
    as_json: AsJson = False,
) -> None:
    """List the trials of a sweep.

    Shows their parameters, epochs, best values, outcomes and reasons.
    """
    words = ["trials", sweep, *_json(as_json)]
    storage = asked_elsewhere(sweep, words, storage, cluster, address, kubernetes, namespace)
    opened = load(sweep, storage=storage)
    rows = opened.trials_data()
    if as_json:
        print_json(rows)
        return
    table = new_table("trial", "outcome", "epochs", opened.metric, "parameters", "reason")
    for row in rows:
        best = short(row["best"]) if row["best"] is not None else "-"
        add_row(table, row["trial"], row["outcome"], row["epochs"], best, params_text(row["params"]), row["reason"])
    tables.print(table)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        list_sweeps,
        """
        tuner list
        tuner list --storage s3://bucket/sweeps --json
        """,
        "list",
    )
    add(
        app,
        show,
        """
        tuner show first
        tuner show first --json
        tuner show first --cluster cluster.yaml
        """,
    )
    add(
        app,
        trials,
        """
        tuner trials first
        tuner trials first --json
        """,
    )


def _json(is_wanted: bool) -> list[str]:
    return ["--json"] if is_wanted else []


def _mlflow_rows(mlflow: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where and how far the sweep is recorded, and what is in the way."""
    recorder = mlflow["recorder"]
    yield "MLflow", f"{mlflow['uri']}, {mlflow['backlog']} events behind"
    if recorder["trouble"]:
        yield "", recorder["trouble"]
    if recorder["news"]:
        yield "", recorder["news"]
    if recorder["restarts"]:
        yield "", f"the recorder was started anew {times_text(recorder['restarts'])}"


def _best_text(metric: str, best: dict[str, Any] | None) -> str:
    if best is None:
        return "none yet"
    at = f"{metric} {metric_text(best['value'])}, trial {best['trial']}"
    return f"{at}, epoch {best['epoch']}: {params_text(best['params'])}"
