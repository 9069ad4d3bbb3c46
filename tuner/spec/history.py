"""A sweep's spec as it was at each event of its journal, and which version of the policy decided then."""

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
        events: those to begin with, all kinds.

    Attributes:
        plain: the spec after the events so far, as the journal has it; empty before the first one.
        policy: the version of the policy that decides from here on; 0 where the journal names none.
    """

    def __init__(self, events: Iterable[ev.AnyEvent] = ()) -> None:
        self.plain: dict[str, Any] = {}
        self.policy = 0
        self._spec: SweepSpec | None = None
        for event in events:
            self.take(event)

    def take(self, event: ev.AnyEvent) -> bool:
        """Takes the next event; whether it began a driver, whose spec may be another one."""
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
