"""What a sweep was trained with: its trainable's code, its data and the versions, kept and held against today's.

The driver reads the trainable's files once; inspection and workers import those bytes under their original paths. Which
code a trial belongs to follows from the event of its best epoch. Arrays are hashed whole up to 256 MiB and in blocks
beyond; files are hashed up to 64 MiB.
"""

from tuner.inspection.provenance.code import Code, collect
from tuner.inspection.provenance.copies import copied_files, read_code, write_code
from tuner.inspection.provenance.training_code import Accepted, TrainingCode, resumed, resuming, starting

__all__ = [
    "Accepted",
    "Code",
    "TrainingCode",
    "collect",
    "copied_files",
    "read_code",
    "resumed",
    "resuming",
    "starting",
    "write_code",
]
