"""Recording in MLflow, by a process of its own that reads the journal. Importing this does not import mlflow."""

from tuner.recording.cursor import Cursor, Missing, backlog, missing, read_cursor
from tuner.recording.place import check_place, misplaced
from tuner.recording.process import RecorderProcess
from tuner.recording.service import record
from tuner.recording.standing import recorder_standing

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
