"""Importance on this machine's disk: quick the second time, never wrong, and never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.analysis.searches import MNIST, UNITS, mnist_error, searched
from tuner.analysis import importance, importance_cache
from tuner.analysis.importance_values import Importance, Unknown
from tuner.sweep import events as ev


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tuner" / "importance"


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be weighed."""
    monkeypatch.setattr(importance, "weigh", lambda trials: pytest.fail("was weighed again"))


def test_what_is_kept_is_what_was_found(cache: Path, request: pytest.FixtureRequest) -> None:
    sweep = searched(MNIST, mnist_error, noise=0.01)
    assert importance_cache.known(sweep) is None
    found = importance_cache.weighed(sweep)
    assert isinstance(found, Importance) and found == importance.weighed(sweep)
    request.getfixturevalue("never")
    assert importance_cache.weighed(sweep) == found == importance_cache.known(sweep)
    assert cache.stat().st_mode & 0o777 == 0o700 and len(list(cache.iterdir())) == 1


def test_what_changes_no_result_is_no_reason_to_weigh_again(request: pytest.FixtureRequest) -> None:
    sweep = searched(MNIST, mnist_error, noise=0.01)
    found = importance_cache.weighed(sweep)
    request.getfixturevalue("never")
    sweep.apply(ev.SweepEnded(reason="all trials"))
    assert importance_cache.weighed(sweep) == found == importance_cache.known(sweep)
    sweep.apply(ev.TrialSuggested(trial=64, params=sweep.trials[0].params, origin="tpe"))
    assert importance_cache.known(sweep) is None
    assert importance_cache.weighed(sweep) == found == importance_cache.known(sweep)


def test_new_results_are_weighed(cache: Path) -> None:
    first = importance_cache.weighed(searched(UNITS, lambda p: p["x1"], 30))  # type: ignore[arg-type, return-value]
    other = searched(UNITS, lambda p: p["x2"], 30)  # type: ignore[arg-type, return-value]
    second = importance_cache.weighed(other)
    assert isinstance(first, Importance) and isinstance(second, Importance)
    assert (next(iter(first.parameters)), next(iter(second.parameters))) == ("x1", "x2")
    assert len(list(cache.iterdir())) == 1


def test_why_nothing_is_told_is_kept_too(cache: Path, request: pytest.FixtureRequest) -> None:
    assert isinstance(importance_cache.weighed(searched(UNITS, lambda p: 0.5, 9)), Unknown) and not cache.exists()
    sweep = searched(UNITS, lambda p: 0.5, 30)
    found = importance_cache.weighed(sweep)
    request.getfixturevalue("never")
    assert importance_cache.weighed(sweep) == found == Unknown("cannot tell: all trials came to the same value", 30)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1, "importance": {}}', '{"version": 0}'])
def test_what_is_damaged_or_of_another_version_counts_for_nothing(cache: Path, damage: str) -> None:
    sweep = searched(UNITS, lambda p: 0.5, 30)
    found = importance_cache.weighed(sweep)
    (path,) = cache.iterdir()
    results = json.loads(path.read_text())["results"]
    path.write_text(damage.replace('{"version"', json.dumps({"results": results})[:-1] + ', "version"'))
    assert importance_cache.known(sweep) is None and importance_cache.weighed(sweep) == found == importance_cache.known(
        sweep
    )


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    sweep = searched(UNITS, lambda p: 0.5, 30)
    assert isinstance(importance_cache.weighed(sweep), Unknown) and importance_cache.known(sweep) is None


def test_a_cache_folder_that_cannot_be_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "tuner").write_text("a file")
    sweep = searched(UNITS, lambda p: 0.5, 30)
    assert isinstance(importance_cache.weighed(sweep), Unknown) and importance_cache.known(sweep) is None


def test_the_oldest_files_are_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance_cache, "_FILES_MAX", 2)
    for seed in range(5):
        importance_cache.weighed(searched(UNITS, lambda p: 0.5, 30, seed=seed))
    assert len(list(cache.glob("*.json"))) <= 3
