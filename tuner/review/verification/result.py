"""The result of a verification: plain values, with a bounded number of lines for each invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["lost", "duplicated", "wrong"]

INVARIANTS = {
    "events": "the journal is one sequence without gaps, and each trial's events follow one another",
    "trials": "the requested number of trials, each suggested once and ended once",
    "decisions": "every suggestion, decision and outcome follows from the events before it",
    "policy": "the policy has observed every trial as in the journal",
    "best": "the best trial is the best of all usable epochs",
    "rework": "each attempt continues from the newest checkpoint that could be read",
    "mlflow": "one run for each trial, with its status, params and every metric row once",
    "checkpoints": "all required checkpoints exist and can be read, and there are no others",
    "code": "the trainable's code is stored as it was trained with",
}
"""Name -> what is verified, in the order of the output."""

LINES_MAX = 20
"""The most lines for one invariant and kind; the rest is counted."""


@dataclass(frozen=True)
class Finding:
    """One violation, in one line. `times`: how many it stands for, if there were too many lines."""

    invariant: str
    message: str
    kind: Kind = "wrong"
    times: int = 1

    def __str__(self) -> str:
        return f"{self.invariant}: {self.message}"


@dataclass(frozen=True)
class Verification:
    """What was counted, what is wrong, and which invariants were skipped and why."""

    counts: Mapping[str, int]
    findings: Sequence[Finding]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    """Facts that are not violations but worth a line, such as a trainable's file that was edited since."""

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
        """Adds a violation; a message of several lines is joined into one."""
        assert invariant in INVARIANTS
        self._num[invariant, kind] += 1
        if self._num[invariant, kind] <= LINES_MAX:
            self._kept.append(Finding(invariant, " ".join(message.split())[:500], kind))

    def __iter__(self) -> Iterator[Finding]:
        """In the order of the invariants; findings over LINES_MAX are summed up in one."""
        order = list(INVARIANTS)
        more = [
            Finding(invariant, f"and {num - LINES_MAX} more like these", kind, num - LINES_MAX)
            for (invariant, kind), num in self._num.items()
            if num > LINES_MAX
        ]
        return iter(sorted([*self._kept, *more], key=lambda finding: order.index(finding.invariant)))
