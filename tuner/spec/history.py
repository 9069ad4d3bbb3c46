"""A sweep's spec at each event of its journal, and the version of the policy that decided then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tuner.spec.loading import spec_from_mapping
from tuner.spec.models import SweepSpec
from tuner.sweep import events as ev
from tuner.sweep import with_changes


class SpecHistory:
    """Follows a journal's spec: what `sweep_started` holds, changed by each `sweep_resumed`.

    Args:
        events: events of any type to start with.

    Attributes:
        plain: the spec after the events so far, as the journal holds it; empty before the first event.
        policy: the version of the policy that decides from here on; 0 if the journal names none.
    """

    def __init__(self, events: Iterable[ev.AnyEvent] = ()) -> None:
        self.plain: dict[str, Any] = {}
        self.policy = 0
        self._spec: SweepSpec | None = None
        for event in events:
            self.take(event)

    def take(self, event: ev.AnyEvent) -> bool:
        """Takes the next event; returns whether a driver started with it, so that the spec may have changed."""
        match event:
            case ev.SweepStarted():
                self.plain = event.spec
            case ev.SweepResumed():
                self.plain = with_changes(self.plain, event.changes)
            case _:
                return False
        self.policy = event.policy
        self._spec = None
        return True

    @property
    def spec(self) -> SweepSpec:
        """The validated spec after the events so far.

        Raises:
            SpecError: the journal's spec breaks a rule.
        """
        if self._spec is None:
            self._spec = spec_from_mapping(self.plain, source="the journal")
        return self._spec
