"""How names become MLflow's keys: one to one, and never a key that MLflow refuses or that is Tuner's own.

A name that MLflow takes is its own key. Any other is cleaned, and the name's digest follows: `top@5` is
`top_5.xe67973ec5b00`. So is a metric's name that Tuner may need itself (`best_…`, `test_…`, `epochs_trained`,
`training_s`; `system/…` is MLflow's), a name that looks as if it had a digest, and, of the names of a sweep that differ
only in what some databases ignore (case, accents), each but the first. Nothing else than the last of these depends on
more than the name alone.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from tuner.sweep import events as ev

KEY_CHARS_MAX = 250
"""MLflow's limit of a key."""
TRAINING_PARAMS = ("learning_rate", "batch_size", "epochs")
"""Every trial of every sweep has them."""
BEST_EPOCH, EPOCHS_TRAINED, TRAINING_S = "best_epoch", "epochs_trained", "training_s"
"""Keys of Tuner's own, besides `best_<objective>` and `test_<metric>`."""
VERSION = 1
"""Of these rules. Sweeps recorded before there were any have 0, and `earlier_key`."""

_BEST, _TEST, _BEST_PARAM = "best_", "test_", "tuner.best."
_STEM_CHARS_MAX = KEY_CHARS_MAX - len(_BEST_PARAM) - len(".x") - 12
"""The same behind every prefix, so that a prefix and a long name are never another prefix and another name."""

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
def param_key(name: str, prefix: str = "") -> str:
    """The key of a parameter; with the prefix `tuner.best.`, of the tag that says the best trial's."""
    return _key(name, prefix)


@lru_cache(4096)
def changed_key(name: str, prefix: str = "") -> str:
    """The key of a name that cannot be its own: what is left of it, and its digest."""
    stem = _OTHER_CHARS.sub("_", name).strip()
    if not _is_path(stem) or folded(stem).startswith("system/"):
        stem = stem.replace("/", "_").strip(". ") or "_"
    return f"{prefix}{stem[:_STEM_CHARS_MAX]}.x{digest(name)}"


def digest(text: str) -> str:
    """Twelve hexadecimal digits that tell a text from others."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@lru_cache(4096)
def folded(name: str) -> str:
    """What a database compares of a name that ignores case and accents, as MySQL and SQL Server do as a rule."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char)).casefold()


def earlier_key(name: str) -> str:
    """The key that versions without these rules gave to a name; several names may have had the same."""
    key = _OTHER_CHARS.sub("_", name) or "_"
    if not _is_path(key):
        key = key.replace("/", "_").replace("..", "__").strip(".") or "_"
    return key if len(key) <= KEY_CHARS_MAX else key[: KEY_CHARS_MAX - 1] + "_"


def _key(name: str, prefix: str = "") -> str:
    is_kept = _is_taken(name) and len(prefix + name) <= KEY_CHARS_MAX
    return prefix + name if is_kept else changed_key(name, prefix)


def _is_taken(name: str) -> bool:
    """Whether MLflow takes a name, every database tells it from its neighbours, and it does not look changed."""
    return (
        _CHARS.fullmatch(name) is not None
        and len(name) <= KEY_CHARS_MAX
        and name == name.strip()
        and _is_path(name)
        and not _DIGESTED.search(folded(name))
    )


def _is_path(name: str) -> bool:
    """Whether a name is a relative path that is written in the one plain way, as MLflow demands."""
    return name not in ("", ".") and posixpath.normpath(name) == name and not name.startswith(("/", ".."))


def _is_reserved(name: str) -> bool:
    return _RESERVED.match(folded(name)) is not None


class Names:
    """The names of a sweep's metrics and parameters, as far as its events have told of them."""

    def __init__(self) -> None:
        self._metrics, self._params = _Seen(), _Seen()
        self._params.add(TRAINING_PARAMS)
        self._objective = ""

    @classmethod
    def of(cls, events: Iterable[ev.AnyEvent]) -> Names:
        names = cls()
        for event in events:
            names.see(event)
        return names

    def see(self, event: ev.AnyEvent) -> None:
        """Takes the names of the journal's next event."""
        match event:
            case ev.EpochReported():
                self._metrics.add(event.metrics)
            case ev.TrialSuggested():
                self._params.add(event.params)
            case ev.CheckpointSaved():
                self._metrics.add(_tested(name) for name in event.test)
            case ev.SweepStarted():
                self._params.add(event.spec.get("space") or {})
                self._objective = str((event.spec.get("objective") or {}).get("metric", ""))

    def metric(self, name: str) -> str:
        """The key of a metric that a trainable reports."""
        return changed_key(name) if name in self._metrics.late else metric_key(name)

    def test(self, name: str) -> str:
        """The key of a metric of the test; its name may say so already."""
        metric = _tested(name)
        return changed_key(metric, _TEST) if metric in self._metrics.late else _key(metric, _TEST)

    def param(self, name: str) -> str:
        return changed_key(name) if name in self._params.late else param_key(name)

    def best_param(self, name: str) -> str:
        """The key of the tag that says a parameter of the best trial."""
        late = name in self._params.late
        return changed_key(name, _BEST_PARAM) if late else param_key(name, _BEST_PARAM)

    @property
    def metrics(self) -> Iterator[str]:
        return iter(self._metrics.all)

    @property
    def params(self) -> Iterator[str]:
        return iter(self._params.all)

    def changed(self) -> dict[str, dict[str, str]]:
        """The names that are not their own keys, by their keys: of metrics and of params."""
        metrics = {self.metric(name): name for name in self.metrics}
        if self._objective:
            metrics[best_key(self._objective)] = _BEST + self._objective
        params = {self.param(name): name for name in self.params}
        found = {"metrics": metrics, "params": params}
        return {kind: {key: name for key, name in keys.items() if key != name} for kind, keys in found.items()}

    def text(self) -> str:
        """What is changed, as JSON for people: each key with the name that it stands for. Empty if nothing is."""
        changed = self.changed()
        if not any(changed.values()):
            return ""
        return json.dumps(changed, indent=2, ensure_ascii=False).encode(errors="backslashreplace").decode() + "\n"


class _Seen:
    """Names of one kind in the order in which they came."""

    def __init__(self) -> None:
        self.all: dict[str, None] = {}
        self.late: set[str] = set()
        """Those that some databases would not tell from one that came before."""
        self._first: dict[str, str] = {}

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.all:
                continue
            self.all[name] = None
            if _is_taken(name) and self._first.setdefault(folded(name), name) != name:
                self.late.add(name)


def _tested(name: str) -> str:
    """The metric that a metric of the test is of."""
    return name.removeprefix(_TEST)
