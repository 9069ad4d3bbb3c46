"""Where a sweep's runs come from, as tags: the code's git commit, the versions of packages, nodes and cards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuner.recording.names import EXAMPLES_PER_S, param_key
from tuner.recording.values import tag_text
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

THEN = ", then "
"""Between what was so at first, and what was so after a resume or a retry."""
_VERSION = "tuner.version."
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SHORT_CHARS = 12


def commit_tags(sweep: Sweep) -> dict[str, str]:
    """Of every run: the commit of the code that trains now, under the names by which MLflow's pages show it."""
    git = _code_git(sweep.begins)
    if not _is_commit(git):
        return {}
    dirty = git.get("dirty")
    return {
        "mlflow.source.git.commit": str(git["commit"]),
        **({"tuner.git_dirty": str(dirty).lower()} if isinstance(dirty, bool) else {}),
    }


def sweep_tags(sweep: Sweep) -> dict[str, str]:
    """Of the sweep's own run: its repository, and the versions of what it ran with."""
    git, tags = _code_git(sweep.begins), dict[str, str]()
    if _is_commit(git):
        named = {"mlflow.source.git.branch": git.get("branch"), "mlflow.source.git.repoURL": git.get("url")}
        tags |= {name: tag_text(str(text)) for name, text in named.items() if text}
    if text := git_text(sweep.begins):
        tags["tuner.git"] = tag_text(text)
    packages = dict.fromkeys(name for begin in sweep.begins for name in begin.versions)
    for name in packages:
        versions = _changes(str(begin.versions[name]) for begin in sweep.begins if name in begin.versions)
        tags[param_key(name, _VERSION)] = tag_text(THEN.join(versions))
    return commit_tags(sweep) | tags


def git_text(begins: Sequence[ev.SweepStarted | ev.SweepResumed]) -> str:
    """Each driver's commit, for people: `1f0c… on main with changes, then …`; empty where none is known."""
    return THEN.join(_changes(_commit_text(begin.git) for begin in begins if _is_commit(begin.git)))


def trial_tags(trial: Trial) -> dict[str, str]:
    """The nodes and the cards that a trial was trained on, in the order of its attempts."""
    nodes = _changes(node for node, _ in trial.places if node)
    cards = _changes(_cards_text(cards) for _, cards in trial.places if cards)
    named = {"tuner.node": THEN.join(nodes), "tuner.gpu": THEN.join(cards)}
    return {name: tag_text(text) for name, text in named.items() if text}


def speed(trial: Trial) -> dict[str, float]:
    """Training examples a second, validation included in the seconds, as a metric; empty where it is not known."""
    seconds = trial.training_s
    if not (trial.examples and trial.epochs_trained and seconds > 0):
        return {}
    return {EXAMPLES_PER_S: trial.examples * len(trial.epochs) / seconds}


def _code_git(begins: Sequence[ev.SweepStarted | ev.SweepResumed]) -> Mapping[str, Any]:
    """Of the driver that brought the code: a resume trains with the code that the sweep keeps."""
    return next((begin.git for begin in reversed(begins) if begin.code or isinstance(begin, ev.SweepStarted)), {})


def _is_commit(git: Mapping[str, Any]) -> bool:
    return _COMMIT.fullmatch(str(git.get("commit", ""))) is not None


def _commit_text(git: Mapping[str, Any]) -> str:
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"{str(git['commit'])[:_SHORT_CHARS]}{branch}{' with changes' if git.get('dirty') else ''}"


def _cards_text(cards: Sequence[str]) -> str:
    named = [f"GPU {card}" if card.isdecimal() else card for card in cards]
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in Counter(named).items())


def _changes(texts: Iterable[str]) -> list[str]:
    """Without what is the same as just before."""
    kept: list[str] = []
    for text in texts:
        if not kept or kept[-1] != text:
            kept.append(text)
    return kept
