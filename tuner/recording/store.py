"""The adapter to MLflow. Applies the plan in few round trips, and classifies MLflow's errors.

A temporary error becomes a TrackingError, and the same update is applied again later. An item that MLflow will never
accept is logged and left out, and the rest of its batch is recorded.
"""

from __future__ import annotations

import getpass
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException

from tuner.base.errors import TrackingError
from tuner.recording.artifacts import Uploads, Written
from tuner.recording.attempt import Pulse
from tuner.recording.client import pages
from tuner.recording.database import check_database
from tuner.recording.datasets import DatasetUsed
from tuner.recording.logged_files import NAME as LOGGED
from tuner.recording.logged_files import Logged
from tuner.recording.models.logged import LoggedModels
from tuner.recording.plan import PARENT, InExperiment, RunKey, RunOf, RunUpdate, Tags
from tuner.recording.reasons import one_line, tables_are_gone, tracking_error
from tuner.recording.relocation import relocate_artifacts
from tuner.recording.saved_view import text_to_set
from tuner.recording.sqlite import create_database, forget_connections
from tuner.recording.sqlstore import analyze, is_analysis_due, spare_repetition
from tuner.recording.storefiles import StoreFiles
from tuner.recording.target import RunsLostError, Target
from tuner.recording.values import shortened

_log = logging.getLogger("tuner.recording")

_BATCH = 1000
_DOUBTFUL_REFUSALS_MAX = 5
"""How often BAD_REQUEST is taken for a temporary error if the store accepts other items: MLflow returns it for a bad
item, but also for some problems of its database."""

_SURE_CHARS = 500
"""What every store takes of a tag. A longer one that is refused must not keep its run from being made."""

_Entity = Any
"""Metric, Param or RunTag."""


class _RunDeletedError(Exception):
    """A user deleted the run: nothing more is recorded of it."""


class MlflowStore:
    """The runs of one sweep in one tracking store.

    Attributes:
        runs: the id of each run that exists, including deleted ones.
        is_new: whether its database was just created.
        files: the store's files on this machine.
    """

    def __init__(self, target: Target, sweep_id: str, pulse: Pulse | None = None) -> None:
        """Connects, creates the experiment if it does not exist, and finds the sweep's runs.

        Args:
            pulse: beats with every answer of the store.

        Raises:
            TrackingError: the store cannot be reached.
        """
        self._uri, self._public_uri = target.uri, target.public_uri
        self.runs: dict[RunKey, str] = {}
        self._sweep_id = sweep_id
        self._pulse = pulse or Pulse()
        self._statuses: dict[RunKey, tuple[str, int | None]] = {}
        """Status and end in Unix ms, as they were last set."""
        self._doubtful = self._ever_doubtful = False  # whether a request to create a run got no answer
        self._refusals: Counter[tuple[str, str]] = Counter()
        with self._sorted_errors():
            forget_connections(target.uri)
            self.is_new = create_database(target.uri)
            self.files = StoreFiles(target)
            check_database(target.uri)
            if target.artifact_location is not None:
                relocate_artifacts(target.uri, target.artifact_location)
            self._client = MlflowClient(target.uri, registry_uri=target.uri)
            spare_repetition(self._client)
            self.experiment_id = self._experiment(target)
            self._find_runs()
        self.uploads = Uploads(self._upload, lambda error: str(tracking_error(error, target.uri)))

    def apply(self, run: RunKey, update: RunUpdate) -> None:
        """Creates the run unless it exists, and records what is new about it. May be repeated.

        Raises:
            TrackingError: it could not be recorded.
        """
        with self._sorted_errors():
            if self._doubtful:
                self._find_runs()
            if (run_id := self.runs.get(run)) is None:
                run_id, update = self._create(run, update)
            if run_id in self._deleted:
                return
            try:
                self._record(run, run_id, update)
            except _RunDeletedError:
                self._deleted.add(run_id)
                _log.warning("run %s was deleted in MLflow: nothing more is recorded of it", run_id)

    def close(self, timeout_s: float) -> None:
        """Waits for pending artifacts. After an outage, undoes the effects of requests that were executed late."""
        if self._ever_doubtful:
            with self._sorted_errors():
                self._find_runs()
                self._restore_statuses()
        for name in self.uploads.wait(timeout_s):
            _log.warning("artifact %s did not arrive in MLflow", name)

    @contextmanager
    def logged_models(self) -> Iterator[LoggedModels]:
        """The models of the sweep; whatever MLflow raises in the block becomes a TrackingError."""
        with self._sorted_errors():
            yield LoggedModels(self._client, self.experiment_id, self.runs[PARENT], self._pulse.beat)

    def abandon(self) -> None:
        """Drops pending uploads, because the store has changed."""
        self.uploads.abandon()

    def _restore_statuses(self) -> None:
        for run, (status, end_ms) in self._statuses.items():
            if run in self.runs and self._found_statuses.get(run) != status:
                self._set_status(run, self.runs[run], status, end_ms)

    def _experiment(self, target: Target) -> str:
        experiment = self._client.get_experiment_by_name(target.experiment)
        if experiment is None:
            made = self._client.create_experiment(target.experiment, artifact_location=target.artifact_location)
            return self._answered(made)
        self._answered(experiment.experiment_id)
        if experiment.lifecycle_stage == "deleted":
            _log.warning("experiment %s was deleted in MLflow, which keeps its name: restored", target.experiment)
            self._client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def _answered(self, entity_id: str | None) -> str:
        """Checks the id in an answer: MLflow's client returns none if the answer was cut off."""
        if not entity_id:
            raise TrackingError(f"{self._public_uri}: its answers are cut off, or are not MLflow's")
        return str(entity_id)

    def _find_runs(self) -> None:
        """Fetches every run of this sweep. If a trial has two runs, deletes the one that was not recorded in so far, or
        else the one with less data."""
        known = set(self.runs.values())
        found = list(self._search())
        if not found:  # an answer that was cut off looks the same
            self._answered(self._client.get_experiment(self.experiment_id).experiment_id)
            found = list(self._search())
        found.sort(key=lambda run: (run.info.run_id in known, *_fullness(run)), reverse=True)
        self.runs = {}
        self._deleted: set[str] = set()
        self._found_statuses: dict[RunKey, str] = {}
        for run in found:
            self._answered(run.info.run_id)
            number = run.data.tags.get("tuner.trial")
            key = None if number is None else int(number)
            deleted = run.info.lifecycle_stage == "deleted"
            if key not in self.runs:
                self.runs[key] = run.info.run_id
                self._found_statuses[key] = run.info.status
                if deleted:
                    self._deleted.add(run.info.run_id)
            elif not deleted:
                _log.warning("run %s was made twice, by a request that got no answer: deleted", run.info.run_id)
                self._client.delete_run(run.info.run_id)
        self._doubtful = False

    def _search(self) -> Iterator[Run]:
        of_sweep, order = f"tags.`tuner.sweep_id` = '{self._sweep_id}'", ["attributes.start_time ASC"]
        found = pages(self._client.search_runs, [self.experiment_id], of_sweep, ViewType.ALL, order_by=order)
        for number, page in enumerate(found):
            self._pulse.beat()
            if number and not page:
                self._answered(None)
            yield from page

    def _create(self, run: RunKey, update: RunUpdate) -> tuple[str, RunUpdate]:
        """Makes the run, with the tags that no store refuses; its id, and what is left to be recorded of it."""
        if (new := update.new) is None:
            raise RunsLostError(f"the tracking store lost the run of {'the sweep' if run is None else f'trial {run}'}")
        known = self._resolved({**new.tags, **update.tags})
        tags = {name: text for name, text in known.items() if _is_always_taken(name, text)} | _user_tag()
        rest: Tags = {name: text for name, text in known.items() if name not in tags}
        was_doubtful, self._doubtful, self._ever_doubtful = self._ever_doubtful, True, True
        try:
            made = self._client.create_run(self.experiment_id, start_time=new.start_ms, tags=tags, run_name=new.name)
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            raise RunsLostError(
                f"the experiment takes no runs: {one_line(error)}"
            ) from error  # the experiment was deleted
        self.runs[run] = self._answered(made.info.run_id)
        self._doubtful, self._ever_doubtful = False, was_doubtful
        self._pulse.beat()
        if is_analysis_due(len(self.runs)):
            analyze(self._client)
        return self.runs[run], replace(update, tags=rest)

    def _resolved(self, tags: Tags) -> dict[str, str]:
        return {name: self._text(value) for name, value in tags.items()}

    def _text(self, value: str | RunOf | InExperiment) -> str:
        if isinstance(value, RunOf):
            return self.runs[value.run]
        if isinstance(value, InExperiment):
            return value.text.replace(value.PLACEHOLDER, self.experiment_id)
        return value

    def _record(self, run: RunKey, run_id: str, update: RunUpdate) -> None:
        params = [Param(name, text) for name, text in update.params.items()]
        tags = [RunTag(name, text) for name, text in self._resolved(update.tags).items()]
        metrics = [Metric(row.key, row.value, row.at_ms, row.step) for row in update.rows]
        entities: list[_Entity] = [*params, *tags, *metrics]
        for start in range(0, len(entities), _BATCH):
            self._log_entities(run_id, entities[start : start + _BATCH])
        if update.datasets:
            self._log_datasets(run_id, update.datasets)
        for name, value in update.of_experiment.items():
            self._tag_experiment(name, value)
        if update.status is not None:
            self._set_status(run, run_id, update.status, update.end_ms)
        for name, text in update.texts.items():
            self.uploads.start(run_id, text, name)
        if update.files is not None:
            self.uploads.start(run_id, update.files, LOGGED)

    def _upload(self, run_id: str, content: Written, name: str) -> None:
        if isinstance(content, Logged):
            self._client.log_artifacts(run_id, str(content.path))
            content.done()
        else:
            self._client.log_text(run_id, content, name)

    def _log_datasets(self, run_id: str, used: list[DatasetUsed]) -> None:
        inputs = [
            DatasetInput(
                Dataset(one.name, one.digest, "local", one.source, profile=one.profile),
                [InputTag("mlflow.data.context", one.context)],
            )
            for one in used
        ]
        try:
            self._client.log_inputs(run_id, inputs)
            self._pulse.beat()
        except MlflowException as error:
            self._check_refusal(error, run_id, [])
            _log.warning("MLflow refuses the data sets of run %s: %s", run_id, one_line(error))

    def _tag_experiment(self, name: str, text: str) -> None:
        """Sets the tag of a view; whoever may log runs in the experiment may not be allowed to."""
        tags = self._client.get_experiment(self.experiment_id).tags
        self._pulse.beat()
        if (wanted := text_to_set(name, text, tags)) is None:
            return
        try:
            self._client.set_experiment_tag(self.experiment_id, name, wanted)
            self._pulse.beat()
        except MlflowException as error:
            if error.error_code not in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED"):
                raise
            _log.warning("MLflow refuses a view of the experiment: %s", one_line(error))

    def _log_entities(self, run_id: str, entities: list[_Entity]) -> None:
        """Usually one request; the client splits batches over MLflow's limits. A refused batch is split in half."""
        kinds = {kind: [entity for entity in entities if isinstance(entity, kind)] for kind in (Metric, Param, RunTag)}
        try:
            self._client.log_batch(run_id, metrics=kinds[Metric], params=kinds[Param], tags=kinds[RunTag])
            self._pulse.beat()
        except MlflowException as error:
            self._check_refusal(error, run_id, entities)
            if len(entities) == 1 and (shorter := _shorter(entities[0])) is not None:
                self._log_entities(run_id, [shorter])
                return
            if len(entities) == 1:
                _log.warning("MLflow refuses %s of run %s: %s", entities[0].key, run_id, one_line(error))
                return
            half = len(entities) // 2
            self._log_entities(run_id, entities[:half])
            self._log_entities(run_id, entities[half:])

    def _set_status(self, run: RunKey, run_id: str, status: str, end_ms: int | None) -> None:
        self._statuses[run] = (status, end_ms)
        try:
            if end_ms is None:
                self._client.update_run(run_id, status=status)
            else:
                self._client.set_terminated(run_id, status, end_ms)
            self._pulse.beat()
        except MlflowException as error:
            self._check_refusal(error, run_id, [])
            _log.warning("MLflow refuses status %s of run %s: %s", status, run_id, one_line(error))

    def _check_refusal(self, error: MlflowException, run_id: str, entities: Sequence[_Entity]) -> None:
        """Returns if MLflow will never accept these items; otherwise raises the error to handle."""
        if error.error_code not in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
            raise error
        if self._client.get_run(run_id).info.lifecycle_stage == "deleted":
            raise _RunDeletedError
        self._pulse.beat()
        if error.error_code == "BAD_REQUEST" and len(entities) <= 1:
            self._client.log_batch(
                run_id, tags=[RunTag("tuner.sweep_id", self._sweep_id)]
            )  # an existing tag, as a probe
            item = (run_id, entities[0].key if entities else "")
            self._refusals[item] += 1
            if self._refusals[item] < _DOUBTFUL_REFUSALS_MAX:
                raise error

    @contextmanager
    def _sorted_errors(self) -> Iterator[None]:
        """Turns whatever the client raises (HTTP, SQL, files) into a TrackingError."""
        try:
            yield
        except TrackingError:
            raise
        except Exception as error:
            if isinstance(error, MlflowException) and error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise RunsLostError(f"{self._public_uri}: {one_line(error)}") from error
            if tables_are_gone(error):
                raise RunsLostError(f"{self._public_uri} was emptied") from error
            raise tracking_error(error, self._uri) from error


def _user_tag() -> dict[str, str]:
    """The tag that names the user, as MLflow's own clients set it."""
    try:
        return {"mlflow.user": getpass.getuser()}
    except (OSError, KeyError):  # the user of a container may have no name
        return {}


def _is_always_taken(name: str, text: str) -> bool:
    return name.startswith(("tuner.", "mlflow.")) and len(name) + len(text) <= _SURE_CHARS


def _shorter(entity: _Entity) -> _Entity | None:
    """A param or a tag within the next lower limit that an older server may have; None if there is none."""
    limits = {Param: (500, 250), RunTag: (5000, 250)}.get(type(entity), ())
    limit = next((limit for limit in limits if limit < len(entity.value)), None)
    return None if limit is None else type(entity)(entity.key, shortened(entity.value, limit))


def _fullness(run: Run) -> tuple[bool, int, str]:
    return (run.info.lifecycle_stage != "deleted", len(run.data.params) + len(run.data.metrics), str(run.info.run_id))
