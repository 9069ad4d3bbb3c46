"""What follows from the epochs of a report: the events for the journal, and the trial's end if it has one."""

from __future__ import annotations

from dataclasses import dataclass, field

from tuner.engine.endings import TrialEnd
from tuner.engine.messages import Report, TrainedEpoch
from tuner.engine.objective import missing_text
from tuner.policy import STOP, Decision, Policy
from tuner.sweep import Trial, objective_value
from tuner.sweep import events as ev


@dataclass
class Judged:
    """What a report comes to."""

    events: list[ev.AnyEvent] = field(default_factory=list)
    """For one durable write: an attempt's start, new epochs with their decisions, and checkpoints."""
    end: TrialEnd | None = None
    missing: str = ""
    """What is wrong with an epoch that does not report the objective; empty if all do."""

    @property
    def goes_on(self) -> bool:
        return self.end is None and not self.missing


def judge(policy: Policy, metric: str, trial: Trial, report: Report) -> Judged:
    """Tells the policy of a report's new epochs, in order, up to one that ends the trial.

    Args:
        metric: the objective.
        trial: as the journal has it; epochs that it has already are rework after a crash, and count no more.
    """
    judged = Judged([] if report.started is None else [report.started])
    if report.logged:
        judged.events.append(
            ev.TrialLogged(
                trial=report.trial, params=report.logged.get("params", {}), tags=report.logged.get("tags", {})
            )
        )
    if report.system:
        judged.events.append(ev.SystemSampled(trial=report.trial, samples=list(report.system)))
    for epoch in report.epochs:
        if epoch.epoch <= trial.epochs_trained:
            continue
        if metric not in epoch.metrics:
            judged.missing = missing_text(metric, epoch)
            break
        decision = policy.tell(trial.number, epoch.epoch, objective_value(epoch.metrics, metric))
        judged.events.append(_event(report, epoch, decision))
        if decision.action == STOP:
            judged.end = TrialEnd(decision.outcome or "stopped", decision.reason)
            break
    if judged.goes_on and report.ended:
        judged.end = TrialEnd("completed" if report.is_whole else "plateaued", report.ended)
    judged.events += [saved.event for saved in report.checkpoints if saved.trial == trial.number]
    return judged


def _event(report: Report, epoch: TrainedEpoch, decision: Decision) -> ev.EpochReported:
    return ev.EpochReported(
        trial=report.trial,
        attempt=report.attempt,
        epoch=epoch.epoch,
        metrics=epoch.metrics,
        epoch_s=epoch.epoch_s,
        decision=decision.action,
        reason=decision.reason,
        outcome=decision.outcome,
    )
