"""Importance that is kept on this machine's disk, as scikit-learn alone takes a second to import.

A sweep has one file, in $XDG_CACHE_HOME/tuner/importance, which counts as long as there are no new results. Where
nothing can be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tuner.analysis.importance_values import MIN_TRIALS, Importance, Marginal, Share, Surface, Unknown
from tuner.base.errors import TunerError
from tuner.base.user import user_cache
from tuner.storage import write_atomically
from tuner.sweep import Sweep

_VERSION = 1
"""Of how importance is found, and of the form of the files."""
_FILES_MAX = 200
"""The oldest files beyond are removed when one is written."""


def weighed(sweep: Sweep) -> Importance | Unknown:
    """Like `importance.weighed`, from the disk where it is there."""
    stored = _read(sweep)
    if stored.get("results") == results_of(sweep):
        return _found(stored)
    from tuner.analysis import importance

    trials = importance.trials_of(sweep)
    if isinstance(trials, Unknown):
        return trials
    if len(trials.losses) < MIN_TRIALS:
        return importance.weigh(trials)
    if stored.get("digest") != trials.digest:
        stored = {"digest": trials.digest, **_plain(importance.weigh(trials))}
    _write(sweep, {**stored, "version": _VERSION, "results": results_of(sweep)})
    return _found(stored)


def known(sweep: Sweep) -> Importance | Unknown | None:
    """What is on the disk of these results; None if nothing is. Costs next to nothing."""
    stored = _read(sweep)
    return _found(stored) if stored.get("results") == results_of(sweep) else None


def results_of(sweep: Sweep) -> str:
    """Names what is known of a sweep's trials. Cheap, so that it also changes where importance does not."""
    rows = [
        (trial.number, trial.params, trial.outcome, trial.best_value, trial.epochs_trained)
        for trial in sweep.trials.values()
    ]
    settings = [sweep.spec.get(name) for name in ("space", "epochs", "early_stopping", "objective")]
    return hashlib.sha256(repr((settings, sweep.num_epochs, rows)).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(found: Importance | Unknown) -> dict[str, Any]:
    if isinstance(found, Unknown):
        return {"unknown": asdict(found)}
    plain = {name: value for name, value in vars(found).items() if name not in ("pairs", "surfaces")}
    return {
        "importance": {
            **{name: _items(value) if isinstance(value, dict) else value for name, value in plain.items()},
            "pairs": [[*pair, asdict(share)] for pair, share in found.pairs.items()],
            "surfaces": [[*pair, asdict(surface)] for pair, surface in found.surfaces.items()],
        }
    }


def _items(values: dict[str, Any]) -> dict[str, Any]:
    return {name: asdict(value) for name, value in values.items()}


def _found(stored: dict[str, Any]) -> Importance | Unknown:
    """The inverse of `_plain`."""
    if "unknown" in stored:
        return Unknown(**stored["unknown"])
    plain = stored["importance"]
    return Importance(
        parameters={name: Share(**share) for name, share in plain["parameters"].items()},
        pairs={(one, other): Share(**share) for one, other, share in plain["pairs"]},
        marginals={name: Marginal(**marginal) for name, marginal in plain["marginals"].items()},
        surfaces={(one, other): Surface(**surface) for one, other, surface in plain["surfaces"]},
        num_trials=plain["num_trials"],
        quality=plain["quality"],
    )


def _path(sweep: Sweep) -> Path:
    return user_cache() / "importance" / f"{hashlib.sha256(sweep.sweep_id.encode()).hexdigest()[:24]}.json"


def _read(sweep: Sweep) -> dict[str, Any]:
    """What is kept of a sweep; empty if nothing is, or of another version."""
    try:
        stored = json.loads(_path(sweep).read_bytes())
        if stored["version"] == _VERSION:
            _found(stored)
            return dict(stored)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        pass  # there is no such file, or no home, or what lies there is damaged
    return {}


def _write(sweep: Sweep, stored: dict[str, Any]) -> None:
    with suppress(OSError, RuntimeError, TunerError):  # a full disk, or a container's user without a home
        path = _path(sweep)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in files[: max(0, len(files) - _FILES_MAX)]:
            file.unlink(missing_ok=True)
        write_atomically(path, json.dumps(stored).encode())
