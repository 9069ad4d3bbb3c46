"""What a verification found: plain values, a bounded number of lines for each invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["lost", "duplicated", "wrong"]

INVARIANTS = {
    "events": "the journal is one sequence without gaps, and each trial's events follow one another",
    "trials": "the asked number of trials, each suggested once and ended once",
    "decisions": "every suggestion, decision and outcome follows from the events before it",
    "policy": "the policy has observed every trial, as the journal tells it",
    "best": "the best trial is the best of all usable epochs",
    "rework": "each attempt goes on from the newest checkpoint that could be read",
    "mlflow": "one run a trial, with its status, params and every metric row once",
    "checkpoints": "the checkpoints that should be there are, can be read, and no others",
    "code": "the trainable's code is kept as it was trained with",
}
"""What is verified, by name, in the order in which it is told."""

LINES_MAX = 20
"""Of one invariant and kind; the rest is counted."""


@dataclass(frozen=True)
class Finding:
    """One violation, in one line. `times`: how many it stands for, where the lines were too many."""

    invariant: str
    message: str
    kind: Kind = "wrong"
    times: int = 1

    def __str__(self) -> str:
        return f"{self.invariant}: {self.message}"


@dataclass(frozen=True)
class Verification:
    """What was counted, what is wrong, and which invariants were not looked at and why."""

    counts: Mapping[str, int]
    findings: Sequence[Finding]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    """What is no violation, but worth a line, such as a trainable's file that was edited since."""

    @property
    def ok(self) -> bool:
        return not self.findings

    def num(self, kind: Kind) -> int:
        """How many violations there are of a kind."""
        return sum(finding.times for finding in self.findings if finding.kind == kind)

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings) or "no violation"


class Findings:
    """Collects violations while a sweep is verified."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._num: Counter[tuple[str, Kind]] = Counter()

    def add(self, invariant: str, message: str, kind: Kind = "wrong") -> None:
        """Takes a violation; a message of several lines becomes one."""
        assert invariant in INVARIANTS
        self._num[invariant, kind] += 1
        if self._num[invariant, kind] <= LINES_MAX:
            self._kept.append(Finding(invariant, " ".join(message.split())[:500], kind))

    def __iter__(self) -> Iterator[Finding]:
        """In the order of the invariants; what is over LINES_MAX as one finding more."""
        order = list(INVARIANTS)
        more = [
            Finding(invariant, f"and {num - LINES_MAX} more like these", kind, num - LINES_MAX)
            for (invariant, kind), num in self._num.items()
            if num > LINES_MAX
        ]
        return iter(sorted([*self._kept, *more], key=lambda finding: order.index(finding.invariant)))
