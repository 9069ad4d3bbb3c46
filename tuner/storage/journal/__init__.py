"""The journal: the append-only record of a sweep's events, one writer at a time."""

from tuner.storage.journal.belonging import Belonging, belonging_if_writable, started_at
from tuner.storage.journal.clock import SteadyClock
from tuner.storage.journal.creating import create_sweep, discard_sweep, name_taken
from tuner.storage.journal.history import History
from tuner.storage.journal.holder import Holder
from tuner.storage.journal.journal import Journal, JournalReader, read_events
from tuner.storage.journal.lease import Lease, read_holder

__all__ = [
    "Belonging",
    "History",
    "Holder",
    "Journal",
    "JournalReader",
    "Lease",
    "SteadyClock",
    "belonging_if_writable",
    "create_sweep",
    "discard_sweep",
    "name_taken",
    "read_events",
    "read_holder",
    "started_at",
]
