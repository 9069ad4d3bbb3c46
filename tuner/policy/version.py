"""The version of the policy. A journal names it for each of its drivers."""

from __future__ import annotations

VERSION = 2
"""Raise it whenever the same history would lead to another suggestion, decision or reason than before. Then `verify`
does not recompute what earlier versions decided, and `explain` says which version decided."""

_UNNAMED = 0
_BEFORE_EARLIER = 1
"""Until this version, earlier trials neither changed the draws nor were kept from being suggested again."""


def version_of(policy: int) -> int:
    """The version that a journal's `policy` field stands for.

    Journals from before the field existed hold 0. Their policies decided as version 1 does, except in early
    development, where some decisions differ. `verify` reports these, with a note that the journal names no version.
    """
    return 1 if policy == _UNNAMED else policy


def decides_alike(policy: int, knows_earlier: bool) -> bool:
    """Whether the policy that a journal's `policy` field names decides as this version does.

    Args:
        policy: the field, or the version that it stands for.
        knows_earlier: whether the sweep began with earlier trials, without which versions 1 and 2 are the same.
    """
    version = version_of(policy)
    return version == VERSION or (version == _BEFORE_EARLIER and not knows_earlier)
