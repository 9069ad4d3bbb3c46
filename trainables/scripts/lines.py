"""The lines by which a script reports: JSON objects with the epoch, its metrics and, maybe, a checkpoint."""

from __future__ import annotations

import difflib
import json
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from trainables.exceptions import Infeasible
from trainables.expressions import as_expression

LINE_BYTES_MAX = 1 << 20
_SHOWN = 200
_OWN = ("epoch", "metrics", "checkpoint")


class ScriptError(Exception):
    """A script does not do what is agreed; the message says what it must."""


class ObjectiveError(ScriptError):
    """A script does not report the objective."""


@dataclass(frozen=True)
class Line:
    """One report."""

    epoch: int | None
    """From 1; None for the next one."""
    metrics: dict[str, float]
    checkpoint: str | None = None
    """An absolute path of a folder or a file."""


def parse(text: bytes, folder: str) -> Line:
    """The report in a line.

    `{"epoch": 1, "val_loss": 0.3}`, or `{"epoch": 1, "metrics": {"val_loss": 0.3}, "checkpoint": "folder"}`.

    Args:
        folder: what a relative path of a checkpoint is relative to.

    Raises:
        ScriptError: it is none.
        Infeasible: it says `{"infeasible": "why"}`.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        rule = 'must be a line of JSON such as {"epoch": 1, "val_loss": 0.3}'
        raise ScriptError(f"a report {rule}, but got {text[:_SHOWN].decode(errors='replace')!r}")
    if "infeasible" in found:
        raise Infeasible(str(found["infeasible"]))
    epoch, checkpoint, metrics = found.get("epoch"), found.get("checkpoint"), found.get("metrics", {})
    if isinstance(epoch, bool) or not isinstance(epoch, int | None):
        raise ScriptError(f"a report's epoch must be a whole number from 1, but got {epoch!r}")
    if checkpoint is not None and not isinstance(checkpoint, str):
        raise ScriptError(f"a report's checkpoint must be the path of a folder, but got {checkpoint!r}")
    if not isinstance(metrics, dict):
        raise ScriptError(f"a report's metrics must be numbers by name, but got {metrics!r}")
    flat = {name: value for name, value in found.items() if name not in _OWN}
    path = None if checkpoint is None else os.path.join(folder, os.path.expanduser(checkpoint))
    return Line(epoch, numbers({**metrics, **flat}), path)


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as floats: of numbers, and of NumPy's, Keras's and PyTorch's scalars and tensors of one value.

    Raises:
        ScriptError: one is no number.
    """
    return {str(name): _number(str(name), value) for name, value in metrics.items()}


def _number(name: str, value: Any) -> float:
    if value is None:  # as JSON writes NaN
        return math.nan
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        if hasattr(value, "detach"):
            value = value.detach()
        if hasattr(value, "numpy"):
            value = value.numpy()
        return float(value.item()) if hasattr(value, "item") else float(value)
    except (TypeError, ValueError, OverflowError):
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        raise ScriptError(f"report: the metric {name} must be one number, but got {shown}") from None


def check_epoch(epoch: int, before: int, start: int) -> None:
    """Checks an epoch's number: the next one, or 1 where an attempt begins anew.

    Args:
        before: the last one that the attempt has reported; its `start` if none.
        start: the epoch of the checkpoint that it continues from; 0 for none.

    Raises:
        ScriptError: it is another.
    """
    if epoch == before + 1 or (before == start and epoch == 1):
        return
    if epoch == 0 and before == start:
        raise ScriptError("report: epochs are counted from 1, but got 0: report epoch + 1")
    after = f"the checkpoint of epoch {start}" if before == start and start else f"epoch {before}"
    rule = f"must be {before + 1} after {after}" if before else "must be 1 at first"
    raise ScriptError(f"report: the epoch {rule}, but got {epoch}")


def check_objective(metrics: Collection[str], objective: str) -> None:
    """Checks that the objective is among the metrics.

    Raises:
        ObjectiveError: it is not.
    """
    names = [name for name in metrics if name != "epoch_s"]
    if objective in metrics:
        return
    expression = as_expression(objective)
    for name in [objective] if expression is None else expression.names:
        if name not in metrics:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ObjectiveError(
                f"objective.metric: {name} must be among the metrics that the script reports, but got"
                f" {', '.join(names) or 'none'}{hint}"
            )
