"""Looks at a trainable while the caller does something else: a user's file in a child process, a shipped one on demand.

A user's file may import Keras, which takes seconds. The child (`python -m tuner.inspection`) hands the arrays over in a
file in shared memory, which has no name, so that it is gone with both processes, however they end.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import cloudpickle

from trainables.ends import how_it_ended
from trainables.given import is_given, lookup
from trainables.importable import import_folder, is_importable, look_around
from trainables.sources import Sources
from tuner.base.errors import SpecError
from tuner.inspection.child import Asked, imports_keras
from tuner.inspection.examine import inspect, is_file, is_own
from tuner.inspection.hanging import where
from tuner.inspection.inspected import Inspected
from tuner.inspection.opened import opened_files, watched
from tuner.inspection.scripts import is_keras_loop, is_plainly_loop
from tuner.inspection.trying import Tried, is_skipped
from tuner.inspection.work_folder import SHIPPED_CODE, working_in
from tuner.processes import Process, Server, own_server, running_server, why_plain
from tuner.spec import SweepSpec, load_spec
from tuner.spec.reading import bounded, printable

FORKED = "tuner.inspection.__main__:forked"
"""What a fork does."""
LAST_WORDS_BYTES = 1000
"""How much is looked at of what a child wrote before it died."""


class Inspection:
    """A look at a spec's trainable and data, begun at once and waited for in `result`; see `inspect`.

    Args:
        sources: the trainable's code as it is kept.
        works_in: the folder in which the trainable's code runs; empty for the working directory.
        is_watched: whether `Inspected.opened` is wanted, of a user's code.
        is_tried: whether a batch is trained, too, as workers would. Shipped trainables need none.
    """

    def __init__(
        self,
        spec: SweepSpec,
        sources: Sources | None = None,
        *,
        is_tried: bool = False,
        works_in: str = "",
        is_watched: bool = False,
    ) -> None:
        self._spec, self._sources, self._works_in = spec, sources, works_in
        self._is_watched = is_watched and is_own(spec.trainable)
        self._is_tried = is_tried and is_own(spec.trainable) and not is_skipped()
        self._is_tried &= not is_plainly_loop(spec.trainable, sources)
        self._child: subprocess.Popen[bytes] | _Fork | None = None
        self._handover: IO[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._found: Inspected | None = None
        if is_file(spec.trainable) or is_importable(spec.trainable):
            folder = import_folder(spec.trainable) if is_importable(spec.trainable) else None
            paths = tuple(sys.path) if is_importable(spec.trainable) else ()
            asked = Asked(
                _as_written(spec),
                sources,
                self._is_tried,
                import_folder=None if folder is None else os.path.abspath(folder),
                is_watched=self._is_watched,
                paths=paths,
            )
            self._start_child(asked)
        elif self._is_tried:
            self._look_here_first()

    @property
    def in_background(self) -> bool:
        """Whether a child process is at work, so that the caller has time to start Ray."""
        return self._child is not None

    def result(self, within_s: float | None = None, way_out: str = "") -> Inspected:
        """What was found; `Inspected.problems` holds what does not fit.

        Args:
            within_s: what a child process may take; one that takes longer is ended, which is a problem, too.
            way_out: what that problem's text says to do.
        """
        if self._child is not None:
            return self._child_result(within_s, way_out)
        if self._found is not None:
            return self._found
        return self._seen_here(is_tried=False)

    def _look_here_first(self) -> None:
        """Looks at a class of this process's own; a child gets it, and the data, to train a batch."""
        self._found = self._seen_here(is_tried=True)
        if self._found.problems or self._found.is_script:
            return
        trainable = self._spec.trainable
        try:
            given = cloudpickle.dumps(lookup(trainable)) if is_given(trainable) else b""
        except Exception as error:
            what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            rule = "trainable: must be a class that another process can have, but pickling it raised"
            self._found = replace(self._found, problems=[f"{rule} {what}"])
            return
        asked = Asked(
            self._found.whole(self._spec).resolved(),
            self._sources,
            is_tried=True,
            is_looked_at=True,
            given=given,
            is_watched=self._is_watched,
            paths=tuple(sys.path),
        )
        self._start_child(asked, self._found)

    def _seen_here(self, is_tried: bool) -> Inspected:
        with working_in(self._works_in), watched() if self._is_watched else nullcontext():
            found = inspect(self._spec, self._sources, is_tried=is_tried)
        return replace(found, opened=opened_files()) if self._is_watched else found

    def _start_child(self, asked: Asked, found: Inspected | None = None) -> None:
        directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._handover = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - `cancel` closes it
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would stay open with what the child leaves behind
        if found is not None:
            pickle.dump(replace(found, data=None), self._handover, protocol=5)
            with suppress(Exception):  # which workers load themselves
                pickle.dump(found.data, self._handover, protocol=5)
            self._handover.flush()
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        folder = self._works_in if os.path.isdir(self._works_in) else None
        needs_keras = self._is_tried or _imports_keras(self._spec.trainable, asked.sources)
        server = own_server() or running_server() if needs_keras and not why_plain(asked.sources) else None
        files = (self._handover.fileno(), self._errors.fileno())
        if server is not None:
            plain = partial(_plain, asked, *files, environment, folder)
            self._child = _forked(server, asked, *files, environment, folder, plain)
        else:
            self._child = _plain(asked, *files, environment, folder)

    def _child_result(self, within_s: float | None, way_out: str) -> Inspected:
        assert self._child is not None and self._handover is not None and self._errors is not None
        try:
            try:
                self._child.wait(within_s)
            except (TimeoutError, subprocess.TimeoutExpired):
                place = where(self._child.pid, self._errors, self._spec.trainable)
                problem = f"trainable: must load within {within_s:g} s, but it has not ended{place}{way_out}"
                return Inspected({}, [], None, [problem])
            self._handover.seek(0)
            found = self._taken()  # our own child wrote it a moment ago
            if not isinstance(found, Inspected):
                problem = f"trainable: must load in a process of its own, but that {self._how_it_ended()}"
                return Inspected({}, [], None, [problem])
            data = self._taken() if self._found is None else self._found.data
            if self._is_tried and not found.problems and not found.is_script:
                found = self._after_trying(found)
            return replace(found, data=data)
        finally:
            self.cancel()

    def _after_trying(self, found: Inspected) -> Inspected:
        if self._found is not None:
            self._taken()
        tried = self._taken()
        if isinstance(tried, Tried):
            return found.after(tried, self._spec)
        problem = f"trainable: a batch of it must train in a process of its own, but that {self._how_it_ended()}"
        return replace(found, problems=[problem])

    def _taken(self) -> Any:
        """The next of what the child handed over; None if it is not there, or of a class that only the child knows."""
        assert self._handover is not None
        try:
            return pickle.load(self._handover)
        except Exception:
            return None

    def _how_it_ended(self) -> str:
        assert self._child is not None and self._child.returncode is not None and self._errors is not None
        how = how_it_ended(self._child.returncode)
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - LAST_WORDS_BYTES))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{how}: {printable(lines[-1].strip())}" if lines else how

    def cancel(self) -> None:
        """Ends the child if it is still at work, and leaves nothing behind."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        for file in (self._handover, self._errors):
            if file is not None:
                file.close()


def _imports_keras(trainable: str, sources: Sources | None) -> bool:
    """Whether importing a user's file, or the loop in it, imports Keras."""
    if is_plainly_loop(trainable, sources):
        return is_keras_loop(trainable, sources)
    return imports_keras(trainable, sources)


def _plain(
    asked: Asked, handover: int, errors: int, environment: dict[str, str], folder: str | None
) -> subprocess.Popen[bytes]:
    """A process of its own, which is asked through its standard input."""
    with tempfile.TemporaryFile() as question:  # a pipe takes no more than 64 KiB at once
        pickle.dump(asked, question)
        question.seek(0)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tuner.inspection", str(handover)],
            pass_fds=[handover],
            stdin=question,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            cwd=folder,
        )


class _Fork:
    """A fork of the process that has imported TensorFlow, as soon as it has.

    Args:
        plain: starts a process of its own, which says why TensorFlow cannot be imported, if the other one ended at it.
    """

    def __init__(self, process: Process, plain: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._process, self._start_plain = process, plain
        self._plain: subprocess.Popen[bytes] | None = None
        self.returncode: int | None = None

    @property
    def pid(self) -> int:
        """The number of the process that looks."""
        return self._plain.pid if self._plain is not None else self._process.known_pid

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> None:
        """Waits for its end, as `subprocess.Popen.wait` does."""
        if self.returncode is not None:
            return
        try:
            self.returncode = self._process.wait(timeout)
        except ConnectionError:
            self._plain = self._start_plain()
            self.returncode = self._plain.wait(timeout)

    def kill(self) -> None:
        """Ends it at once."""
        self._process.close()
        if self._plain is not None:
            self._plain.kill()
            self._plain.wait()
        self.returncode = self.returncode or -signal.SIGKILL


def _forked(
    server: Server,
    asked: Asked,
    handover: int,
    errors: int,
    environment: dict[str, str],
    folder: str | None,
    plain: Callable[[], subprocess.Popen[bytes]],
) -> _Fork | subprocess.Popen[bytes]:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        process = server.start(FORKED, outputs=(nowhere, errors), environment=environment, folder=folder)
    except ConnectionError:  # it has just ended
        return plain()
    finally:
        os.close(nowhere)
    process.send(asked, [handover])
    return _Fork(process, plain)


def _as_written(spec: SweepSpec) -> dict[str, Any]:
    """A spec without what was not written, where that makes a difference: a KerasTuner model's space, `log_models`."""
    written = spec.resolved()
    if "log_models" not in spec.tracking.model_fields_set:
        del written["tracking"]["log_models"]
    if "space" not in spec.model_fields_set:
        del written["space"]
    return written


def load_checked(
    path: Path,
    overrides: Sequence[str] = (),
    name: str | None = None,
    *,
    is_shipped: bool = False,
    is_new: bool = True,
    is_for_elsewhere: bool = False,
) -> SweepSpec:
    """`load_spec`; of an invalid spec, what is valid is held against its trainable, so that all problems come at once.

    Args:
        is_for_elsewhere: the sweep is to run on other machines; see `Inspected.elsewhere`.

    Raises:
        SpecError: all that is wrong with it. A valid spec's trainable is not looked at.
        UsageError: the file cannot be read.
    """
    return checked(
        lambda: load_spec(path, overrides, name, is_shipped=is_shipped, is_new=is_new),
        is_for_elsewhere=is_for_elsewhere,
        around=path.parent / SHIPPED_CODE if is_shipped else path.parent,
    )


def checked(load: Callable[[], SweepSpec], *, is_for_elsewhere: bool = False, around: Path | None = None) -> SweepSpec:
    """The spec that `load` gives; of an invalid one all problems, as `load_checked` finds them.

    Args:
        around: a folder of the project whose packages the trainable may be of.
    """
    try:
        spec = load()
    except SpecError as error:
        if not isinstance(error.rest, SweepSpec):
            raise
        if around is not None:
            look_around(error.rest.trainable, around)
        found = Inspection(error.rest).result()
        found = found.elsewhere(error.rest) if is_for_elsewhere else found
        raise SpecError(error.source, bounded([*error.problems, *found.problems])) from None
    if around is not None:
        look_around(spec.trainable, around)
    return spec
