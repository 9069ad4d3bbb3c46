"""What can go wrong, as a tree; the message is for the user, the exit code for scripts.

TunerError
├── UsageError            2  a command or a spec is wrong; nothing was started
│   ├── SpecError         2  the problems of one spec, all of them, one line each
│   ├── NameTakenError    2  a new sweep's name is in use
│   ├── SweepHeldError    2  another driver is at work on this sweep
│   └── MisplacedError    2  a sweep's folder is a copy, or was moved by itself
├── NoUsableTrialError    1  the sweep ended without a single usable trial
├── SweepInterrupted      3  the sweep stopped before its end and can be resumed
└── ServiceError          4  a service outside refused for good; nothing acknowledged is lost
    ├── StorageError      4  journal or checkpoints cannot be written or read
    │   ├── ForeignFileError 4  a link, or a path that leads out, where only the sweep's own files may be
    │   └── TooLargeError 4  a file is larger than what it should hold
    └── TrackingError     4  MLflow did not take everything
"""

from __future__ import annotations

import re
from collections.abc import Sequence

TEXT_CHARS_MAX = 64 * 1024
"""Of a traceback, or whatever else people read."""
_SAID_CHARS_MAX = 4 << 20
"""Of what an exception says, before anybody looks for the line in it that says most."""

_BOLD = re.compile(r"\x1b\[\d*m")
_ARRAY = re.compile(r"\[[-+.,eEnaif\d\s\[\]]+")
"""What may be an array, and a little behind it: looked at once, as a message may be long."""


class TunerError(Exception):
    """Base of all errors that a user is shown as one line, without a traceback."""

    exit_code = 1


def bounded_text(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """A text that somebody else wrote; of one that is too long its beginning and its end, and how much is left out."""
    if len(text) <= chars_max:
        return text
    half = chars_max // 2
    return f"{text[:half]} [… {len(text) - 2 * half} characters …] {text[-half:]}"


def said_by(error: BaseException) -> str:
    """What an exception of a user's code says, within bounds; nothing if its own `str` raises."""
    try:
        return bounded_text(str(error), _SAID_CHARS_MAX)
    except Exception:
        return ""


def gist(error: BaseException) -> str:
    """What it says without what Keras adds: bold letters, a layer's arguments, and arrays over many lines."""
    return _ARRAY.sub(_on_one_line, _BOLD.sub("", said_by(error).partition("\n\nArguments received by ")[0]))


def _on_one_line(found: re.Match[str]) -> str:
    array, _, rest = found[0].rpartition("]")
    return f"[…]{rest}" if "\n" in array else found[0]


class UsageError(TunerError):
    """The command or its input is wrong."""

    exit_code = 2


class SpecError(UsageError):
    """Everything that is wrong with one spec, one line for each problem."""

    def __init__(self, source: str, problems: Sequence[str], rest: object = None) -> None:
        self.source = source
        self.problems = list(problems)
        self.rest = rest
        """A SweepSpec of what is valid by itself, to be held against its trainable; None if that is too little."""
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class NameTakenError(UsageError):
    """There is something of a new sweep's name already."""


class SweepHeldError(UsageError):
    """A second driver wanted a sweep that one holds already."""


class MisplacedError(UsageError):
    """A sweep's folder is not the one that its journal belongs to."""


class NoUsableTrialError(TunerError):
    """No trial of the sweep reached a usable value."""


class SweepInterrupted(TunerError):
    """The sweep was interrupted in order; `tuner resume` goes on with it."""

    exit_code = 3


class ServiceError(TunerError):
    """Something outside of the sweep refused for good."""

    exit_code = 4


class StorageError(ServiceError):
    """The journal or a checkpoint could not be written or read."""


class ForeignFileError(StorageError):
    """In a sweep's folder lies what is not the sweep's: a link or a pipe in a file's place, a path that leads out."""


class TooLargeError(StorageError):
    """A file is larger than anything that it could hold, and was not read."""


class TrackingError(ServiceError):
    """The tracking server did not take everything."""
