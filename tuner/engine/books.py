"""The books of a running sweep: its journal, and in step with it the folded sweep, the policy and the checkpoints."""

from __future__ import annotations

from tuner.engine.endings import TrialEnd
from tuner.engine.messages import SavedCheckpoint
from tuner.engine.replay import replay, suggested_event
from tuner.engine.retention import Retention
from tuner.spec import SweepSpec
from tuner.storage.journal import Journal
from tuner.sweep import Trial
from tuner.sweep import events as ev


class Books:
    """Writes events to the journal, and keeps sweep, policy and checkpoints in step with it.

    Attributes:
        sweep: folded from the journal; always the same object.
        policy: has been told the whole journal.
    """

    def __init__(self, spec: SweepSpec, journal: Journal) -> None:
        self.journal = journal
        self.sweep = journal.sweep
        self.policy = replay(spec, journal.events)
        self.retention = Retention(journal.folder, spec.checkpoints.keep, self.sweep)
        self._due: list[tuple[Trial, bool]] = []
        """Ended trials whose checkpoints are to be deleted, and whether their best weights stay. The journal says so
        before they are, in the next write, as a write of its own would hold up the next trial."""

    def append(self, *events: ev.AnyEvent) -> None:
        """Journals events in one durable write; with them, before them, deletions that are due.

        Raises:
            StorageError: the journal cannot be written.
        """
        due, self._due = self._due, []
        deleted = [
            ev.CheckpointsDeleted(trial=trial.number, keeps_best=keeps_best)
            for trial, keeps_best in due
            if trial.checkpoints
        ]
        self.journal.append(*deleted, *events)
        self.sweep = self.journal.sweep
        for trial, _ in due:
            self.retention.delete(trial)

    def suggest(self) -> Trial | None:
        """Journals the policy's next trial; None if there is none."""
        suggestion = self.policy.ask()
        if suggestion is None:
            return None
        self.append(suggested_event(suggestion))
        return self.sweep.trials[suggestion.trial]

    def end(self, trial: Trial, end: TrialEnd, *before: ev.AnyEvent) -> None:
        """Journals a trial's end, in one write with what led to it. Checkpoints that nobody needs are deleted soon."""
        self.policy.close(trial.number, end.outcome)
        self.append(*before, ev.TrialEnded(trial=trial.number, outcome=end.outcome, reason=end.reason))
        self._due += self.retention.ended(trial)

    def delete_left_over(self) -> None:
        """Deletes checkpoints of ended trials that the last driver had no time to delete."""
        self._due += self.retention.left_over()

    def take_late_checkpoint(self, saved: SavedCheckpoint) -> None:
        """Takes a checkpoint that its worker reports after leaving the trial; if that has ended since, deletes it."""
        trial = self.sweep.trials[saved.trial]
        if trial.outcome is None:
            self.append(saved.event)
        else:
            self.retention.delete(trial)
