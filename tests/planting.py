"""What tests plant in and around a sweep's folder: links, pipes, and a tree outside that nothing may touch."""

from __future__ import annotations

import os
from pathlib import Path

Seen = dict[str, tuple[bytes, int, int, int]]


def outside_tree(folder: Path) -> Path:
    """A folder of somebody's own, with files whose names a sweep's could have."""
    (folder / "000001").mkdir(parents=True)
    for name in (
        "thesis.txt",
        "journal.jsonl",
        "full-000001-attempt-001-7.npz",
        "000001/full-000001-attempt-001-7.npz",
        "000001/.full-000001-attempt-001-7.npz.7-8.tmp",
    ):
        (folder / name).write_bytes(f"of {name}".encode())
    return folder


def seen(folder: Path) -> Seen:
    """A tree byte for byte, with modes and times; listing and reading it leave these alone."""
    found: Seen = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else repr(sorted(os.listdir(path))).encode()
        found[str(path.relative_to(folder))] = (content, status.st_mtime_ns, status.st_mode, status.st_ino)
    return found
