"""Maps names to MLflow keys: one to one, and never to a key that MLflow refuses or that Tuner uses itself.

A name that MLflow accepts is its own key. Any other name is cleaned, and its digest is appended: `top@5` becomes
`top_5.xe67973ec5b00`. The same applies to names of metrics that Tuner may use itself (`best_…`, `test_…`,
`epochs_trained`, `training_s`; `system/…` is MLflow's), to names that look as if they had a digest, and to names that
differ from an earlier name of the sweep only in what some databases ignore (case, accents). Only this last rule depends
on more than the name itself, and so does `examples_per_s`, which is Tuner's except in scripts and in older sweeps.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tuner.base.coupling import SCALED, coupling_of
from tuner.spec.expressions import has_own_name
from tuner.sweep import Sweep
from tuner.sweep import events as ev

KEY_CHARS_MAX = 250
"""MLflow's limit for a key."""
TRAINING_PARAMS = ("learning_rate", "batch_size", "epochs")
"""Every trial of every sweep has them."""
BEST_EPOCH, EPOCHS_TRAINED, TRAINING_S = "best_epoch", "epochs_trained", "training_s"
EXAMPLES_PER_S = "examples_per_s"
"""Keys of Tuner's own, besides `best_<objective>` and `test_<metric>`."""
OBJECTIVE = "objective"
"""The key of an objective that is an expression of metrics."""
VERSION = 1
"""The version of these rules. Sweeps that were recorded before the rules existed have 0, and use `earlier_key`."""

RULES = 1
"""Told by a sweep's first event. Since 1, `examples_per_s` is Tuner's own key in sweeps of Keras models."""

_BEST, _TEST, _BEST_PARAM = "best_", "test_", "tuner.best."
_STEM_CHARS_MAX = KEY_CHARS_MAX - len(_BEST_PARAM) - len(".x") - 12
"""The same for every prefix, so that no two pairs of prefix and long name can have the same key."""

_CHARS = re.compile(r"[/\w.\- :]+")
_OTHER_CHARS = re.compile(r"[^/\w.\- :]")
_DIGESTED = re.compile(r"\.x[0-9a-f]{12}\Z")
_RESERVED = re.compile(rf"{_BEST}|{_TEST}|system/|(?:{EPOCHS_TRAINED}|{TRAINING_S})\Z")


@lru_cache(4096)
def metric_key(name: str) -> str:
    """The key of a metric that a trainable reports."""
    return changed_key(name) if _is_reserved(name) else _key(name)


@lru_cache(4096)
def best_key(objective: str) -> str:
    """The key of the objective's best value."""
    return changed_key(objective, _BEST) if folded(_BEST + objective) == BEST_EPOCH else _key(objective, _BEST)


@lru_cache(4096)
def best_objective_key(objective: str) -> str:
    """The same of a sweep's objective, which may be an expression of metrics."""
    return best_key(OBJECTIVE) if has_own_name(objective) else best_key(objective)


@lru_cache(4096)
def param_key(name: str, prefix: str = "") -> str:
    """The key of a parameter; with the prefix `tuner.best.`, that of the tag with the best trial's value."""
    return _key(name, prefix)


@lru_cache(4096)
def changed_key(name: str, prefix: str = "") -> str:
    """The key of a name that cannot be its own key: the cleaned name and its digest."""
    stem = _OTHER_CHARS.sub("_", name).strip()
    if not _is_path(stem) or folded(stem).startswith("system/"):
        stem = stem.replace("/", "_").strip(". ") or "_"
    return f"{prefix}{stem[:_STEM_CHARS_MAX]}.x{digest(name)}"


def digest(text: str) -> str:
    """Twelve hexadecimal digits that identify a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@lru_cache(4096)
def folded(name: str) -> str:
    """A name without case and accents, as compared by databases that ignore them (by default MySQL, SQL Server)."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char)).casefold()


def earlier_key(name: str) -> str:
    """The key that versions without these rules gave to a name; several names may have had the same key."""
    key = _OTHER_CHARS.sub("_", name) or "_"
    if not _is_path(key):
        key = key.replace("/", "_").replace("..", "__").strip(".") or "_"
    return key if len(key) <= KEY_CHARS_MAX else key[: KEY_CHARS_MAX - 1] + "_"


def _key(name: str, prefix: str = "") -> str:
    is_kept = _is_taken(name) and len(prefix + name) <= KEY_CHARS_MAX
    return prefix + name if is_kept else changed_key(name, prefix)


def _is_taken(name: str) -> bool:
    """Whether a name can be its own key: every store accepts it, and it does not look like a changed name."""
    return (
        _CHARS.fullmatch(name) is not None
        and len(name) <= KEY_CHARS_MAX
        and name == name.strip()
        and _is_path(name)
        and not _DIGESTED.search(folded(name))
    )


def _is_path(name: str) -> bool:
    """Whether a name is a normalized relative path, as MLflow requires."""
    return name not in ("", ".") and posixpath.normpath(name) == name and not name.startswith(("/", ".."))


def _is_reserved(name: str) -> bool:
    return _RESERVED.match(folded(name)) is not None


class Names:
    """The names of a sweep's metrics and parameters in the events so far."""

    def __init__(self) -> None:
        self._metrics, self._params = _Seen(), _Seen()
        self._params.add(TRAINING_PARAMS)
        self._objective = ""
        self.has_examples_per_s = False
        """Whether `examples_per_s` is Tuner's own key in this sweep."""

    @classmethod
    def of(cls, events: Iterable[ev.AnyEvent]) -> Names:
        names = cls()
        for event in events:
            names.see(event)
        return names

    @classmethod
    def of_start(cls, sweep: Sweep) -> Names:
        """The names that a sweep has from its start."""
        names = cls()
        names._see_start(sweep.spec, has_examples_per_s(sweep.begins[0]) if sweep.begins else False)
        return names

    def see(self, event: ev.AnyEvent) -> None:
        """Takes the names of the journal's next event."""
        match event:
            case ev.EpochReported():
                self._metrics.add(event.metrics)
            case ev.TrialSuggested():
                self._params.add(event.params)
            case ev.TrialLogged():
                self._params.add(event.params)
            case ev.CheckpointSaved():
                self._metrics.add(_tested(name) for name in event.test)
            case ev.SweepStarted():
                self._see_start(event.spec, has_examples_per_s(event))

    def _see_start(self, spec: Mapping[str, Any], has_examples_per_s: bool) -> None:
        self.has_examples_per_s = has_examples_per_s
        if has_examples_per_s:
            self._metrics.reserve(EXAMPLES_PER_S)
        space = spec.get("space") or {}
        self._params.add([*space, SCALED] if coupling_of(space) else space)
        self._objective = str((spec.get("objective") or {}).get("metric", ""))
        if self._is_expression:
            self._metrics.reserve(OBJECTIVE)
        elif has_examples_per_s and folded(self._objective) == EXAMPLES_PER_S:
            self._metrics.add([self._objective])  # it is told before any epoch reports it

    def metric(self, name: str) -> str:
        """The key of a metric that a trainable reports, or of the objective."""
        if name == self._objective and self._is_expression:
            return OBJECTIVE
        return changed_key(name) if name in self._metrics.late else metric_key(name)

    def test(self, name: str) -> str:
        """The key of a test metric; its name may already start with `test_`."""
        metric = _tested(name)
        return changed_key(metric, _TEST) if metric in self._metrics.late else _key(metric, _TEST)

    def param(self, name: str) -> str:
        return changed_key(name) if name in self._params.late else param_key(name)

    def best_param(self, name: str) -> str:
        """The key of the tag with the best trial's value of a parameter."""
        late = name in self._params.late
        return changed_key(name, _BEST_PARAM) if late else param_key(name, _BEST_PARAM)

    @property
    def _is_expression(self) -> bool:
        """Whether the objective is an expression of metrics, which has a key of its own."""
        return has_own_name(self._objective)

    @property
    def metrics(self) -> Iterator[str]:
        return iter(self._metrics.all)

    @property
    def params(self) -> Iterator[str]:
        return iter(self._params.all)

    def changed(self) -> dict[str, dict[str, str]]:
        """For metrics and for params: key -> name, for names that are not their own keys."""
        metrics = {self.metric(name): name for name in self.metrics}
        if self._objective:
            metrics[best_objective_key(self._objective)] = _BEST + self._objective
        params = {self.param(name): name for name in self.params}
        found = {"metrics": metrics, "params": params}
        return {kind: {key: name for key, name in keys.items() if key != name} for kind, keys in found.items()}

    def text(self) -> str:
        """`changed` as JSON for people; empty if all names are their own keys."""
        changed = self.changed()
        if not any(changed.values()):
            return ""
        return json.dumps(changed, indent=2, ensure_ascii=False).encode(errors="backslashreplace").decode() + "\n"


def has_examples_per_s(begin: ev.SweepStarted | ev.SweepResumed) -> bool:
    """Whether `examples_per_s` is Tuner's own key in the sweep that begins with this event."""
    return isinstance(begin, ev.SweepStarted) and begin.names >= 1 and not begin.script


class _Seen:
    """Names of one kind, in the order in which they appeared."""

    def __init__(self) -> None:
        self.all: dict[str, None] = {}
        self.late: set[str] = set()
        """Names that some databases would not distinguish from an earlier one."""
        self._first: dict[str, str] = {}

    def reserve(self, key: str) -> None:
        """Keeps a key from all names that come later."""
        self._first.setdefault(folded(key), "")

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.all:
                continue
            self.all[name] = None
            if _is_taken(name) and self._first.setdefault(folded(name), name) != name:
                self.late.add(name)


def _tested(name: str) -> str:
    """The metric that a test metric measures."""
    return name.removeprefix(_TEST)
