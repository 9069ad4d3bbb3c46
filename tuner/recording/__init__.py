"""Records sweeps in MLflow, in a separate process that reads the journal. Importing this does not import mlflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.recording.cursor import Cursor, Missing, backlog, missing, read_cursor
from tuner.recording.place import check_place, misplaced
from tuner.recording.process import RecorderProcess
from tuner.recording.standing import recorder_standing

if TYPE_CHECKING:
    from tuner.recording.service import record

__all__ = [
    "Cursor",
    "Missing",
    "RecorderProcess",
    "backlog",
    "check_place",
    "misplaced",
    "missing",
    "read_cursor",
    "record",
    "recorder_standing",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Imports the recorder only when it is needed, because reading a cursor needs none of its imports."""
        if name != "record":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from tuner.recording.service import record

        return record
