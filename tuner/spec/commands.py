"""The field `command`: a program and its arguments, with a trial's values in braces."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from trainables.scripts.commands import OWN, PREFIX, names_in, scripts_in
from tuner.base.secrets import NO_CREDENTIALS, has_credentials
from tuner.spec.space import nearest, shown

_CHARS_MAX = 20_000
_NO_ONE_LINE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _parse(written: Any) -> Any:
    """A command as one text is split as a shell does; numbers among the arguments are text."""
    if isinstance(written, str):
        try:
            return shlex.split(written)
        except ValueError as error:
            rule = "must be a program and its arguments, but its quotes do not match: {why}"
            raise PydanticCustomError("rule", rule, {"why": str(error).lower()}) from None
    if isinstance(written, list):
        return [str(part) if isinstance(part, int | float) and not isinstance(part, bool) else part for part in written]
    return written


def _check(argument: str) -> str:
    if _NO_ONE_LINE.search(argument):
        raise PydanticCustomError(
            "rule", "must be text without control characters, but got {got}", {"got": shown(argument)}
        )
    if has_credentials(argument):
        raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": NO_CREDENTIALS, "got": shown(argument)})
    return argument


Argument = Annotated[str, Field(max_length=_CHARS_MAX), AfterValidator(_check)]
Command = Annotated[
    list[Argument], Field(min_length=1), BeforeValidator(_parse, json_schema_input_type=list[str | float] | str)
]


def with_trainable(written: Any) -> Any:
    """A spec with a command has a trainable of that name, for whatever shows one."""
    if not isinstance(written, Mapping) or written.get("command") is None or "trainable" in written:
        return written
    command = written["command"]
    first = command.split()[:1] if isinstance(command, str) else command[:1] if isinstance(command, list) else []
    return {**written, "trainable": f"{PREFIX}{Path(str(first[0])).name if first else ''}"}


def named_by(command: Sequence[str], folder: Path) -> str:
    """What the trainable of a command is called: by the first file of code that it names, else by its program."""
    found = next((folder / name for _, name in scripts_in(command) if (folder / name).is_file()), None)
    return f"{PREFIX}{found.resolve() if found else Path(command[0]).name}"


def command_problems(
    command: Sequence[str] | None, trainable: str, space: Any
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What is wrong with a command, as (fields, path, rule)."""
    if command is None:
        if trainable.startswith(PREFIX):
            yield ("command",), "command", f"is required where trainable is {shown(trainable)}, but is missing"
        return
    if not trainable.startswith(PREFIX):
        yield ("trainable",), "trainable", f"must be left out where command is given, but got {shown(trainable)}"
    if names_in(command[0]):
        yield ("command",), "command[0]", f"must be a program, without braces, but got {shown(command[0])}"
    known = [*space, *(name for name in OWN if name not in space)]
    for place, argument in enumerate(command):
        for name in names_in(argument):
            if name not in known:
                rule = "must be a parameter of the space, but got"
                more = f"{{{name}}}{nearest(name, known)}; write {{{{{name}}}}} for the braces themselves"
                yield ("space", "command"), f"command[{place}]", f"{rule} {more}"
