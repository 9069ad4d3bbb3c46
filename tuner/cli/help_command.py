"""help: the pages on topics, which lie beside what they describe, and the help of each command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tuner.base.errors import UsageError
from tuner.base.words import nearest
from tuner.cli import commands
from tuner.cli.output import print_data
from tuner.cli.pages import add

PACKAGE = Path(__file__).parents[1]
INSTALLED = Path(__file__).with_name("topics")
"""Where a wheel has the pages from outside of the packages (see pyproject.toml)."""


@dataclass(frozen=True)
class Topic:
    """A page."""

    about: str
    path: str
    """Relative to the project's folder."""

    def files(self, name: str) -> Iterator[Path]:
        """Where it may be: in a wheel, or in a checkout."""
        yield INSTALLED / f"{name}.md"
        yield PACKAGE.parent / self.path


TOPICS = {
    "trainables": Topic("Write a trainable: model, data, parameters", "trainables/README.md"),
    "spec": Topic("All fields of a spec, and what each error means", "tuner/spec/README.md"),
    "search": Topic("How configurations are chosen, and when trials stop", "tuner/policy/README.md"),
    "storage": Topic("What is stored where, and what survives which fault", "tuner/storage/README.md"),
    "clusters": Topic("Clusters, GPUs, Kubernetes, images", "deploy/README.md"),
    "mlflow": Topic("An MLflow server, and its secrets", "deploy/mlflow/README.md"),
    "coming-from": Topic("Coming from KerasTuner, Ray Tune, Optuna or W&B", "tuner/coming_from.md"),
}


def _complete(incomplete: str) -> list[str]:
    return [name for name in _names() if name.startswith(incomplete)]


def help_page(
    ctx: typer.Context,
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC|COMMAND]", help="A topic, or a command.", autocompletion=_complete, show_default=False
        ),
    ] = None,
) -> None:
    """Show a page on a topic, or a command's help.

    Without a name it lists the topics.
    """
    if topic is None:
        print_data(_overview())
    elif topic in TOPICS:
        _show(topic)
    elif topic in _commands():
        print_data(f"{_command_help(ctx, topic)}\n")
    else:
        raise UsageError(f"help: there is no topic or command {topic!r}{nearest(topic, _names())}")


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        help_page,
        """
        tuner help                list the topics
        tuner help spec           all fields of a spec
        tuner help run            the same as `tuner run --help`
        """,
        "help",
    )


def _commands() -> list[str]:
    return [entry.name for entry in commands.entries()]


def _names() -> list[str]:
    return [*TOPICS, *(name for name in _commands() if name not in TOPICS)]


def _overview() -> str:
    width = max(map(len, TOPICS))
    topics = "".join(f"  {name:{width}}  {topic.about}\n" for name, topic in TOPICS.items())
    return f"Topics:\n{topics}\nRead one with `tuner help TOPIC`. `tuner help COMMAND` shows a command's help.\n"


def _show(name: str) -> None:
    from tuner.cli.tables import tables

    text = read(name)
    if not tables.is_terminal:
        print_data(text)
        return
    from rich.markdown import Markdown

    tables.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))


def read(name: str) -> str:
    """A topic's page, as Markdown.

    Raises:
        UsageError: this installation has no such page.
    """
    for file in TOPICS[name].files(name):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise UsageError(f"help: the page on {name} is missing from this installation; install tuner again")


def _command_help(ctx: typer.Context, name: str) -> str:
    assert ctx.parent is not None
    command = commands.load(name)
    page = command.make_context(name, [], parent=ctx.parent, resilient_parsing=True)
    return str(command.get_help(page))
