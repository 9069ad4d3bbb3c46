"""The events of a sweep, frozen, and their JSON form: one object a line, its kind in the field `event`.

A sweep is what these events say and nothing else. Types and fields may be added, never changed. Floats that JSON cannot
write (NaN, infinities) are written as null, and read back as NaN where a metric is meant.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from tuner.base.outcomes import EndState, FailureCause, Outcome
from tuner.base.words import Params

Metrics = dict[str, float | None]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="event"):
    """What every event has: `at`, Unix seconds, and `seq`, its place in the journal from 0; the journal sets both.

    Within one driver `at` only grows, whoever sets the clock. The next driver reads the clock anew, and may be before.

    Events hold plain values and never each other, so the garbage collector need not look at half a million of them.
    """

    at: float = 0.0
    seq: int = -1


def epochs_max(params: Params) -> int:
    """A trial's whole training: the parameters in a journal always hold it as `epochs`."""
    return int(params["epochs"] or 0)


class SweepStarted(Event, frozen=True, kw_only=True, gc=False, tag="sweep_started"):
    """The first event. `spec` is the resolved spec; `sweep_id` is unique among all sweeps, whatever their names.

    `root_id` is the storage root's, and `url` the sweep's folder in it. A copy's `copied_from` has its original's
    `sweep`, `sweep_id`, `url`, and `events`, how many of them were copied. `code` is what is known of the trainable's
    code (see `tuner.inspection.provenance.code.Code`), `data` of its data: `source`, the spec's, and `arrays`, those
    that it loads. `learned` is what `load_data` left in the trainable (see `tuner.inspection.provenance.learned`). All
    are empty where nothing is known, as in older journals. `policy` is the version of the policy that decides
    (`tuner.policy.VERSION`); 0 in journals from before it was named.
    """

    spec: dict[str, Any]
    versions: dict[str, str]
    seed: int
    sweep_id: str = ""
    root_id: str = ""
    url: str = ""
    copied_from: dict[str, Any] = {}
    code: dict[str, Any] = {}
    data: dict[str, Any] = {}
    learned: dict[str, Any] = {}
    policy: int = 0


class WarmStarted(Event, frozen=True, kw_only=True, gc=False, tag="warm_started"):
    """What the policy begins with knowing of a sweep or an experiment of before, in the same write as `sweep_started`.

    Each of `trials` has `trial`, `params`, `epoch`, `epochs_max`, `value` and `bad` (see `tuner.policy.earlier`). They
    are no trials of this sweep: they count in nothing of it.
    """

    source: str
    trials: list[dict[str, Any]]


class SlotsChanged(Event, frozen=True, kw_only=True, gc=False, tag="slots_changed"):
    """How many trials the cluster can train at the same time from now on."""

    slots: int


class TrialSuggested(Event, frozen=True, kw_only=True, gc=False, tag="trial_suggested"):
    """The policy's answer to ask(). `origin` says what drew it: point, random, broad, tpe, grid."""

    trial: int
    params: Params
    origin: str

    @property
    def epochs_max(self) -> int:
        """Epochs of its whole training."""
        return epochs_max(self.params)


class TrialStarted(Event, frozen=True, kw_only=True, gc=False, tag="trial_started"):
    """An attempt (from 1) at a trial reached a worker, which goes on from `epoch` (0: from the start).

    `passed_over` are newer checkpoints that could not be read.
    """

    trial: int
    attempt: int
    node: str
    pid: int
    gpus: list[str]
    epoch: int = 0
    passed_over: list[str] = []


class EpochReported(Event, frozen=True, kw_only=True, gc=False, tag="epoch_reported"):
    """One validated epoch (from 1) and what the policy decided on it: continue or stop."""

    trial: int
    attempt: int
    epoch: int
    metrics: Metrics
    epoch_s: float
    decision: str
    reason: str


class CheckpointSaved(Event, frozen=True, kw_only=True, gc=False, tag="checkpoint_saved"):
    """A checkpoint after `epoch` is on storage at `path`, relative to the sweep's folder.

    A `full` one holds all that training needs to go on, the best epoch's weights included; a `best` one holds these
    alone. `test` has their test metrics where the trainable has test data; the policy never sees them. `write_s` is
    what writing took, beside the training.
    """

    trial: int
    epoch: int
    path: str
    best_epoch: int = 0
    test: Metrics = {}
    kind: str = "full"
    write_s: float = 0.0


class CheckpointsDeleted(Event, frozen=True, kw_only=True, gc=False, tag="checkpoints_deleted"):
    """An ended trial's checkpoints were deleted: all, as others are better, or all but its newest best weights."""

    trial: int
    keeps_best: bool = False


class AttemptFailed(Event, frozen=True, kw_only=True, gc=False, tag="attempt_failed"):
    """An attempt ended in an error. `counts`: whether it uses up one of the trial's retries."""

    trial: int
    attempt: int
    cause: FailureCause
    reason: str
    counts: bool = True


class TrialEnded(Event, frozen=True, kw_only=True, gc=False, tag="trial_ended"):
    """The trial has ended for good."""

    trial: int
    outcome: Outcome
    reason: str


class ClockJumped(Event, frozen=True, kw_only=True, gc=False, tag="clock_jumped"):
    """The clock of the driver's machine was set by so many seconds (negative: back), or the machine slept.

    The driver's `at` goes on without the jump, so that differences are true; as times of day they are off by it.
    """

    by_s: float


class SweepInterruptedEvent(Event, frozen=True, kw_only=True, gc=False, tag="sweep_interrupted"):
    """The driver left in order before the sweep's end."""

    reason: str


class SweepResumed(Event, frozen=True, kw_only=True, gc=False, tag="sweep_resumed"):
    """Another driver goes on with the sweep; `changes` maps a spec's path to its new value.

    `root_id` and `url` are as in `sweep_started`: a storage root may be moved, and with it its sweeps. `code`, `data`,
    `learned` and `versions` are as there where they are others from now on, else empty. `policy` is as there: from now
    on this driver's version decides.
    """

    changes: dict[str, Any]
    root_id: str = ""
    url: str = ""
    code: dict[str, Any] = {}
    data: dict[str, Any] = {}
    learned: dict[str, Any] = {}
    versions: dict[str, str] = {}
    policy: int = 0


class SweepEnded(Event, frozen=True, kw_only=True, gc=False, tag="sweep_ended"):
    """The sweep has ended."""

    reason: str
    state: EndState = "finished"


AnyEvent = (
    SweepStarted
    | WarmStarted
    | SlotsChanged
    | TrialSuggested
    | TrialStarted
    | EpochReported
    | CheckpointSaved
    | CheckpointsDeleted
    | AttemptFailed
    | TrialEnded
    | ClockJumped
    | SweepInterruptedEvent
    | SweepResumed
    | SweepEnded
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: AnyEvent) -> bytes:
    """The event as one line of JSON, newline included.

    Text of a user's code may hold lone surrogates, as names of files do, which UTF-8 cannot: they become `\\udce9`.
    """
    try:
        return _encoder.encode(event) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(_encodable(msgspec.to_builtins(event))) + b"\n"


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_encodable(name): _encodable(item) for name, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
    return value


def decode(line: bytes) -> AnyEvent:
    """The event of one line of JSON.

    Raises:
        msgspec.DecodeError: the line is not JSON.
        msgspec.ValidationError: it is JSON but no event that this version knows.
    """
    return _decoder.decode(line)


def metric_value(value: float | None) -> float:
    """A metric's value as a float; what JSON could only write as null is NaN."""
    return math.nan if value is None else value
