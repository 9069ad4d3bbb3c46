"""The output of Ray's launcher without the tracebacks that it prints for a missing key or a refusal by the cloud."""

from __future__ import annotations

_BEGINS = "Traceback (most recent call last):"
_LINKS = ("During handling of the above exception", "The above exception was the direct cause")


class Said:
    """Filters the lines of one command, in order."""

    def __init__(self) -> None:
        self.error = ""
        """The exception of the last traceback, in one line; empty if there was none."""
        self._in_traceback = False

    def is_for_people(self, line: str) -> bool:
        """Whether a line is useful to somebody who waits for the command."""
        text = line.rstrip()
        if text == _BEGINS:
            self._in_traceback = True
            return False
        if not self._in_traceback:
            return not text.startswith(_LINKS)
        if text and not text[0].isspace():
            self._in_traceback = False
            self.error = " ".join(text.split())[:300]
        return False
