"""A journal of an earlier version, which is kept for good: it is read, shown, explained, verified and gone on with.

`data/old` is a real sweep of the digits from before journals named the policy's version: 12 trials of 16 had ended and
one was under way when it was interrupted. It belongs to no storage root, and nothing is known of its code and data.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.test_commands import tuner
from tests.simulation import SimulatedCluster, accuracy
from tuner.engine.coordinator import Coordinator
from tuner.engine.replay import recompute
from tuner.policy import VERSION
from tuner.policy import version as policy_version
from tuner.review.explain import explain
from tuner.review.status import open_sweep
from tuner.review.verification import verify_sweep
from tuner.spec import spec_from_mapping
from tuner.storage import SweepFolder
from tuner.storage.journal import Journal, read_events
from tuner.sweep import events as ev
from tuner.sweep import fold

OLD = Path(__file__).parent / "data" / "old"
NUM_DECISIONS = 44
"""13 suggestions, and one decision after each of 31 epochs."""
OUTCOMES = {"completed": 2, "stopped": 10, "unfinished": 1}


@pytest.fixture
def old(tmp_path: Path) -> SweepFolder:
    """A copy of the sweep in a storage root of the test's."""
    shutil.copytree(OLD, tmp_path / "old")
    return SweepFolder(tmp_path / "old")


@pytest.fixture
def newer_policy(monkeypatch: pytest.MonkeyPatch) -> int:
    """This version's number is a higher one, as once the policy has changed."""
    for name in (
        "tuner.review.verification.decisions.VERSION",
        "tuner.policy.version.VERSION",
        "tuner.policy.VERSION",
    ):
        monkeypatch.setattr(name, VERSION + 1)
    monkeypatch.setattr("tuner.policy.version._BEFORE_EARLIER", -1)  # as if it decided otherwise than all before
    return VERSION + 1


def command(old: SweepFolder, *arguments: str, exit_code: int = 0) -> Any:
    return json.loads(tuner(*arguments, "--json", "--storage", old.root.url, exit_code=exit_code).stdout)


def gone_on_with(old: SweepFolder) -> Journal:
    """Brought to its end by pretended workers."""
    journal = Journal(old)
    journal.append(ev.SweepResumed(changes={}, policy=policy_version.VERSION))
    coordinator = Coordinator(spec_from_mapping(journal.sweep.spec), journal, log=lambda line: None)
    assert SimulatedCluster(coordinator, accuracy, slots=2).run()
    coordinator.close()
    journal.close()
    return journal


def test_it_is_what_an_earlier_version_wrote() -> None:
    events = read_events(SweepFolder(OLD))
    assert b'"policy"' not in (OLD / "journal.jsonl").read_bytes()
    assert isinstance(events[0], ev.SweepStarted) and (events[0].policy, events[0].root_id) == (0, "")
    assert isinstance(events[-1], ev.SweepInterruptedEvent)
    origins = {event.origin for event in events if isinstance(event, ev.TrialSuggested)}
    assert origins == {"random", "broad", "tpe"}
    assert sum(path.stat().st_size for path in OLD.rglob("*") if path.is_file()) < 50_000


def test_it_is_folded_and_every_decision_of_it_recomputed(old: SweepFolder) -> None:
    _, sweep = open_sweep(old.root, "old")
    assert {name: count for name, count in sweep.outcomes().items() if count} == OUTCOMES
    found = recompute(read_events(old))
    assert (found.wrong, found.num, found.left) == ([], NUM_DECISIONS, {})
    verified = verify_sweep(old, mlflow=False)
    assert verified.ok and verified.notes == [] and verified.counts["checkpoints"] == 1


def test_commands_read_it(old: SweepFolder) -> None:
    shown = command(old, "show", "old")
    assert (shown["state"], shown["num_trials"], shown["best"]["trial"]) == ("interrupted", 16, 3)
    rows = command(old, "trials", "old")
    assert len(rows) == 13 and [row["trial"] for row in rows if row["outcome"] == "unfinished"] == [12]
    explained = [command(old, "explain", "old", str(row["trial"])) for row in rows]
    assert {row["suggestion"]["origin"] for row in explained} == {"random", "broad", "tpe"}
    assert not any("policies" in row for row in explained), "which is said only of others"
    assert "decided by" not in tuner("explain", "old", "3", "--storage", old.root.url).stdout


def test_it_is_gone_on_with_to_its_end(old: SweepFolder) -> None:
    events = gone_on_with(old).events
    sweep = fold(events)
    assert len(sweep.trials) == 16 and sweep.ended is not None and sweep.outcomes()["unfinished"] == 0
    assert events[:81] == read_events(SweepFolder(OLD))
    verified = verify_sweep(old, mlflow=False, checkpoints=False)
    assert verified.ok and verified.notes == [] and verified.counts["decisions"] > NUM_DECISIONS


def test_a_changed_decision_is_told_with_what_may_be_the_reason(old: SweepFolder) -> None:
    text = old.journal.read_text()
    assert '"place 2 of ' in text
    old.journal.write_text(text.replace('"place 2 of ', '"place 9 of ', 1))
    verified = verify_sweep(old, mlflow=False)
    assert not verified.ok and {finding.invariant for finding in verified.findings} == {"decisions"}
    [note] = verified.notes
    assert "before journals named the policy's version" in note


def test_a_later_policy_leaves_what_it_decided_and_says_so(old: SweepFolder, newer_policy: int) -> None:
    verified = verify_sweep(old, mlflow=False)
    assert verified.ok and verified.counts["decisions_not_recomputed"] == NUM_DECISIONS
    assert f"{NUM_DECISIONS} decisions by version 1 of the policy cannot be recomputed" in verified.skipped["decisions"]
    said = tuner("verify", "old", "--storage", old.root.url, exit_code=4).stdout  # nothing of it is in MLflow here
    assert "decisions: skipped, as 44 decisions by version 1" in said and "44 decisions not recomputed" in said
    text = tuner("explain", "old", "5", "--storage", old.root.url).stdout
    assert "decided by" in text and f"version 1 of the policy; this is version {newer_policy}" in " ".join(text.split())
    assert command(old, "explain", "old", "5")["policies"] == [1]


def test_a_later_policy_goes_on_with_it_and_is_judged_from_there(
    old: SweepFolder, newer_policy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a later version that happens to decide as this one does, each decision after the resume is recomputed."""
    monkeypatch.setattr(policy_version, "VERSION", newer_policy)
    events = gone_on_with(old).events
    verified = verify_sweep(old, mlflow=False, checkpoints=False)
    assert verified.ok and verified.skipped == {"mlflow": "not asked for", "checkpoints": "not asked for"}
    assert verified.counts["decisions_not_recomputed"] == NUM_DECISIONS and verified.counts["decisions"] > 3
    [note] = verified.notes
    assert note.startswith(f"decisions: {NUM_DECISIONS} decisions by version 1 of the policy")
    assert explain(events, 12).policies == (1, newer_policy) and explain(events, 15).policies == (newer_policy,)
    said = tuner("verify", "old", "--storage", old.root.url, exit_code=4).stdout
    assert "holds in part" in said and "note: decisions: 44 decisions by version 1" in said
    at = next(at for at, event in enumerate(events) if isinstance(event, ev.TrialSuggested) and event.trial == 14)
    events[at] = msgspec.structs.replace(events[at], origin="grid")
    assert len(recompute(events).wrong) == 1
