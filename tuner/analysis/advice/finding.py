"""What a rule finds, before it is checked and gets its command."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tuner.base.words import number_text, shown


@dataclass(frozen=True)
class Finding:
    """What a rule says of a sweep."""

    rule: str
    text: str
    """What is so, with numbers: one sentence or two."""
    way: str = ""
    """What the overrides do, before the command: "Widen it"."""
    overrides: tuple[str, ...] = ()
    """What `--set` takes, `path=value` each."""
    needs_new: bool = False
    """Whether only a new sweep may have them; else a resume goes on with the trials so far, where it may."""
    is_pressing: bool = False
    """Whether it comes before everything else."""
    without_command: str = ""
    """What is said in place of `way` and the command where the spec does not take the overrides; then they are left
    out. Empty: nothing is said at all."""


def override(path: str, value: Any) -> str:
    """`path=value`, which `--set` reads as this value."""
    return f"{path}={written(value)}"


def written(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {written(item)}' for name, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, str):
        return quoted(value)
    return number_text(value) if isinstance(value, float) else shown(value)


def quoted(text: str) -> str:
    """Text that YAML reads as text; in quotes unless it is a plain word."""
    is_word = text.isascii() and text.isidentifier() and text.lower() not in _WORDS
    return text if is_word else json.dumps(text, ensure_ascii=False)


_WORDS = ("true", "false", "null")
