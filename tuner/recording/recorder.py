"""The recorder: follows a sweep's journal and records it in MLflow, one slice of events at a time.

A slice is applied run by run, and repeated until it succeeds. Only then does the cursor advance.
"""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from tuner.base.errors import ServiceError, StorageError, TrackingError, TunerError
from tuner.inspection.provenance.copies import read_copy
from tuner.recording.attempt import Pulse, attempt
from tuner.recording.cursor import read_cursor, write_cursor
from tuner.recording.logged_files import logged_files
from tuner.recording.models.models import Models
from tuner.recording.names import VERSION
from tuner.recording.place import check_place
from tuner.recording.plan import PARENT, Planner, RunKey, RunUpdate
from tuner.recording.report import Reports
from tuner.recording.target import RunsLostError, Target
from tuner.storage import SweepFolder
from tuner.storage.commands import program, storage_option
from tuner.storage.journal import JournalReader
from tuner.storage.printed import printed_text
from tuner.sweep import Sweep
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from tuner.recording.store import MlflowStore

_log = logging.getLogger("tuner.recording")

SLICE_EVENTS = 1000
CURSOR_PERIOD_S = 1.0
REMOTE_CURSOR_PERIOD_S = 10.0
UPLOADS_S = 10.0
MODEL_WORK = "recording the model"

_T = TypeVar("_T")


class Recorder:
    """Records one sweep. `read` reads new events from the journal, `step` records a part of them.

    Attributes:
        cursor: how far it is; may be slightly ahead of the one on disk.
        num_recorded: events that this recorder recorded, including repeated ones.
    """

    def __init__(
        self,
        folder: SweepFolder,
        uri: str | None = None,
        tell_news: Callable[[str], None] = lambda news: None,
        page_waits_s: float = 0.0,
        token: str = "",
    ) -> None:
        """Reads the cursor, nothing else.

        Args:
            uri: overrides the spec's tracking URI.
            tell_news: called with a line for the user if all records had to be recreated.
            page_waits_s: how long it waits for the report that the sweep's driver writes, before it writes its own.
            token: of the driver's own process that forks others, for models; empty if there is none.
        """
        self._folder = folder
        self._reports = Reports(folder, page_waits_s)
        self._uri = uri
        self._tell_news = tell_news
        self.cursor = read_cursor(folder)
        self._uploaded = dict(self.cursor.uploaded)
        self.num_recorded = 0
        self._pulse = Pulse()
        self._models = Models(folder, token, self._pulse, tell_news)
        self._saved, self._saved_at = self.cursor, -math.inf
        self._unsaved_reason = ""
        self._begin()

    def _begin(self) -> None:
        """Starts at the beginning of the journal, with nothing known about MLflow."""
        self._journal = JournalReader(self._folder)
        self._events: deque[ev.AnyEvent] = deque()
        self._num_read = 0
        self._settings = Sweep()
        self._target: Target | None = None
        self._planner = Planner(
            lambda code, name: read_copy(self._folder, code, name).decode(errors="replace"),
            self._reports.text,
            lambda trial: printed_text(self._folder, trial) or "nothing was printed\n",
            lambda trial: logged_files(self._folder, trial, self._uploaded),
        )
        self._updates: dict[RunKey, RunUpdate] = {}
        self._num_planned = 0
        self._last_at = 0.0
        self._store: MlflowStore | None = None

    @property
    def backlog(self) -> int:
        """How many of the events read so far are not recorded."""
        return self.cursor.backlog(self._num_read)

    @property
    def public_uri(self) -> str:
        return self._target.public_uri if self._target else ""

    @property
    def num_trials_behind(self) -> int:
        """How many trials appear in the events that are not recorded."""
        trials = {event.trial for event in self._events if hasattr(event, "trial")}
        return len(trials | {run for run in self._updates if run is not None})

    def attempt(self, work: Callable[[], _T], is_given_up: Callable[[], bool] = lambda: False) -> _T:
        """Calls `step` or another method so that it cannot hang forever. After a HangingError, use a new recorder."""
        return attempt(work, self._pulse, is_given_up)

    def read(self) -> None:
        """Reads new events from the journal.

        Raises:
            StorageError, OSError: it cannot be read.
        """
        events = self._journal.read()
        self._events.extend(events)
        self._num_read += len(events)
        if self._settings_changed(events):
            _log.warning("the sweep was resumed with another tracking URI or experiment: recording everything there")
            self._forget()
            self.read()
        is_connected = self._store is not None or self._target is None
        if not is_connected and not self.cursor.fits(self._events, self.public_uri):
            self._begin_cursor_anew()

    def _settings_changed(self, events: list[ev.AnyEvent]) -> bool:
        """Takes the tracking settings from new events; returns whether they changed."""
        before = self._target
        for event in events:
            if isinstance(event, ev.SweepStarted | ev.SweepResumed):
                self._settings.apply(event)
                self._target = Target.of(self._settings.spec, self._folder, self._uri)
        return before is not None and before != self._target

    def step(self) -> bool:
        """Records one run's part of the next slice; False if nothing is left.

        Raises:
            TrackingError: MLflow did not accept it. Nothing is lost; call again.
            MisplacedError: the folder is a copy, and the runs belong to the original.
            RunsLostError: MLflow no longer has what was recorded; the next calls record everything again.
        """
        try:
            return self._step()
        except RunsLostError:
            if self._store is not None:
                self._store.abandon()
            self._forget()
            self.read()
            raise

    def _step(self) -> bool:
        if self._store is not None:
            self._store.files.check()
        if self._store is None and not self._events:
            return False
        store = self._store or self._connect()
        if not self._updates and self._events:
            self._plan_slice()
        if self._updates:
            run = next(iter(self._updates))
            self._apply(store, run, self._updates[run])
            store.files.check()  # before the cursor says that this is recorded
            del self._updates[run]
        if not self._updates and self._num_planned:
            self._commit(store)
        return bool(self._updates or self._events)

    def _apply(self, store: MlflowStore, run: RunKey, update: RunUpdate) -> None:
        try:
            store.apply(run, update)
        except TrackingError:
            store.files.check()  # says what happened to the file; SQLite's own error only shows a symptom
            raise

    def _connect(self) -> MlflowStore:
        assert self._target is not None
        check_place(self._folder, self._settings)
        store = import_store()(self._target, self._settings.sweep_id, self._pulse)
        cursor = self.cursor
        known = (
            cursor.experiment_id == store.experiment_id
            and cursor.run_id == store.runs.get(PARENT, "")
            and cursor.trials.items() <= {run: run_id for run, run_id in store.runs.items() if run is not None}.items()
        )
        if not known:
            if cursor.seq:
                self.note_news(f"{self.public_uri} {_what_happened(store)} since the sweep was recorded there")
            self._begin_cursor_anew()
        self._planner.skip(self._events.popleft() for _ in range(self.cursor.seq))
        self._store = store
        return store

    def _plan_slice(self) -> None:
        """Plans a slice. The parent run is created before all others and updated after them: its tags name them."""
        size = min(SLICE_EVENTS, len(self._events)) if self._planner.sweep.num_events else 1
        self._last_at = self._events[size - 1].at
        self._updates = self._planner.plan(self._events.popleft() for _ in range(size))
        self._num_planned = size
        if PARENT in self._updates:
            self._updates[PARENT] = self._updates.pop(PARENT)

    def _commit(self, store: MlflowStore) -> None:
        assert self._target is not None
        self.cursor = msgspec.structs.replace(
            self.cursor,
            uri=self._target.public_uri,
            experiment_id=store.experiment_id,
            run_id=store.runs.get(PARENT, ""),
            trials={run: run_id for run, run_id in store.runs.items() if run is not None},
            uploaded=dict(self._uploaded),
            seq=self.cursor.seq + self._num_planned,
            offset=self.cursor.offset if self._events else self._journal.offset,
            at=self._last_at,
            trouble="",
            names=VERSION,
        )
        self.num_recorded += self._num_planned
        self._num_planned = 0
        if not self._folder.is_remote and not self._events:
            self.save_cursor()

    def save_cursor_in_time(self) -> None:
        """Writes the cursor if it advanced and was not written recently: writes to an object store cost money."""
        period_s = REMOTE_CURSOR_PERIOD_S if self._folder.is_remote else CURSOR_PERIOD_S
        if time.monotonic() - self._saved_at >= period_s:
            self.save_cursor()

    def save_cursor(self) -> None:
        """Writes the cursor if it advanced. If the disk refuses, the only cost is repeated work."""
        if self.cursor == self._saved:
            return
        try:
            write_cursor(self._folder, self.cursor)
            self._unsaved_reason = ""
        except (OSError, StorageError) as error:
            if self._unsaved_reason != (text := str(error)):
                _log.warning("the cursor could not be written: %s", text)
                self._unsaved_reason = text
        self._saved, self._saved_at = self.cursor, time.monotonic()

    def take_over(self, restarts: int | None = None) -> None:
        """Notes in the cursor that a recorder runs again and, if given, how often the driver restarted it.

        Requires the recorder's lock.
        """
        restarts = self.cursor.restarts if restarts is None else restarts
        self.cursor = msgspec.structs.replace(self.cursor, restarts=restarts, recorder_trouble="", work="")
        self.save_cursor()

    def note_trouble(self, reason: str) -> None:
        """Notes in the cursor why MLflow accepts nothing, so that `tuner show` can say so."""
        self.cursor = msgspec.structs.replace(self.cursor, trouble=reason)
        self.save_cursor()

    def note_news(self, what: str) -> None:
        """Reports in the log, in the cursor and to the user that everything is recorded again, and why."""
        news = f"{what}: recreated from the journal"
        _log.warning("%s", news)
        self.cursor = msgspec.structs.replace(self.cursor, news=news, news_at=time.time())
        self.save_cursor()
        self._tell_news(news)

    def close(self) -> None:
        """Ends the recorder: logs models, waits for artifacts, and repairs what an outage left uncertain."""
        self.save_cursor()
        store = self._store
        if store is not None:
            self._log_models(store)
            try:
                self.attempt(lambda: store.close(UPLOADS_S))
            except ServiceError as error:
                _log.warning("%s", error)
            self.cursor = msgspec.structs.replace(self.cursor, uploaded=dict(self._uploaded))
            self.save_cursor()

    def _begin_cursor_anew(self) -> None:
        """Whatever is still being uploaded notes its end in the former `_uploaded`, which no longer counts."""
        self.cursor, self._uploaded = self.cursor.anew(), {}

    def _log_models(self, store: MlflowStore) -> None:
        """Logs the models of an ended sweep, whose events are all recorded. Without them it is complete, too."""
        sweep = self._planner.sweep
        wanted = [one for one in self._models.wanted(sweep, self._planner.names) if one.trial in store.runs]
        if not wanted or self._events or self._updates:
            return
        self._note_work(MODEL_WORK)
        try:
            self.attempt(lambda: self._models.log(store, sweep, wanted))
        except (TunerError, OSError) as error:
            again = f"{program()} record {self._folder.name}{storage_option(self._folder.root)}"
            self._tell_news(f"warning: the model is not in MLflow: {error}; try again with: {again}")
            _log.warning("the model is not logged: %s", error)
        finally:
            self._note_work("")

    def _note_work(self, work: str) -> None:
        """Notes in the cursor what it does once all events are recorded, so that the driver can say so."""
        self.cursor = msgspec.structs.replace(self.cursor, work=work)
        self.save_cursor()

    def _forget(self) -> None:
        self._begin_cursor_anew()
        self._begin()


def _what_happened(store: MlflowStore) -> str:
    """What happened to a store that no longer has the sweep's runs."""
    return "was deleted or emptied" if store.is_new else "lost the sweep's runs"


def import_store() -> type[MlflowStore]:
    """Imports mlflow, which takes seconds, without its noise."""
    os.environ |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_TRUNCATE_LONG_VALUES": "false",  # which would cut params without a word
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # MLflow's own retries would create a run twice
    }
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tuner.recording.store import MlflowStore
    for name in ("mlflow", "alembic", "sqlalchemy", "urllib3", "git"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowStore
