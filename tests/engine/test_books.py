"""The journal of a running sweep, and what is kept in step with it."""

from __future__ import annotations

from pathlib import Path

from tests.simulation import make_spec, new_sweep
from tuner.engine.books import Books
from tuner.engine.endings import TrialEnd
from tuner.engine.messages import SavedCheckpoint
from tuner.engine.replay import replay
from tuner.sweep import Trial, fold
from tuner.sweep import events as ev


def opened(folder: Path) -> Books:
    spec = make_spec(checkpoints={"keep": 1})
    return Books(spec, new_sweep(folder, spec))


def trained(books: Books, value: float) -> Trial:
    """A new trial with one epoch, its best weights and a full checkpoint."""
    trial = books.suggest()
    assert trial is not None
    number, metrics = trial.number, {"val_accuracy": value}
    books.policy.tell(number, 1, value)
    epoch = ev.EpochReported(
        trial=number, attempt=1, epoch=1, metrics=metrics, epoch_s=1.0, decision="stop", reason="it is told to"
    )
    saved = [SavedCheckpoint(number, 1, f"checkpoints/{number}-{kind}", 1, kind) for kind in ("best", "full")]
    books.append(epoch, *(checkpoint.event for checkpoint in saved))
    return trial


def test_the_sweep_and_the_policy_follow_every_event(tmp_path: Path) -> None:
    books = opened(tmp_path)
    sweep = books.sweep
    for value in (0.5, 0.7):
        books.end(trained(books, value), TrialEnd("stopped", "why"))
    assert books.sweep is sweep and sweep.outcomes()["stopped"] == 2
    assert sweep.outcomes() == fold(books.journal.events).outcomes()
    again = replay(make_spec(checkpoints={"keep": 1}), books.journal.events)
    assert again.propose() == books.policy.propose()


def test_what_drops_out_is_deleted_in_the_journal_after_the_end_that_caused_it(tmp_path: Path) -> None:
    books = opened(tmp_path)
    first = trained(books, 0.5)
    books.end(first, TrialEnd("stopped", ""))
    second = trained(books, 0.7)
    books.end(second, TrialEnd("stopped", ""))
    assert first.checkpoints and second.checkpoints  # they go with the next write
    books.append(ev.SlotsChanged(slots=2))
    told = [
        (type(event), event.trial, getattr(event, "keeps_best", None))
        for event in books.journal.events
        if isinstance(event, ev.TrialEnded | ev.CheckpointsDeleted)
    ]
    assert told == [
        (ev.TrialEnded, first.number, None),
        (ev.CheckpointsDeleted, first.number, True),
        (ev.TrialEnded, second.number, None),
        (ev.CheckpointsDeleted, second.number, True),
        (ev.CheckpointsDeleted, first.number, False),
    ]
    assert [saved.kind for saved in second.checkpoints] == ["best"] and first.checkpoints == []


def test_a_late_checkpoint_counts_only_while_its_trial_is_unfinished(tmp_path: Path) -> None:
    books = opened(tmp_path)
    trial = trained(books, 0.5)
    late = SavedCheckpoint(trial.number, 1, "checkpoints/late", 1)
    books.take_late_checkpoint(late)
    assert trial.checkpoints[-1].path == "checkpoints/late"
    books.end(trial, TrialEnd("stopped", ""))
    num_events = len(books.journal.events)
    books.take_late_checkpoint(late)
    assert len(books.journal.events) == num_events
