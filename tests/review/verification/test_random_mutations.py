"""Any single change of a sound journal is told, or harmless for a reason that is stated here."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.review.verification.made import Made, make
from tuner.sweep import events as ev

SEEDS = 6

UNUSED = "nothing in a history follows from it"
NEWER = "the attempt may have gone on from a newer checkpoint, whose event was not written any more"
RETRIED = "one failure more or less, or another one, decides nothing while retries are left"
GONE = "the checkpoint is not needed any more"
EARLY = "an attempt may fail before it is told to have started"

CLAIMED = "decisions of another version of the policy are not computed again, which is noted"

HARMLESS: dict[type[Any], dict[str, str]] = {
    ev.SweepStarted: dict.fromkeys(
        ("at", "versions", "seed", "sweep_id", "root_id", "url", "copied_from", "learned", "script"), UNUSED
    )
    | dict.fromkeys(("work_folder", "started_by", "git", "names"), UNUSED)
    | {"policy": CLAIMED, "script": UNUSED},
    ev.SlotsChanged: {"at": UNUSED, "slots": UNUSED, "": UNUSED},
    ev.SweepResumed: dict.fromkeys(("at", "root_id", "url", "learned", "git", ""), UNUSED) | {"policy": CLAIMED},
    ev.SweepEnded: {"at": UNUSED, "reason": UNUSED},
    ev.TrialSuggested: {"at": UNUSED},
    ev.TrialStarted: {"at": UNUSED, "node": UNUSED, "pid": UNUSED, "gpus": UNUSED, "epoch": NEWER, "": EARLY}
    | {"passed_over": UNUSED, "used": UNUSED, "jit_compile": UNUSED, "gpu_names": UNUSED, "examples": UNUSED},
    ev.AttemptFailed: {"at": UNUSED} | dict.fromkeys(("", "trial", "cause", "reason", "counts"), RETRIED),
    ev.CheckpointSaved: {"at": UNUSED, "write_s": UNUSED}
    | dict.fromkeys(("", "epoch", "path", "best_epoch", "kind", "test"), GONE),
    ev.CheckpointsDeleted: {"at": UNUSED, "trial": GONE, "keeps_best": GONE, "": GONE},
}
"""By field; "" is the event as a whole, left out or repeated."""


@functools.cache
def _sound(seed: int) -> Made:
    return make(num_trials=18, seed=seed)


def other(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case None:  # of the one field that may be null, jit_compile
            return True
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value + 1.5
        case str():
            return {"continue": "stop", "stop": "continue", "full": "best", "best": "full"}.get(value, value + "x")
        case list():
            return [*value, "x"]
        case dict() if value:
            key = next(iter(value))
            return value | {key: 0.5 if value[key] is None else other(value[key])}
        case dict():
            return {"x": 1.0}
    raise AssertionError(value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, SEEDS - 1), data=st.data())
def test_a_single_change_is_told_or_harmless_for_a_reason(seed: int, data: st.DataObject) -> None:
    made = _sound(seed).copy()
    index = data.draw(st.integers(0, len(made.events) - 1), "index")
    event = made.events[index]
    fields = [name for name in event.__struct_fields__ if name not in ("spec", "changes")]
    change = data.draw(st.sampled_from(["", "delete", "repeat", *fields]), "change")
    if change in ("", "delete"):
        del made.events[index]
    elif change == "repeat":
        made.events.insert(index, event)
    else:
        made.events[index] = msgspec.structs.replace(event, **{change: other(getattr(event, change))})
    if change in ("delete", "repeat"):
        made.events = [msgspec.structs.replace(event, seq=seq) for seq, event in enumerate(made.events)]
    told = made.verify()
    if not told:
        last = change == "" and index == len(made.events)
        reason = HARMLESS.get(type(event), {}).get("" if change in ("delete", "repeat") else change, "")
        assert last or reason, f"{change or 'a gap'}: {event}"
        if reason == GONE and change != "repeat":
            needed = {saved.path for saved in _needed(_sound(seed))}
            assert getattr(event, "path", None) not in needed
    if change in ("seq", "") and index < len(made.events) - 1:
        assert told


def _needed(made: Made) -> list[ev.CheckpointSaved]:
    return [e for e in made.events if isinstance(e, ev.CheckpointSaved) and e.path in made.files]


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, SEEDS - 1), cut=st.integers(1, 400))
def test_what_was_acknowledged_and_is_gone_is_lost(seed: int, cut: int) -> None:
    """A history that was cut and then went on otherwise, as a journal on a disk that lied would."""
    made = _sound(seed).copy()
    made.acknowledged = list(made.events)
    made.events = made.events[: max(1, len(made.events) - cut)]
    lost = [finding for finding in made.verify() if finding.invariant == "events" and finding.kind == "lost"]
    assert sum(finding.times for finding in lost) == len(made.acknowledged) - len(made.events)
