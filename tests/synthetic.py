"""Sweeps made in memory: the real policy over curves that are written down, without workers, journals or files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation import make_spec
from tuner.analysis.importance_values import Unknown
from tuner.policy import STOP, Policy
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

Curve = Callable[[dict[str, Any], int, int], float]
"""(parameters, epoch, trial) -> the objective; NaN diverges, an exception fails."""

UNKNOWN = Unknown("not looked for", 0)
"""For advice without a forest."""
RANDOM = {"algorithm": "random", "seed": 3}


def swept(curve: Curve, *, epoch_s: Callable[[dict[str, Any]], float] = lambda params: 1.0, **spec: Any) -> Sweep:
    """A finished sweep whose trials ran one after another.

    Args:
        epoch_s: seconds an epoch, by parameters.
        spec: changes of `make_spec`, nested keys as a__b; at random unless they name another search.
    """
    made = make_spec(**{"search": RANDOM, **spec})
    policy = Policy(made.search_settings)
    events: list[ev.AnyEvent] = [ev.SweepStarted(at=0.0, seq=0, spec=made.resolved(), versions={}, seed=0)]
    clock = 0.0

    def happened(kind: Any, **fields: Any) -> None:
        events.append(kind(at=clock, seq=len(events), **fields))

    happened(ev.SlotsChanged, slots=1)
    while suggestion := policy.ask():
        trial, params = suggestion.trial, {**made.space.fixed, **suggestion.params}
        happened(
            ev.TrialSuggested, trial=trial, params={"epochs": suggestion.epochs, **params}, origin=suggestion.origin
        )
        happened(ev.TrialStarted, trial=trial, attempt=1, node="here", pid=1, gpus=())
        for epoch in range(1, suggestion.epochs + 1):
            try:
                value = curve(params, epoch, trial)
            except Exception as error:
                policy.close(trial, "failed")
                happened(ev.TrialEnded, trial=trial, outcome="failed", reason=str(error))
                break
            clock += epoch_s(params)
            decision = policy.tell(trial, epoch, value)
            metrics: Mapping[str, float] = {"loss": 0.1, made.objective.metric: value}
            happened(
                ev.EpochReported, trial=trial, attempt=1, epoch=epoch, metrics=metrics, epoch_s=epoch_s(params),
                decision=decision.action, reason=decision.reason,
            )  # fmt: skip
            if decision.action == STOP:
                assert decision.outcome is not None
                policy.close(trial, decision.outcome)
                happened(ev.TrialEnded, trial=trial, outcome=decision.outcome, reason=decision.reason)
                break
    happened(ev.SweepEnded, reason="", state="finished")
    return fold(events)
