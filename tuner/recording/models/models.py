"""Logs an ended sweep's models: those that MLflow lacks are built, one after another, and uploaded.

A model that cannot be built, or not uploaded, is told and left out: the sweep is complete without it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.base.errors import TunerError
from tuner.inspection.provenance.copies import copied_names, read_copy
from tuner.recording.attempt import Pulse
from tuner.recording.models.wanted import WantedModel, wanted_models
from tuner.recording.names import Names
from tuner.storage import SweepFolder
from tuner.sweep import Sweep

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

    from tuner.recording.models.building import Builder
    from tuner.recording.models.logged import LoggedModels
    from tuner.recording.store import MlflowStore

_log = logging.getLogger("tuner.recording")

UPLOAD_S = 300.0
"""The longest that the files of one model may take to upload."""


class Models:
    """The models of one sweep.

    Args:
        token: of the driver's own process that forks others; empty where there is none.
        tell: is called with a line for the user about models that MLflow lacks, or that need the user's code.
    """

    def __init__(self, folder: SweepFolder, token: str, pulse: Pulse, tell: Callable[[str], None]) -> None:
        self._folder, self._token, self._pulse, self._tell = folder, token, pulse, tell
        self._told = set[str]()

    def wanted(self, sweep: Sweep, names: Names) -> list[WantedModel]:
        """The models that MLflow is to have. An interrupted sweep goes on, so it has one only if that is cheap."""
        is_due = sweep.ended is not None or bool(self._token)
        return wanted_models(sweep, names) if is_due else []

    def log(self, store: MlflowStore, sweep: Sweep, wanted: list[WantedModel]) -> None:
        """Logs those that MLflow lacks.

        Raises:
            TrackingError: MLflow did not accept one; a later recorder tries again.
        """
        from tuner.recording.models.building import Builder

        builder = Builder(self._folder, self._token, may_begin=sweep.ended is not None)
        try:
            for one in wanted:
                with store.logged_models() as logged:
                    if not self._log(store, logged, builder, sweep, one):
                        return
        finally:
            builder.close()

    def _log(
        self, store: MlflowStore, logged: LoggedModels, builder: Builder, sweep: Sweep, wanted: WantedModel
    ) -> bool:
        """Logs one; returns whether the next one is to be tried."""
        from tuner.recording.models.building import NotBuiltError
        from tuner.recording.models.logged import NoModelsError

        run_id = store.runs[wanted.trial]
        model_id = logged.id_of(wanted, run_id)
        if model_id is not None:
            if model_id and wanted.is_best:
                logged.name_best(model_id)
            return True
        try:
            found = logged.entries(wanted)
            folder = builder.build(sweep, wanted, self._pulse.beat)
        except NoModelsError as error:
            self._refuse(logged, wanted, run_id, str(error))
            return False
        except NotBuiltError as error:
            if str(error):
                self._refuse(logged, wanted, run_id, str(error))
            return not error.is_late
        model = logged.begin(wanted, run_id, found)
        self._upload(logged, sweep, wanted, run_id, folder, model)
        return True

    def _upload(
        self, logged: LoggedModels, sweep: Sweep, wanted: WantedModel, run_id: str, folder: Path, model: LoggedModel
    ) -> None:
        from tuner.recording.models.files import Built, write_files

        built = Built(folder)
        code = self._code(sweep, wanted) if built.objects else {}
        more = [str(item) for item in sweep.spec.get("requirements") or ()]
        target = Path(tempfile.mkdtemp(dir=folder.parent))
        write_files(built, model, run_id, code, more, {"trial": wanted.trial, "epoch": wanted.epoch}, target)
        logged.link(wanted, model, run_id)
        with _beating(self._pulse, UPLOAD_S):
            logged.upload(model, str(target))
        needs = ", ".join(sorted({f"{module}.{name}" for module, name in built.objects.values()}))
        logged.finish(wanted, model, run_id, needs)
        shutil.rmtree(target, ignore_errors=True)
        if needs:
            self._say(f"the model of trial {wanted.trial} in MLflow needs your own code to load", needs)

    def _code(self, sweep: Sweep, wanted: WantedModel) -> dict[str, bytes]:
        """The trainable's files as they were kept, without those that no copy was kept of."""
        code = sweep.code_of(sweep.trials[wanted.trial])
        try:
            return {name: read_copy(self._folder, code, name) for name in copied_names(code)}
        except TunerError as error:
            _log.warning("%s", error)
            return {}

    def _refuse(self, logged: LoggedModels, wanted: WantedModel, run_id: str, reason: str) -> None:
        logged.refuse(wanted, run_id, reason)
        self._say(f"the model of trial {wanted.trial} is not logged to MLflow", reason)

    def _say(self, what: str, why: str) -> None:
        """Logs a line for each model; tells the user the first of those with the same reason."""
        _log.warning("%s: %s", what, why)
        if why not in self._told:
            self._tell(f"warning: {what}: {why}")
        self._told.add(why)


@contextmanager
def _beating(pulse: Pulse, limit_s: float) -> Iterator[None]:
    """Within this the pulse beats by itself for a while: an upload is one call, however large it is."""
    done = threading.Event()

    def beat() -> None:
        for _ in range(int(limit_s)):
            pulse.beat()
            if done.wait(1.0):
                return

    thread = threading.Thread(target=beat, daemon=True, name="tuner-upload")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
