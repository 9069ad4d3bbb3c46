"""The `tuner` command line: puts the commands together and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from tuner.base.errors import TunerError, UsageError
from tuner.base.hints import on_command_line
from tuner.base.secrets import redacted, take_all_credentials
from tuner.base.text import harmless
from tuner.cli.output import people, print_data
from tuner.cli.pages import WIDTH, Pages

app = typer.Typer(
    name="tuner",
    cls=Pages,
    context_settings={"max_content_width": WIDTH},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="""
    tuner run digits              search with a trainable that comes with Tuner
    tuner check sweep.yaml        what your own sweep would do
    tuner run sweep.yaml          run it
    tuner show NAME               how it is doing, from another terminal
    tuner help                    pages on specs, trainables, clusters and more
    """,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print_data(f"tuner {version('tuner')}\n")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Distributed hyperparameter search for Keras: one YAML file in, every configuration in MLflow."""


_ELSEWHERE = ("--cluster", "http://", "https://", "--address=http")


def run_command() -> None:
    """Runs the command in `sys.argv`; the exit codes are those of `tuner.base.errors`."""
    _hide_credentials()
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", RuntimeWarning)
    warnings.showwarning = _show_warning
    try:
        with on_command_line():
            _check_working_directory()
            app(prog_name="tuner", standalone_mode=True)
    except TunerError as error:
        people.print(harmless(redacted(str(error))), style="red" if error.exit_code != 3 else "yellow")
        from tuner.cli.for_good import exit_code

        sys.exit(exit_code(error, sys.argv[1:]))


def _check_working_directory() -> None:
    """Checks that there is a working directory.

    Raises:
        UsageError: it has been deleted.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError("the working directory has been deleted: change to one that exists") from error


def _hide_credentials() -> None:
    """Restarts the command with the password of `--set tracking.uri=…` in its environment instead.

    Everybody on the machine can read a command line, and Ray stores that of its driver with the jobs of the cluster. A
    `resume` on a cluster refuses a password later on, as this environment does not get there.
    """
    if sys.argv[1:2] == ["resume"] and any(text.startswith(_ELSEWHERE) for text in sys.argv):
        return
    arguments = [take_all_credentials(text) if "tracking" in text else text for text in sys.orig_argv]
    if arguments != sys.orig_argv:
        os.execve(sys.executable, arguments, os.environ)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Prints a warning as one line, without its place in our code."""
    people.print(harmless(redacted(str(message))), style="yellow")
