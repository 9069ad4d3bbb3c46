"""The version of the policy, which a journal names for each of its drivers."""

from __future__ import annotations

VERSION = 1
"""Raise it whenever the same history would get another suggestion or another decision than before, be it in its reason
alone: `verify` then leaves what earlier versions decided, and `explain` says that they did."""

_UNNAMED = 0


def version_of(policy: int) -> int:
    """The version that a journal's field means.

    Journals from before the field hold 0. The policies that wrote them decided as version 1 does, except in early
    development, whose journals differ in some decisions: these are reported, with a note that the journal names none.
    """
    return 1 if policy == _UNNAMED else policy
