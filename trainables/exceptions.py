"""What exceptions of users' code say, whose own `str` may raise as well; and one that needs no Keras."""

from __future__ import annotations


def message_of(error: BaseException) -> str:
    """The text of an exception; empty if it has none, or raises when it is asked."""
    try:
        return str(error)
    except Exception:
        return ""


class CheckpointError(Exception):
    """A checkpoint cannot be read, or it is of another model."""
