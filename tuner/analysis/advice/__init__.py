"""Advice on a sweep: rules in plain Python over the folded sweep, each with a command that can be pasted.

A rule is silent rather than wrong: it speaks where its figures are unlikely by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.analysis.advice.alike import cannot_tell_apart
from tuner.analysis.advice.at_bound import MIN_TRIALS, at_bound
from tuner.analysis.advice.budget import MIN_TRIALS as FEWEST_WEIGHED
from tuner.analysis.advice.budget import budget
from tuner.analysis.advice.commands import command_of
from tuner.analysis.advice.coupled import coupled
from tuner.analysis.advice.finding import Finding
from tuner.analysis.advice.late_bloomers import late_bloomers
from tuner.analysis.advice.standing import Standing
from tuner.analysis.advice.time_lost import time_lost
from tuner.analysis.advice.unimportant import does_not_matter
from tuner.analysis.importance_values import Importance, Unknown
from tuner.base.errors import TunerError
from tuner.base.outcomes import num_ended
from tuner.storage import SweepFolder
from tuner.sweep import Sweep

FEWEST_TRIALS = MIN_TRIALS
SHOWN_MAX = 5
"""How many pieces of advice are shown to people; JSON has all."""


@dataclass(frozen=True)
class Advice:
    """One piece of advice."""

    rule: str
    """The name of the rule: at_bound, coupled, does_not_matter, …"""
    says: str
    """What is so, with numbers, and what to do."""
    command: str
    """The command line that does it; empty where none does."""
    set: list[str]
    """What the command has after each `--set`, as path=value."""

    @property
    def text(self) -> str:
        """All of it: what is so, and the command."""
        return f"{self.says} {self.command}" if self.command else self.says


def advice(
    sweep: Sweep, importance: Importance | Unknown | None = None, folder: SweepFolder | None = None
) -> list[Advice]:
    """What to do next, the most useful first; empty while the trials tell nothing.

    Args:
        importance: what matters, which some rules need; by default it is weighed here.
        folder: the sweep's folder, which commands name.
    """
    try:
        standing = Standing(sweep)
    except TunerError:  # a spec that this version cannot read
        return []
    looked_for = _weighed(standing) if importance is None else importance
    known = looked_for if isinstance(looked_for, Importance) else None
    findings = sorted(_findings(standing, known), key=lambda finding: not finding.is_pressing)
    found = (_advised(sweep, finding, folder) for finding in findings)
    return [piece for piece in found if piece is not None]


def advice_data(pieces: Sequence[Advice]) -> list[dict[str, Any]]:
    """Advice as JSON has it."""
    return [{"rule": piece.rule, "text": piece.text, "set": piece.set} for piece in pieces]


def why_silent(outcomes: Mapping[str, int]) -> str:
    """Why there is no advice, for people: too few trials have ended, or nothing stands out.

    Args:
        outcomes: the number of trials by outcome.
    """
    ended = num_ended(outcomes)
    if ended < FEWEST_TRIALS:
        return f"{ended} {'trial has' if ended == 1 else 'trials have'} ended, and most rules need {FEWEST_TRIALS}"
    return f"none of the rules finds more in the {ended} trials than chance may explain"


def _weighed(standing: Standing) -> Importance | Unknown:
    if len(standing.ranked) < FEWEST_WEIGHED:
        return Unknown("cannot tell yet", len(standing.ranked))
    from tuner.analysis.importance import weighed  # which loads a forest

    return weighed(standing.sweep)


def _findings(standing: Standing, importance: Importance | None) -> Iterator[Finding]:
    """In the order of their usefulness as a rule."""
    yield from at_bound(standing)
    yield from coupled(standing)
    yield from time_lost(standing)
    yield from budget(standing, explains=importance is not None)
    yield from late_bloomers(standing)
    yield from does_not_matter(standing, importance)
    yield from cannot_tell_apart(standing)


def _advised(sweep: Sweep, finding: Finding, folder: SweepFolder | None) -> Advice | None:
    if not finding.overrides:
        return Advice(finding.rule, finding.text, "", [])
    found = command_of(sweep, finding, folder)
    if found is None:
        rest = finding.without_command
        return Advice(finding.rule, f"{finding.text} {rest}", "", []) if rest else None
    command, overrides = found
    return Advice(finding.rule, f"{finding.text} {finding.way}:", command, list(overrides))
