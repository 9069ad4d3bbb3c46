"""MLflow's side of a model: made once, linked to its runs and metrics, uploaded, and only then said to be ready.

A recorder may die at any step, and an answer may be lost. The next one finds the model by its tags and goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, RunTag
from mlflow.exceptions import MlflowException

from tuner.recording.client import pages
from tuner.recording.models.wanted import WantedModel
from tuner.recording.values import tag_text

MODEL, EPOCH, REASON, NEEDS = "tuner.model", "tuner.model_epoch", "tuner.model_reason", "tuner.model_needs"
"""Tags of a trial's run: the id of its model, of which epoch it is, why there is none, and which of the user's files it
needs to load."""
_TOO_OLD = "its server is older than MLflow 3 and keeps no models; update it, or set tracking.log_models: none"
BEST = "tuner.best_model"
"""The tag of the sweep's run with the id of its best trial's model."""


class NoModelsError(Exception):
    """The store keeps no models."""


class LoggedModels:
    """The models of one sweep in its tracking store.

    Args:
        parent_id: the sweep's run.
        beat: is called with every answer of the store.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, parent_id: str, beat: Callable[[], None]) -> None:
        self._client, self._experiment_id, self._parent_id, self._beat = client, experiment_id, parent_id, beat

    def id_of(self, wanted: WantedModel, run_id: str) -> str | None:
        """The id of the model that is logged already, even if a user has deleted it since; None if it is to be logged,
        empty if it must not be, as a user has deleted the run."""
        run = self._client.get_run(run_id)
        self._beat()
        if run.info.lifecycle_stage == "deleted":
            return ""
        is_same = run.data.tags.get(EPOCH) == str(wanted.epoch)
        return str(run.data.tags[MODEL]) if is_same and MODEL in run.data.tags else None

    def entries(self, wanted: WantedModel) -> list[LoggedModel]:
        """The model's entries that earlier recorders have made.

        Raises:
            NoModelsError: the server is older than MLflow 3.
        """
        try:
            found = list(self._found(wanted))
        except MlflowException as error:
            if error.error_code == "ENDPOINT_NOT_FOUND":
                raise NoModelsError(_TOO_OLD) from error
            raise
        return sorted(found, key=lambda model: (model.status != LoggedModelStatus.READY, model.model_id))

    def begin(self, wanted: WantedModel, run_id: str, found: Sequence[LoggedModel]) -> LoggedModel:
        """The model's entry, made unless there is one; of several, all but the first are deleted."""
        for other in found[1:]:
            self._client.delete_logged_model(other.model_id)
        if found:
            return found[0]
        run = self._client.get_run(run_id)
        made = self._client.create_logged_model(
            self._experiment_id,
            name=wanted.name,
            source_run_id=run_id,
            tags=dict(wanted.tags),
            params=dict(run.data.params),
            model_type="keras",
        )
        self._beat()
        return made

    def link(self, wanted: WantedModel, model: LoggedModel, run_id: str) -> None:
        """Links the model to its run, and that of the sweep, and to its metrics, which the run has already."""
        for run in (run_id, *([self._parent_id] if wanted.is_best else [])):
            outputs = self._client.get_run(run).outputs
            if model.model_id not in [one.model_id for one in (outputs.model_outputs if outputs else [])]:
                self._client.log_outputs(run, [LoggedModelOutput(model.model_id, step=wanted.epoch)])
            self._beat()
        own = [Metric(row.key, row.value, row.at_ms, row.step) for row in wanted.rows]
        metrics = [_of_model(metric, model, run_id) for metric in (*own, *self._summary(run_id))]
        self._client.log_batch(run_id, metrics=metrics)
        self._beat()

    def upload(self, model: LoggedModel, folder: str) -> None:
        """Uploads the files of the model's folder."""
        self._client.log_model_artifacts(model.model_id, folder)
        self._beat()

    def finish(self, wanted: WantedModel, model: LoggedModel, run_id: str, needs: str) -> None:
        """Says that the model is ready, and names it in its run.

        Args:
            needs: the user's files that it cannot load without; empty for none.
        """
        if needs:
            self._client.set_logged_model_tags(model.model_id, {NEEDS: tag_text(needs)})
        self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        self._beat()
        self._tag(run_id, {MODEL: model.model_id, EPOCH: str(wanted.epoch), **({NEEDS: needs} if needs else {})})
        self._untag(run_id, REASON)
        if wanted.is_best:
            self.name_best(model.model_id)

    def name_best(self, model_id: str) -> None:
        """Names the best trial's model in the sweep's run."""
        self._tag(self._parent_id, {BEST: model_id})
        self._untag(self._parent_id, REASON)

    def refuse(self, wanted: WantedModel, run_id: str, reason: str) -> None:
        """Says in the trial's run, and in the sweep's for its best trial, why there is no model."""
        for run in (run_id, *([self._parent_id] if wanted.is_best else [])):
            self._tag(run, {REASON: reason})

    def _found(self, wanted: WantedModel) -> Iterator[LoggedModel]:
        for page in pages(self._client.search_logged_models, [self._experiment_id], f"name = '{wanted.name}'"):
            self._beat()
            yield from (model for model in page if wanted.tags.items() <= model.tags.items())

    def _summary(self, run_id: str) -> Iterator[Metric]:
        """The best values and the test metrics of a trial's run, which it has once each."""
        for key in self._client.get_run(run_id).data.metrics:
            if key.startswith(("best_", "test_")):
                yield self._client.get_metric_history(run_id, key)[-1]
                self._beat()

    def _tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._client.log_batch(run_id, tags=[RunTag(name, tag_text(text)) for name, text in tags.items()])
        self._beat()

    def _untag(self, run_id: str, name: str) -> None:
        if name in self._client.get_run(run_id).data.tags:
            try:
                self._client.delete_tag(run_id, name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        self._beat()


def _of_model(metric: Any, model: LoggedModel, run_id: str) -> Metric:
    own = (metric.key, metric.value, metric.timestamp, metric.step)
    return Metric(*own, model_id=model.model_id, run_id=run_id)
