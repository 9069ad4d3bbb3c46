"""The recorder's cursor: how much of the journal MLflow has, and which runs hold it.

It saves work and answers `tuner show`; it is never needed to be right: without it, or with one of another time, sweep
or server, the recorder starts from the journal's beginning and finds its runs by their tags.
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
"""That of a million trials."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded, and where."""

    uri: str = ""
    """The tracking URI without credentials."""
    experiment_id: str = ""
    run_id: str = ""
    """The sweep's own run, the parent."""
    trials: dict[int, str] = {}
    """The run of each trial."""
    seq: _Count = 0
    """Events recorded, counted from the journal's first."""
    offset: _Count = 0
    """Bytes of the journal that are recorded for certain."""
    at: float = 0.0
    """When the last recorded event happened, so that a cursor of another journal is known as such."""
    trouble: str = ""
    """Why MLflow takes nothing now; empty while all is well."""
    restarts: _Count = 0
    """How often the sweep's driver had to start another recorder."""
    recorder_trouble: str = ""
    """What became of the recorder, as its driver says between two of them; empty while one is at work."""
    news: str = ""
    """What befell the records last: that all were made anew, and why."""
    news_at: float = 0.0
    names: _Count = 0
    """The version of the rules for names by which it was recorded."""

    def fits(self, events: Sequence[ev.AnyEvent], uri: str) -> bool:
        """Whether it may belong to a journal that begins with these events and is recorded at `uri`."""
        if self.uri != uri or self.seq > len(events):
            return False
        if self.names != VERSION and Names.of(islice(events, self.seq)).text():
            return False  # some of its names have other keys now: all is recorded anew, which changes no other row
        return self.seq == 0 or (self.run_id != "" and events[self.seq - 1].at == self.at)

    def backlog(self, num_events: int) -> int:
        """How many of a journal's events are not in MLflow yet."""
        return max(0, num_events - self.seq)

    def anew(self) -> Cursor:
        """Nothing recorded; what is known of the recorder stays."""
        return Cursor(
            trouble=self.trouble,
            restarts=self.restarts,
            recorder_trouble=self.recorder_trouble,
            news=self.news,
            news_at=self.news_at,
        )


@dataclass(frozen=True)
class Missing:
    """What of a sweep is not in MLflow, and why."""

    events: int
    trials: int
    """Trials that these events tell about."""
    reason: str

    def __str__(self) -> str:
        trials = f", of {self.trials} trial{'s' if self.trials != 1 else ''}," if self.trials else ""
        is_one = self.events == 1
        return f"{self.events} event{'' if is_one else 's'}{trials} {'is' if is_one else 'are'} not recorded in MLflow"


def missing(folder: SweepFolder, events: Sequence[ev.AnyEvent]) -> Missing:
    """Which of a journal's events are not in MLflow, by the sweep's cursor."""
    cursor = read_cursor(folder)
    rest = events[cursor.seq :]
    trials = {event.trial for event in rest if hasattr(event, "trial")}
    return Missing(len(rest), len(trials), cursor.trouble)


def read_cursor(folder: SweepFolder) -> Cursor:
    """The cursor of a sweep; an empty one where there is none or it is damaged."""
    try:
        return msgspec.json.decode(read_bytes(folder.cursor, folder.base, bytes_max=BYTES_MAX), type=Cursor)
    except (OSError, StorageError, msgspec.MsgspecError, ValueError, RecursionError):
        return Cursor()


def write_cursor(folder: SweepFolder, cursor: Cursor) -> None:
    write_atomically(folder.cursor, msgspec.json.encode(cursor), folder.base)


def backlog(folder: SweepFolder, num_events: int) -> int:
    """How many of the journal's events are not in MLflow yet."""
    return read_cursor(folder).backlog(num_events)
