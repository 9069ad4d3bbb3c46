"""Limits of the shell under which Ray does not start are told by their names, before it is tried."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any

import pytest

from tuner.backend import limits
from tuner.backend.limits import BESIDE_THE_STORE_BYTES, GI, check_limits, limits_hint
from tuner.base.errors import UsageError

UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the shell allows; of nothing else there is a limit."""
    monkeypatch.setattr(limits, "_store_bytes", lambda: 7 * GI)
    monkeypatch.setattr(limits, "_threads", lambda: 30)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def limited(**to: int | tuple[int, int]) -> None:
        numbers = {
            getattr(resource, name): pair if isinstance(pair, tuple) else (pair, pair) for name, pair in to.items()
        }
        monkeypatch.setattr(resource, "getrlimit", lambda number: numbers.get(number, (UNLIMITED, UNLIMITED)))

    limited()
    return limited


@pytest.mark.parametrize(
    ("name", "limit", "said"),
    [
        ("RLIMIT_AS", 2 * GI, "RLIMIT_AS (ulimit -v) must be at least 10 GiB, but is 2 GiB"),
        ("RLIMIT_AS", 9 * GI, "RLIMIT_AS (ulimit -v) must be at least 10 GiB, but is 9 GiB"),
        ("RLIMIT_FSIZE", 10 << 20, "RLIMIT_FSIZE (ulimit -f) must be at least 7 GiB, but is 0.00977 GiB"),
        ("RLIMIT_NOFILE", (32, 48), "RLIMIT_NOFILE (ulimit -n) must be at least 64 files, but is 48 files"),
        (
            "RLIMIT_NPROC",
            120,
            "RLIMIT_NPROC (ulimit -u) must be at least 200 threads, but is 120, of which 30 are in use",
        ),
    ],
)
def test_a_limit_that_is_too_small_is_named_with_what_is_needed(
    shell: Any, name: str, limit: int | tuple[int, int], said: str
) -> None:
    shell(**{name: limit})
    with pytest.raises(UsageError) as refused:
        check_limits()
    assert str(refused.value) == f"Ray cannot start on this machine: {said}"


def test_all_of_them_are_told_together(shell: Any) -> None:
    shell(RLIMIT_AS=GI, RLIMIT_NOFILE=16)
    with pytest.raises(UsageError, match=r"RLIMIT_AS .*; RLIMIT_NOFILE "):
        check_limits()


@pytest.mark.parametrize(
    "enough",
    [{}, {"RLIMIT_AS": 7 * GI + BESIDE_THE_STORE_BYTES}, {"RLIMIT_NOFILE": (16, 4096)}, {"RLIMIT_NPROC": 200}],
)
def test_limits_that_may_do_are_left_alone(shell: Any, enough: dict[str, Any]) -> None:
    shell(**enough)
    check_limits()


def test_root_has_no_limit_of_threads(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    shell(RLIMIT_NPROC=1)
    check_limits()


def test_a_failure_s_words_name_what_is_set(shell: Any) -> None:
    assert limits_hint() == ""
    shell(RLIMIT_AS=12 * GI, RLIMIT_NOFILE=256, RLIMIT_NPROC=63000, RLIMIT_CPU=60)
    assert limits_hint() == (
        ". Limits of this shell, of which one may be the reason: RLIMIT_AS (ulimit -v) 12 GiB,"
        " RLIMIT_NOFILE (ulimit -n) 256 files, RLIMIT_CPU (ulimit -t) 60 s"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("option", "name"), [("-v 4194304", "RLIMIT_AS"), ("-n 48", "RLIMIT_NOFILE")])
def test_real_limits_are_met_before_ray_starts(option: str, name: str) -> None:
    code = "from tuner.backend.limits import check_limits; check_limits()"
    script = f'ulimit {option}; exec "$0" -c "{code}"'
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True)
    assert f"UsageError: Ray cannot start on this machine: {name} " in done.stderr
