"""Files that are made to harm whoever reads them: small on disk, and large or wrong once they are believed."""

from __future__ import annotations

import io
import json
import math
import os
import resource
import struct
import subprocess
import sys
import textwrap
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
HEADER = {"format": 1, "epoch": 3, "best_epoch": 0, "best_value": math.nan}
GIB = 2**30


def arrays(header: Any = None, **others: Any) -> dict[str, Any]:
    """The arrays of a checkpoint of one variable, (8, 8) floats."""
    text = json.dumps(HEADER) if header is None else header
    return {"header": np.array(text), "state_0": np.ones((8, 8), "float32"), **others}


def npz(content: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


def zipped(entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file of entries as they are."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # that a name is there twice
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


def entry(array: np.ndarray[Any, Any]) -> bytes:
    """The bytes of one array, as numpy.save writes them."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def says(shape: Any, descr: str = "<f4", data: bytes = b"", version: int = 1) -> bytes:
    """An array that says whatever it likes of itself."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<L", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def expanding(size_bytes: int) -> bytes:
    """A checkpoint whose `state_0` is this large, and takes a thousandth of that in the file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", entry(np.array(json.dumps(HEADER))))
        with archive.open("state_0.npy", "w", force_zip64=True) as state:
            state.write(says(f"({size_bytes // 4},)"))
            for _ in range(size_bytes // 2**24):
                state.write(bytes(2**24))
    return file.getvalue()


def directory_says(data: bytes, name: bytes, at: int, value: bytes) -> bytes:
    """A zip file in whose directory the entry of this name says something else, `at` bytes from its beginning."""
    place = data.rindex(name) - 46
    assert data[place : place + 4] == b"PK\x01\x02"
    return data[: place + at] + value + data[place + at + len(value) :]


def _many(count: int) -> bytes:
    """One entry, told in the directory so often."""
    data = zipped([("header.npy", entry(np.array(json.dumps(HEADER))))])
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    directory = data[start:end] * count
    last = bytearray(data[end:])
    last[8:12] = struct.pack("<HH", min(count, 65535), min(count, 65535))
    last[12:16] = struct.pack("<L", len(directory))
    return data[:start] + directory + bytes(last)


def _overlapping() -> bytes:
    """Two arrays in one place."""
    data = npz(arrays(state_1=np.ones((8, 8), "float32")))
    first = data.rindex(b"state_0.npy") - 46
    return directory_says(data, b"state_1.npy", 42, data[first + 42 : first + 46])


def _state(data: bytes) -> bytes:
    return zipped([("header.npy", entry(np.array(json.dumps(HEADER)))), ("state_0.npy", data)])


SMALL: dict[str, Callable[[], bytes]] = {
    "compressed": lambda: zipped([("header.npy", entry(np.array(json.dumps(HEADER))))], zipfile.ZIP_DEFLATED),
    "bzip2": lambda: zipped([("header.npy", entry(np.array(json.dumps(HEADER))))], zipfile.ZIP_BZIP2),
    "a method that is none": lambda: directory_says(npz(arrays()), b"state_0.npy", 10, b"\x63\x00"),
    "a huge shape": lambda: _state(says("(1000000000000,)")),
    "a shape beyond all numbers": lambda: _state(says(f"({'9' * 4000},)")),
    "a shape of huge and zero": lambda: _state(says(f"(0, {10**30})")),
    "a negative shape": lambda: _state(says("(-2, -4)", data=bytes(32))),
    "values of no size": lambda: _state(says("(1000000000000,)", "|S0")),
    "a type of no end": lambda: _state(says("(1,)", "(1000000,1000000)f4")),
    "objects": lambda: npz(arrays(state_0=np.array([{}], object))),
    "a deep type": lambda: _state(says("(1,)", "[" * 3000)),
    "an array's header of 4 GiB": lambda: _state(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(64)),
    "an array that is none": lambda: _state(b"hello" * 99),
    "an entry twice": lambda: zipped([("header.npy", entry(np.array("{}"))), ("header.npy", entry(np.array("{}")))]),
    "overlapping entries": _overlapping,
    "a directory that says more": lambda: directory_says(npz(arrays()), b"state_0.npy", 20, b"\xff\xff\xff\x7f" * 2),
    "a directory that says less": lambda: directory_says(npz(arrays()), b"state_0.npy", 20, b"\x90\0\0\0" * 2),
    "a place behind the end": lambda: directory_says(npz(arrays()), b"state_0.npy", 42, b"\xff\xff\xff\x7f"),
    "a directory without end": lambda: _many(300_000),
    "a JSON header of a MiB": lambda: npz(arrays(json.dumps({**HEADER, "x": "x" * 2**20}))),
    "a deep JSON header": lambda: npz(arrays("[" * 9000)),
    "a JSON header that is a list": lambda: npz(arrays("[1]")),
    "a JSON header of numbers without end": lambda: npz(arrays(json.dumps(HEADER).replace("3", "9" * 9000))),
    "another header": lambda: npz({"header": np.zeros(3), "state_0": np.ones((8, 8), "float32")}),
    "no header": lambda: npz({"state_0": np.ones((8, 8), "float32")}),
    "a number of another type": lambda: npz(arrays(json.dumps({**HEADER, "epoch": "many"}))),
    "nothing": lambda: b"",
    "a comment behind the end": lambda: npz(arrays()) + b"x",
}
"""Each must be refused, whatever reads it as a checkpoint of one variable."""


def peak_bytes(code: str, *arguments: str) -> tuple[int, str]:
    """The most memory that a fresh Python process takes for this code beyond what it has imported, and what it said.

    The code defines `act`; what it imports outside of that does not count.
    """
    measured = """
    import resource, sys
    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    before = peak()
    act(*sys.argv[1:])
    print(peak() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code) + textwrap.dedent(measured), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )
    assert done.returncode == 0, done.stderr
    *said, peak = done.stdout.splitlines()
    return int(peak), "\n".join(said)
