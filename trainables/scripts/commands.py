"""Commands: a program and its arguments, in which `{learning_rate}` stands for a trial's value."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PREFIX = "command:"
"""What a spec with a command has as its trainable begins so; the file or the program follows."""
OWN = ("epochs", "trial", "seed")
"""What a command may name besides parameters: the epochs of a whole training, the trial's number, its seed."""
_NAMED = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|(?<!\$)\{([A-Za-z_]\w*)\}")
"""`{name}`; but not `{{name}}`, which stands for the braces themselves, nor a shell's `${name}`."""
_SCRIPTS = (".py", ".sh", ".r", ".R", ".jl", ".pl", ".rb", ".js", ".lua", ".m")


def names_in(argument: str) -> list[str]:
    """The names in braces."""
    return [found[2] for found in _NAMED.finditer(argument) if found[2]]


def filled(command: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """A command with a trial's values.

    An argument whose parameter the trial does not have is left out, and so is the option before it: of
    `--decay {decay_rate}`, both.
    """
    made: list[str] = []
    is_option = False
    for argument in command:
        names = names_in(argument)
        if any(values.get(name) is None for name in names):
            if is_option and argument == f"{{{names[0]}}}":
                made.pop()
            is_option = False
            continue
        made.append(_NAMED.sub(lambda found: text(values[found[2]]) if found[2] else f"{{{found[1]}}}", argument))
        is_option = argument.startswith("-") and not names and "=" not in argument
    return made


def text(value: Any) -> str:
    """A value as an argument: numbers as Python writes them; lists, `true` and `false` as JSON does."""
    return json.dumps(value) if isinstance(value, bool | list) else str(value)


def program(command: Sequence[str], folder: str) -> str | None:
    """The path of a command's program, as it is found from a folder; None if there is none.

    `python` is the one that this process has.
    """
    name = command[0]
    if name in ("python", "python3"):
        return sys.executable
    if os.sep in name:
        path = os.path.join(folder, os.path.expanduser(name))
        return path if os.access(path, os.X_OK) and os.path.isfile(path) else None
    return shutil.which(name, path=search_path())


def search_path() -> str:
    """Where programs are looked for: beside this Python, then as everywhere."""
    return os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])


def scripts_in(command: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The arguments that look like files of code, with their places."""
    for place, argument in enumerate(command):
        if argument.endswith(_SCRIPTS) and not argument.startswith("-") and not names_in(argument):
            yield place, argument


def is_command(trainable: str) -> bool:
    """Whether a spec's trainable stands for a command."""
    return trainable.startswith(PREFIX)


def file_of(trainable: str) -> str:
    """The file of code that a command names, as its trainable has it; empty if it names none."""
    place = trainable.removeprefix(PREFIX)
    return place if os.path.isabs(place) else ""
