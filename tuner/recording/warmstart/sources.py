"""Reads the sweeps, experiments and the probe that `search.warm_start` names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import msgspec

from tuner.base.coupling import SCALED, as_suggested, trained_params
from tuner.base.errors import SpecError
from tuner.base.outcomes import UNUSABLE
from tuner.base.secrets import with_credentials, without_credentials
from tuner.policy.earlier import EarlierTrial
from tuner.probe.journal import NAME, JournalledProbe, newest, no_probe
from tuner.recording.earlier import EarlierRun, experiment_names, read_earlier_runs
from tuner.recording.warmstart.fitting import UnfitError, fitted, from_texts, same_constants
from tuner.spec import SweepSpec
from tuner.spec.space import Constant, Params, Space, completed, nearest, shown
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, Trial, fold
from tuner.sweep import events as ev

MAX_TRIALS = 1000
"""The most trials of one source, the newest ones; the model uses no more."""
TRIALS_BYTES_MAX = 8 << 20
"""The most bytes of one source in the journal; half of the limit for a line."""


@dataclass
class Source:
    """One of the names, and what was found under it."""

    name: str
    kind: str
    """sweep, experiment or probe."""
    trials: list[EarlierTrial] = field(default_factory=list)
    unfit: Counter[str] = field(default_factory=Counter)
    """Why other trials do not fit this sweep -> how many."""
    points: list[Params] = field(default_factory=list)
    """The configurations of a probe that the sweep begins with."""
    has_older: bool = False
    """Whether there are older trials, which were not read."""

    def __str__(self) -> str:
        if self.kind == "probe":
            return self._points_text()
        total = len(self.trials) + self.unfit.total()
        newest = "the newest " if self.has_older else ""
        text = f"{len(self.trials)} of {newest}{total} earlier trials of {self.kind} {self.name} are used"
        if not self.unfit:
            return text if total else f"{self.kind} {self.name} has no earlier trials"
        return f"{text}; left out are " + ", ".join(f"{num} with {why}" for why, num in self.unfit.most_common())

    def _points_text(self) -> str:
        total = len(self.points) + self.unfit.total()
        text = f"the sweep begins with {len(self.points)} of {total} configurations of the {self.name}"
        left = ", ".join(f"{num} with {why}" for why, num in self.unfit.most_common())
        return f"{text}; left out are {left}" if left else text

    @property
    def event(self) -> ev.WarmStarted:
        trials = [trial.to_plain() for trial in self.trials]
        return ev.WarmStarted(source=self.name, trials=trials, points=self.points)

    def bound(self) -> None:
        """Leaves out the oldest trials if there are more than one event of the journal can hold."""
        newest_first = self.trials if self.kind == "experiment" else self.trials[::-1]
        sizes = accumulate(len(msgspec.json.encode(trial.to_plain())) + 1 for trial in newest_first)
        fitting = sum(size <= TRIALS_BYTES_MAX for size in sizes)
        if older := len(self.trials) - fitting:
            self.unfit[f"no room in {TRIALS_BYTES_MAX >> 20} MiB beside the newer ones"] += older
            self.trials = self.trials[:fitting] if self.kind == "experiment" else self.trials[older:]

    def add(self, make: Callable[[], EarlierTrial]) -> None:
        try:
            self.trials.append(make())
        except UnfitError as reason:
            self.unfit[str(reason)] += 1


def read_sources(spec: SweepSpec, root: StorageRoot, where: str) -> list[Source]:
    """Reads what `search.warm_start` names: a sweep in the storage root, else an experiment in the tracking store.

    `probe` is the newest probe of the spec's trainable and data in the root, where there is one.

    Args:
        where: the source of the spec, for messages.

    Raises:
        SpecError: there is no such sweep or experiment; one line each, with the nearest name.
        StorageError, TrackingError: one cannot be read.
    """
    probe = newest(root, spec.trainable, spec.data) if NAME in spec.search.warm_start else None
    names = [name for name in spec.search.warm_start if probe is None or name != NAME]
    folders = {name: folder for name in names if root.can_hold(name) and (folder := root.sweep(name)).exists()}
    uri = with_credentials(spec.tracking.uri or root.default_tracking_uri)
    experiments = experiment_names(uri) if len(folders) < len(names) else []
    known = {*(folder.name for folder in root.sweeps()), *experiments} if len(folders) < len(names) else set()
    problems = [
        f"search.warm_start[{index}]: {no_probe(root, spec.trainable, spec.data)}"
        if name == NAME
        else f"search.warm_start[{index}]: must name a sweep in {root.path}, or an experiment in"
        f" {without_credentials(uri)}, but got {name!r}{nearest(name, known)}"
        for index, name in enumerate(spec.search.warm_start)
        if name in names and name not in folders and name not in experiments
    ]
    if problems:
        raise SpecError(where, problems)
    sources = [_of_sweep(spec, folders[name]) if name in folders else _of_experiment(spec, uri, name) for name in names]
    for source in sources:
        source.bound()
    return sources if probe is None else [*sources, of_probe(spec, probe)]


def of_probe(spec: SweepSpec, probe: JournalledProbe) -> Source:
    """The configurations of a probe that lie in the space of this sweep."""
    what = "probe" if spec.data is None else f"probe with data {shown(spec.data)}"
    source = Source(f"{what} of {spec.trainable} of {probe.at}", "probe")
    for point in probe.points:
        suggested = as_suggested(_written(spec), point, probe.trained_rate(point))
        try:
            params = fitted(spec.space, _active(spec.space, suggested))
        except UnfitError as reason:
            source.unfit[str(reason)] += 1
            continue
        if completed(spec.space, params) is None:
            source.unfit["a value that the space does not draw"] += 1
        else:
            source.points.append(params)
    return source


def _active(space: Space, params: Params) -> Params:
    """Without parameters that are inactive beside the others: a probe knows the default of each."""
    active: Params = {}
    for name, parameter in space.items():
        if isinstance(parameter, Constant):
            if space.is_active(name, active):
                active[name] = parameter.value
        elif name in params and space.is_active(name, active):
            active[name] = params[name]
    return active


def sources_text(spec: SweepSpec, sources: Iterable[Source]) -> str:
    """How this sweep uses the sources, for people."""
    text = "; ".join(map(str, sources))
    if spec.search.algorithm != "tpe" and any(source.kind != "probe" for source in sources):
        return f"{text}; {spec.search.algorithm} only leaves out what they tried"
    return text


def _of_sweep(spec: SweepSpec, folder: SweepFolder) -> Source:
    return of_sweep(spec, folder.name, fold(read_events(folder)))


def of_sweep(spec: SweepSpec, name: str, sweep: Sweep) -> Source:
    """The trials of another sweep that fit this one."""
    source = Source(name, "sweep")
    trials = list(sweep.trials.values())
    other = (sweep.metric, sweep.mode) if trials else None
    if other not in (None, (spec.objective.metric, spec.objective.mode)):
        source.unfit[f"another objective ({sweep.metric}, {sweep.mode})"] = len(trials)
        return source
    for trial in _newest(source, trials):
        source.add(partial(_of_trial, spec, name, sweep, trial))
    return source


def _newest(source: Source, trials: list[Trial]) -> Iterable[Trial]:
    if len(trials) > MAX_TRIALS:
        source.unfit[f"numbers below those of the newest {MAX_TRIALS}"] = len(trials) - MAX_TRIALS
    return trials[-MAX_TRIALS:]


def _of_trial(spec: SweepSpec, name: str, sweep: Sweep, trial: Trial) -> EarlierTrial:
    values = [(epoch.epoch, sweep.value(epoch)) for epoch in trial.epochs]
    bad = trial.outcome in UNUSABLE or any(not math.isfinite(value) for _, value in values)
    epoch, value = next(((at, value) for at, value in reversed(values) if math.isfinite(value)), (0, math.nan))
    theirs = trained_params(sweep.spec.get("space") or {}, trial.params)
    params = as_suggested(_written(spec), trial.params, theirs.get("learning_rate"))
    return _made(spec, name, str(trial.number), params, epoch, trial.epochs_max, value, bad)


def _of_experiment(spec: SweepSpec, uri: str, name: str) -> Source:
    return of_runs(spec, name, read_earlier_runs(uri, name, spec.objective.metric, MAX_TRIALS + 1))


def of_runs(spec: SweepSpec, name: str, runs: Sequence[EarlierRun]) -> Source:
    """The runs of an experiment, the newest first, that fit this sweep, whoever recorded them."""
    source = Source(name, "experiment", has_older=len(runs) > MAX_TRIALS)
    for run in runs[:MAX_TRIALS]:
        source.add(partial(_of_run, spec, name, run))
    return source


def _of_run(spec: SweepSpec, name: str, run: EarlierRun) -> EarlierTrial:
    """A run of Tuner's says how long a whole training is. Any other finished run counts as one."""
    if not run.is_finished and not run.failed:
        raise UnfitError("no end")
    if not run.values and not run.failed:
        raise UnfitError(f"no {spec.objective.metric}")
    finite = [value for value in run.values if math.isfinite(value)]
    bad = run.failed or len(finite) < len(run.values)
    epochs_max = _count(run.params.get("epochs")) or (len(run.values) if len(run.values) > 1 else spec.epochs.max)
    whole = epochs_max if not run.is_ours and len(run.values) == 1 else min(len(finite), epochs_max)
    epoch, value = (whole, finite[-1]) if finite else (0, math.nan)
    texts = {name: text for name in spec.space if (text := run.param(name)) is not None}
    params = from_texts(spec.space, texts)
    params = as_suggested(_written(spec), params, _number(run.param(SCALED)) or params.get("learning_rate"))
    return _made(spec, name, run.run_id, params, epoch, epochs_max, value, bad)


def _written(spec: SweepSpec) -> dict[str, Any]:
    return dict(spec.space.model_dump(exclude_defaults=True))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _made(
    spec: SweepSpec, name: str, trial: str, params: Params, epoch: int, epochs_max: int, value: float, bad: bool
) -> EarlierTrial:
    if not epoch and not bad:
        raise UnfitError("no value yet")
    is_same = same_constants(spec.space, params)
    return EarlierTrial(name, trial, fitted(spec.space, params), epoch, epochs_max, value, bad, is_same)


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 and int(text) else None
