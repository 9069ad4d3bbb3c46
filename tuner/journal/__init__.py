"""The journal: the append-only file of a sweep's events, one writer at a time."""

from tuner.journal.lease import Lease, read_holder
from tuner.journal.local import Journal, JournalReader, create_sweep, read_events

__all__ = ["Journal", "JournalReader", "Lease", "create_sweep", "read_events", "read_holder"]
