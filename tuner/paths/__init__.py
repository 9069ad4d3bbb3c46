"""Where everything lies, on file systems and object stores alike, and how it is read and written there."""

from tuner.paths.files import AnyPath, delete, exists, names, read_bytes, sync_folder, write_atomically
from tuner.paths.folders import StorageRoot, SweepFolder, code_copy

__all__ = [
    "AnyPath",
    "StorageRoot",
    "SweepFolder",
    "code_copy",
    "delete",
    "exists",
    "names",
    "read_bytes",
    "sync_folder",
    "write_atomically",
]
