"""What a training loop calls after each epoch, in the process of its trial."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from trainables.scripts.lines import ScriptError, check_epoch, check_objective, numbers


class Report:
    """`report(epoch, metrics, checkpoint=folder)` tells an epoch, and answers whether the trial continues.

    Attributes:
        checkpoint: the folder (or file) of the newest checkpoint where the trial was broken off or failed before; None
            at its beginning.
        epoch: the epoch of that checkpoint; 0 for none.
        epochs: the epochs of the trial's whole training.
        trial: the trial's number.
        seed: of the trial, the same in each attempt.
    """

    def __init__(
        self,
        tells: IO[bytes],
        hears: IO[bytes],
        objective: str,
        *,
        epochs: int,
        trial: int = 0,
        seed: int = 0,
        checkpoint: Path | None = None,
        epoch: int = 0,
    ) -> None:
        self._tells, self._hears, self._objective = tells, hears, objective
        self._start = self._last = self.epoch = epoch
        self.epochs, self.trial, self.seed, self.checkpoint = epochs, trial, seed, checkpoint

    def __call__(
        self, epoch: int, metrics: Mapping[str, Any], checkpoint: str | os.PathLike[str] | None = None
    ) -> bool:
        """Reports an epoch; returns False when the trial must stop: then return from the loop.

        Args:
            epoch: from 1, each one in turn.
            metrics: numbers by name, the objective among them: floats, NumPy's scalars, tensors of one value.
            checkpoint: a folder (or file) from which the trial can continue after this epoch. It is copied before this
                call returns, and may be changed then.

        Raises:
            ScriptError: an argument is not what it must be.
        """
        line: dict[str, Any] = {"epoch": self._checked(epoch), "metrics": self._numbers(metrics)}
        if checkpoint is not None:
            path = os.path.abspath(os.path.expanduser(os.fspath(checkpoint)))
            if not os.path.exists(path):
                raise ScriptError(f"report: the checkpoint must be a folder or a file, but there is none: {path}")
            line["checkpoint"] = path
        self._last = int(epoch)
        try:
            self._tells.write(json.dumps(line).encode() + b"\n")
            self._tells.flush()
            return self._hears.readline().strip() == b"continue"
        except OSError:  # nobody listens any more
            return False

    def _checked(self, epoch: Any) -> int:
        if isinstance(epoch, bool) or not hasattr(epoch, "__index__"):
            raise ScriptError(f"report: the epoch must be a whole number from 1, but got {epoch!r}")
        number = int(epoch.__index__())
        check_epoch(number, self._last, self._start)
        return number

    def _numbers(self, metrics: Any) -> dict[str, float]:
        if not isinstance(metrics, Mapping):
            raise ScriptError(f"report: the metrics must be numbers by name, but got {metrics!r:.200}")
        found = numbers(metrics)
        check_objective(found, self._objective)
        return found
