"""Advice on a stored sweep, whose commands name its folder."""

from __future__ import annotations

from tuner.analysis.advice import Advice, advice
from tuner.analysis.importance_cache import weighed
from tuner.analysis.importance_values import Importance, Unknown
from tuner.storage import SweepFolder
from tuner.sweep import Sweep


def advised(folder: SweepFolder, sweep: Sweep, importance: Importance | Unknown | None = None) -> list[Advice]:
    """What to do next, the most useful first.

    Args:
        importance: what matters, where the caller knows it; else it is weighed here.
    """
    return advice(sweep, weighed(sweep) if importance is None else importance, folder)
