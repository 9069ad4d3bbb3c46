"""What to record about new events: a pure function of the journal, independent of MLflow's client.

Everything about one run becomes one `RunUpdate`. It may be applied any number of times, because timestamps are those of
the events and only the newest status is kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from typing import Any, ClassVar

from tuner.base.coupling import SCALED, scaled_rate
from tuner.base.outcomes import Outcome, SweepState
from tuner.base.words import Params
from tuner.inspection.describing import data_text
from tuner.inspection.provenance.copies import copied_names, copy_name
from tuner.recording.datasets import DatasetUsed, datasets_used
from tuner.recording.links import trials_fragment
from tuner.recording.lists import flat_names, flat_values, lengths
from tuner.recording.logged_files import Logged
from tuner.recording.names import BEST_EPOCH, EPOCHS_TRAINED, TRAINING_PARAMS, TRAINING_S, Names, best_objective_key
from tuner.recording.note import note, run_name
from tuner.recording.origin import commit_tags, speed, sweep_tags, trial_tags
from tuner.recording.report import report
from tuner.recording.saved_view import tag_name
from tuner.recording.system import system_rows
from tuner.recording.values import INACTIVE, is_long, one_name, param_text, tag_text
from tuner.recording.view import view
from tuner.spec import dump_yaml
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

RunKey = int | None
"""A trial's number; None is the sweep's own run, the parent."""

PARENT: RunKey = None

CODE_FILES_AGAIN = 50
"""Code with at most this many files is uploaded again at the end."""

STATUS_BY_OUTCOME: dict[Outcome, str] = {
    "completed": "FINISHED",
    "stopped": "FINISHED",
    "plateaued": "FINISHED",
    "diverged": "FAILED",
    "failed": "FAILED",
    "out_of_memory": "FAILED",
    "infeasible": "KILLED",
    "cancelled": "KILLED",
}


_SAID_LATER = ("learning_rate", "batch_size")
"""What a model may say itself, where the space does not have it."""


@dataclass(frozen=True)
class RunOf:
    """A placeholder for the id of a run, in a tag's value."""

    run: RunKey


@dataclass(frozen=True)
class InExperiment:
    """The value of a tag that names its experiment, by this placeholder for its id."""

    text: str
    PLACEHOLDER: ClassVar[str] = "EXPERIMENT-ID"


Tags = dict[str, str | RunOf | InExperiment]


@dataclass(frozen=True)
class NewRun:
    """A run to be created unless it exists."""

    name: str
    start_ms: int
    tags: Tags


@dataclass(frozen=True)
class Row:
    """One value of a metric; recording the same row twice has no effect."""

    key: str
    value: float
    at_ms: int
    step: int = 0


@dataclass
class RunUpdate:
    """Everything that is new about one run."""

    new: NewRun | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    status: str | None = None
    end_ms: int | None = None
    texts: dict[str, str | Callable[[], str]] = field(default_factory=dict)
    """Artifacts by name. A text that takes long to produce is given as a function, which is called on upload."""
    files: Callable[[], Logged | None] | None = None
    """A folder whose files are artifacts; None for none."""
    datasets: list[DatasetUsed] = field(default_factory=list)
    of_experiment: dict[str, str] = field(default_factory=dict)
    """Tags of the experiment that the run is in."""


class Planner:
    """Folds a sweep's events and returns what is new about its runs."""

    def __init__(
        self,
        read_copy: Callable[[dict[str, Any], str], str] | None = None,
        write_report: Callable[[Sweep, SweepState], str] = report,
        read_printed: Callable[[int], str] | None = None,
        logged_files: Callable[[int], Logged | None] | None = None,
    ) -> None:
        """`read_copy` returns the text of a copied file of the code, given the code's manifest and the name;
        `read_printed` what a trial printed; `logged_files` the folder of what its script logged to MLflow."""
        self.sweep = Sweep()
        self._read_copy, self._write_report = read_copy, write_report
        self._read_printed, self._logged_files = read_printed, logged_files
        self._names = Names()
        self._names_told = ""
        self._updates: dict[RunKey, RunUpdate] = {}
        self._best = _best_figures(self.sweep)
        self._tested: set[int] = set()
        """Ended trials whose test metrics were recorded; later checkpoints only repeat them."""

    @property
    def names(self) -> Names:
        """The keys of the sweep's names in MLflow."""
        return self._names

    def skip(self, events: Iterable[ev.AnyEvent]) -> None:
        """Folds events that are already recorded."""
        for event in events:
            self.sweep.apply(event)
            self._names.see(event)
            self._newly_tested(event)
        self._best = _best_figures(self.sweep)
        self._names_told = self._names.text()

    def plan(self, events: Iterable[ev.AnyEvent]) -> dict[RunKey, RunUpdate]:
        """Folds the next events and returns the updates for each run."""
        self._updates = {}
        for event in events:
            self.sweep.apply(event)
            self._names.see(event)
            self._plan(event)
            if (trial := self._newly_tested(event)) is not None:
                self._of(trial.number).rows.extend(self._test_rows(trial, event))
            self._follow_best(event)
        self._tell_names()
        return self._updates

    def _of(self, run: RunKey) -> RunUpdate:
        return self._updates.setdefault(run, RunUpdate())

    def _plan(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.SweepStarted():
                self._start(event)
            case ev.TrialSuggested():
                self._suggest(event)
            case ev.TrialStarted():
                if event.used:
                    self._tell_params(self.sweep.trials[event.trial])
                if event.jit_compile is not None:
                    self._of(event.trial).tags["tuner.jit_compile"] = str(event.jit_compile).lower()
                self._of(event.trial).tags |= trial_tags(self.sweep.trials[event.trial])
            case ev.TrialLogged():
                self._of(event.trial).tags |= {key: tag_text(value) for key, value in event.tags.items()}
                self._tell_params(self.sweep.trials[event.trial])
            case ev.SystemSampled():
                before = self.sweep.trials[event.trial].num_samples - len(event.samples)
                self._of(event.trial).rows.extend(starmap(Row, system_rows(event, before)))
            case ev.EpochReported():
                rows = self._of(event.trial).rows
                for name, value in event.metrics.items():
                    rows.append(_row(self._names.metric(name), ev.metric_value(value), event, event.epoch))
            case ev.TrialEnded():
                self._end_trial(event)
            case ev.SweepInterruptedEvent():
                self._end(event, "KILLED")
            case ev.SweepEnded():
                self._end(event, self._end_status(event))
            case ev.SweepResumed():
                self._resume(event)
                self._tell_data(event.data)
                self._keep_code(event.code)

    def _start(self, event: ev.SweepStarted) -> None:
        update = self._of(PARENT)
        update.new = NewRun(self.sweep.name, _ms(event), self._tags() | sweep_tags(self.sweep) | self._note())
        update.texts["spec.yaml"] = dump_yaml(self.sweep.spec)
        self._tell_view()
        self._tell_data(event.data)
        self._keep_code(event.code)

    def _tell_view(self) -> None:
        """How the page of runs shows this sweep."""
        self._of(PARENT).of_experiment[tag_name(self.sweep.sweep_id)] = view(self.sweep)

    def _tell_data(self, data: dict[str, Any]) -> None:
        """What the data are: as MLflow's data sets, as a tag, and in full as data.json."""
        if data.get("described"):
            update = self._of(PARENT)
            update.datasets += datasets_used(data, str(self.sweep.spec.get("trainable", "")))
            update.tags["tuner.data"] = tag_text(data_text(data["described"]))
            update.texts["data.json"] = json.dumps(data, indent=1)

    def _keep_code(self, code: dict[str, Any]) -> None:
        """Adds the copies of the trainable's code as artifacts, with the same names as in the sweep's folder."""
        if self._read_copy is not None:
            for name in copied_names(code):
                self._of(PARENT).texts[copy_name(code, name)] = partial(self._read_copy, code, name)

    def _note(self) -> Tags:
        page = trials_fragment(InExperiment.PLACEHOLDER, self.sweep)
        text = note(self.sweep, any(self._names.changed().values()), page)
        return {"mlflow.note.content": InExperiment(tag_text(text))}

    def _tell_names(self) -> None:
        """Writes names.json, if it changed or the spec is written."""
        text, parent = self._names.text(), self._updates.get(PARENT)
        is_due = text != self._names_told or (parent is not None and "spec.yaml" in parent.texts)
        self._names_told = text
        if text and is_due:
            self._of(PARENT).texts["names.json"] = text
            self._of(PARENT).tags |= self._note()

    def _suggest(self, event: ev.TrialSuggested) -> None:
        tags = self._tags() | {"tuner.trial": str(event.trial), "mlflow.parentRunId": RunOf(PARENT)}
        update = self._of(event.trial)
        update.new = NewRun(one_name(run_name(event.trial, event.params)), _ms(event), tags)
        self._tell_params(self.sweep.trials[event.trial])

    def _tell_params(self, trial: Trial) -> None:
        """All that is known of a trial's parameters; what is told again is the same."""
        known = {name: param_text(value) for name, value in trial.logged.items()} | self._flat(trial)
        told = {self._names.param(name): text for name, text in known.items()}
        self._of(trial.number).params |= told
        whole: Params = {**trial.logged, **trial.params}
        if any(map(is_long, whole.values())):
            self._of(trial.number).texts["params.json"] = json.dumps(whole, indent=1)

    def _tags(self) -> Tags:
        """The tags of every run; MLflow's UI shows its own ones as the run's source."""
        source = {
            "mlflow.source.name": tag_text(str(self.sweep.spec.get("trainable", ""))),
            "mlflow.source.type": "LOCAL",
        }
        return {
            "tuner.sweep": self.sweep.name,
            "tuner.sweep_id": self.sweep.sweep_id,
            **source,
            **commit_tags(self.sweep),
        }

    def _flat(self, trial: Trial) -> dict[str, str]:
        """The same set of parameters for every trial, as text, by name.

        The rate and the batch size of a model that says them itself are known once the trial has begun.
        """
        space, params, records = self.sweep.spec.get("space") or {}, trial.params, self.sweep.spec.get("records") or {}
        values: Params = dict(params)
        for name in _SAID_LATER:
            if name in trial.used and name not in params:
                values[name] = trial.used[name]
        values |= {name: params[other] for name, other in records.items() if other in params}
        if (rate := scaled_rate(space, params)) is not None and SCALED not in space:
            values[SCALED] = rate
        lists = lengths(space)
        values |= flat_values(lists, params)
        of_lists = (key for name, length in lists.items() for key in flat_names(name, length))
        names = dict.fromkeys((*space, *of_lists, *(() if self.sweep.is_script else TRAINING_PARAMS), *values))
        waits = trial.outcome is None and not trial.used
        late = {name for name in _SAID_LATER if waits and name not in (*space, *params, *records)}
        return {name: param_text(values[name]) if name in values else INACTIVE for name in names if name not in late}

    def _end_trial(self, event: ev.TrialEnded) -> None:
        trial, update = self.sweep.trials[event.trial], self._of(event.trial)
        if not self.sweep.is_script and not trial.used and not trial.params.keys() >= {*_SAID_LATER}:
            self._tell_params(trial)
        if trial.best_epoch:
            update.rows.append(_row(best_objective_key(self.sweep.metric), trial.best_value, event))
            update.rows.append(_row(BEST_EPOCH, trial.best_epoch, event))
        update.rows.append(_row(EPOCHS_TRAINED, trial.epochs_trained, event))
        update.rows.append(_row(TRAINING_S, trial.training_s, event))
        if self._names.has_examples_per_s:
            update.rows.extend(_row(name, value, event) for name, value in speed(trial).items())
        update.tags["tuner.outcome"] = event.outcome
        if event.reason:
            update.tags["tuner.reason"] = tag_text(event.reason)
        if self._read_printed is not None and STATUS_BY_OUTCOME[event.outcome] == "FAILED":
            update.texts["printed.txt"] = partial(self._read_printed, event.trial)
        update.status, update.end_ms = STATUS_BY_OUTCOME[event.outcome], _ms(event)
        self._keep_logged(event.trial)

    def _keep_logged(self, trial: int) -> None:
        """Uploads what a trial's script has logged: when it ends, and at the sweep's end, as scripts end after it."""
        if self.sweep.is_script and self._logged_files is not None:
            self._of(trial).files = partial(self._logged_files, trial)

    def _newly_tested(self, event: ev.AnyEvent) -> Trial | None:
        """The ended trial whose test metrics become known with this event, if any."""
        if not isinstance(event, ev.TrialEnded | ev.CheckpointSaved):
            return None
        trial = self.sweep.trials[event.trial]
        if trial.outcome is None or trial.number in self._tested or not trial.test_metrics:
            return None
        self._tested.add(trial.number)
        return trial

    def _follow_best(self, event: ev.AnyEvent) -> None:
        """Adds to the parent's curve of the best value, over the epochs of all trials."""
        figures = _best_figures(self.sweep)
        if figures == self._best:
            return
        self._best = figures
        _, value, epoch = figures
        self._of(PARENT).rows.append(_row(best_objective_key(self.sweep.metric), value, event, self.sweep.num_epochs))
        self._of(PARENT).rows.append(_row(BEST_EPOCH, epoch, event, self.sweep.num_epochs))

    def _end_status(self, event: ev.SweepEnded) -> str:
        """FINISHED if the sweep finished or a rule ended it (such as a plateau); KILLED for a budget or the user."""
        if event.state == "stopped":
            return "FAILED" if self.sweep.best is None else "FINISHED"
        return "FINISHED" if event.state == "finished" else "KILLED"

    def _end(self, event: ev.SweepEnded | ev.SweepInterruptedEvent, status: str) -> None:
        """Ends all runs, so that none stays RUNNING without a driver, and sums the sweep up in the parent."""
        for trial in self.sweep.unfinished:
            self._of(trial.number).status, self._of(trial.number).end_ms = "KILLED", _ms(event)
        for number in self.sweep.trials:
            self._keep_logged(number)
        parent = self._of(PARENT)
        parent.status, parent.end_ms = status, _ms(event)
        parent.tags |= self._note()
        parent.texts["spec.yaml"] = dump_yaml(self.sweep.spec)
        for code in [code for _, code in self.sweep.codes if len(copied_names(code)) <= CODE_FILES_AGAIN]:
            self._keep_code(code)  # in case a recorder died before they were uploaded
        if isinstance(event, ev.SweepEnded):
            parent.texts["report.html"] = partial(self._write_report, self.sweep, event.state)
        best = self.sweep.best
        if best is not None:
            parent.tags |= {"tuner.best_trial": str(best.number), "tuner.best_run_id": RunOf(best.number)}
            parent.tags |= {self._names.best_param(name): text for name, text in self._flat(best).items()}
            parent.rows.extend(self._test_rows(best, event, self.sweep.num_epochs))
            if used := datasets_used(self.sweep.data, str(self.sweep.spec.get("trainable", ""))):
                self._of(best.number).datasets += used

    def _resume(self, event: ev.SweepResumed) -> None:
        for run in (PARENT, *(trial.number for trial in self.sweep.unfinished)):
            self._of(run).status, self._of(run).end_ms = "RUNNING", None
        if event.code:
            for trial in self.sweep.unfinished:
                self._of(trial.number).tags |= commit_tags(self.sweep)
        self._of(PARENT).tags |= sweep_tags(self.sweep) | self._note()
        self._of(PARENT).texts["spec.yaml"] = dump_yaml(self.sweep.spec)
        self._tell_view()

    def _test_rows(self, trial: Trial, event: ev.AnyEvent, step: int = 0) -> list[Row]:
        tested = trial.test_metrics.items()
        return [_row(self._names.test(name), ev.metric_value(value), event, step) for name, value in tested]


def _best_figures(sweep: Sweep) -> tuple[int, float, int]:
    best = sweep.best
    return (best.number, best.best_value, best.best_epoch) if best else (-1, math.nan, 0)


def _row(key: str, value: float, event: ev.AnyEvent, step: int = 0) -> Row:
    return Row(key, float(value) if math.isfinite(value) else math.nan, _ms(event), step)


def _ms(event: ev.AnyEvent) -> int:
    return int(event.at * 1000)
