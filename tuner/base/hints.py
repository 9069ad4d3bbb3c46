"""How messages name what a user can set: an option on the command line, a keyword in Python."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "TUNER_COMMAND_LINE"
"""In the environment, so that processes that a command starts, such as its recorder, name options, too."""


@contextmanager
def on_command_line() -> Iterator[None]:
    """Within it messages name options: this process is a command that somebody typed."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before


def is_command_line() -> bool:
    """Whether messages are for somebody at a shell; otherwise a Python program reads them."""
    return _VARIABLE in os.environ


def option(keyword: str, value: str | bool | None = None) -> str:
    """What sets a keyword of `tuner.run` and its kind: `--or-resume` at a shell, `or_resume=True` in Python.

    Args:
        value: True for a flag that is to be set; None where the keyword is only named.
    """
    if is_command_line():
        name = f"--{keyword.replace('_', '-')}"
        return f"{name} {value}" if isinstance(value, str) else name
    if isinstance(value, str):
        return f"{keyword}={json.dumps(value)}"
    return f"{keyword}={value}" if value else keyword
