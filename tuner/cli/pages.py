"""Help pages: commands in groups, options in groups, examples as they are written."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from tuner.cli import commands

WIDTH = 100
"""Columns of a help page at most."""


class Page(TyperCommand):
    """A command whose help groups its options, and ends in examples."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[OPTIONS]", *(str(parameter.metavar) for parameter in self.params if _is_argument(parameter))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            if _is_argument(parameter):
                sections["Arguments"].append((str(parameter.metavar), getattr(parameter, "help", "")))
            elif (record := parameter.get_help_record(ctx)) is not None:
                sections.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(record)
        _write_sections(formatter, sections)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(formatter, self.epilog)


class Pages(TyperGroup):
    """`tuner` itself. A command is imported when it runs or shows its help."""

    _is_listing = False

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self._is_listing:
            return TyperCommand(cmd_name, help=commands.entry(cmd_name).about)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from tuner.cli.former import redirected

        return super().resolve_command(ctx, redirected(args))

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        with self._listing():
            return super().shell_complete(ctx, incomplete)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups = {
            title: [(entry.name, entry.about.removesuffix(".")) for entry in group]
            for title, group in commands.GROUPS.items()
        }
        options = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        _write_sections(formatter, {**groups, "Options": [record for record in options if record is not None]})

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(formatter, self.epilog)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        """Within it a command is its line in the list, so that listing them imports none."""
        self._is_listing = True
        try:
            yield
        finally:
            self._is_listing = False


class _Commands(MutableMapping[str, Any]):
    """Name -> command, which is imported by the first look at it."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {entry.name: None for entry in commands.entries()}

    def __getitem__(self, name: str) -> Any:
        if (found := self._loaded[name]) is None:
            found = self._loaded[name] = commands.load(name)
        return found

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)


def add(app: typer.Typer, function: Callable[..., Any], examples: str, name: str | None = None) -> None:
    """Adds a command to an app.

    Args:
        examples: command lines, one a line; each may end in a comment, set off by two blanks and a #.
        name: the function's by default.
    """
    app.command(name, cls=Page, epilog=examples)(function)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _write_sections(formatter: Any, sections: dict[str, list[tuple[str, str]]]) -> None:
    """Tables one below the other, all with the same first column."""
    rows = [row for section in sections.values() for row in section]
    first = min(max(len(row[0]) for row in rows), 30)
    for title, section in sections.items():
        if section:
            with formatter.section(title):
                formatter.write_dl([(name.ljust(first), text) for name, text in section])


def _write_examples(formatter: Any, examples: str | None) -> None:
    if examples:
        with formatter.section("Examples"):
            for line in inspect.cleandoc(examples).splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
