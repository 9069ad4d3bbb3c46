"""Decodes a journal's bytes into events: one JSON object a line, numbered without gaps."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import msgspec

from tuner.base.errors import StorageError
from tuner.storage import AnyPath
from tuner.sweep import events as ev

LINE_BYTES_MAX = 16 << 20
"""The largest event. What user code can put into events is far smaller, so a longer line was written by others."""

_decoder: msgspec.json.Decoder[ev.AnyEvent] = msgspec.json.Decoder(ev.AnyEvent)


def decode(data: bytes | bytearray, path: AnyPath, first_seq: int, offset: int = 0, line: int = 1) -> list[ev.AnyEvent]:
    """The events of complete lines.

    Args:
        data: whole lines, including the end of the last one.
        path: the file, for messages; `offset` and `line` (from 1) say where `data` starts in it.
        first_seq: the `seq` that the first event must have.

    Raises:
        StorageError: a line is damaged, repeated, missing, or from a newer version; the message says where.
    """
    if len(data) > LINE_BYTES_MAX:
        _check_lengths(data, path, offset, line)
    try:
        events = _decoder.decode_lines(data)
        whole = len(events) == data.count(b"\n")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        whole = False
    if not whole or [event.seq for event in events] != list(range(first_seq, first_seq + len(events))):
        return _one_by_one(bytes(data), path, first_seq, offset, line)
    return events


def split(data: bytes) -> list[bytes]:
    """Splits complete lines and keeps their ends. Only a line feed ends a line: JSON may hold any other separator."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def too_long(path: AnyPath, line: int, offset: int) -> StorageError:
    """The error for a line that no driver can have written."""
    return StorageError(
        f"{path}: line {line}, byte {offset}: an event must have at most {LINE_BYTES_MAX >> 20} MiB, but the line is"
        f" longer; restore the journal from a copy"
    )


def _check_lengths(data: bytes | bytearray, path: AnyPath, offset: int, line: int) -> None:
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        if end - start > LINE_BYTES_MAX:
            raise too_long(path, line, offset + start)
        start, line = end + 1, line + 1


def is_json(line: bytes) -> bool:
    """Whether a line is JSON, whether or not an event. A torn or overwritten line is not."""
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    except RecursionError:
        return True
    return True


@contextlib.contextmanager
def without_gc() -> Iterator[None]:
    """Pauses the garbage collector, which would traverse all events so far again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _one_by_one(data: bytes, path: AnyPath, seq: int, offset: int, line: int) -> list[ev.AnyEvent]:
    """Like `decode`, but slower, to find the line that is wrong."""
    events = []
    for text in data.split(b"\n")[:-1]:
        event = _decoded(text, f"{path}: line {line}, byte {offset}")
        if event.seq != seq:
            what = "an event is repeated" if 0 <= event.seq < seq else "events are missing"
            raise StorageError(
                f"{path}: line {line}, byte {offset}: seq must be {seq}, but got {event.seq}; {what} here"
            )
        events.append(event)
        seq, line, offset = seq + 1, line + 1, offset + len(text) + 1
    return events


def _decoded(line: bytes, where: str) -> ev.AnyEvent:
    try:
        return ev.decode(line)
    except msgspec.ValidationError as error:
        is_newer = "`$.event`" in str(error) or "Invalid enum value" in str(error)
        newer = " (a newer version of tuner wrote it)" if is_newer else ""
        raise StorageError(f"{where}: every line must be a known event{newer}, but {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"{where}: damaged line: {error}") from None
    except RecursionError:
        raise StorageError(f"{where}: damaged line: nested too deeply") from None
