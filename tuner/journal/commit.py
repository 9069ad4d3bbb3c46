"""Group commit: what several threads append at the same time becomes one durable write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tuner.errors import StorageError, TunerError
from tuner.events import AnyEvent

Write = Callable[[Sequence[AnyEvent]], list[AnyEvent]]


@dataclass(eq=False)
class _Request:
    """What one thread wants written."""

    events: Sequence[AnyEvent]
    written: list[AnyEvent] = field(default_factory=list)
    error: Exception | None = None
    done: bool = False


class GroupCommit:
    """Hands events to `write`, one call at a time; those that wait meanwhile go together in the next call.

    The first thread that finds nobody writing writes for all that wait (leader); the others sleep until theirs is done.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._waiting: list[_Request] = []
        self._writing = False

    def append(self, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        """Returns what `write` made of these events, once it is written; raises what it raised."""
        request = _Request(events)
        group: list[_Request] = []
        try:
            with self._changed:
                self._waiting.append(request)
                while self._writing and not request.done:
                    self._changed.wait()
                if not request.done:
                    self._writing, group, self._waiting = True, self._waiting, []
            if group:
                self._lead(request, group)
        finally:
            self._leave(request, group)
        if request.error is not None:
            raise request.error
        return request.written

    def _lead(self, own: _Request, group: list[_Request]) -> None:
        """Writes a group; every request in it has its answer after."""
        try:
            written = self._write([event for request in group for event in request.events])
            at = 0
            for request in group:
                request.written = written[at : at + len(request.events)]
                at += len(request.events)
                request.done = True
        except Exception as error:
            for request in group:
                request.error = error if request is own else _copy(error)
                request.done = True

    def _leave(self, own: _Request, group: list[_Request]) -> None:
        """Makes way for the next writer. What nobody began to write is not written after an interrupt.

        Of a group whether the interrupt came before or after the write nobody knows, so nothing is written again.
        """
        with self._changed:
            if own in self._waiting:
                self._waiting.remove(own)
            if not group:
                return
            for request in group:
                if not request.done:
                    request.error = StorageError(
                        "the journal: a write was interrupted; resuming the sweep shows what it holds"
                    )
                    request.done = True
            self._writing = False
            self._changed.notify_all()


def _copy(error: Exception) -> Exception:
    """The same refusal for another thread, which must not share a traceback."""
    if isinstance(error, TunerError):
        again = type(error)(*error.args)
        again.__cause__ = error.__cause__
        return again
    return RuntimeError(f"{type(error).__name__}: {error}")
