"""The plan, without MLflow: what each event says about each run."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import msgspec
import pytest

from tuner.inspection.provenance.code import collect, digest_of
from tuner.recording.names import changed_key, metric_key
from tuner.recording.plan import PARENT, NewRun, Planner, Row, RunKey, RunOf, RunUpdate
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Story

START_MS = 1_700_000_000_000


def planned(story: Story) -> dict[RunKey, RunUpdate]:
    """What the newest event adds to all before it."""
    planner = Planner()
    planner.skip(story.events[:-1])
    return planner.plan(story.events[-1:])


def test_a_sweep_is_a_run_with_its_spec(story: Story) -> None:
    update = planned(story)[PARENT]
    assert update.new is not None
    assert (update.new.name, update.new.start_ms) == ("s", START_MS)
    assert update.new.tags["tuner.sweep_id"] == "id-s"
    assert "Trainable: digits" in str(update.new.tags["mlflow.note.content"])
    assert "num_trials: 4" in update.texts["spec.yaml"]


def test_a_suggested_trial_is_a_run_with_the_same_params_as_all_others(story: Story) -> None:
    story.add(ev.TrialSuggested(trial=3, params={"learning_rate": 1e-5, "batch_size": 32, "units": 128}, origin="tpe"))
    assert planned(story) == {
        3: RunUpdate(
            new=NewRun(
                "trial 3 · lr 0.00001 · batch 32",
                START_MS + 1000,
                {
                    "tuner.sweep": "s",
                    "tuner.sweep_id": "id-s",
                    "mlflow.source.name": "digits",
                    "mlflow.source.type": "LOCAL",
                    "tuner.trial": "3",
                    "mlflow.parentRunId": RunOf(PARENT),
                },
            ),
            params={
                "learning_rate": "0.00001",
                "schedule": "inactive",
                "decay_rate": "inactive",
                "batch_size": "32",
                "epochs": "inactive",
                "units": "128",
            },
        )
    }


def test_an_epoch_is_a_row_a_metric_and_moves_the_best(story: Story) -> None:
    story.suggest(0)
    story.epoch(0, 1, 0.5)
    at_ms = START_MS + 3000
    assert planned(story) == {
        0: RunUpdate(
            rows=[Row("loss", 0.5, at_ms, 1), Row("val_accuracy", 0.5, at_ms, 1), Row("epoch_s", 0.5, at_ms, 1)]
        ),
        PARENT: RunUpdate(rows=[Row("best_val_accuracy", 0.5, at_ms, 1), Row("best_epoch", 1, at_ms, 1)]),
    }


def test_an_epoch_that_is_no_better_leaves_the_parent_alone(story: Story) -> None:
    story.suggest(0)
    story.epoch(0, 1, 0.5)
    story.epoch(0, 2, 0.4)
    assert PARENT not in planned(story)


def test_null_is_recorded_as_nan(story: Story) -> None:
    story.suggest(0)
    story.epoch(0, 1, None)
    rows = planned(story)[0].rows
    assert [(row.key, math.isnan(row.value)) for row in rows[:2]] == [("loss", True), ("val_accuracy", True)]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("completed", "FINISHED"),
        ("stopped", "FINISHED"),
        ("plateaued", "FINISHED"),
        ("infeasible", "KILLED"),
        ("diverged", "FAILED"),
        ("failed", "FAILED"),
        ("out_of_memory", "FAILED"),
        ("cancelled", "KILLED"),
    ],
)
def test_an_ended_trial_has_a_status_and_its_figures(story: Story, outcome: str, status: str) -> None:
    story.suggest(0)
    story.epoch(0, 1, 0.5)
    story.epoch(0, 2, 0.25)
    story.add(ev.CheckpointSaved(trial=0, epoch=2, path="p", best_epoch=1, test={"accuracy": 0.375}))
    story.end(0, outcome, "why")
    update = planned(story)[0]
    assert (update.status, update.end_ms) == (status, START_MS + 6000)
    assert update.tags == {"tuner.outcome": outcome, "tuner.reason": "why"}
    assert {row.key: row.value for row in update.rows} == {
        "best_val_accuracy": 0.5,
        "best_epoch": 1,
        "epochs_trained": 2,
        "training_s": 1.0,
        "test_accuracy": 0.375,
    }


def test_a_trial_that_never_ran_has_no_best(story: Story) -> None:
    story.suggest(0)
    story.end(0, "failed")
    assert {row.key: row.value for row in planned(story)[0].rows} == {"epochs_trained": 0, "training_s": 0}


def test_a_best_trial_that_diverges_hands_the_parent_back_to_the_next(story: Story) -> None:
    story.trial(0, [0.5])
    story.suggest(1)
    story.epoch(1, 1, 0.75)
    story.end(1, "diverged")
    assert [row.value for row in planned(story)[PARENT].rows] == [0.5, 1]


def test_a_late_checkpoint_brings_the_test_metrics(story: Story) -> None:
    story.trial(0, [0.5])
    saved = ev.CheckpointSaved(trial=0, epoch=1, path="p", best_epoch=1, test={"test_accuracy": 0.25})
    story.add(saved)
    assert [(row.key, row.value) for row in planned(story)[0].rows] == [("test_accuracy", 0.25)]
    story.add(ev.CheckpointsDeleted(trial=0), msgspec.structs.replace(saved, kind="best", path="q"))
    assert 0 not in planned(story), "a row more"


def test_why_a_sweep_ended_stands_in_its_note(story: Story) -> None:
    story.trial(0, [0.5])
    story.add(ev.SweepEnded(reason="no improvement for 9 trials", state="stopped"))
    note = str(planned(story)[PARENT].tags["mlflow.note.content"])
    assert "State: stopped. no improvement for 9 trials" in note


def test_what_is_no_news_to_mlflow_makes_no_update(story: Story) -> None:
    story.trial(0, [0.5])
    story.suggest(1)
    story.add(ev.AttemptFailed(trial=1, attempt=1, cause="node", reason="its machine went away", counts=False))
    assert planned(story) == {}
    story.add(ev.CheckpointsDeleted(trial=0, keeps_best=True))
    assert planned(story) == {}


def test_an_interrupted_sweep_leaves_nothing_running_and_a_resumed_one_goes_on(story: Story) -> None:
    story.trial(0, [0.5])
    story.suggest(1)
    story.add(ev.SweepInterruptedEvent(reason="Ctrl-C"))
    killed = planned(story)
    assert {run: update.status for run, update in killed.items()} == {PARENT: "KILLED", 1: "KILLED"}
    assert list(killed[PARENT].texts) == ["spec.yaml"]  # the report is of a sweep that has ended
    assert killed[1].end_ms == killed[PARENT].end_ms == START_MS + 7000
    story.add(ev.SweepResumed(changes={"num_trials": 9}))
    resumed = planned(story)
    assert {run: update.status for run, update in resumed.items()} == {PARENT: "RUNNING", 1: "RUNNING"}
    assert resumed[1].end_ms is None
    assert "num_trials: 9" in resumed[PARENT].texts["spec.yaml"]


def test_of_several_states_at_once_the_newest_counts(story: Story) -> None:
    story.suggest(0)
    story.add(ev.SweepInterruptedEvent(reason="Ctrl-C"), ev.SweepResumed(changes={}))
    story.end(0, "cancelled")
    updates = Planner().plan(story.events)
    assert (updates[PARENT].status, updates[PARENT].end_ms) == ("RUNNING", None)
    assert updates[0].status == "KILLED"


@pytest.mark.parametrize(
    ("state", "values", "status"),
    [
        ("finished", [0.5], "FINISHED"),
        ("paused", [0.5], "KILLED"),
        ("stopped", [0.5], "FINISHED"),
        ("stopped", [None], "FAILED"),
    ],
)
def test_the_end_of_a_sweep(story: Story, state: str, values: list[float | None], status: str) -> None:
    story.trial(0, values, "completed" if values[0] else "diverged")
    story.suggest(1)
    story.add(ev.SweepEnded(reason="all done", state=state))
    updates = planned(story)
    assert updates[PARENT].status == status
    assert updates[1].status == "KILLED"


def test_at_the_end_the_parent_carries_the_best_trial(story: Story) -> None:
    story.trial(0, [0.5])
    story.trial(1, [0.75])
    story.add(ev.CheckpointSaved(trial=1, epoch=1, path="p", best_epoch=1, test={"accuracy": 0.625}))
    story.add(ev.SweepEnded(reason="all done"))
    parent = planned(story)[PARENT]
    assert parent.tags["tuner.best_trial"] == "1"
    assert parent.tags["tuner.best_run_id"] == RunOf(1)
    assert parent.tags["tuner.best.learning_rate"] == "0.001"
    assert parent.tags["tuner.best.decay_rate"] == "inactive"
    assert "val_accuracy 0.7500 in trial 1, epoch 1" in str(parent.tags["mlflow.note.content"])
    assert [(row.key, row.value, row.step) for row in parent.rows] == [("test_accuracy", 0.625, 2)]


def test_a_metric_of_the_users_is_not_mixed_with_one_of_ours(story: Story) -> None:
    story.suggest(0)
    mine = {"val_accuracy": 0.5, "best_val_accuracy": 0.75, "best_epoch": 9.0, "epochs_trained": 9.0, "training_s": 9.0}
    metrics: ev.Metrics = mine | {"test_accuracy": 0.25}
    story.add(ev.EpochReported(trial=0, attempt=1, epoch=1, metrics=metrics, epoch_s=0.5, decision="stop", reason=""))
    story.add(ev.CheckpointSaved(trial=0, epoch=1, path="p", best_epoch=1, test={"test_accuracy": 0.125}))
    story.end(0, "completed")
    rows = Planner().plan(story.events)[0].rows
    values = {(row.key, row.step): row.value for row in rows}
    assert len(values) == len({row.key for row in rows}) == len(rows) == 11
    ours = {"best_val_accuracy": 0.5, "best_epoch": 1, "epochs_trained": 1, "training_s": 0.5, "test_accuracy": 0.125}
    assert ours.items() <= {key: value for (key, step), value in values.items() if step == 0}.items()
    assert [values[metric_key(name), 1] for name in metrics] == list(metrics.values())


def test_which_key_stands_for_which_name_is_told_whenever_that_is_news(story: Story) -> None:
    story.suggest(0, **{"units%": 4})
    assert json.loads(str(Planner().plan(story.events)[PARENT].texts["names.json"]))["params"] == {
        changed_key("units%"): "units%"
    }
    story.epoch(0, 1, 0.5)
    assert planned(story)[PARENT].texts == {}
    story.add(msgspec.structs.replace(story.events[-1], epoch=2, metrics={"top@5": 0.5}))  # type: ignore[call-arg]
    assert list(planned(story)[PARENT].texts) == ["names.json"]
    for event in (ev.SweepInterruptedEvent(reason="Ctrl-C"), ev.SweepResumed(changes={})):
        story.add(event)
        parent = planned(story)[PARENT]
        assert list(parent.texts) == ["spec.yaml", "names.json"]
        assert "names.json maps" in str(parent.tags["mlflow.note.content"])


def test_ordinary_names_need_no_word(story: Story) -> None:
    story.trial(0, [0.5])
    story.add(ev.SweepEnded(reason="all done"))
    parent = Planner().plan(story.events)[PARENT]
    assert list(parent.texts) == ["spec.yaml", "report.html"]
    assert "names.json" not in str(parent.tags["mlflow.note.content"])


@pytest.mark.parametrize("cut", range(1, 12))
def test_slices_say_the_same_as_the_whole(story: Story, cut: int) -> None:
    story.trial(0, [0.5, 0.25])
    story.trial(1, [0.75, None], "diverged")
    story.add(ev.SweepEnded(reason="all done"))
    whole = Planner().plan(story.events)
    planner = Planner()
    slices = [planner.plan(story.events[:cut]), planner.plan(story.events[cut:])]
    resumed = Planner()
    resumed.skip(story.events[:cut])
    again = resumed.plan(story.events[cut:])
    for part in (again[PARENT], slices[1][PARENT]):
        assert callable(part.texts.pop("report.html"))  # is written when it is sent
    assert again == slices[1]
    for run, update in whole.items():
        assert [row for part in slices if run in part for row in part[run].rows] == update.rows


def test_code_that_was_kept_is_an_artifact_of_the_sweep_now_and_at_the_end(story: Story) -> None:
    code = collect("digits")
    assert code is not None
    other = dict(code.manifest, digest=digest_of({}), files={})  # as no folder has it
    story.events[0] = msgspec.structs.replace(story.events[0], code=code.manifest)
    story.add(ev.SweepResumed(changes={}, code=other))
    planner = Planner(lambda manifest, name: f"{name} of {manifest['digest'][:4]}")
    started = planner.plan(story.events[:1])[PARENT].texts
    name = f"code/{code.manifest['digest'][:12]}/digits.py"
    text = started[name]
    assert callable(text) and text() == f"digits.py of {code.manifest['digest'][:4]}"
    assert not any(key.startswith("code/") for key in planner.plan(story.events[1:])[PARENT].texts)
    story.add(ev.SweepEnded(reason="all trials ended"))
    assert name in planner.plan(story.events[-1:])[PARENT].texts
