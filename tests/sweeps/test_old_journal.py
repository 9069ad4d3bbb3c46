"""The journal of an earlier version that is kept in tests/storage/journal/data: resumed for real, to its end."""

from __future__ import annotations

import shutil

import pytest

from tests.storage.journal.test_old_journal import NUM_DECISIONS, OLD
from tests.sweeps.conftest import Cli, check_history
from tuner.policy import VERSION
from tuner.review.explain import explain
from tuner.storage import SweepFolder
from tuner.storage.journal import read_events
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def test_a_sweep_of_an_earlier_version_is_resumed_to_its_end(cli: Cli) -> None:
    shutil.copytree(OLD, f"{cli.root}/old")
    before = read_events(SweepFolder(OLD))
    cli("resume", "old")
    events = cli.events("old")
    assert events[: len(before)] == before
    [resumed] = [event for event in events if isinstance(event, ev.SweepResumed)]
    assert resumed.policy == VERSION and resumed.root_id and resumed.code["files"]
    sweep = check_history(cli.folder("old"))
    assert len(sweep.trials) == 16 and sweep.best is not None and sweep.best.best_value > 0.9
    verified = cli.json("verify", "old")
    assert verified["ok"] and verified["skipped"] == {} and verified["counts"]["decisions"] > NUM_DECISIONS
    explained = explain(events, 12)
    assert explained.policies == (1, VERSION) and explained.other_policies == ()  # they decide alike here
    assert cli.json("show", "old")["state"] == "finished"
