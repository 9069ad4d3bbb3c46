"""Limits of the shell (`ulimit`, a batch system) under which Ray does not start."""

from __future__ import annotations


def check_limits() -> None:
    pass


def limits_hint() -> str:
    return ""
