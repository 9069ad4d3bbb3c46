"""Trains trials by scripts, a process each, with the interface that workers know of Keras's trainers."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from trainables.ends import how_it_ended
from trainables.epochs import EpochResult
from trainables.exceptions import CheckpointError, Infeasible
from trainables.expressions import with_value_of
from trainables.scripts.archive import (
    ARCHIVE_BYTES_MAX,
    ArchiveError,
    Header,
    Packed,
    ScriptSnapshot,
    Unpacked,
    unpack,
)
from trainables.scripts.forker import Forker
from trainables.scripts.launching import Attempt, Script, launched
from trainables.scripts.lines import Line, ObjectiveError, ScriptError, check_epoch, check_objective, parse
from trainables.scripts.mlflow_artifacts import URI, Keep, KeptArtifacts
from trainables.scripts.mlflow_server import RunServer, TrialRun
from trainables.scripts.process import GRACE_S, ScriptProcess

_FAILURE = b'{"failure": '


class _Pipe:
    """The end of a pipe that other threads write to; closed with whoever holds it."""

    def __init__(self, file: int) -> None:
        self._file = file
        weakref.finalize(self, os.close, file)

    def tell(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._file, b"x")


@dataclass
class _Trial:
    """The running attempt."""

    process: ScriptProcess
    run: TrialRun
    heard: int
    """Can be read when an epoch that was logged to MLflow is complete."""
    params: Mapping[str, Any]
    start: int
    """The epoch of the checkpoint that it continues from."""
    epoch: int
    is_answered: bool = True
    is_told_to_stop: bool = False
    had_grace: bool = False
    """Whether it was waited for after its last epoch."""
    reports: bool = False
    """Whether it reports by lines; else what it logs to MLflow are its epochs."""
    is_logged: bool = False
    newest: Packed | None = None
    best: Packed | None = None
    top_epoch: int = 0
    top_value: float = math.nan
    stopped: str = ""
    notes: list[str] = field(default_factory=list)


class ScriptTrainer:
    """Trains one trial after another, an epoch at a time: a loop waits in `report` until the next one is asked for.

    Args:
        metric: the objective, which each report must have.
        mode: whether more of it is better.
        forker: forks the processes of loops; None for processes that import everything themselves.
        takes_last: whether a trial's last epoch counts as its best one.
        keep: keeps what a script logs to MLflow as artifacts, where trials have no folder.
    """

    suffix = ".tar"
    saves_often = True
    """A checkpoint that a script reports is kept as soon as it can be: what is lost is trained again."""

    def __init__(
        self,
        script: Script,
        metric: str,
        mode: Literal["min", "max"],
        forker: Forker | None = None,
        takes_last: bool = False,
        keep: Keep | None = None,
    ) -> None:
        self._takes_last, self._keep_file = takes_last, keep
        self._script, self._metric, self._mode = script, metric, mode
        self._forker = None if script.command else forker
        self._trial: _Trial | None = None
        self._number = 0
        self._notes: list[str] = []
        self._has_reported = False
        self._folder: str | None = None
        self._server: RunServer | None = None

    def place(self, folder: str | None, trial: int) -> None:
        """Says the number of the next trial, and a folder of its own for what it logs to MLflow; None for none."""
        self._number, self._folder = trial, folder

    def take_logged(self) -> dict[str, dict[str, str]]:
        """The parameters and tags that the script has logged to MLflow since the last call."""
        if self._trial is None:
            return {}
        return {kind: pairs for kind, pairs in self._trial.run.take_logged().items() if pairs}

    def take_notes(self) -> list[str]:
        """Things worth a line for people, since the last call."""
        taken, self._notes = self._notes, []
        return taken

    def start(
        self, params: dict[str, Any], seed: int, checkpoint: bytes | Callable[[int], bytes] | None = None
    ) -> None:
        """Starts the script of a trial, and ends that of the trial before.

        Args:
            checkpoint: what a snapshot's `to_bytes` gave, or a function that reads at most so many bytes of it.

        Raises:
            CheckpointError: the checkpoint cannot be read.
            ScriptError: the script cannot be started.
        """
        self.end()
        folder = Path(tempfile.mkdtemp(prefix="tuner-script-"))
        try:
            found = self._unpacked(checkpoint, folder)
            best = None if found.best is None else Packed(found.best, found.header.best_epoch)
            run, heard = self._listen(folder)
            attempt = Attempt(self._number, params, seed, self._metric, found.header.epoch, found.newest)
            environment = self._server.environment() if self._server is not None else {}
            process = launched(self._script, attempt, folder, environment, self._forker)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        header = found.header
        self._trial = _Trial(process, run, heard, params, header.epoch, header.epoch, best=best)
        self._trial.top_epoch, self._trial.top_value = header.top_epoch, header.top_value

    def _listen(self, scratch: Path) -> tuple[TrialRun, int]:
        """What the script logs to MLflow; and an open file that can be read once an epoch is complete."""
        self._server = self._server or RunServer()
        heard, tells = os.pipe()
        os.set_blocking(tells, False)
        place = Path(self._folder, "mlflow") if self._folder is not None else scratch / "mlflow"
        is_kept = self._folder is None and self._keep_file is not None
        uri = URI if is_kept else place.as_uri()
        run = self._server.run = TrialRun(f"trial {self._number}", self._metric, uri, _Pipe(tells).tell)
        if is_kept and self._keep_file is not None:
            run.kept = KeptArtifacts(self._number, place, self._keep_file, lambda text: self._notes.append(text))
        return run, heard

    def _unpacked(self, checkpoint: bytes | Callable[[int], bytes] | None, folder: Path) -> Unpacked:
        if checkpoint is None:
            return Unpacked(Header(), None, None)
        data = checkpoint if isinstance(checkpoint, bytes) else checkpoint(ARCHIVE_BYTES_MAX)
        try:
            found = unpack(data, folder / "checkpoint")
        except ArchiveError as error:
            raise CheckpointError(str(error)) from error
        if found.newest is None:
            raise CheckpointError(f"must hold the files of epoch {found.header.epoch}, but does not")
        return found

    def train_epoch(self) -> EpochResult | None:
        """Lets the script run to its next report; None if it has ended instead, and `stopped` says so.

        Raises:
            ScriptError: it does not report as it must, or ended without a report.
            Exception: what the script raised, by that name; how it ended, if badly.
        """
        trial = self._running()
        began = time.monotonic()
        if not trial.is_answered:
            if not trial.is_logged:
                trial.process.answer(True)
            trial.is_answered = True
        line = self._next_line(trial)
        if line is None:
            self._take_end(trial)
            return None
        epoch = trial.epoch + 1 if line.epoch is None else line.epoch
        check_epoch(epoch, trial.epoch, trial.start)
        metrics = self._with_objective({"epoch_s": 0.0, **line.metrics})
        trial.epoch, trial.is_answered = epoch, False
        self._keep(trial, metrics[self._metric], line.checkpoint)
        epoch_s = time.monotonic() - began
        if epoch >= int(trial.params.get("epochs") or 0):
            self._tell_to_stop(trial)
            if trial.run.was_used:
                self._wait_for_artifacts(trial)
        if "epoch_s" not in line.metrics:
            metrics["epoch_s"] = round(epoch_s, 6)
        return EpochResult(epoch, metrics, epoch_s)

    def _next_line(self, trial: _Trial) -> Line | None:
        while True:
            if not trial.reports and (logged := trial.run.epochs.take()) is not None:
                trial.is_logged = True
                return Line(None, logged)
            text = trial.process.next_line(trial.heard)
            if text is None:
                trial.run.epochs.flush()
                logged = None if trial.reports else trial.run.epochs.take()
                trial.is_logged |= logged is not None
                return None if logged is None else Line(None, logged)
            if text:
                break
            os.read(trial.heard, 4096)
        trial.reports = True
        if not self._script.command and text.startswith(_FAILURE):
            failure = json.loads(text)["failure"]
            trial.process.end(GRACE_S)
            raise raised(failure["kind"], failure["message"], failure["traceback"], self._has_reported)
        line = parse(text, self._script.work_folder or os.getcwd())
        return replace(line, metrics={**trial.run.epochs.take_rest(), **line.metrics})

    def _with_objective(self, metrics: dict[str, float]) -> dict[str, float]:
        """The metrics, with an objective that is an expression of them."""
        try:
            check_objective(metrics, self._metric)
        except ObjectiveError as error:
            if self._has_reported:  # by other trials: it is this one's fault
                raise ScriptError(str(error)) from None
            raise
        self._has_reported = True
        return with_value_of(self._metric, metrics)

    def _keep(self, trial: _Trial, value: float, checkpoint: str | None) -> None:
        """Copies the epoch's checkpoint, which the script may change once it is answered."""
        better = value > trial.top_value if self._mode == "max" else value < trial.top_value
        is_best = math.isfinite(value) and (better or self._takes_last or not trial.top_epoch)
        if checkpoint is not None:
            trial.newest = Packed(checkpoint, trial.epoch)
        if is_best:
            trial.top_epoch, trial.top_value = trial.epoch, value
            trial.best = trial.newest if checkpoint is not None else None

    def _take_end(self, trial: _Trial) -> None:
        """Takes the end of a script that has ended by itself."""
        code = trial.process.code
        trial.process.close()
        if code != 0:
            raise ScriptError(f"the script {how_it_ended(code)}")
        if not trial.epoch and (names := trial.run.epochs.names):
            check_objective(names, self._metric)
        if not trial.epoch:
            way = (
                "write a line of JSON to the file descriptor $TUNER_REPORT_FD"
                if self._script.command
                else "call report(epoch, metrics)"
            )
            raise ScriptError(f"the script ended without a report: it must {way} after each epoch")
        trial.stopped = f"the script ended after {trial.epoch} of {trial.params.get('epochs')} epochs"

    def _tell_to_stop(self, trial: _Trial) -> None:
        if not trial.is_answered and not trial.is_logged:
            trial.process.answer(False)
        trial.is_answered = trial.is_told_to_stop = True

    def _wait_for_artifacts(self, trial: _Trial) -> None:
        """Lets a script that logs to MLflow end: its model often comes last, and needs this process."""
        trial.had_grace = True
        while not trial.process.wait(GRACE_S):
            if not trial.run.takes_artifact and time.monotonic() - trial.run.took_artifact_at >= GRACE_S:
                return

    def end(self) -> None:
        """Ends the trial's script: it is told to stop, gets SIGTERM if it does not, and SIGKILL at last."""
        trial, self._trial = self._trial, None
        if trial is None:
            return
        is_whole = trial.is_told_to_stop and not trial.had_grace
        self._tell_to_stop(trial)
        hears = not self._script.command and not trial.is_logged
        trial.process.end(GRACE_S if is_whole or (hears and not trial.had_grace) else 0.0)
        os.close(trial.heard)

    def _running(self) -> _Trial:
        if self._trial is None:
            raise RuntimeError("no trial is running: call start() first")
        return self._trial

    @property
    def epoch(self) -> int:
        """The epochs that the attempt has reported, with those before its checkpoint."""
        return self._running().epoch

    @property
    def snapshot_epoch(self) -> int:
        """The epoch of the newest checkpoint that this attempt has reported; 0 for none."""
        newest = self._running().newest
        return 0 if newest is None else newest.epoch

    @property
    def best_epoch(self) -> int:
        """The best epoch so far, if it had a checkpoint; else 0."""
        trial = self._running()
        return trial.top_epoch if trial.best is not None else 0

    @property
    def best_value(self) -> float:
        """The best finite objective so far; NaN for none."""
        return self._running().top_value

    @property
    def stopped(self) -> str:
        """Why the trial ended itself; empty while it goes on."""
        return self._running().stopped

    @property
    def is_whole(self) -> bool:
        """Whether a trial that ended itself has trained all that it was to."""
        return bool(self._running().stopped)

    @property
    def used(self) -> dict[str, float]:
        return {}

    def snapshot(self) -> ScriptSnapshot:
        """The newest checkpoint, and that of the best epoch."""
        trial = self._running()
        parts = [part for part in (trial.newest, trial.best) if part is not None]
        header = Header(self.snapshot_epoch, self.best_epoch, trial.top_epoch, trial.top_value)
        return ScriptSnapshot(header, tuple({part.epoch: part for part in parts}.values()))

    def best_snapshot(self) -> ScriptSnapshot:
        """The best epoch's checkpoint alone."""
        trial = self._running()
        assert trial.best is not None
        header = Header(trial.epoch, trial.top_epoch, trial.top_epoch, trial.top_value)
        return ScriptSnapshot(header, (trial.best,))

    def test_metrics(self) -> dict[str, float]:
        """None: scripts report what they measure."""
        return {}


def raised(kind: str, message: str, trace: str, has_reported: bool) -> Exception:
    """What a loop raised in its own process, as an exception of this one with the same name."""
    if kind == "ObjectiveError" and not has_reported:
        return ObjectiveError(message)
    if kind == "Infeasible":
        return Infeasible(message)
    known: type[Exception] = MemoryError if kind == "MemoryError" else ScriptError
    error: Exception = type("ScriptError" if kind == "ObjectiveError" else kind, (known,), {})(message)
    error.add_note(trace)
    return error
