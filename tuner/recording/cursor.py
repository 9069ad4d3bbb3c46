"""The recorder's cursor: how much of the journal MLflow has, and which runs hold it.

It saves work and answers `tuner show`; it is never needed to be right: without it, or with one of another time, the
recorder starts from the journal's beginning and finds its runs by their tags.
"""

from __future__ import annotations

import msgspec

from tuner.paths import SweepFolder, write_atomically


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded, and where."""

    uri: str = ""
    """The tracking URI without credentials."""
    experiment_id: str = ""
    run_id: str = ""
    """The sweep's own run, the parent."""
    trials: dict[int, str] = {}
    """The run of each trial."""
    seq: int = 0
    """Events recorded, counted from the journal's first."""
    offset: int = 0
    """Bytes of the journal that are recorded for certain."""


def read_cursor(folder: SweepFolder) -> Cursor:
    """The cursor of a sweep; an empty one where there is none or it is damaged."""
    try:
        return msgspec.json.decode(folder.cursor.read_bytes(), type=Cursor)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Cursor()


def write_cursor(folder: SweepFolder, cursor: Cursor) -> None:
    write_atomically(folder.cursor, msgspec.json.encode(cursor))


def backlog(folder: SweepFolder, num_events: int) -> int:
    """How many of the journal's events are not in MLflow yet."""
    return max(0, num_events - read_cursor(folder).seq)
