"""The tree of errors. The message is for the user, the exit code for scripts.

TunerError
├── UsageError            2  a command or a spec is wrong; nothing was started
│   ├── SpecError         2  the problems of one spec, all of them, one line each
│   ├── NameTakenError    2  the name of a new sweep is taken
│   ├── SweepHeldError    2  another driver is running this sweep
│   └── MisplacedError    2  a sweep's folder was copied, or moved without its root
├── NoUsableTrialError    1  the sweep ended without a single usable trial
├── SweepInterrupted      3  the sweep stopped before its end and can be resumed
└── ServiceError          4  an external service refused for good; nothing acknowledged is lost
    ├── StorageError      4  journal or checkpoints cannot be written or read
    │   ├── ForeignFileError 4  a link, or a path out of the sweep's folder, in place of one of its files
    │   └── TooLargeError 4  a file is larger than it can be
    └── TrackingError     4  not everything could be recorded in MLflow
"""

from __future__ import annotations

import re
from collections.abc import Sequence

TEXT_CHARS_MAX = 64 * 1024
"""The most characters of a traceback, or of other text that people read."""
_SAID_CHARS_MAX = 4 << 20
"""The most characters of an exception's message that are searched for its most telling line."""

_BOLD = re.compile(r"\x1b\[\d*m")
_ARRAY = re.compile(r"\[[-+.,eEnaif\d\s\[\]]+")
"""What may be an array, and the characters after it. Matches in a single pass, since a message may be long."""


class TunerError(Exception):
    """Base of all errors that are shown to the user as one line, without a traceback."""

    exit_code = 1


def bounded_text(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Shortens foreign text: the beginning, how many characters are left out, and the end."""
    if len(text) <= chars_max:
        return text
    half = chars_max // 2
    return f"{text[:half]} [… {len(text) - 2 * half} characters …] {text[-half:]}"


def said_by(error: BaseException) -> str:
    """The message of an exception from user code, shortened; empty if its `str` raises."""
    try:
        return bounded_text(str(error), _SAID_CHARS_MAX)
    except Exception:
        return ""


def gist(error: BaseException) -> str:
    """The message without what Keras adds: bold letters, a layer's arguments, and arrays over many lines."""
    return _ARRAY.sub(_on_one_line, _BOLD.sub("", said_by(error).partition("\n\nArguments received by ")[0]))


def _on_one_line(found: re.Match[str]) -> str:
    array, _, rest = found[0].rpartition("]")
    return f"[…]{rest}" if "\n" in array else found[0]


class UsageError(TunerError):
    """The command or its input is wrong."""

    exit_code = 2


class SpecError(UsageError):
    """All problems of one spec, one line each."""

    def __init__(self, source: str, problems: Sequence[str], rest: object = None) -> None:
        self.source = source
        self.problems = list(problems)
        self.rest = rest
        """A SweepSpec of the valid parts, to be checked against the trainable; None if they are too few."""
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class NameTakenError(UsageError):
    """The name of a new sweep is taken."""


class SweepHeldError(UsageError):
    """Another driver already runs the sweep."""


class MisplacedError(UsageError):
    """The journal in a sweep's folder belongs to another folder."""


class NoUsableTrialError(TunerError):
    """The sweep ended without a single usable trial."""


class SweepInterrupted(TunerError):
    """The sweep was stopped in an orderly way; `tuner resume` continues it."""

    exit_code = 3


class ServiceError(TunerError):
    """An external service refused for good."""

    exit_code = 4


class StorageError(ServiceError):
    """The journal or a checkpoint could not be written or read."""


class ForeignFileError(StorageError):
    """A sweep's folder holds something foreign: a link or a pipe in place of a file, or a path that leads out of it."""


class TooLargeError(StorageError):
    """A file is larger than it can be, so it was not read."""


class TrackingError(ServiceError):
    """Not everything could be recorded in MLflow."""
