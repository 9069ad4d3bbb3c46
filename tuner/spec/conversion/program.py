"""What a W&B sweep runs, as a command of ours whose arguments are the parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
"""What W&B runs where a sweep has a program alone."""
MACRO = re.compile(r"\$\{[^}]*\}")
_ENV = ("${env}", "/usr/bin/env", "env")
_PYTHON = re.compile(r"(.*/)?python[\d.]*")
_BRACES = re.compile(r"(?<!\$)(\{[A-Za-z_]\w*\})")
_EPOCHS = re.compile(r"--(?:num[-_])?epochs(?:=(\d+))?")


def parts_of(written: Mapping[str, Any]) -> list[str] | None:
    """The parts of what a sweep runs; None where it names nothing."""
    command, program = written.get("command"), written.get("program")
    if isinstance(command, str):
        command = command.split()
    if isinstance(command, list) and command:
        return [str(part) for part in command]
    return list(DEFAULT) if isinstance(program, str) else None


def command_of(parts: Sequence[str], program: Any, names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """A command of ours, and the macros that have no counterpart.

    Args:
        program: the sweep's program.
        names: our parameters -> what W&B calls them.
    """
    found: list[str] = []
    unknown: list[str] = []
    for part in parts:
        if part in ("${args}", "${args_no_boolean_flags}"):
            found += [f"--{theirs}={{{name}}}" for name, theirs in names.items()]
        elif part == "${args_no_hyphens}":
            found += [f"{theirs}={{{name}}}" for name, theirs in names.items()]
        elif part == "${program}" and isinstance(program, str):
            found.append(program)
        elif part == "${interpreter}" or _PYTHON.fullmatch(part):
            found.append("python")
        elif MACRO.search(part) and part not in _ENV:
            unknown.append(part)
        elif part not in _ENV:
            found.append(_BRACES.sub(r"{\1}", part))
    return found, unknown


def epochs_in(parts: Sequence[str]) -> int | None:
    """How long a training is, where the command says it: `--epochs 20`."""
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        match = _EPOCHS.fullmatch(part)
        number = (match[1] or after) if match else ""
        if number.isascii() and number.isdigit() and 1 <= len(number) <= 6 and int(number) >= 1:
            return int(number)
    return None
