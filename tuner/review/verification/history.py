"""Checks the journal by itself: the sequence of events, and the life of each trial."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuner.base.outcomes import OUTCOMES
from tuner.review.verification.result import Findings, Kind
from tuner.sweep import Sweep
from tuner.sweep import events as ev

STOP = "stop"


def check_sequence(events: Sequence[ev.AnyEvent], acknowledged: Iterable[ev.AnyEvent], found: Findings) -> None:
    """Checks the numbering of events, and that events seen earlier are unchanged."""
    last = -1
    for event in events:
        if event.seq > last + 1:
            found.add("events", f"events {last + 1} to {event.seq - 1} are missing", "lost")
        elif event.seq <= last:
            found.add("events", f"event {event.seq} comes again after event {last}", "duplicated")
        last = max(last, event.seq)
    by_seq = {event.seq: event for event in events}
    for seen in acknowledged:
        now = by_seq.get(seen.seq)
        if now is None:
            found.add("events", f"event {seen.seq} was acknowledged, but is gone: {_text(seen)}", "lost")
        elif ev.encode(now) != ev.encode(seen):
            found.add("events", f"event {seen.seq} was {_text(seen)}, but is {_text(now)} now", "lost")


def check_lives(events: Sequence[ev.AnyEvent], found: Findings) -> None:
    """Checks the order of events within the sweep and within each trial."""
    lives: dict[int, _Life] = {}
    left = False
    for place, event in enumerate(events):
        if isinstance(event, ev.SweepStarted) != (place == 0):
            what = "the first event must be sweep_started" if place == 0 else "sweep_started must be the first event"
            found.add("events", f"event {event.seq}: {what}, but it is {_text(event)}")
        if left and not isinstance(event, ev.SweepResumed | ev.CheckpointSaved | ev.CheckpointsDeleted):
            found.add("events", f"event {event.seq}: comes after its driver had left: {_text(event)}")
        if isinstance(event, ev.SweepEnded | ev.SweepInterruptedEvent):
            left = True
        elif isinstance(event, ev.SweepResumed):
            left = False
        elif isinstance(event, ev.WarmStarted):
            if lives:
                found.add("events", f"event {event.seq}: a sweep must learn of earlier trials before its own")
        elif isinstance(event, ev.TrialSuggested):
            _check_suggested(event, lives, found)
        elif not isinstance(event, ev.SweepStarted | ev.SlotsChanged | ev.ClockJumped):
            life = lives.get(event.trial)
            if life is None:
                found.add("events", f"event {event.seq}: trial {event.trial} was never suggested", "lost")
            else:
                life.take(event, found)


def _check_suggested(event: ev.TrialSuggested, lives: dict[int, _Life], found: Findings) -> None:
    if event.trial in lives:
        found.add("trials", f"trial {event.trial} was suggested twice (event {event.seq})", "duplicated")
        return
    if event.trial != len(lives):
        found.add("trials", f"trial {event.trial} was suggested as number {len(lives)} (event {event.seq})", "lost")
    lives[event.trial] = _Life(event.trial)


@dataclass
class _Life:
    """A trial according to the events so far."""

    trial: int
    attempt: int = 0
    epoch: int = 0
    is_decided: bool = False
    is_ended: bool = False

    def take(self, event: ev.AnyEvent, found: Findings) -> None:
        where = f"trial {self.trial}, event {event.seq}"
        if isinstance(event, ev.CheckpointSaved | ev.CheckpointsDeleted):
            if isinstance(event, ev.CheckpointSaved) and f"/{self.trial:06d}/" not in event.path:
                found.add("events", f"{where}: {event.path} is not in the trial's folder")
            return
        if isinstance(event, ev.TrialEnded):
            if self.is_ended:
                found.add("trials", f"trial {self.trial} ended twice (event {event.seq})", "duplicated")
            if event.outcome not in OUTCOMES:
                found.add("trials", f"{where}: {event.outcome!r} is no outcome")
            self.is_ended = True
        elif self.is_ended:
            found.add("events", f"{where}: comes after the trial's end: {_text(event)}")
        elif self.is_decided:
            found.add("events", f"{where}: comes after the decision to stop: {_text(event)}")
        match event:
            case ev.TrialStarted():
                if event.attempt != self.attempt + 1:
                    kind: Kind = "duplicated" if event.attempt <= self.attempt else "lost"
                    found.add("events", f"{where}: attempt {event.attempt} follows attempt {self.attempt}", kind)
                if not 0 <= event.epoch <= self.epoch:
                    found.add("events", f"{where}: goes on from epoch {event.epoch}, but {self.epoch} are journalled")
                if unknown := event.used.keys() - {"learning_rate", "batch_size", "epochs"}:
                    found.add("events", f"{where}: uses {', '.join(sorted(unknown))}, which no training has")
                self.attempt = max(self.attempt, event.attempt)
            case ev.AttemptFailed():
                if event.attempt not in (self.attempt, self.attempt + 1):
                    found.add("events", f"{where}: attempt {event.attempt} failed, but {self.attempt} was the last")
                self.attempt = max(self.attempt, event.attempt)
            case ev.EpochReported():
                self._take_epoch(event, where, found)

    def _take_epoch(self, event: ev.EpochReported, where: str, found: Findings) -> None:
        if event.epoch > self.epoch + 1:
            found.add("events", f"{where}: epoch {event.epoch} follows epoch {self.epoch}", "lost")
        elif event.epoch <= self.epoch:
            found.add("events", f"{where}: epoch {event.epoch} comes again", "duplicated")
        if event.attempt != self.attempt:
            found.add("events", f"{where}: is of attempt {event.attempt}, but attempt {self.attempt} is under way")
        self.epoch = max(self.epoch, event.epoch)
        self.is_decided = event.decision == STOP


def check_number(sweep: Sweep, is_exhausted: bool, found: Findings) -> None:
    """Checks that there are as many trials as requested and, after the sweep's end, that all have ended.

    `is_exhausted`: whether the policy has no more configurations to suggest.
    """
    asked, num = sweep.num_trials, sweep.num_counted
    if num > asked:
        found.add("trials", f"{asked} trials were asked for, but {num} were suggested", "duplicated")
    if sweep.ended is None or sweep.ended.state != "finished":
        return
    if num < asked and not is_exhausted:
        found.add("trials", f"the sweep is finished with {num} trials of {asked}, and the space has more", "lost")
    for trial in sweep.unfinished:
        found.add("trials", f"the sweep is finished, but trial {trial.number} has no end", "lost")


def _text(event: ev.AnyEvent) -> str:
    """A short description of an event."""
    return ev.encode(event).decode().strip()[:160]
