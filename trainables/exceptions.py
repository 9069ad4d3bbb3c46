"""What exceptions of users' code say, whose own `str` may raise as well; and one that needs no Keras."""

from __future__ import annotations

import re


def message_of(error: BaseException) -> str:
    """The text of an exception; empty if it has none, or raises when it is asked."""
    try:
        return str(error)
    except Exception:
        return ""


class CheckpointError(Exception):
    """A checkpoint cannot be read, or it is of another model."""


class PartsError(ValueError):
    """A model's batches cannot be trained in parts; the message says why."""


class Infeasible(Exception):
    """A configuration that cannot or should not be trained, such as a model that is too large.

    Raise it from `build_model`, `select_data`, a validator of `Params` or your own loop. The trial ends at once as
    infeasible, without a retry; the search avoids what is like it, and another configuration is tried in its place.
    """


_OUT_OF_MEMORY = re.compile(
    r"RESOURCE_EXHAUSTED|ResourceExhausted|MemoryError|OOM when allocating|CUDA_ERROR_OUT_OF_MEMORY|Out of memory while"
    r"|[Ff]ailed to allocate memory"
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: of the machine or of a GPU, which TensorFlow and XLA tell in several ways."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or "ResourceExhaustedError" in names:
        return True
    return "OpError" in names and _OUT_OF_MEMORY.search(message_of(error)) is not None


def infeasible_in(error: BaseException) -> Infeasible | None:
    """The Infeasible that an exception is, or was raised from; None if there is none."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        if isinstance(found, Infeasible):
            return found
        seen.add(id(found))
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return None
