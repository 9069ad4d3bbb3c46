"""The version of the policy. A journal names it for each of its drivers."""

from __future__ import annotations

VERSION = 1
"""Raise it whenever the same history would lead to another suggestion, decision or reason than before. Then `verify`
does not recompute what earlier versions decided, and `explain` says which version decided."""

_UNNAMED = 0


def version_of(policy: int) -> int:
    """The version that a journal's `policy` field stands for.

    Journals from before the field existed hold 0. Their policies decided as version 1 does, except in early
    development, where some decisions differ. `verify` reports these, with a note that the journal names no version.
    """
    return 1 if policy == _UNNAMED else policy
