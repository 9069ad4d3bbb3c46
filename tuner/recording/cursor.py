"""The recorder's cursor: how much of the journal is in MLflow, and in which runs.

It saves work and serves `tuner show`, but correctness never depends on it. Without a cursor, or with one of another
time, sweep or server, the recorder starts at the beginning of the journal and finds its runs by their tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

import msgspec

from tuner.base.errors import StorageError
from tuner.recording.names import VERSION, Names
from tuner.storage import SweepFolder, read_bytes, write_atomically
from tuner.sweep import events as ev

BYTES_MAX = 64 << 20
"""The size of a cursor for a million trials."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded, and where."""

    uri: str = ""
    """The tracking URI without credentials."""
    experiment_id: str = ""
    run_id: str = ""
    """The sweep's own run, the parent."""
    trials: dict[int, str] = {}
    """The run of each trial."""
    uploaded: dict[int, str] = {}
    """A digest of the artifacts of each trial's script, as they were uploaded last."""
    seq: _Count = 0
    """The number of recorded events, from the start of the journal."""
    offset: _Count = 0
    """The number of bytes of the journal that are certainly recorded."""
    at: float = 0.0
    """The `at` of the last recorded event, which identifies a cursor of another journal."""
    trouble: str = ""
    """Why MLflow currently accepts nothing; empty while all is well."""
    restarts: _Count = 0
    """How often the sweep's driver had to start another recorder."""
    recorder_trouble: str = ""
    """How the last recorder ended, noted by the driver before it starts another; empty while one is running."""
    work: str = ""
    """What a recorder does once all events are recorded; empty for nothing."""
    news: str = ""
    """Why all records were last recreated."""
    news_at: float = 0.0
    names: _Count = 0
    """The version of the rules for names that was used for recording."""

    def fits(self, events: Sequence[ev.AnyEvent], uri: str) -> bool:
        """Whether it may belong to a journal that starts with these events and is recorded at `uri`."""
        if self.uri != uri or self.seq > len(events):
            return False
        if self.names != VERSION and Names.of(islice(events, self.seq)).text():
            return False  # some names have other keys now: everything is recorded again, which changes no other row
        return self.seq == 0 or (self.run_id != "" and events[self.seq - 1].at == self.at)

    def backlog(self, num_events: int) -> int:
        """How many of a journal's events are not in MLflow yet."""
        return max(0, num_events - self.seq)

    def anew(self) -> Cursor:
        """A cursor with nothing recorded, but with what is known about the recorder."""
        return Cursor(
            trouble=self.trouble,
            restarts=self.restarts,
            recorder_trouble=self.recorder_trouble,
            news=self.news,
            news_at=self.news_at,
        )


@dataclass(frozen=True)
class Missing:
    """What is not recorded of a sweep, and why."""

    events: int
    trials: int
    """The number of trials in these events."""
    reason: str

    def __str__(self) -> str:
        trials = f", of {self.trials} trial{'s' if self.trials != 1 else ''}," if self.trials else ""
        is_one = self.events == 1
        return f"{self.events} event{'' if is_one else 's'}{trials} {'is' if is_one else 'are'} not recorded in MLflow"


def missing(folder: SweepFolder, events: Sequence[ev.AnyEvent]) -> Missing:
    """What the sweep's cursor says is not recorded of a journal."""
    cursor = read_cursor(folder)
    rest = events[cursor.seq :]
    trials = {event.trial for event in rest if hasattr(event, "trial")}
    return Missing(len(rest), len(trials), cursor.trouble)


def read_cursor(folder: SweepFolder) -> Cursor:
    """The cursor of a sweep; an empty one if there is none or it is damaged."""
    try:
        return msgspec.json.decode(read_bytes(folder.cursor, folder.base, bytes_max=BYTES_MAX), type=Cursor)
    except (OSError, StorageError, msgspec.MsgspecError, ValueError, RecursionError):
        return Cursor()


def write_cursor(folder: SweepFolder, cursor: Cursor) -> None:
    write_atomically(folder.cursor, msgspec.json.encode(cursor), folder.base)


def backlog(folder: SweepFolder, num_events: int) -> int:
    """How many of the journal's events are not in MLflow yet."""
    return read_cursor(folder).backlog(num_events)
