"""Classes that a program made itself, in a notebook or in its main file, and gave to a sweep: no other process finds
them by name, so they are known only where they are given, and travel to workers by value.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from trainables.contract import Trainable
from trainables.registry import UnknownTrainableError

PREFIX = "python:"
"""A spec's `trainable` begins so where it is such a class; the class's name follows."""


class NotGivenError(UnknownTrainableError):
    """The class of a sweep is not known in this process."""


@dataclass(frozen=True)
class Given:
    """A class, and the text of the files or cells that it was written in, for tracebacks and AutoGraph elsewhere."""

    trainable: type[Trainable]
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """What a spec calls it."""
        return f"{PREFIX}{self.trainable.__name__}"


_given: ContextVar[Given | None] = ContextVar("given", default=None)


def is_given(trainable: str) -> bool:
    """Whether a spec's `trainable` is a class that a program gave, rather than a file or a shipped one."""
    return trainable.startswith(PREFIX)


@contextmanager
def giving(given: Given | None) -> Iterator[None]:
    """Within this a spec may name the class; elsewhere, and in other threads, nothing changes."""
    token = _given.set(given)
    try:
        yield
    finally:
        _given.reset(token)


def lookup(trainable: str) -> Given:
    """What was given by this name.

    Raises:
        NotGivenError: nothing was; the message has the way on.
    """
    given = _given.get()
    if given is None or given.name != trainable:
        name = trainable.removeprefix(PREFIX)
        other = "" if given is None else f", not {given.trainable.__name__}"
        raise NotGivenError(
            f"{name} is a class of a notebook or a script, which only Python can give: tuner.load or tuner.resume with"
            f" trainable={name}{other}"
        )
    return given


def remember_texts(given: Given) -> None:
    """Lets this process show, and AutoGraph read, source that lies in no file of this machine."""
    for name, text in given.texts.items():
        if not linecache.getlines(name):
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
