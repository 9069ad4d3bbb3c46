"""The commands of `tuner`, by group: what each does, in one line, and the module that is imported when it is needed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True)
class Entry:
    """A command that is not imported yet."""

    name: str
    about: str
    """The first line of its help, which a list of commands at 80 columns has room for."""
    module: str
    """In `tuner.cli`; its `register` adds the command to an app."""


GROUPS = {
    "Search": (
        Entry("init", "Write a first spec for your model, or from another tool.", "init_command"),
        Entry("probe", "Measure rates, batch sizes and epochs before a sweep.", "probe_command"),
        Entry("check", "Check a spec or a cluster file before anything runs.", "spec_commands"),
        Entry("run", "Run a sweep to its end.", "run_commands"),
        Entry("resume", "Continue a sweep; budgets and ranges may change.", "run_commands"),
        Entry("stop", "Stop a running sweep; it can be resumed.", "driver_commands"),
        Entry("trainables", "List the trainables that come with Tuner.", "spec_commands"),
    ),
    "Look": (
        Entry("list", "List the sweeps in a storage root.", "read_commands"),
        Entry("show", "Show the state and the best trial of a sweep.", "read_commands"),
        Entry("trials", "List the trials of a sweep.", "read_commands"),
        Entry("logs", "Print the log of a sweep, or what a trial printed.", "driver_commands"),
        Entry("report", "Write a report on a sweep: page, Markdown, image.", "report_commands"),
        Entry("ui", "Start the MLflow UI, or live reports on all sweeps.", "ui_command"),
    ),
    "Decide": (
        Entry("advise", "Advise on the next step: ranges, trials, epochs.", "advise_command"),
        Entry("explain", "Explain why a trial was suggested, stopped or continued.", "explain_command"),
        Entry("compare", "Compare sweeps that have the same objective.", "report_commands"),
        Entry("export", "Export a trained model as a .keras file.", "report_commands"),
    ),
    "Cluster": (
        Entry("launch", "Run a sweep on a cluster of Ray's cluster launcher.", "launch_command"),
        Entry("kubernetes", "Run a sweep on Kubernetes as a KubeRay RayJob.", "kubernetes_command"),
    ),
    "Maintain": (
        Entry("verify", "Verify that journal, MLflow runs and checkpoints agree.", "verify_command"),
        Entry("record", "Record in MLflow what an outage kept out of it.", "run_commands"),
        Entry("copy", "Copy a sweep, running or not.", "copy_command"),
        Entry("schema", "Print the JSON schema of specs, for editors.", "spec_commands"),
        Entry("help", "Show a page on a topic, or a command's help.", "help_command"),
    ),
}


def entries() -> Iterator[Entry]:
    """All of them, in the order of their groups."""
    for group in GROUPS.values():
        yield from group


def entry(name: str) -> Entry:
    """One of them."""
    return next(entry for entry in entries() if entry.name == name)


def load(name: str) -> Any:
    """The command itself."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    importlib.import_module(f"tuner.cli.{entry(name).module}").register(app)
    return typer.main.get_group(app).commands[name]
