"""Where everything is stored, on file systems and object stores, and how it is read and written."""

from tuner.storage.files import (
    AnyPath,
    delete,
    exists,
    make_folder,
    names,
    open_log,
    read_bytes,
    remove_empty_folder,
    sync_folder,
    write_atomically,
)
from tuner.storage.folders import DATABASE, StorageRoot, SweepFolder, code_copy, learned_copy

__all__ = [
    "DATABASE",
    "AnyPath",
    "StorageRoot",
    "SweepFolder",
    "code_copy",
    "delete",
    "exists",
    "learned_copy",
    "make_folder",
    "names",
    "open_log",
    "read_bytes",
    "remove_empty_folder",
    "sync_folder",
    "write_atomically",
]
