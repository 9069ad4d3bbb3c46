"""What an exception in a worker means: for the trial, for the sweep, and for the worker's process."""

from __future__ import annotations

import traceback
from dataclasses import replace

from trainables.exceptions import PartsError, infeasible_in, is_out_of_memory
from trainables.scripts.lines import ObjectiveError
from trainables.sources import ChangedSourceError
from tuner.base.errors import StorageError, bounded_text, gist, said_by
from tuner.base.secrets import redacted
from tuner.engine.messages import Failure

LINE_CHARS_MAX = 500


class DataFault(Exception):
    """The data, which all trials share, cannot be loaded."""


def failure_of(error: BaseException) -> Failure:
    """The report on an exception, without secrets: a fault of the trial's, or one that no trial can survive."""
    if (infeasible := infeasible_in(error)) is not None:
        reason = bounded_text(" ".join(said_by(infeasible).split()), LINE_CHARS_MAX)
        return Failure("infeasible", redacted(reason) or "its code said so", "")
    details = redacted(bounded_text("".join(traceback.format_exception(error))))
    match error:
        case StorageError():
            return Failure("storage", redacted(said_by(error)), details)
        case DataFault():
            return Failure("data", redacted(said_by(error)), details)
        case ObjectiveError():
            return Failure("code", redacted(said_by(error)), details)
        case ChangedSourceError():
            return Failure("code", redacted(said_by(error)), details)
        case _:
            return Failure("memory" if is_out_of_memory(error) else "error", error_line(error), details)


def with_parts(failure: Failure, error: BaseException, at_once: int | None, is_in_parts: bool) -> Failure:
    """A failure with what it means for how many examples of a batch are trained at once.

    Args:
        at_once: how many they were, where that is known.
        is_in_parts: whether they were so few because memory had run out before.
    """
    if isinstance(error, PartsError) and is_in_parts:
        text = f"memory ran out, and {redacted(said_by(error))}"
        return replace(failure, cause="memory", message=text, needs_whole=True)
    return replace(failure, at_once=at_once) if failure.cause == "memory" and at_once else failure


def breaks_process(error: BaseException) -> bool:
    """Whether the worker's process must be replaced: memory ran out, or TensorFlow's runtime failed, such as a GPU.

    A wrong argument is the trial's fault alone.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    return is_out_of_memory(error) or ("OpError" in names and "InvalidArgumentError" not in names)


def error_line(error: BaseException) -> str:
    """An error's type and the last line of its message, without secrets."""
    lines = [line for line in gist(error).splitlines() if line.strip()]
    name = type(error).__name__
    return redacted(f"{name}: {lines[-1].strip()}")[:LINE_CHARS_MAX] if lines else name
