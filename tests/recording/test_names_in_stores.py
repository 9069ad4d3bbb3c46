"""Nasty names and values in real stores: each value is read back under its own key, and `verify` agrees."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.recording.nasty import NASTY
from tests.review.verification.made import check_runs_alone
from tests.servers import MlflowServer, Postgres
from tuner.base.words import Params
from tuner.recording import read_cursor, record
from tuner.recording.earlier import read_earlier_runs
from tuner.recording.names import Names, best_key, changed_key, earlier_key
from tuner.recording.reading import RecordedRun, read_runs
from tuner.recording.recorder import Recorder
from tuner.recording.target import Target
from tuner.recording.values import param_text
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import read_events
from tuner.sweep import events as ev
from tuner.sweep import fold

if TYPE_CHECKING:
    from conftest import Story

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LONG = ["c" * 7000 + end for end in "ab"] + ["nul\0", "nul\ufffd"]
OBJECTIVE = "top@5"


@pytest.fixture(params=["sqlite", "postgresql", "server"])
def uri(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        database = tmp_path / "nasty.db"
        if request.param == "postgresql":
            Postgres.require()
            yield stack.enter_context(Postgres()).uri
        else:
            shutil.copy(empty_database, database)
            sqlite = f"sqlite:///{database}"
            is_file = request.param == "sqlite"
            yield sqlite if is_file else stack.enter_context(MlflowServer(sqlite, tmp_path)).url


def nasty_story(new_story: type[Story], folder: SweepFolder, uri: str | None) -> Story:
    """A sweep of two trials with every nasty name as a metric, a metric of the test and a parameter."""
    space = {name: {"choices": [1, 2]} for name in NASTY} | {"long": {"choices": LONG}}
    story = new_story(
        folder,
        space=space,
        objective={"metric": OBJECTIVE, "mode": "max"},
        tracking={"uri": uri, "experiment": "nasty"},
    )
    for trial in (0, 1):
        params: Params = {name: 100 * trial + at for at, name in enumerate(NASTY)}
        story.add(ev.TrialSuggested(trial=trial, params={**params, "epochs": 2, "long": LONG[trial]}, origin="tpe"))
        story.add(ev.TrialStarted(trial=trial, attempt=1, node="here", pid=1, gpus=[]))
        for number in (1, 2):
            story.add(nasty_epoch(trial, number))
        test: ev.Metrics = {f"test_{name}": at + 0.75 for at, name in enumerate(NASTY)}
        story.add(ev.CheckpointSaved(trial=trial, epoch=2, path="p", best_epoch=2, kind="best", test=test))
        story.add(ev.TrialEnded(trial=trial, outcome="completed", reason="a NUL: \0"))
    return story


def nasty_epoch(trial: int, number: int) -> ev.EpochReported:
    metrics: ev.Metrics = {name: value_of(trial, number, at) for at, name in enumerate(NASTY)}
    return ev.EpochReported(
        trial=trial, attempt=1, epoch=number, metrics=metrics, epoch_s=1, decision="continue", reason=""
    )


def value_of(trial: int, epoch: int, at: int) -> float | None:
    return None if at % 10 == 9 else at + epoch / 4 + trial / 8


def runs_of(folder: SweepFolder) -> list[RecordedRun]:
    sweep = fold(read_events(folder))
    return list(read_runs(Target.of(sweep.spec, folder), sweep.sweep_id))


def test_every_value_is_read_back_under_its_key(
    new_story: type[Story], uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = StorageRoot(tmp_path / "root")
    story = nasty_story(new_story, root.sweep("s"), uri)
    story.add(ev.SweepEnded(reason="all trials ended"))
    record(story.folder)
    assert not [line for line in caplog.messages if "refuse" in line]

    events = read_events(story.folder)
    sweep, names, (parent, *trials) = fold(events), Names.of(events), runs_of(story.folder)
    assert check_runs_alone(sweep, events, [parent, *trials]) == []
    for trial, run in enumerate(trials):
        rows = {(row.key, row.step): row.value for row in run.rows}
        for at, name in enumerate(NASTY):
            for epoch in (1, 2):
                value, kept = value_of(trial, epoch, at), rows.pop((names.metric(name), epoch))
                assert math.isnan(kept) if value is None else kept == value
            assert rows.pop((names.test(f"test_{name}"), 0)) == at + 0.75
            assert run.params[names.param(name)] == str(100 * trial + at)
            assert parent.tags[names.best_param(name)] == str(100 + at)
        assert rows.keys() == {(key, 0) for key in (best_key(OBJECTIVE), "best_epoch", "epochs_trained", "training_s")}
        assert run.params["long"] == param_text(LONG[trial])
    best_at = NASTY.index(OBJECTIVE)
    assert [run.values for run in read_earlier_runs(uri, "nasty", OBJECTIVE, 9)][-1] == (
        value_of(0, 1, best_at),
        value_of(0, 2, best_at),
    )


def test_people_are_told_which_key_stands_for_which_name(recorded: Story, new_story: type[Story]) -> None:
    story = nasty_story(new_story, recorded.folder.root.sweep("nasty"), None)
    recorder = Recorder(story.folder)
    recorder.read()
    while recorder.step():
        pass
    recorder.close()
    [written] = recorded.folder.root.artifacts.glob("*/artifacts/names.json")
    told = json.loads(written.read_text())
    names = Names.of(read_events(story.folder))
    assert told == names.changed()
    parent, *trials = runs_of(story.folder)
    assert "names.json maps its keys to the names" in parent.tags["mlflow.note.content"]
    for run in trials:
        for key in {row.key for row in run.rows if row.step} | run.params.keys() - {"long"}:
            metric, param = told["metrics"].get(key, key), told["params"].get(key, key)
            assert metric in NASTY or param in NASTY or param in ("learning_rate", "batch_size", "epochs")

    story.add(msgspec.structs.replace(nasty_epoch(0, 3), metrics={"new@": 1.0}))
    written.unlink()
    record(story.folder)
    assert json.loads(written.read_text())["metrics"][changed_key("new@")] == "new@"


def test_what_an_earlier_version_recorded_stays_and_is_recorded_anew(
    recorded: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics: ev.Metrics = {
        "acc@1": 0.5,
        "top@5": 0.125,
        "top_5": 0.25,
        "best_epoch": 9,
        "test_own": 3,
        "val_accuracy": 0.5,
    }

    def add_epoch(number: int) -> None:
        recorded.add(
            ev.EpochReported(
                trial=0, attempt=1, epoch=number, metrics=metrics, epoch_s=1, decision="continue", reason=""
            )
        )

    recorded.suggest(0, **{"units%": 4})
    add_epoch(1)
    with monkeypatch.context() as as_before:
        as_before.setattr("tuner.recording.plan.Names", EarlierNames)
        as_before.setattr("tuner.recording.recorder.VERSION", 0)
        record(recorded.folder)
    assert read_cursor(recorded.folder).names == 0

    def findings() -> list[str]:
        events = read_events(recorded.folder)
        return check_runs_alone(fold(events), events, runs_of(recorded.folder))

    told = findings()
    assert (
        "trial 0: 'acc@1' has the key 'acc_1', as an earlier version recorded it; `tuner record s` records it under"
        f" {changed_key('acc@1')!r}" in told
    )
    assert f"trial 0: param {changed_key('units%')} is missing" in told

    add_epoch(2)
    recorded.end(0, "completed")
    recorded.add(ev.SweepEnded(reason="all trials ended"))
    record(recorded.folder)
    _, run = runs_of(recorded.folder)
    assert {(row.step, row.value) for row in run.rows if row.key == changed_key("top@5")} == {(1, 0.125), (2, 0.125)}
    assert {row.step for row in run.rows if row.key == "acc_1"} == {1}
    assert run.params["units_"] == run.params[changed_key("units%")] == "4"
    assert findings() == [  # what lies alone under an old key does no harm
        "trial 0: key 'top_5' holds 'top@5' as well, which an earlier version recorded there",
        "trial 0: key 'best_epoch' holds 'best_epoch' as well, which an earlier version recorded there",
    ]


class EarlierNames(Names):
    """The rules as they were."""

    def metric(self, name: str) -> str:
        return earlier_key(name)

    def param(self, name: str) -> str:
        return earlier_key(name)
